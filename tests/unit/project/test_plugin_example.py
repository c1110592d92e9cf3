"""The example of a plug-in, installed beside our wheel as its author would: listed, run, and tested by the contract."""

import json
import re
import shutil
from pathlib import Path

import pytest
from built_wheel import BuiltWheel, build_wheel, unpack

from tagstream.settings import REPOSITORY

pytestmark = pytest.mark.xdist_group("wheel")

EXAMPLE = REPOSITORY / "docs/examples/tagstream-example-source"
CHAT = """\
2026-03-01T10:00:00Z ann Angela Merkel lands in Paris

not a message
2026-03-01T10:00:05Z bo NASA says so, too
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, in which nothing of this tree is found by chance."""
    copy = tmp_path_factory.mktemp("author") / EXAMPLE.name
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def installed(wheel: BuiltWheel, project: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltWheel:
    """An environment with both wheels."""
    folder = tmp_path_factory.mktemp("both")
    plugin = build_wheel(tmp_path_factory.mktemp("plugin"), project)
    for path in (wheel.path, plugin):
        unpack(path, folder)
    return BuiltWheel(wheel.path, folder)


def test_it_is_listed(installed: BuiltWheel, tmp_path: Path) -> None:
    listed = [json.loads(line) for line in installed.tagstream("plugins", "--json", cwd=tmp_path).stdout.splitlines()]
    assert {
        "kind": "source",
        "name": "example",
        "package": "tagstream-example-source",
        "version": "1.0.0",
        "loads": True,
        "fault": None,
    } in listed


def test_its_feed_is_tagged_indexed_and_resumed(installed: BuiltWheel, tmp_path: Path) -> None:
    (tmp_path / "chat.log").write_text(CHAT, encoding="utf-8")
    command = ["run", "--source", "example:chat.log", "--models", "stub:", "--json"]
    ran = installed.tagstream(*command, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert (report["posts"], report["dropped"]["malformed"]) == (2, 1)
    assert report["source"] == {"passed_over_empty_line": 1}
    found = installed.tagstream("search", "place:Paris", "--json", cwd=tmp_path)
    assert re.fullmatch(r"example:[0-9a-f]{12}:1", json.loads(found.stdout)["id"])
    again = json.loads(installed.tagstream(*command, cwd=tmp_path).stdout)
    assert again["read"] == 0


def test_the_same_lines_of_a_second_file_are_other_posts(installed: BuiltWheel, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "chat.log").write_text(CHAT, encoding="utf-8")
        command = ["run", "--source", "example:chat.log", "--index", "sqlite:../both.db", "--models", "stub:", "--json"]
        ran = installed.tagstream(*command, cwd=tmp_path / folder)
        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)
        assert (report["outcomes"]["stored"], report["dropped"].get("duplicate", 0)) == (2, 0)


@pytest.mark.parametrize("argument", [".", "absent.log"])
def test_a_source_that_cannot_be_opened_leaves_no_index(installed: BuiltWheel, tmp_path: Path, argument: str) -> None:
    command = ["run", "--source", f"example:{argument}", "--index", "sqlite:q.db", "--models", "stub:"]
    refused = installed.tagstream(*command, cwd=tmp_path)
    assert refused.returncode != 0
    assert "cannot be read" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_bad_argument_is_refused_in_its_own_words(installed: BuiltWheel, tmp_path: Path) -> None:
    refused = installed.tagstream("run", "--source", "example:", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (2, "error: example: names no file: write example:FILE\n")


def test_its_own_tests_pass_with_pytest_alone(installed: BuiltWheel, project: Path) -> None:
    alone = ["-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    done = installed.python("-m", "pytest", "-q", *alone, "tests", cwd=project)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "15 passed" in done.stdout
