"""The file of a SQLite index: whose it is, what can be read where nothing can be written, what deletion leaves."""

import asyncio
import multiprocessing
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.index import Query, SourceCursor
from search.sqlite import compaction, writer_lock
from search.sqlite.index import SqliteIndex
from search.testing.posts import START, found, indexable, tagged, write
from tagstream.dead_letter import dead_letter
from tagstream.errors import CorruptState, IndexUnavailable, TagstreamError, UnreadableInput
from tagstream.posts import Deletion


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


async def filled(path: Path) -> SqliteIndex:
    index = await SqliteIndex.open(path)
    letter = dead_letter(origin="x:1", source="jsonl", cause="c", message="m", body=b"b")
    await write(index, *(tagged(f"{at}", "London word", names=["London"]) for at in range(50)), letter)
    return index


def closed(path: Path) -> None:
    async def work() -> None:
        await (await filled(path)).close()

    asyncio.run(work())


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in folder.iterdir()}


def rollback_journal(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


def own_log(path: Path) -> None:
    """A database whose log and shared memory were left by a killed writer."""
    source = path.with_name("source.db")
    connection = sqlite3.connect(source, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE mine (x)")
    shutil.copy(source, path)
    shutil.copy(f"{source}-wal", f"{path}-wal")
    connection.close()
    source.unlink()


def own_log_before_any_table(path: Path) -> None:
    own_log(path)
    content = bytearray(path.read_bytes())
    content[103:105] = b"\0\0"
    path.write_bytes(content)


def hot_journal(path: Path) -> None:
    """A database in mid transaction, as a kill leaves it."""
    source = path.with_name("source.db")
    connection = sqlite3.connect(source, isolation_level=None)
    connection.execute("CREATE TABLE mine (x)")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO mine VALUES (?)", [("x" * 900,)] * 900)
    shutil.copy(source, path)
    shutil.copy(f"{source}-journal", f"{path}-journal")
    connection.close()
    source.unlink()


def with_an_id_of_its_own(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()


@pytest.mark.parametrize(
    "make", [rollback_journal, own_log, own_log_before_any_table, hot_journal, with_an_id_of_its_own]
)
@pytest.mark.parametrize("create", [True, False])
def test_not_a_byte_of_another_programs_database_changes(
    path: Path, make: Callable[[Path], None], create: bool
) -> None:
    make(path)
    before = everything_in(path.parent)
    with pytest.raises(CorruptState, match="another program"):
        asyncio.run(SqliteIndex.open(path, create=create))
    assert everything_in(path.parent) == before


def test_an_index_whose_tables_are_all_in_its_log_is_ours(path: Path) -> None:
    async def work() -> None:
        index = await filled(path.with_name("killed.db"))
        for end in ("", "-wal"):
            shutil.copy(f"{index.path}{end}", f"{path}{end}")
        await index.close()
        again = await SqliteIndex.open(path)
        assert (await again.search(Query("london"))).total == 50
        await again.close()

    asyncio.run(work())


def a_link(lock: Path, precious: Path) -> None:
    lock.symlink_to(precious)


def a_hard_link(lock: Path, precious: Path) -> None:
    os.link(precious, lock)


def a_file(lock: Path, _: Path) -> None:
    lock.write_bytes(b"precious")


def a_folder(lock: Path, _: Path) -> None:
    lock.mkdir()


def a_pipe(lock: Path, _: Path) -> None:
    os.mkfifo(lock)


def a_link_to_nothing(lock: Path, precious: Path) -> None:
    lock.symlink_to(precious.with_name("none"))


@pytest.mark.parametrize("make", [a_link, a_hard_link, a_file, a_folder, a_pipe, a_link_to_nothing])
def test_what_bears_the_name_of_the_lock_file_is_left_alone(path: Path, make: Callable[[Path, Path], None]) -> None:
    precious = path.with_name("precious")
    precious.write_bytes(b"precious")
    lock = path.with_name("index.db.writer")
    make(lock, precious)
    kind = stat.S_IFMT(lock.lstat().st_mode)
    with pytest.raises(UnreadableInput, match="was left as it is"):
        asyncio.run(SqliteIndex.open(path))
    assert (precious.read_bytes(), stat.S_IFMT(lock.lstat().st_mode)) == (b"precious", kind)
    assert not path.with_name("none").exists()
    assert not path.exists()


async def test_a_second_writer_here_does_not_lift_the_lock_of_the_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lock, "WAIT_SECONDS", 0.05)
    index = await SqliteIndex.open(path)
    with pytest.raises(IndexUnavailable, match=f"process {os.getpid()}"):
        await SqliteIndex.open(path)
    assert as_another(lambda: asyncio.run(SqliteIndex.open(path)), as_nobody=False) == "IndexUnavailable"
    await index.close()


def as_another(work: Callable[[], Any], *, as_nobody: bool = True) -> Any:
    """What work answers, or the name of what it raises, in a process of a user that may write to nothing."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def inside() -> None:
        if as_nobody and os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            sender.send(work())
        except TagstreamError as error:
            sender.send(type(error).__name__)

    process = context.Process(target=inside)
    process.start()
    answer = receiver.recv() if receiver.poll(30) else "no answer"
    process.join(30)
    return answer


def asked(path: Path) -> tuple[int, int, int, int]:
    async def work() -> tuple[int, int, int, int]:
        index = await SqliteIndex.open(path, create=False)
        page = await index.search(Query("london", size=5))
        trends = await index.trending(until=START)
        letters = [one async for one in index.dead_letters()]
        kept = [one async for one in index.everything()]
        await index.close()
        return page.total, len(trends), len(letters), len(kept)

    return asyncio.run(work())


def made_readable(folder: Path, mode: int, folder_mode: int) -> None:
    for one in folder.iterdir():
        one.chmod(mode)
    folder.chmod(folder_mode)
    for parent in (*folder.parents,):
        if parent.owner() == folder.owner() and parent != Path("/") and parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(parent.stat().st_mode | 0o055)


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def test_a_file_and_folder_that_cannot_be_written_to_are_searched(folder: Path) -> None:
    closed(folder / "index.db")
    made_readable(folder, 0o444, 0o555)
    before = everything_in(folder)
    assert as_another(lambda: asked(folder / "index.db")) == (50, 0, 1, 51)
    assert everything_in(folder) == before
    assert as_another(lambda: asyncio.run(SqliteIndex.open(folder / "index.db"))) == "UnreadableInput"


def test_a_file_that_cannot_be_written_to_leaves_its_folder_alone(folder: Path) -> None:
    closed(folder / "index.db")
    made_readable(folder, 0o444, 0o777)
    before = everything_in(folder)
    assert as_another(lambda: asked(folder / "index.db")) == (50, 0, 1, 51)
    assert everything_in(folder) == before


def test_a_snapshot_with_its_log_is_searched_with_it(folder: Path, tmp_path: Path) -> None:
    async def work() -> None:
        index = await filled(tmp_path / "running.db")
        for end in ("", "-wal", "-shm"):
            shutil.copy(f"{index.path}{end}", f"{folder / 'index.db'}{end}")
        await index.close()

    asyncio.run(work())
    made_readable(folder, 0o444, 0o555)
    assert as_another(lambda: asked(folder / "index.db")) == (50, 0, 1, 51)
    folder.chmod(0o755)
    (folder / "index.db-shm").unlink()
    folder.chmod(0o555)
    assert as_another(lambda: asked(folder / "index.db")) == "UnreadableInput"


async def test_words_of_deleted_posts_are_in_no_file_after_an_orderly_close(path: Path) -> None:
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", "xylophonist of yore"), *(tagged(f"{at}", f"w{at}") for at in range(300)))
    await write(index, tagged("b", "zitherplayer"), cursor=SourceCursor("feed", "1"))
    await write(index, tagged("b", "nothing", revision=1), Deletion(id="jsonl:a", source="jsonl"))
    await index.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"w299" in content
    for trace in (b"xylophonist", b"ophonist", b"zitherplayer", b"herplayer"):
        assert trace not in content
    index = await SqliteIndex.open(path)
    assert (await found(index, "nothing"), await found(index, "w299")) == (["b"], ["299"])
    assert not compaction.is_pending(index._writing)
    await index.close()


async def test_what_a_close_has_no_time_for_is_done_another_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_PAGES_A_STEP", 1)
    with monkeypatch.context() as patch:
        patch.setattr(compaction.merge_some, "__defaults__", (0.0,))
        index = await SqliteIndex.open(path)
        for start in range(0, 3000, 300):
            await write(index, *(indexable(tagged(f"{at}", f"word{at} " * 20)) for at in range(start, start + 300)))
        await write(index, Deletion(id="jsonl:7", source="jsonl"))
        await index.close()
    index = await SqliteIndex.open(path)
    assert compaction.is_pending(index._writing)
    done = await index.compact()
    assert done.after <= done.before
    assert not compaction.is_pending(index._writing)
    assert (await index.search(Query("word8"))).total == 1
    await index.close()
    assert b"word7 " not in b"".join(content for content, _ in everything_in(path.parent).values())


def all_bytes(folder: Path) -> bytes:
    return b"".join(content for content, _ in everything_in(folder).values())


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_words_that_somebody_still_reads_are_said_and_go_another_time(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(compaction.empty_journal, "__defaults__", (0.1,))
    monkeypatch.setattr(compaction, "_READERS_AT_CLOSE_SECONDS", 0.1)
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", "xylophonist of yore"), *(tagged(f"{at}", f"w{at}") for at in range(30)))
    reader = sqlite3.connect(path, isolation_level=None)
    for at, step in enumerate(("before", "after")):
        if step == moment:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM registry").fetchone()
        if at == 0:
            await write(index, Deletion(id="jsonl:a", source="jsonl"))
    with pytest.raises(IndexUnavailable, match="words of deleted posts are still in") as told:
        await index.compact()
    holding = [name for name, (content, _) in everything_in(path.parent).items() if b"ophonist" in content]
    assert f"{path.name}-wal" in holding
    assert path.name not in holding or f"in {path} and {path}-wal." in str(told.value)
    assert compaction.is_pending(index._writing)
    await index.close()
    assert b"ophonist" in all_bytes(path.parent)
    reader.execute("COMMIT")
    index = await SqliteIndex.open(path)
    assert compaction.is_pending(index._writing)
    await index.close()
    assert b"ophonist" not in all_bytes(path.parent)
    assert b"w29" in all_bytes(path.parent)
    reader.close()


async def test_a_compaction_after_the_reader_ended_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction.empty_journal, "__defaults__", (0.1,))
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", "xylophonist of yore"), tagged("b", "other"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM registry").fetchone()
    await write(index, Deletion(id="jsonl:a", source="jsonl"))
    with pytest.raises(IndexUnavailable):
        await index.compact()
    reader.execute("COMMIT")
    await index.compact()
    assert not compaction.is_pending(index._writing)
    assert b"ophonist" not in all_bytes(path.parent)
    reader.close()
    await index.close()


def executed(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def without_a_table(path: Path) -> None:
    executed(path, "DROP TABLE mentions")


def with_another_table(path: Path) -> None:
    executed(path, "DROP TABLE erasures", "CREATE TABLE erasures (x)")


def without_its_analysis(path: Path) -> None:
    executed(path, "DELETE FROM settings")


def with_text_that_is_none(path: Path) -> None:
    executed(path, "UPDATE documents SET document = CAST(x'7bdf7d' AS TEXT)")


def with_a_letter_that_is_none(path: Path) -> None:
    executed(path, "UPDATE dead_letters SET size = 'x'")


def with_a_trigger(path: Path) -> None:
    executed(path, "CREATE TRIGGER ours AFTER INSERT ON cursors BEGIN DELETE FROM registry; END")


def with_a_view(path: Path) -> None:
    executed(path, "CREATE VIEW more AS SELECT * FROM registry")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def with_pages_of_nothing(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


@pytest.mark.parametrize(
    "damage",
    [
        without_a_table,
        with_another_table,
        without_its_analysis,
        with_text_that_is_none,
        with_a_letter_that_is_none,
        with_a_trigger,
        with_a_view,
        cut_in_half,
        with_pages_of_nothing,
    ],
)
def test_a_damaged_index_is_said_to_be_damaged(path: Path, damage: Callable[[Path], None]) -> None:
    closed(path)
    damage(path)
    with pytest.raises(CorruptState):
        asked(path)


@pytest.mark.parametrize("held", ['"a', "1, 2", "{}", "[" * 100_000, '"LOC:nowhere"'])
async def test_facets_that_were_tampered_with_are_said_to_be_damaged(path: Path, held: str) -> None:
    await (await filled(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE facets SET held = ?", (held,))
    connection.commit()
    connection.close()
    index = await SqliteIndex.open(path, create=False)
    with pytest.raises(CorruptState):
        await index.facets(Query())
    await index.close()


async def test_a_connection_that_reads_changes_nothing_and_trusts_no_schema(path: Path) -> None:
    index = await filled(path)
    connection = await index._read(lambda connection: connection)
    assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM registry")
    assert await index.spellings("lodnon") == ["london"]
    await index.close()
