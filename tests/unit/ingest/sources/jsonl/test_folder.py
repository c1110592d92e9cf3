"""A folder of files of posts: which are read, in which order, and how reading goes on."""

import json
import shutil
from pathlib import Path

import pytest
from terminal import Terminal

from ingest.sources.open import open_source
from ingest.sources.wrappers.survey import Survey
from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from tagstream.posts import DeadLetter
from tagstream.source import Received, Source


def line(name: str) -> str:
    return json.dumps({"id": name, "text": f"post {name}", "created_at": "2026-03-01T10:00:00Z"}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "posts"
    (made / "2026" / ".git").mkdir(parents=True)
    (made / "a.jsonl").write_text(line("a1") + line("a2"))
    (made / "b.json").write_text("[" + line("b1") + "," + line("b2") + "]")
    (made / "c.csv").write_text("id,text,created_at\nc1,post c1,2026-03-01\nc2,post c2,2026-03-01\n")
    (made / "empty.jsonl").write_text("")
    (made / "2026" / "d.jsonl").write_text(line("d1"))
    (made / "2026" / ".git" / "x.jsonl").write_text(line("hidden"))
    (made / "README.md").write_text("about")
    return made


async def read(source: Source, cursor: str | None = None) -> list[Received]:
    await source.open(cursor)
    found: list[Received] = []
    while batch := await source.next_batch(2):
        found += batch
    await source.close()
    return found


def names(received: list[Received]) -> list[str]:
    return [
        one.event.cause if isinstance(one.event, DeadLetter) else one.event.id.rpartition(":")[2]  # type: ignore[union-attr]
        for one in received
    ]


async def test_files_are_read_in_order_of_name_and_one_that_cannot_be_read_is_told(folder: Path) -> None:
    source = open_source(f"jsonl:{folder}")
    received = await read(source)
    assert names(received) == ["d1", "a1", "a2", "b1", "b2", "c1", "c2", "unreadable_file"]
    letter = received[-1].event
    assert isinstance(letter, DeadLetter)
    assert letter.origin == str(folder / "empty.jsonl")
    assert "is empty" in letter.message
    assert source.counts()["passed_over_file"] == 1
    assert source.share_read().read == 1.0  # type: ignore[attr-defined]


async def test_a_link_to_a_file_outside_is_not_read_and_counted(folder: Path) -> None:
    (folder.parent / "secret.jsonl").write_text(line("secret"))
    (folder.parent / "posts-of-others").mkdir()
    (folder.parent / "posts-of-others" / "o.jsonl").write_text(line("other"))
    (folder / "z1.jsonl").symlink_to("../secret.jsonl")
    (folder / "z2.jsonl").symlink_to(folder.parent / "posts-of-others" / "o.jsonl")
    (folder / "2026" / "z3.jsonl").symlink_to("../z1.jsonl")
    (folder / "2026" / "inside.jsonl").symlink_to("../a.jsonl")
    for path in (folder, Path(f"{folder}/"), folder.parent / "linked"):
        if path.name == "linked":
            path.symlink_to(folder)
        source = open_source(f"jsonl:{path}")
        assert names(await read(source)) == ["d1", "a1", "a2", "a1", "a2", "b1", "b2", "c1", "c2", "unreadable_file"]
        assert (source.counts()["link_outside"], source.counts()["passed_over_file"]) == (3, 1)


def test_a_folder_of_links_outside_alone_is_refused_with_the_reason(folder: Path) -> None:
    links = folder.parent / "links"
    links.mkdir()
    (links / "a.jsonl").symlink_to(folder / "a.jsonl")
    with pytest.raises(UnreadableInput, match="1 links to files outside it are not read"):
        open_source(f"jsonl:{links}")


async def test_reading_goes_on_after_every_event_and_with_files_that_came_later(folder: Path) -> None:
    whole = await read(open_source(f"jsonl:{folder}"))
    for at, one in enumerate(whole):
        # Between the documents of an array the cursor may lie before one that was read.
        rest = names(await read(open_source(f"jsonl:{folder}"), one.cursor))
        assert rest[len(rest) - len(whole) + at + 1 :] == names(whole[at + 1 :])
        assert len(rest) <= len(whole) - at
    (folder / "later.jsonl").write_text(line("e1"))
    assert names(await read(open_source(f"jsonl:{folder}"), whole[-1].cursor)) == ["e1"]


@pytest.mark.parametrize("change", ["removed", "grown", "added"])
async def test_a_folder_that_was_changed_before_the_place_is_refused(folder: Path, change: str) -> None:
    last = (await read(open_source(f"jsonl:{folder}")))[-2]
    if change == "removed":
        (folder / "a.jsonl").unlink()
    elif change == "grown":
        (folder / "a.jsonl").write_text(line("a1") + line("a2") + line("a3"))
    else:
        shutil.copy(folder / "a.jsonl", folder / "aa.jsonl")
    with pytest.raises(UnreadableInput, match="new index"):
        await read(open_source(f"jsonl:{folder}"), last.cursor)


async def test_what_is_no_folder_of_posts_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(UnreadableInput, match="no file"):
        await read(open_source(f"jsonl:{tmp_path / 'none'}"))
    for cursor in ("", "x", "1:2", "a:b:c:d"):
        with pytest.raises(CorruptState):
            await read(open_source(f"jsonl:{folder}"), cursor)
    assert names(await read(open_source(f"csv:{folder}"))) == ["c1", "c2"]


def test_columns_are_named_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    (tmp_path / "odd.csv").write_text("nr;wann;was & wo\n1;2021-11-15T19:08:05Z;Hello London\n")
    run = Terminal(capsysbinary)
    columns = ("--column", "text=was & wo", "--column", "created_at=wann")
    for scheme in ("csv:odd.csv", "jsonl:odd.csv", "csv:odd.csv?id=nr"):
        index = f"sqlite:{scheme[:4]}{len(scheme)}.db"
        assert run("run", "--source", scheme, *columns, "--index", index) == 0, run.notes
        assert run("search", "hello", "--ids", "--index", index) == 0
        assert run.output.count(b"\n") == 1
    for wrong in ("text", "=x", "text=", "colour=x"):
        assert run("run", "--source", "csv:odd.csv", "--column", wrong, "--index", "sqlite:x.db") == 2, wrong
    assert run("run", "--source", "simulate:1", "--column", "text=x", "--index", "sqlite:x.db") == 2


def test_a_table_and_its_columns_may_be_named_in_the_specification_as_before(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="behind the"):
        open_source(f"csv:{tmp_path}?colour=x")


def test_a_run_names_the_files_that_it_refused_or_passed_over(
    folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    run = Terminal(capsysbinary)
    index = f"sqlite:{tmp_path / 'index.db'}"
    (folder / "photo.jsonl").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    (folder / "sheet\x1b[31m.xlsx").write_bytes(b"PK\x03\x04")
    assert run("run", "--source", f"jsonl:{folder}", "--models", "stub:", "--index", index, "--until-end") == 0
    told = [line for line in run.notes.splitlines() if "' was " in line]
    assert [line.partition(" was ")[0] for line in told] == [
        "'empty.jsonl'",
        "'photo.jsonl'",
        "'README.md'",
        r"'sheet\x1b[31m.xlsx'",
    ]
    assert "is empty" in told[0]
    assert "a JPEG picture" in told[1]
    assert "tagstream dead-letters list --cause unreadable_file" in run.notes


async def test_of_many_files_that_are_not_read_twenty_are_named(folder: Path) -> None:
    for number in range(30):
        (folder / f"{number}.jsonl").write_text("")
    source = Survey(open_source(f"jsonl:{folder}"))
    await read(source)
    *named, more, _ = source.unread_files()
    assert (len(named), more) == (20, "12 more files were refused or passed over")
