"""The SQLite index keeps the contract, survives being killed, and refuses files that are not its own."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import writer_process

from search import batch, terms
from search.index import Indexable, Query, SourceCursor, Thumbnail
from search.open import open_index
from search.sqlite import (
    damage,
    detections,
    facets,
    over_time,
    postings,
    reads,
    stored_state,
    upgrade,
    writer_lock,
    writes,
)
from search.sqlite.file import UNTOUCHED
from search.sqlite.index import SqliteIndex
from search.testing.detecting import event, trend
from search.testing.index_contract import IndexContract
from search.testing.media import illustrated, shown
from search.testing.posts import OBSERVED, START, entity, found, indexable, stored, tagged, write
from search.testing.writing import status
from tagstream.errors import BadSettings, CorruptState, IndexUnavailable, NewerVersion, UnreadableInput
from tagstream.posts import AccountStatus, Deletion, Media
from tagstream.text.analysis import ANALYSIS_VERSION

WRITER = Path(writer_process.__file__)
REPOSITORY = WRITER.parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


@pytest.fixture
async def index(path: Path) -> AsyncIterator[SqliteIndex]:
    index = await SqliteIndex.open(path)
    yield index
    await index.close()


class TestSqlite(IndexContract):
    pass


def start_writer(path: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(WRITER), str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill_after(process: subprocess.Popen[str], batches: int, delay: float) -> list[str]:
    """Kills it with SIGKILL some time after it finished so many batches; returns all that it said."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if len(said) == 2 * batches + 1:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            break
    said += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return said


async def test_a_killed_writer_leaves_whole_batches_only(path: Path) -> None:
    interrupted = 0
    for round_ in range(8):
        said = kill_after(start_writer(path), batches=3, delay=round_ * 0.002)
        interrupted += said[-1].startswith("begin")
        acknowledged = max(int(line.split()[1]) for line in said if line.startswith("done")) + 1
        index = await SqliteIndex.open(path, create=False)
        batches = int(await index.cursor("feed") or "0")
        assert batches >= acknowledged
        posts = await stored(index)
        assert len(posts) == batches * writer_process.BATCH
        edited = {int(post.id.removeprefix("jsonl:")) for post in posts if post.revision == 1}
        assert edited == {batch * writer_process.BATCH for batch in range(batches - 1)}
        assert [one.posts for one in await index.top_entities()] == [len(posts)]
        assert (await index.search(Query("paris"))).total == len(posts)
        await index.close()
        assert_sound(path)
    assert interrupted >= 3, "the kills must hit unacknowledged writes to mean anything"


def assert_sound(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
    connection.close()


@pytest.mark.parametrize(
    "step",
    [
        "_write_registry",
        "_write_erasures",
        "_remove_documents",
        "_write_statuses",
        "_add_documents",
        "_settle_thumbnails",
        "_write_dead_letters",
    ],
)
async def test_a_write_that_fails_at_any_step_leaves_nothing(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await write(index, tagged("a", "first", names=["Paris"]), cursor=SourceCursor("feed", "1"))
    whole = getattr(writes, step)

    def fails(*args: object) -> None:
        whole(*args)
        raise sqlite3.OperationalError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(writes, step, fails)
        with pytest.raises(sqlite3.OperationalError, match="planted"):
            await write(index, tagged("a", "second", revision=1), tagged("b"), cursor=SourceCursor("feed", "2"))
    assert [post.text for post in await stored(index)] == ["first"]
    assert (await found(index, "first"), await found(index, "second")) == (["a"], [])
    assert await index.cursor("feed") == "1"
    assert (await write(index, tagged("a", "second", revision=1))).stored == 1


async def test_everything_is_there_again_after_reopening(path: Path) -> None:
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", names=["Paris"]), Deletion(id="jsonl:b", source="jsonl"))
    await index.close()
    await index.close()
    index = await SqliteIndex.open(path, create=False)
    assert (await write(index, tagged("b"), tagged("a"))).deleted == 1
    assert [post.id for post in await stored(index)] == ["jsonl:a"]
    await index.close()
    with pytest.raises(IndexUnavailable, match="closed"):
        await index.search(Query())


async def test_a_removed_post_is_gone_from_the_file(path: Path) -> None:
    index = await SqliteIndex.open(path)
    media = [Media(sha256=f"{number}" * 64) for number in range(2)]
    secret = tagged("a", "xylophonist", names=["Quetzalcoatl"], author="zarathustra", media=media)
    thumbnails = tuple(
        Thumbnail(one.sha256 or "", b"Xanthippe" * size) for one, size in zip(media, (1, 7000), strict=True)
    )
    await write(index, Indexable(secret, OBSERVED, 0, thumbnails), *(tagged(str(at), "xylem") for at in range(50)))
    await index.keep_thumbnails([Indexable(secret, OBSERVED, 0, (Thumbnail("2" * 64, b"Xenophanes" * 900),))])
    await write(index, Deletion(id="jsonl:a", source="jsonl"))
    await index.compact()
    await index.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"xylem" in content
    for trace in (b"xylophonist", b"ophonist", b"uetzalcoatl", b"zarathustra", b"Xanthippe", b"Xenophanes"):
        assert trace not in content


async def test_a_second_writer_is_refused_and_readers_are_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "WAIT_SECONDS", 0.1)
    process = start_writer(path)
    assert process.stdout is not None
    try:
        while not process.stdout.readline().startswith("done"):
            pass
        with pytest.raises(IndexUnavailable, match=f"process {process.pid}"):
            await SqliteIndex.open(path)
        reader = await SqliteIndex.open(path, create=False)
        assert (await reader.search(Query("paris"))).total >= writer_process.BATCH
        with pytest.raises(IndexUnavailable, match="written to by"):
            await write(reader, tagged("a"), cursor=SourceCursor("feed", "0"))
        assert await reader.drop_dead_letters(["none"]) == 0
        await reader.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    index = await SqliteIndex.open(path)
    await index.close()


async def test_two_writers_in_one_process_are_refused_too(
    index: SqliteIndex, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lock, "WAIT_SECONDS", 0.05)
    with pytest.raises(IndexUnavailable):
        await SqliteIndex.open(path)
    assert (await write(index, tagged("a"))).stored == 1


@pytest.mark.usefixtures("index")
async def test_a_symbolic_link_leads_not_past_the_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "WAIT_SECONDS", 0.05)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(IndexUnavailable, match="written to by"):
        await SqliteIndex.open(link)


async def test_a_locked_database_is_an_outage(index: SqliteIndex, path: Path) -> None:
    index._writing.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(IndexUnavailable, match="locked"):
        await write(index, tagged("a"))
    assert await stored(index) == []
    other.execute("ROLLBACK")
    other.close()
    assert (await write(index, tagged("a"))).stored == 1


async def test_a_long_read_does_not_block_writing(index: SqliteIndex) -> None:
    await write(index, *(tagged(str(number), "word", names=["Paris"]) for number in range(3000)))
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, mentions"
    reading = asyncio.create_task(index._read(lambda connection: connection.execute(slow).fetchone()))
    await asyncio.sleep(0.05)
    assert (await write(index, tagged("new"))).stored == 1
    assert (await index.search(Query("word", size=1))).total == 3000
    assert not reading.done()
    await index.close()  # ends the endless read
    with pytest.raises(IndexUnavailable, match="closed"):
        await reading


async def test_posts_of_one_millisecond_spill_into_the_next(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_state, "IMPLAUSIBLE_TIME", 4)
    for start in range(0, 20, 5):
        await write(index, *(tagged(str(number), "word") for number in range(start, start + 5)))
    assert len(await found(index, "word")) == 20
    assert len(await found(index, "word", since=START)) == 20


@pytest.mark.parametrize("content", [b"\x00" * 5000, b'{"id": 1}\n' * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
@pytest.mark.parametrize("create", [True, False])
def test_a_file_of_another_kind_is_refused_and_kept(path: Path, content: bytes, create: bool) -> None:
    path.write_bytes(content)
    with pytest.raises(CorruptState, match=r"index\.db"):
        asyncio.run(SqliteIndex.open(path, create=create))
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_kept(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    content = path.read_bytes()
    for create in (True, False):
        with pytest.raises(CorruptState, match="another program"):
            asyncio.run(SqliteIndex.open(path, create=create))
    assert path.read_bytes() == content, "its journal mode is its own affair"


async def test_our_index_keeps_a_write_ahead_log(index: SqliteIndex) -> None:
    assert index._writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_path_that_is_not_utf8_works(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.db")
    index = await SqliteIndex.open(path)
    await write(index, tagged("a"))
    assert len(await stored(index)) == 1
    await index.close()
    assert b"caf\xe9.db" in os.listdir(os.fsencode(tmp_path))


async def test_a_newer_index_is_refused(path: Path) -> None:
    await (await SqliteIndex.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for create in (True, False):
        with pytest.raises(NewerVersion, match="99"):
            await SqliteIndex.open(path, create=create)


@pytest.mark.parametrize("version", [1, 2])
async def test_posts_of_an_earlier_contract_are_read(path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was written then: one language, a listed hashtag with an empty span, a width that no picture has."""
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", upgrade.MIGRATIONS[:3])
        patch.setattr(over_time, "note_arrivals", lambda *_: None)  # of a later version
        patch.setattr(postings, "_add_facets", lambda *_: None)
        index = await SqliteIndex.open(path)
        await write(index, tagged("a", "Rain in Oslo"))
        await index.close()
    with closing(sqlite3.connect(path)) as connection:
        ((number, document),) = connection.execute("SELECT number, document FROM documents").fetchall()
        old = json.loads(document) | {"version": version, "lang": "en-GB"}
        del old["langs"], old["links"]
        old["hashtags"] = [{"text": "Oslo", "start": 12, "end": 12, "words": ["Oslo"]}]
        old["media"] = [{"kind": "photo", "alt": "rain", "width": 2**64, "height": 0}]
        connection.execute("UPDATE documents SET document = ? WHERE number = ?", (json.dumps(old), number))
        connection.commit()
    for create in (True, False):
        index = await SqliteIndex.open(path, create=create)
        (post,) = await stored(index)
        assert (post.version, post.langs, post.links) == (3, ("en-GB",), ())
        assert (post.hashtags[0].span, post.media[0].width, post.media[0].height) == (None, None, None)
        await index.close()


async def test_an_older_index_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = await SqliteIndex.open(path)
    await write(index, tagged("a"))
    await index.close()

    def add_table(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE added (x)")

    monkeypatch.setattr(upgrade, "MIGRATIONS", (*upgrade.MIGRATIONS, add_table))
    for _ in range(2):
        index = await SqliteIndex.open(path)
        assert index._writing.execute("SELECT count(*) FROM added").fetchone() == (0,)
        assert len(await stored(index)) == 1
        await index.close()


async def test_a_file_from_before_accounts_could_be_hidden_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", upgrade.MIGRATIONS[:1])
        await (await SqliteIndex.open(path)).close()
    for create in (False, True):
        index = await SqliteIndex.open(path, create=create)
        await write(index, status("x", 1, hidden=True), tagged("a", "word", author="x"), tagged("b", "word"))
        assert await found(index, "word") == ["b"]
        await index.close()


async def test_a_file_from_before_thumbnails_gets_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", upgrade.MIGRATIONS[:2])
        patch.setattr(writes, "_settle_thumbnails", lambda *_: None)
        patch.setattr(over_time, "note_arrivals", lambda *_: None)
        patch.setattr(postings, "_add_facets", lambda *_: None)
        old = await SqliteIndex.open(path)
        await write(old, illustrated("a", "A", brought=""), illustrated("b", "B", brought=""))
        await old.close()
    reader = await SqliteIndex.open(path, create=False)
    assert await reader.thumbnail("jsonl:a", 0) is None
    await reader.close()
    index = await SqliteIndex.open(path)
    await write(index, illustrated("a", "A", generation=3), illustrated("b", "B"), illustrated("c", "C"))
    assert [await shown(index, name) for name in "abc"] == ["A", "B", "C"]
    await index.close()


async def test_a_hidden_author_stays_hidden_when_the_terms_are_built_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", "word", author="x"), tagged("b", "word", author="y"), status("x", 1, hidden=True))
    await index.close()
    monkeypatch.setattr(upgrade, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    index = await SqliteIndex.open(path)
    assert await found(index, "word") == ["b"]
    await write(index, status("x", 2, hidden=False))
    assert sorted(await found(index, "word")) == ["a", "b"]
    await index.close()


async def test_two_accounts_of_one_key_are_hidden_together_and_break_nothing(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (batch, writes):
        monkeypatch.setattr(module, "author_key", lambda _source, _author: 7)
    await write(index, tagged("a", "word", author="x"), status("x", 1, hidden=True), status("y", 1, hidden=True))
    await write(index, tagged("b", "word", author="z"))
    assert await stored(index) == []
    await write(index, status("x", 2, hidden=False), tagged("c", "word", author="z"))
    await write(index, status("y", 2, hidden=False))
    assert sorted(await found(index, "word")) == ["a", "b", "c"]


async def test_another_analysis_gives_names_the_keys_of_today(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = await SqliteIndex.open(path)
    older = entity("AT&amp;T", "ORG").model_copy(update={"key": "at&amp;t"})
    await write(
        index,
        tagged("a", "AT&amp;T", author="x", entities=(older,)),
        tagged("b", "AT&T", author="y", entities=(entity("AT&T", "ORG"),)),
        status("x", 1, hidden=True),
    )
    await index.close()
    monkeypatch.setattr(upgrade, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    index = await SqliteIndex.open(path)
    assert await found(index, 'organisation:"AT&T"') == ["b"]
    await write(index, status("x", 2, hidden=False))
    assert sorted(await found(index, 'organisation:"AT&T"')) == ["a", "b"]
    post = await index.get("jsonl:a")
    assert post is not None
    assert [one.key for one in post.entities] == ["at&t"]
    await index.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key FROM entities").fetchall() == [("at&t",)]
        assert connection.execute("SELECT count(*) FROM mentions").fetchone() == (2,)


async def test_another_analysis_builds_the_terms_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = await SqliteIndex.open(path)
    await write(index, *(tagged(f"{number}", "word") for number in range(700)))
    await index.close()
    monkeypatch.setattr(upgrade, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    monkeypatch.setattr(terms, "post_terms", lambda post: [f"new{post.text}"])
    index = await SqliteIndex.open(path, create=False)
    assert (await index.search(Query("newword", size=1))).total == 700
    assert await found(index, "word") == []
    await index.close()
    monkeypatch.setattr(upgrade, "ANALYSIS_VERSION", ANALYSIS_VERSION)
    with pytest.raises(NewerVersion, match="analysis"):
        await SqliteIndex.open(path)


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    cases = {"nowhere/index.db": True, "none.db": False, ".": True, "empty.db": False}
    for name, create in cases.items():
        with pytest.raises(UnreadableInput, match=str(tmp_path)):
            asyncio.run(SqliteIndex.open(tmp_path / name, create=create))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty.db"]


async def test_a_path_is_a_path_whatever_it_holds(tmp_path: Path) -> None:
    odd = tmp_path / "what? 100% #1&mode=ro.db"
    index = await open_index(f"sqlite:{odd}")
    await write(index, tagged("a"))
    await index.close()
    assert odd.stat().st_size > 0


@pytest.mark.parametrize("spec", ["", "sqlite:", "posts.db", "elastic:http://localhost", "SQLITE"])
async def test_an_index_of_no_known_kind_is_refused(spec: str) -> None:
    with pytest.raises(BadSettings, match="sqlite:PATH"):
        await open_index(spec)


async def test_an_index_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSettings, match="Name a file"):
        await open_index("sqlite::memory:")
    assert os.listdir(tmp_path) == []


async def test_a_stored_document_that_is_none_is_corrupt_state(index: SqliteIndex) -> None:
    await write(index, tagged("a"))
    index._writing.execute("UPDATE documents SET document = '{}'")
    with pytest.raises(CorruptState, match="dump"):
        await stored(index)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (sqlite3.SQLITE_BUSY, "database is locked", IndexUnavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "database is locked", IndexUnavailable),
        (sqlite3.SQLITE_FULL, "database or disk is full", IndexUnavailable),
        (sqlite3.SQLITE_IOERR_WRITE, "disk I/O error", IndexUnavailable),
        (sqlite3.SQLITE_CORRUPT_VTAB, "database disk image is malformed", CorruptState),
        (sqlite3.SQLITE_CANTOPEN, "unable to open database file", UnreadableInput),
        (sqlite3.SQLITE_ERROR, "invalid fts5 file format (found 5, expected 4)", NewerVersion),
        (sqlite3.SQLITE_ERROR, "no such column: x", type(None)),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed", type(None)),
    ],
)
def test_what_the_errors_of_sqlite_mean(code: int, text: str, expected: type) -> None:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    assert type(damage.translate(error, Path("posts.db"))) is expected


async def test_observed_at_is_kept_from_first_sight(index: SqliteIndex) -> None:
    for later in range(3):
        await write(index, indexable(tagged("a", revision=later), observed_at=START.replace(hour=13 + later)))
    rows = index._writing.execute("SELECT observed_at, visible FROM registry").fetchall()
    assert rows == [(int(START.replace(hour=13).timestamp() * 1000), 1)]


async def test_facets_of_a_large_result_are_of_its_newest_posts_and_say_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "MAX_COUNTED_POSTS", 4)
    index = await SqliteIndex.open(path)
    await write(index, *(tagged(str(at), minute=at, names=["Merkel" if at < 6 else "Macron"]) for at in range(8)))
    found = await index.facets(Query())
    assert (found.total, found.counted) == (8, 4)
    assert [(one.value, one.posts) for one in found.values["person"]] == [("macron", 2), ("merkel", 2)]
    await index.close()


async def test_of_a_large_result_the_newest_are_ranked_page_by_page_and_it_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "MAX_RANKED_POSTS", 5)
    index = await SqliteIndex.open(path)
    await write(index, *(tagged(str(at), "storm " * (9 - at), minute=at) for at in range(9)))
    query = Query("storm", order="relevance", size=2)
    page = await index.search(query)
    seen = [page.posts]
    assert (page.total, page.ranked) == (9, 5)
    await write(index, *(tagged(f"new{at}", "calm storm", minute=20 + at) for at in range(3)))
    while page.next is not None:
        page = await index.search(replace(query, after=page.next))
        seen.append(page.posts)
    names = [post.id.partition(":")[2] for posts in seen for post in posts]
    assert [name for name in names if not name.startswith("new")] == ["4", "5", "6", "7", "8"]
    assert (await index.search(Query("storm", size=2))).ranked is None
    assert (await index.search(Query("calm", order="relevance"))).ranked == 3
    await index.close()


async def test_long_series_of_posts_alone_are_right(path: Path) -> None:
    index = await SqliteIndex.open(path)
    await write(index, *(tagged(str(at), minute=at) for at in range(40)))
    for minutes in (499, 502):
        buckets = await index.post_counts(
            Query(), since=START, until=START + timedelta(minutes=minutes), bucket_seconds=60, with_authors=False
        )
        assert [bucket.posts for bucket in buckets] == [1] * 40 + [0] * (minutes - 40)
    await index.close()


async def test_a_file_of_before_has_its_facets_made_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", upgrade.MIGRATIONS[:8])
        patch.setattr(postings, "_add_facets", lambda *_: None)
        old = await SqliteIndex.open(path)
        await write(old, tagged("a", names=["Merkel"]), tagged("b", names=["Merkel"], author="x"))
        await write(old, AccountStatus(source="jsonl", author="x", position=1, hidden=True))
        await old.close()
    index = await SqliteIndex.open(path)
    assert [(one.value, one.posts) for one in (await index.facets(Query())).values["person"]] == [("merkel", 1)]
    await write(index, AccountStatus(source="jsonl", author="x", position=2, hidden=False))
    assert (await index.facets(Query())).values["person"][0].posts == 2
    await index.close()


async def test_a_copy_that_cannot_be_written_to_is_searched_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await SqliteIndex.open(path)
    await write(index, tagged("a", "merkel", names=["Merkel"]))
    await index.close()
    monkeypatch.setattr("search.sqlite.index.reading_mode", lambda _: UNTOUCHED)
    reader = await SqliteIndex.open(path, create=False)
    assert await found(reader, "person:merk*") == ["a"]
    assert (await reader.facets(Query())).values["person"][0].posts == 1
    assert await reader.spellings("merkle") == ["merkel"]
    await reader.close()


async def test_minutes_older_than_the_retention_go_unless_they_were_stored_since(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = timedelta(days=1)
    index = await SqliteIndex.open(path, retention=5 * day)
    await write(index, tagged("a"))

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(detections, "_now", lambda: int(moment.timestamp() * 1000))

    set_clock(START)
    await index.write_detections([trend("past", 1), trend("past", 2)], [event("past", 1), event("past", 2)])
    set_clock(START + 4 * day)
    await index.write_detections([], [])
    assert (len(await index.event_history("past")), len(await index.stored_trends())) == (2, 1)
    set_clock(START + 30 * day)
    await index.write_detections([trend("new", 1), trend("new", 2)], [event("new", 1), event("new", 2)])
    for _ in range(2):
        assert [len(await index.event_history(name)) for name in ("past", "new")] == [1, 2]
        assert await index.stored_trends() == [trend("new", 2)]
        assert {one.id for one in await index.events()} == {"past", "new"}
        await index.write_detections([], [])
    await index.close()
