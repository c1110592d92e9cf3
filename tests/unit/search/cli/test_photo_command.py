"""`tagstream photo`: the thumbnail of a post as a file, or a clear word why there is none."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.posts import TaggedPost


class Terminal:
    """Runs commands in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture
        self.output = b""
        self.notes = ""

    def __call__(self, *arguments: str) -> int:
        self._capture.readouterr()
        code = run_guarded(application, arguments)
        output, notes = self._capture.readouterr()
        self.output, self.notes = output, notes.decode()
        return code


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    return Terminal(capsysbinary)


@pytest.fixture
def illustrated(run: Terminal) -> TaggedPost:
    """A post of a simulated feed whose first photo is kept."""
    assert run("run", "--source", "simulate:7?posts=200", "--until-end") == 0
    assert run("search", "has:photo", "--json", "--all") == 0
    posts = map(TaggedPost.model_validate_json, run.output.splitlines())
    return next(post for post in posts if post.media[0].sha256 is not None)


def test_the_photo_of_a_post_is_written_to_a_file_and_to_a_pipe(run: Terminal, illustrated: TaggedPost) -> None:
    assert run("photo", illustrated.id, "--output", "photo.jpg") == 0
    assert run.output == b""
    assert illustrated.id in run.notes
    written = Path("photo.jpg").read_bytes()
    with Image.open(io.BytesIO(written)) as picture:
        assert (picture.format, max(picture.size) <= 256) == ("JPEG", True)
    assert run("photo", illustrated.id, "--ordinal", "0", "--output", "-") == 0
    assert run.output == written


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("jsonl:none",), 3, "no photo 0 of jsonl:none"),
        (("\udcff",), 3, "no photo 0"),
        (("",), 3, "no photo 0"),
        (("x" * 100_000,), 3, "no photo 0"),
        (("a", "--ordinal", "-1"), 2, "--ordinal"),
        (("a", "--ordinal", "4"), 2, "--ordinal"),
        ((), 2, "POST_ID"),
    ],
)
@pytest.mark.usefixtures("illustrated")
def test_what_is_not_there_is_said(run: Terminal, arguments: tuple[str, ...], code: int, word: str) -> None:
    assert run("photo", *arguments, "--output", "photo.jpg") == code
    assert word in run.notes
    assert len(run.notes) < 1000
    assert "unexpected" not in run.notes
    assert not Path("photo.jpg").exists()


def test_a_deleted_post_has_no_photo(run: Terminal, illustrated: TaggedPost) -> None:
    native = illustrated.id.removeprefix(f"{illustrated.source}:")
    line = f'{{"id": "{native}", "delete": true, "source": "{illustrated.source}"}}\n'
    Path("deletion.jsonl").write_text(line)
    assert run("run", "--source", "jsonl:deletion.jsonl", "--until-end") == 0
    assert run("photo", illustrated.id, "--output", "-") == 3
    assert run.output == b""


@pytest.mark.parametrize("output", ["nowhere/photo.jpg", ".", "\0", "x" * 5000])
def test_a_file_that_cannot_be_written_is_refused(run: Terminal, illustrated: TaggedPost, output: str) -> None:
    assert run("photo", illustrated.id, "--output", output) == 2
    assert "--output" in run.notes
    assert "unexpected" not in run.notes


def test_a_terminal_is_spared(run: Terminal, illustrated: TaggedPost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.cli.photo.is_terminal", lambda: True)
    assert run("photo", illustrated.id, "--output", "-") == 2
    assert (run.output, "pipe" in run.notes) == (b"", True)


def test_without_an_index_it_says_so(run: Terminal) -> None:
    assert run("photo", "a", "--index", "sqlite:none.db", "--output", "-") == 3
    assert "none.db" in run.notes
