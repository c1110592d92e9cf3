"""Where tagstream is installed, and what it says of its version."""

import subprocess
from pathlib import Path

import pytest

from tagstream import __version__, installation
from tagstream.installation import clone, commit, shipped_models, version_line
from tagstream.settings import REPOSITORY, Settings


def test_this_copy_is_a_clone_with_its_models() -> None:
    assert clone() == REPOSITORY
    assert shipped_models() == REPOSITORY / "triton_models"
    assert Settings().models == str(shipped_models())


def test_a_package_has_its_models_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_PACKAGE", tmp_path / "tagstream")
    assert clone() is None
    assert shipped_models() == tmp_path / "tagstream/triton_models"


def test_the_commit_of_a_wheel_is_that_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "commit.txt").write_text("1a2b3c4d5e6f\n", encoding="ascii")
    monkeypatch.setattr(installation, "_COMMIT_FILE", tmp_path / "commit.txt")
    assert version_line() == f"tagstream {__version__} (commit 1a2b3c4d5e6f)"


def test_the_commit_of_a_clone_is_gits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "clone", lambda: tmp_path)
    assert commit() is None
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert commit() == said.stdout[:12]


def test_where_nobody_knows_the_commit_nothing_is_said_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "clone", lambda: None)
    monkeypatch.setattr(installation, "_COMMIT_FILE", tmp_path / "none.txt")
    assert version_line() == f"tagstream {__version__}"


def test_a_clone_inside_another_repository_does_not_tell_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "clone", lambda: REPOSITORY / "docs")
    assert commit() is None
