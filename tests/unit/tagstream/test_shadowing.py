"""Another package of one of our names: noticed where it would be imported, and nowhere else."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tagstream.settings import REPOSITORY
from tagstream.shadowing import PACKAGES, ShadowedPackage, refuse_shadowed_packages


def run(*arguments: str, cwd: Path, path: str = "") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_beside_the_script_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    hiding = tmp_path / name / "__init__.py"
    hiding.touch()
    done = run("-c", "import tagstream", cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"tagstream.shadowing.ShadowedPackage: tagstream cannot be imported: {hiding} hides")
    assert f"package {name!r}: rename it, or start the program from another folder" in said


def test_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text("print('imported')", encoding="utf-8")
    done = run("-m", "tagstream", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: tagstream cannot be imported: {tmp_path / 'search.py'} hides tagstream's own")


def test_another_place_on_the_path_is_named_too(tmp_path: Path) -> None:
    elsewhere = tmp_path / "libraries"
    elsewhere.mkdir()
    (elsewhere / "training.py").touch()
    done = run("-c", "import tagstream", cwd=tmp_path, path=str(elsewhere))
    assert f"{elsewhere / 'training.py'} hides tagstream's own package 'training'" in done.stderr
    assert "take its folder off the path" in done.stderr


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool.py").touch()
    done = run("-c", "import tagstream, search.query; print(search.query.__file__)", cwd=tmp_path)
    assert done.stdout.strip() == str(REPOSITORY / "search/query.py"), done.stderr


def test_another_distribution_that_wrote_over_our_file_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "tagstream", tmp_path / "tagstream", ignore=shutil.ignore_patterns("triton_models"))
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        shutil.copy(REPOSITORY / name / "__init__.py", tmp_path / name)
    assert run("-c", "import tagstream", cwd=tmp_path).returncode == 0
    (tmp_path / "ops/__init__.py").write_text('"""Operators of another project."""\n', encoding="utf-8")
    done = run("-c", "import tagstream", cwd=tmp_path)
    assert f"{tmp_path / 'ops/__init__.py'} hides tagstream's own package 'ops'" in done.stderr


def test_from_a_zip_archive_our_packages_are_ours(tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in [
            *(REPOSITORY / "tagstream").glob("*.py"),
            *(REPOSITORY / name / "__init__.py" for name in PACKAGES),
        ]:
            packed.write(file, file.relative_to(REPOSITORY))
    done = run("-c", "import tagstream, search; print(search.__file__)", cwd=tmp_path, path=str(archive))
    assert done.stdout.strip() == f"{archive}/search/__init__.py", done.stderr


def test_a_link_to_the_installation_is_the_installation(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(REPOSITORY)
    assert run("-c", "import tagstream, ingest", cwd=tmp_path, path=str(link)).returncode == 0
    refuse_shadowed_packages(str(link))


def test_the_check_itself_imports_nothing(tmp_path: Path) -> None:
    done = run(
        "-c", "import sys, tagstream; print(sorted(set(sys.modules) & set(tagstream.shadowing.PACKAGES)))", cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"


def test_it_is_an_import_error_with_the_name_and_the_file(tmp_path: Path) -> None:
    with pytest.raises(ShadowedPackage) as refused:
        refuse_shadowed_packages(str(tmp_path))
    assert refused.value.name == "ingest"
    assert refused.value.path == str(REPOSITORY / "ingest/__init__.py")


def test_a_package_that_comes_onto_the_path_after_the_import_is_named_by_load(tmp_path: Path) -> None:
    hiding = tmp_path / "late/workers/__init__.py"
    hiding.parent.mkdir(parents=True)
    hiding.touch()
    program = "import sys, tagstream; sys.path.insert(0, 'late'); tagstream.load('stub:')"
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("tagstream.shadowing.ShadowedPackage: tagstream cannot be imported: ")
    assert "workers/__init__.py hides tagstream's own package 'workers'" in said


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("module", ["types.ModuleType('workers')", "None"])
def test_another_module_that_is_already_imported_is_named(tmp_path: Path, module: str, before: bool) -> None:
    steps = [f"sys.modules['workers'] = {module}", "import tagstream"]
    program = "; ".join(["import sys, types", *(steps if before else reversed(steps)), "tagstream.load('stub:')"])
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "another module 'workers', imported before, hides tagstream's own package: rename it" in said


def test_a_folder_that_was_imported_before_ours_was_on_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    program = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'ditable' not in str(f)]; "
        f"sys.path[:] = [p for p in sys.path if p != {str(REPOSITORY)!r}]; "
        f"import workers; sys.path.append({str(REPOSITORY)!r}); import tagstream"
    )
    done = run("-c", program, cwd=tmp_path, path=str(REPOSITORY))
    assert "another module 'workers', imported before, hides" in done.stderr


def test_load_accepts_its_own_packages_once_they_are_imported(tmp_path: Path) -> None:
    program = "import tagstream, ingest, search, workers; [tagstream.load('stub:') for _ in range(2)]"
    done = run("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
