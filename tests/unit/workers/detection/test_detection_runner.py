"""The detectors of one process beside a real index: restored, bounded, and no danger to the feed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search.detection.chain import DetectionChain
from search.detection.journal import SLOTS, SNAPSHOT, entries_after, read_snapshot
from search.detection.rebuild import rebuild
from search.index import Indexable, SourceCursor
from search.sqlite.index import SqliteIndex
from tagstream.posts import Author, Deletion, TaggedPost
from workers.detection.runner import DetectionRunner
from workers.detection.writer import DetectionWriter
from workers.notifications.notifier import ALERTS, OUTBOX

START = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SqliteIndex]:
    index = await SqliteIndex.open(tmp_path / "index.db")
    yield index
    await index.close()


def post(number: int, minute: int = 0) -> Indexable:
    created = START + timedelta(minutes=minute)
    tagged = TaggedPost(
        id=f"jsonl:{number}",
        source="jsonl",
        author=Author(id=f"a{number}"),
        created_at=created,
        text="a flood in Valencia",
        model="m@1",
        generation=1,
    )
    return Indexable(tagged, created)


def runner(index: Any, **options: Any) -> DetectionRunner:
    return DetectionRunner(index, DetectionWriter(index), ThreadPoolExecutor(1), **options)


async def fed(made: DetectionRunner, *batches: Sequence[Any], save: bool = True) -> None:
    await made.open()
    running = asyncio.create_task(made.run())
    for number, batch in enumerate(batches):
        await made.write(batch, SourceCursor("jsonl", str(number)))
    made.no_more()
    await running
    if save:
        await made.close_feed(ended=False)


async def saved(index: SqliteIndex) -> tuple[int, bytes]:
    stored = await index.detector_state(SNAPSHOT)
    assert stored is not None
    return read_snapshot(stored)


async def test_what_the_detectors_are_given_is_stored_with_the_posts_that_are_new(index: SqliteIndex) -> None:
    one, two = post(1), post(2)
    await fed(runner(index), [one, Deletion(id="jsonl:9", source="jsonl")], [two, two], save=False)
    entries = [entry async for entry in entries_after(index, 0)]
    found = [[item if isinstance(item, str) else item.post_id for item in entry.items] for entry in entries]
    assert found == [["jsonl:1", "jsonl:9"], ["jsonl:2"]]


async def test_a_run_that_was_killed_is_made_good_from_the_journal(index: SqliteIndex) -> None:
    await fed(runner(index), [post(1)], [post(2, 1)], save=False)  # killed: no snapshot
    await fed(runner(index), [post(3, 2)])
    restarted = await saved(index)
    await index.clear_detections()
    await fed(runner(index), [post(1)], [post(2, 1)], [post(3, 2)])  # exact repeats are new again
    assert await saved(index) == restarted
    assert restarted[0] == 3


async def test_a_snapshot_comes_before_the_ring_of_the_journal_is_full(index: SqliteIndex) -> None:
    made = runner(index, snapshot_seconds=1e9)
    await fed(made, *([post(number)] for number in range(SLOTS + 20)), save=False)
    number, _ = await saved(index)
    assert [entry.number async for entry in entries_after(index, number)] == list(range(number + 1, SLOTS + 21))


def broken(*_: object) -> Any:
    raise ZeroDivisionError("a defect, says a test")


async def test_a_defect_of_a_detector_ends_detection_and_not_the_feed(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with monkeypatch.context() as defect:
        defect.setattr(DetectionChain, "take", broken)
        for run in range(2):  # the second one meets it in the journal
            made = runner(index, say=said.append)
            async with asyncio.timeout(20):
                await fed(made, *([post(run * 100 + number)] for number in range(40)))
            assert isinstance(made.failure, ZeroDivisionError)
            assert await index.cursor("jsonl") == "39"
            assert len(said) == run + 1
            assert "the feed goes on" in said[run]
            assert "`tagstream events --rebuild`" in said[run]
    mended = runner(index, say=said.append)
    await fed(mended, [post(200)])
    assert mended.failure is None
    assert said[2:] == [MISSING_POSTS]
    await rebuild(index)
    await fed(runner(index, say=said.append), [post(201)])
    assert len(said) == 3


MISSING_POSTS = (
    "posts that were indexed while nothing was detected are missing in trends and events: `tagstream events "
    "--rebuild` counts them"
)


@pytest.mark.parametrize("part", ["snapshot", "finish"])
async def test_a_defect_at_the_end_of_a_run_is_not_the_feeds(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    said: list[str] = []
    with monkeypatch.context() as defect:
        defect.setattr(DetectionChain, part, broken)
        made = runner(index, say=said.append)
        await fed(made, [post(1)], [post(2)], save=False)
        await made.close_feed(ended=True)
        assert isinstance(made.failure, ZeroDivisionError)
    await fed(runner(index, say=said.append))  # nothing is missing: all of it is in the journal
    assert ["the feed goes on" in one for one in said] == [True]
    assert (await saved(index))[0] == 2


async def test_a_defect_as_a_snapshot_is_due_is_not_the_feeds(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DetectionChain, "snapshot", broken)
    made = runner(index, snapshot_seconds=0.0)
    async with asyncio.timeout(20):
        await fed(made, *([post(number)] for number in range(40)))
    assert isinstance(made.failure, ZeroDivisionError)
    assert await index.cursor("jsonl") == "39"


async def test_a_rebuild_that_was_cut_off_is_said(index: SqliteIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    await index.write([post(1)])
    with monkeypatch.context() as defect:
        defect.setattr(DetectionChain, "finish", broken)
        with pytest.raises(ZeroDivisionError):
            await rebuild(index)
    said: list[str] = []
    await fed(runner(index, say=said.append), [post(2)])
    assert said == [MISSING_POSTS]


async def test_a_state_that_cannot_be_read_is_begun_anew_and_said(index: SqliteIndex) -> None:
    await fed(runner(index), *([post(number)] for number in range(9)))
    await index.write_detections((), (), {SNAPSHOT: b"of another version"})
    said: list[str] = []
    again = runner(index, say=said.append)
    await fed(again, [post(10)], save=False)  # killed: no snapshot but the one of the beginning
    assert said == [
        "detection begins anew, trends and events that are stored stay: snapshot of 'detectors of one process': begins "
        "with b'of another version', not b'detectors of one process 1'; `tagstream events --rebuild` makes trends and "
        "events anew"
    ]
    assert (await saved(index))[0] == 9
    assert [entry.number async for entry in entries_after(index, 9)] == [10]


async def test_a_rebuild_at_the_end_leaves_what_receivers_were_promised(index: SqliteIndex) -> None:
    await index.write_detections((), (), {OUTBOX: b"waiting", ALERTS: b"over"})
    made = runner(index)
    await fed(made, *([one] for one in reversed(ARCHIVE)), save=False)
    await made.close_feed(ended=True)
    assert await events_of(index)
    assert [await index.detector_state(name) for name in (OUTBOX, ALERTS)] == [b"waiting", b"over"]


@pytest.mark.parametrize("after", [1, 400, 839, 840])
async def test_a_kill_takes_nothing_of_what_came_late(index: SqliteIndex, after: int) -> None:
    newest_first = list(reversed(ARCHIVE))
    await fed(runner(index), *([one] for one in newest_first[:300]))
    await fed(runner(index), *([one] for one in newest_first[300:after]), save=False)  # killed
    said: list[str] = []
    made = runner(index, say=said.append)
    await fed(made, *([one] for one in newest_first[max(300, after) :]), save=False)
    await made.close_feed(ended=True)
    assert said[-1] == f"trends and events were made anew from {len(ARCHIVE)} posts"
    assert len(await events_of(index)) == 1


async def test_a_full_queue_makes_the_next_write_wait(index: SqliteIndex) -> None:
    made = runner(index)
    await made.open()
    for number in range(8):
        await made.write([post(number)], None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await made.write([post(9)], None)


async def test_a_rebuild_goes_through_all_posts_and_leaves_a_state_to_go_on_from(index: SqliteIndex) -> None:
    for minute in range(5):
        await index.write([post(minute * 10 + one, minute) for one in range(10)])
    told: list[int] = []
    assert await rebuild(index, lambda posts, _: told.append(posts)) == 50
    assert told[-1] == 50
    await fed(runner(index), [post(100, 6)])
    assert (await saved(index))[0] == 1


def news(number: int, minute: int) -> Indexable:
    one = post(number, minute)
    chance = Random(number)
    words = " ".join("".join(chance.choices("abdegiklmnoprstu", k=7)) for _ in range(8))
    text = f"Earthquake {words} Kyoto" if minute >= EARTHQUAKE else words
    return Indexable(one.post.model_copy(update={"text": text}), one.observed_at)


EARTHQUAKE = 200
ARCHIVE = [
    news(number, minute) for number, minute in enumerate(sorted([*range(230)] * 3 + [*range(EARTHQUAKE, 230)] * 5))
]


async def events_of(index: SqliteIndex) -> list[str]:
    return [event.model_dump_json() for event in await index.events()]


async def test_an_archive_that_begins_with_the_newest_gives_the_events_of_a_sorted_one(
    index: SqliteIndex, tmp_path: Path
) -> None:
    said: list[str] = []
    made = runner(index, say=said.append)
    await fed(made, *([one] for one in reversed(ARCHIVE)), save=False)
    await made.close_feed(ended=True)
    assert made.late > len(ARCHIVE) / 2
    assert said == [
        "many posts were older than what came before them: trends and events are made anew from the index, in order of "
        "time",
        f"trends and events were made anew from {len(ARCHIVE)} posts",
    ]
    other = await SqliteIndex.open(tmp_path / "sorted.db")
    in_order = runner(other, say=said.append)
    await fed(in_order, *([one] for one in ARCHIVE), save=False)
    await in_order.close_feed(ended=True)
    assert len(said) == 2
    assert len(await events_of(other)) == 1
    assert await events_of(index) == await events_of(other)
    await other.close()


async def test_a_few_late_posts_are_said_and_no_more(index: SqliteIndex) -> None:
    said: list[str] = []
    made = runner(index, say=said.append)
    await fed(made, ARCHIVE[100:], ARCHIVE[:5], save=False)
    await made.close_feed(ended=True)
    assert said == [
        "5 posts were older than what came before them, too late for trends and events: `tagstream events --rebuild` "
        "counts them"
    ]
