"""The pipeline in one process, from source to index, with fakes that fail on command."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pipeline_fakes import CREATED, ListSource, MemoryIndex, post

from search.index import Change, SourceCursor, WriteReport
from tagstream.dead_letter import dead_letter
from tagstream.errors import Fatal, ModelUnavailable, UnreadableInput, UntaggablePost
from tagstream.posts import AccountStatus, Author, Deletion, Erasure, Post, TaggedPost
from tagstream.runtime.backoff import BackOff
from tagstream.runtime.metrics import EventOutcome, PipelineProgress
from tagstream.source import Received
from workers.local import RunReport, run_pipeline
from workers.pipeline.settings import StageSettings
from workers.tagger.interface import PreparedPost
from workers.tagger.stub import StubTagger

SETTINGS = StageSettings(
    batch_deadline_seconds=0.001,
    index_deadline_seconds=0.001,
    progress_seconds=0.01,
    back_off=BackOff(0.001, 0.002),
)


class Tagger(StubTagger):
    """The stub, with an outage, posts it cannot tag, and posts that meet a defect of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.outages = 0
        self.untaggable: set[str] = set()
        self.crashing: set[str] = set()
        self.broken = False
        self.calls = 0

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        self.calls += 1
        if self.outages:
            self.outages -= 1
            raise ModelUnavailable("the model is down, says a test")
        if self.broken:
            raise ZeroDivisionError("a defect, says a test")
        for value in prepared:
            if value.post.id in self.untaggable:
                raise UntaggablePost(f"{value.post.id} cannot be tagged, says a test")
            if value.post.id in self.crashing:
                raise ZeroDivisionError(value.post.id)
        return super().tag(prepared)


async def run(source: ListSource, index: MemoryIndex, tagger: Tagger | None = None, **options: object) -> RunReport:
    settings = options.pop("settings", SETTINGS)
    async with asyncio.timeout(20):
        return await run_pipeline(source, tagger or Tagger(), index, settings=settings, now=lambda: CREATED, **options)  # type: ignore[arg-type]


def mixed_feed() -> list[Post | Deletion]:
    """300 posts, every fifth in German, and deletions of some between them."""
    events: list[Post | Deletion] = []
    for number in range(300):
        events.append(post(number, lang="de" if number % 5 == 0 else "en"))
        if number % 10 == 9:
            events.append(Deletion(id=f"jsonl:{number - 5}", source="jsonl"))
    return events


async def test_a_feed_is_indexed_in_order_with_its_cursor() -> None:
    events = mixed_feed()
    source, index = ListSource(events), MemoryIndex()
    report = await run(source, index)

    written = [change.id if isinstance(change, Deletion) else change.post.id for change in index.changes]
    assert written == [event.id for event in events]
    assert index.cursors == {"jsonl:list": str(len(events))}
    assert index.saved_cursors == sorted(index.saved_cursors, key=int)
    assert len(index.posts) == 270
    german = index.posts["jsonl:0"]
    assert german.untagged == "language"
    assert german.entities == ()
    assert [entity.text for entity in index.posts["jsonl:1"].entities] == ["Angela Merkel", "Paris"]
    assert report.ended
    assert report.abandoned == 0
    assert report.cursor == str(len(events))
    assert source.closed
    outcomes = report.progress.outcomes
    assert outcomes[EventOutcome.STORED] == 300
    assert outcomes[EventOutcome.LANGUAGE] == 60
    assert outcomes[EventOutcome.TOMBSTONE] == 30
    assert report.progress.read == report.progress.finished == 330
    assert report.progress.posts == 300
    assert report.p95_seconds >= report.p50_seconds > 0


async def test_deletions_erasures_statuses_and_dead_letters_pass_in_their_place() -> None:
    letter = dead_letter(origin="file:3", source="jsonl", cause="malformed", message="not JSON", body=b"{")
    status = AccountStatus(source="jsonl", author="jsonl:b", hidden=True, position=9)
    events = [
        post(1, author=Author(id="jsonl:a")),
        letter,
        Erasure(source="jsonl", author="jsonl:a", position=9),
        status,
        post(2),
        Deletion(id="jsonl:2", source="jsonl"),
    ]
    index = MemoryIndex()
    report = await run(ListSource(events), index)
    assert index.posts == {}
    assert index.letters == {"file:3": letter}
    assert report.progress.dropped[EventOutcome.MALFORMED] == 1
    assert report.progress.outcomes[EventOutcome.TOMBSTONE] == 2
    assert (index.statuses, report.progress.outcomes[EventOutcome.STATUS]) == ([status], 1)


async def test_an_empty_feed_ends_at_once() -> None:
    index = MemoryIndex()
    report = await run(ListSource([]), index)
    assert report.ended
    assert report.cursor is None
    assert index.changes == []


async def test_a_second_run_goes_on_from_the_cursor() -> None:
    events = mixed_feed()
    index = MemoryIndex()
    index.cursors["jsonl:list"] = "100"
    source = ListSource(events)
    await run(source, index)
    assert source.opened_at == "100"
    assert len(index.changes) == len(events) - 100


async def test_an_outage_of_model_and_index_waits_and_dead_letters_nobody() -> None:
    source, index, tagger = ListSource(mixed_feed()), MemoryIndex(), Tagger()
    tagger.outages = 40
    index.down = True
    seen: list[PipelineProgress] = []

    def watch(progress: PipelineProgress) -> None:
        seen.append(progress)
        if progress.waiting_for and "IndexUnavailable" in progress.waiting_for and len(seen) > 5:
            index.down = False

    report = await run(source, index, tagger, progress=watch)
    assert not index.down
    assert tagger.outages == 0
    assert index.letters == {}
    assert report.progress.outcomes[EventOutcome.STORED] == 300
    assert report.progress.waiting_for is None


async def test_poison_posts_are_dead_lettered_with_cause_and_content_and_no_other() -> None:
    source, index, tagger = ListSource([post(number) for number in range(200)]), MemoryIndex(), Tagger()
    tagger.untaggable = {"jsonl:7", "jsonl:90"}
    tagger.crashing = {"jsonl:13"}
    index.refused = {"jsonl:150"}
    report = await run(source, index, tagger)

    assert {letter.post_id: letter.cause for letter in index.letters.values()} == {
        "jsonl:7": "untaggable",
        "jsonl:90": "untaggable",
        "jsonl:13": "unexpected",
        "jsonl:150": "rejected",
    }
    letter = index.letters["jsonl:list@8"]
    assert Post.model_validate_json(letter.body) == post(7)
    assert "cannot be tagged, says a test" in letter.message
    assert "ZeroDivisionError" in index.letters["jsonl:list@14"].message
    assert len(index.posts) == 196
    assert index.cursors == {"jsonl:list": "200"}
    dropped = report.progress.dropped
    assert (dropped[EventOutcome.UNTAGGABLE], dropped[EventOutcome.UNEXPECTED], dropped[EventOutcome.REJECTED]) == (
        2,
        1,
        1,
    )
    assert tagger.calls < 60  # splitting, not one call a post


async def test_a_defect_that_hits_every_post_is_fatal_and_indexes_none_of_them() -> None:
    source, index, tagger = ListSource([post(number) for number in range(200)]), MemoryIndex(), Tagger()
    tagger.broken = True
    with pytest.raises(Fatal, match="ZeroDivisionError"):
        await run(source, index, tagger)
    assert index.changes == []
    assert index.cursors == {}
    assert source.closed


async def test_hostile_posts_in_a_row_are_dead_lettered_and_stop_nothing() -> None:
    source, index, tagger = ListSource([post(number) for number in range(200)]), MemoryIndex(), Tagger()
    tagger.crashing = {f"jsonl:{number}" for number in range(20, 180)}
    report = await run(source, index, tagger)
    assert report.ended
    assert {letter.post_id for letter in index.letters.values()} == tagger.crashing
    assert {letter.cause for letter in index.letters.values()} == {"unexpected"}
    assert len(index.posts) == 40


async def test_a_source_that_fails_is_reported_after_what_it_gave_is_indexed() -> None:
    source, index = ListSource(mixed_feed()), MemoryIndex()
    source.failure = UnreadableInput("the disk is gone, says a test")
    with pytest.raises(UnreadableInput, match="the disk is gone"):
        await run(source, index)
    assert index.cursors == {"jsonl:list": "330"}


async def test_stop_finishes_what_is_in_flight_and_reads_no_more() -> None:
    source, index, stop = ListSource([post(number) for number in range(20_000)]), MemoryIndex(), asyncio.Event()
    index.write_seconds = 0.005

    def watch(progress: PipelineProgress) -> None:
        if progress.finished > 500:
            stop.set()

    report = await run(source, index, stop=stop, progress=watch)
    assert not report.ended
    assert report.abandoned == 0
    assert 500 < len(index.posts) < 20_000
    assert len(index.posts) == source.given == report.progress.read
    assert index.cursors["jsonl:list"] == report.cursor == str(source.given)


async def test_a_quiet_live_feed_stops_at_once() -> None:
    stop = asyncio.Event()

    class Stopping(MemoryIndex):
        async def write(self, changes: Sequence[Change], cursor: SourceCursor | None = None) -> WriteReport:
            report = await super().write(changes, cursor)
            stop.set()
            return report

    index = Stopping()
    async with asyncio.timeout(10):
        report = await run(ListSource([post(1)], live=True), index, stop=stop)
    assert list(index.posts) == ["jsonl:1"]
    assert not report.ended


async def test_stop_during_an_outage_gives_up_after_its_time_and_loses_nothing() -> None:
    events = [post(number) for number in range(50)]
    source, index, stop = ListSource(events, live=True), MemoryIndex(), asyncio.Event()
    index.cursors["jsonl:list"] = "10"

    def fail_once_reading(progress: PipelineProgress) -> None:
        index.down = True
        if progress.read == 40:
            stop.set()

    index.write_seconds = 0.02
    report = await run(
        source, index, stop=stop, progress=fail_once_reading, settings=replace(SETTINGS, stop_seconds=0.1)
    )
    assert report.abandoned == 40
    assert report.cursor == index.cursors["jsonl:list"] == "10"
    index.down = False
    await run(ListSource(events), index)
    assert len(index.posts) == 40


async def test_cancelling_at_any_moment_loses_and_doubles_nothing() -> None:
    events = mixed_feed()
    whole, pieces = MemoryIndex(), MemoryIndex()
    await run(ListSource(events), whole)
    pieces.write_seconds = 0.002
    cancelled = 0
    for attempt in range(200):
        task = asyncio.create_task(
            run(ListSource(events), pieces, settings=replace(SETTINGS, in_flight_posts=32, index_posts=16))
        )
        await asyncio.wait([task], timeout=0.003 + attempt % 7 * 0.004)
        if task.done():
            task.result()
            break
        task.cancel()
        await asyncio.wait([task])
        cancelled += task.cancelled() and pieces.cursors.get("jsonl:list") != str(len(events))
    assert cancelled >= 5
    # A busy machine may not come to the end in pieces.
    await run(ListSource(events), pieces)
    assert pieces.posts == whole.posts
    assert pieces.cursors == whole.cursors
    written = [change for change in pieces.changes if not isinstance(change, Deletion)]
    assert len(written) == 300  # the cursor moved with every write: nothing was written twice


async def test_memory_is_bounded_while_the_index_is_slow() -> None:
    source, index, stop = ListSource([post(number) for number in range(50_000)]), MemoryIndex(), asyncio.Event()
    index.write_seconds = 0.02
    most = 0

    def watch(progress: PipelineProgress) -> None:
        nonlocal most
        most = max(most, progress.in_flight)
        if progress.elapsed_seconds > 0.5:
            stop.set()

    settings = replace(SETTINGS, in_flight_posts=100, read_posts=20, prepare_posts=10, index_posts=10)
    await run(source, index, stop=stop, progress=watch, settings=settings)
    # The windows of the three stages, what the two links hold (a window each at most), and the group that each stage
    # has taken and is still admitting: a read for the first one, a window of the stage before for the others.
    assert 100 < most <= (40 + 100 + 40) + (40 + 100) + (20 + 40 + 100)


async def test_the_event_loop_goes_on_while_the_tagger_computes() -> None:
    """Counts turns of the loop, not milliseconds: those would measure how busy the machine is."""
    turns = 0

    class Patient(Tagger):
        """Computes until the loop has turned a hundred times; on the loop itself that would never come."""

        def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
            wanted = turns + 100
            end = time.monotonic() + 10
            while turns < wanted:
                assert time.monotonic() < end, "the event loop stood still"
                time.sleep(0.001)
            return super().tag(prepared)

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    index = MemoryIndex()
    await run(ListSource([post(number) for number in range(100)]), index, Patient())
    turning.cancel()
    assert len(index.posts) == 100
    assert index.letters == {}


async def test_stop_while_the_source_waits_to_be_opened_ends_at_once() -> None:
    class Unopened(ListSource):
        async def open(self, cursor: str | None) -> None:
            await super().open(cursor)
            opening.set()
            await asyncio.Event().wait()

    opening, stop = asyncio.Event(), asyncio.Event()
    source, index = Unopened([post(1)]), MemoryIndex()
    index.cursors["jsonl:list"] = "7"
    running = asyncio.create_task(run(source, index, stop=stop))
    await opening.wait()
    stop.set()
    report = await running
    assert (report.ended, report.cursor, report.progress.read) == (False, "7", 0)
    assert source.closed


async def test_stop_while_the_index_does_not_answer_ends_at_once() -> None:
    source, index, stop = ListSource([post(1)]), MemoryIndex(), asyncio.Event()
    index.down = True
    report = await run(source, index, stop=stop, progress=lambda progress: progress.waiting_for and stop.set())
    assert (report.ended, report.cursor, source.opened_at) == (False, None, "never")


async def test_stop_does_not_outlast_its_time_during_a_long_inference() -> None:
    computing, done, stop = threading.Event(), threading.Event(), asyncio.Event()

    class Long(Tagger):
        def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
            computing.set()
            assert done.wait(60), "nobody ended the inference"
            return super().tag(prepared)

    source, index = ListSource([post(number) for number in range(50)]), MemoryIndex()
    running = asyncio.create_task(run(source, index, Long(), stop=stop, settings=replace(SETTINGS, stop_seconds=0.05)))
    assert await asyncio.to_thread(computing.wait, 10)
    stop.set()
    report = await running  # within the 20 s of `run`, while the inference lasts
    assert not done.is_set()
    assert (report.ended, report.abandoned, report.cursor) == (False, 50, None)
    done.set()
    assert (index.changes, index.cursors) == ([], {})


async def test_a_letter_of_half_a_line_goes_before_its_whole_line_is_written() -> None:
    class Grown(ListSource):
        async def next_batch(self, limit: int) -> Sequence[Received]:
            batch = await super().next_batch(limit)
            return [replace(one, supersedes="file:2" if one.cursor == "2" else None) for one in batch]

    index = MemoryIndex()
    index.letters = {
        origin: dead_letter(origin=origin, source="jsonl", cause="malformed", message="half", body=b"{")
        for origin in ("file:1", "file:2")
    }
    await run(Grown([post(1), post(2), post(3)]), index)
    assert list(index.letters) == ["file:1"]
    assert sorted(index.posts) == ["jsonl:1", "jsonl:2", "jsonl:3"]
