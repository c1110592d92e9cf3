"""The wheel: complete, without what does not belong in it, and of use in an empty folder."""

import json
from email.parser import Parser
from pathlib import Path

import pytest
from built_wheel import BuiltWheel

from tagstream import __version__
from tagstream.installation import version_line
from tagstream.settings import REPOSITORY

pytestmark = pytest.mark.xdist_group("wheel")

PACKAGES = ("tagstream", "ingest", "workers", "search", "training", "ops")


def relative_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_module_and_every_file_beside_it_is_in_the_wheel(wheel: BuiltWheel) -> None:
    packed = relative_files(wheel.installed)
    for package in PACKAGES[:-1]:
        there = {f"{package}/{name}" for name in relative_files(REPOSITORY / package)}
        missing = {name for name in there - packed if not name.startswith("training/results/")}
        assert not missing
    assert {f"ops/bench/{name}" for name in relative_files(REPOSITORY / "ops/bench")} <= packed
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed


def test_the_models_are_those_of_the_repository_without_the_networks_for_gpus(wheel: BuiltWheel) -> None:
    ours = REPOSITORY / "triton_models"
    packed = wheel.installed / "tagstream/triton_models"
    assert relative_files(packed) == {name for name in relative_files(ours) if not name.endswith(".fp16.onnx")}
    for name in relative_files(packed):
        assert (packed / name).read_bytes() == (ours / name).read_bytes()


def test_nothing_else_is_in_the_wheel(wheel: BuiltWheel) -> None:
    tops = {name.partition("/")[0] for name in relative_files(wheel.installed)}
    assert tops == {*PACKAGES, f"tagstream-{__version__}.dist-info"}
    assert not (wheel.installed / "ops/stack").exists()
    assert wheel.path.stat().st_size < 40_000_000


def test_the_metadata_is_complete(wheel: BuiltWheel) -> None:
    information = wheel.installed / f"tagstream-{__version__}.dist-info"
    metadata = Parser().parsestr((information / "METADATA").read_text(encoding="utf-8"))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]
    assert (information / "licenses/LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in (metadata.get_all("Classifier") or [])
    assert "named entity recognition" in metadata["Keywords"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "tagstream = tagstream.cli:main" in (information / "entry_points.txt").read_text(encoding="utf-8")


def test_it_tags_and_tells_its_version_in_an_empty_folder(wheel: BuiltWheel, tmp_path: Path) -> None:
    said = wheel.tagstream("--version", cwd=tmp_path)
    if (REPOSITORY / ".git").exists():
        assert said.stdout.startswith(f"tagstream {__version__} (commit ")
    assert said.stdout.strip() == version_line()
    tagged = wheel.tagstream("tag", "--json", "Angela Merkel meets NASA", cwd=tmp_path)
    assert [entity["text"] for entity in json.loads(tagged.stdout)["entities"]] == ["Angela Merkel", "NASA"]
    assert list(tmp_path.iterdir()) == []


def test_it_runs_and_searches_with_a_folder_workers_beside_the_script(wheel: BuiltWheel, tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers/notes.txt").touch()
    (tmp_path / "feed.jsonl").write_text('{"id": 1, "text": "Angela Merkel in Paris", "created_at": 1714564800}\n')
    ran = wheel.tagstream("run", "--source", "jsonl:feed.jsonl", "--models", "stub:", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = wheel.tagstream("search", "place:Paris", "--json", cwd=tmp_path)
    assert json.loads(found.stdout)["text"] == "Angela Merkel in Paris", found.stderr


def test_every_command_can_be_imported_from_the_wheel_alone(wheel: BuiltWheel, tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, tagstream\n"
        "from tagstream.cli.commands import COMMANDS\n"
        "for entry in COMMANDS.values(): entry.load()\n"
        "names = ('tagstream', 'ingest', 'workers', 'search', 'training', 'ops')\n"
        "print({str(pathlib.Path(sys.modules[name].__file__).parent.parent) for name in names})"
    )
    done = wheel.python("-c", program, cwd=tmp_path)
    assert done.stdout.strip() == str({str(wheel.installed)}), done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_whose_it_is(package: str) -> None:
    first = (REPOSITORY / package / "__init__.py").read_text(encoding="utf-8").splitlines()[0]
    assert "tagstream" in first, "tagstream/shadowing.py tells our packages from others by that word"
