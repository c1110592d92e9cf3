"""The contract of sources (`tagstream/source.py`) as tests, scenario by scenario.

1 its name        2 what it gives        3 its end        4 cursors
5 cancelling      6 closing              7 counts         8 malformed items
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tagstream.codec import decode, encode
from tagstream.errors import Fatal
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Event, Post
from tagstream.source import Received, Source

PATIENCE_SECONDS = 30.0
PROMPTLY_SECONDS = 5.0
_EVENTS = (Post, Deletion, Erasure, AccountStatus, DeadLetter)
_COUNT_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


class SourceContract:
    """Inherit from this class in one named Test…, and say what to read. Every scenario runs by itself, in no order.

    Attributes:
        least_events: how many events the feed of `make_source` has at least. Six are needed.
        ends: whether that feed has an end. Of one that has none exactly `least_events` events are read.
        resumes: whether a new source goes on after a cursor. One that cannot read again (a stream) says False.
    """

    least_events = 6
    ends = True
    resumes = True

    def make_source(self, folder: Path) -> Source:
        """Returns a new source over the same feed each time; `folder` is empty at first, and the scenario's own."""
        raise NotImplementedError("say how a source is made: def make_source(self, folder)")

    def make_another_source(self, folder: Path) -> Source:
        """Returns a source over another feed of this kind, with no item of the first; scenario 1b reads it."""
        del folder
        pytest.skip("say how another feed is read: def make_another_source(self, folder)")

    def make_malformed_source(self, folder: Path) -> Source:
        """Returns a source whose feed has malformed items with good ones after them; scenario 8 reads it."""
        del folder
        pytest.skip("say how a feed looks that is malformed: def make_malformed_source(self, folder)")

    # --- 1 Its name

    def test_1a_the_name_is_the_same_for_the_same_feed(self, tmp_path: Path) -> None:
        first, second = self.make_source(tmp_path), self.make_source(tmp_path)
        assert first.name
        assert first.name == second.name
        assert first.name.encode().decode() == first.name
        self._read_all(first)
        assert first.name == second.name, "reading changes it, and the cursor would be kept under another name"

    def test_1b_another_feed_has_another_name_and_other_ids(self, tmp_path: Path) -> None:
        another = self.make_another_source(tmp_path)
        first = self.make_source(tmp_path)
        assert first.name != another.name, "they would share a cursor, and posts would be skipped"
        shared = self._identities(first) & self._identities(another)
        assert not shared, "they would be taken for the same posts, and dropped as duplicates"

    # --- 2 What it gives

    def test_2a_everything_it_gives_is_an_event_with_a_cursor(self, tmp_path: Path) -> None:
        received = self._read_all(self.make_source(tmp_path))
        assert len(received) >= self.least_events >= 6
        for one in received:
            assert isinstance(one, Received)
            assert isinstance(one.event, _EVENTS)
            assert isinstance(one.cursor, str)
            assert one.cursor, "an empty cursor cannot be told from none"

    def test_2b_every_event_can_be_sent_and_read_again(self, tmp_path: Path) -> None:
        for one in self._read_all(self.make_source(tmp_path)):
            assert decode(encode(one.event)) == one.event

    def test_2c_a_batch_has_one_event_at_least_and_no_more_than_asked_for(self, tmp_path: Path) -> None:
        everything = self._read_all(self.make_source(tmp_path))
        for limit in (1, 2, 5):
            assert self._read_all(self.make_source(tmp_path), limit=limit) == everything, "the limit changes the feed"

    # --- 3 Its end

    def test_3a_an_end_is_for_good(self, tmp_path: Path) -> None:
        if not self.ends:
            pytest.skip("this feed has no end")

        async def read(source: Source) -> None:
            while await source.next_batch(100):
                pass
            assert not await source.next_batch(100)
            assert not await source.next_batch(1)

        self._with_source(self.make_source(tmp_path), None, read)

    # --- 4 Cursors

    def test_4a_reading_goes_on_after_any_cursor_and_skips_nothing(self, tmp_path: Path) -> None:
        if not self.resumes:
            pytest.skip("this feed cannot be read again")
        everything = self._read_all(self.make_source(tmp_path))
        cursors = [one.cursor for one in everything]
        for position in _some(range(len(everything))):
            # Events of one item share the cursor before the item: some of them are read again.
            expected = _events(everything[cursors.index(cursors[position]) + 1 :])
            resumed = self._read_all(self.make_source(tmp_path), cursor=cursors[position], most=len(expected))
            assert _events(resumed) == expected, f"after the cursor {cursors[position]!r}, of event {position}"

    def test_4b_a_second_source_does_not_move_the_first(self, tmp_path: Path) -> None:
        if not self.resumes:
            pytest.skip("this feed cannot be read again")

        async def read(source: Source) -> None:
            begun = list(await source.next_batch(1))
            other = self.make_source(tmp_path)
            await other.open(None)
            try:
                await other.next_batch(3)
            finally:
                await other.close()
            begun += await source.next_batch(1)
            assert _events(begun) == _events(expected)[: len(begun)]

        expected = self._read_all(self.make_source(tmp_path))
        self._with_source(self.make_source(tmp_path), None, read)

    def test_4c_a_cursor_of_another_source_is_refused(self, tmp_path: Path) -> None:
        if not self.resumes:
            pytest.skip("this feed cannot be read again")

        async def read() -> None:
            source = self.make_source(tmp_path)
            try:
                await source.open("no cursor of this source, \u2028 nor of any other")
                await source.next_batch(1)
            finally:
                await source.close()

        with pytest.raises(Fatal):
            _run(read())

    # --- 5 Cancelling

    def test_5a_a_cancelled_call_loses_nothing(self, tmp_path: Path) -> None:
        everything = self._read_all(self.make_source(tmp_path))

        async def read(source: Source) -> None:
            received: list[Received] = []
            for turn in range(2_000):
                if len(received) >= len(everything):
                    break
                reading = asyncio.ensure_future(source.next_batch(2))
                for _ in range(turn % 9):
                    await asyncio.sleep(0)
                # One in three may end by itself, so that a source that reads in a thread gets on.
                if turn % 3:
                    reading.cancel()
                with suppress(asyncio.CancelledError):
                    batch = await reading
                    received += batch
                    if not batch:
                        break
            assert _events(received)[: len(everything)] == _events(everything)

        self._with_source(self.make_source(tmp_path), None, read)

    # --- 6 Closing

    def test_6a_it_closes_twice_and_before_it_was_opened(self, tmp_path: Path) -> None:
        async def close() -> None:
            never_opened = self.make_source(tmp_path)
            await never_opened.close()
            never_read = self.make_source(tmp_path)
            await never_read.open(None)
            await never_read.close()
            await never_read.close()

        _run(close())

    def test_6b_it_closes_promptly_while_it_is_read(self, tmp_path: Path) -> None:
        async def read_and_close() -> None:
            source = self.make_source(tmp_path)
            await source.open(None)
            reading = asyncio.ensure_future(_read_to_the_end(source))
            await asyncio.sleep(0.01)
            async with asyncio.timeout(PROMPTLY_SECONDS):
                await source.close()
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

        _run(read_and_close())

    # --- 7 Counts

    def test_7a_what_is_counted_has_its_names_from_the_start(self, tmp_path: Path) -> None:
        source = self.make_source(tmp_path)
        before = dict(source.counts())
        assert all(_COUNT_NAME.fullmatch(name) for name in before), "short, in lower case, with underscores"
        assert not any(before.values())
        self._read_all(source)
        after = dict(source.counts())
        assert list(after) == list(before)
        assert all(isinstance(count, int) and count >= 0 for count in after.values())

    # --- 8 Malformed items

    def test_8a_a_malformed_item_is_a_dead_letter_and_the_rest_goes_on(self, tmp_path: Path) -> None:
        received = self._read_all(self.make_malformed_source(tmp_path))
        letters = [one.event for one in received if isinstance(one.event, DeadLetter)]
        assert letters
        assert not isinstance(received[-1].event, DeadLetter), "good items stand after the malformed ones"
        for letter in letters:
            assert letter.cause
            assert letter.message
            assert letter.origin
        assert len({letter.origin for letter in letters}) == len(letters)

    def test_8b_the_same_item_is_the_same_dead_letter(self, tmp_path: Path) -> None:
        first = self._read_all(self.make_malformed_source(tmp_path))
        second = self._read_all(self.make_malformed_source(tmp_path))
        assert _events(first) == _events(second)

    # --- How the scenarios read

    def _identities(self, source: Source) -> set[str]:
        """The ids of the posts of a feed, and the origins of its dead letters."""
        events = _events(self._read_all(source))
        posts = {event.id for event in events if isinstance(event, Post)}
        return posts | {event.origin for event in events if isinstance(event, DeadLetter)}

    def _read_all(
        self, source: Source, *, cursor: str | None = None, limit: int = 100, most: int | None = None
    ) -> list[Received]:
        """All events of a feed that ends; as many as it has at least, or `most`, of one that does not."""
        received: list[Received] = []
        enough = None if self.ends else self.least_events if most is None else min(most, self.least_events)

        async def read(source: Source) -> None:
            while enough is None or len(received) < enough:
                asked = limit if enough is None else min(limit, enough - len(received))
                batch = await source.next_batch(asked)
                assert len(batch) <= asked, "more events than were asked for"
                if not batch:
                    assert enough is None, "a feed that says that it has no end has ended"
                    return
                received.extend(batch)

        self._with_source(source, cursor, read)
        return received

    def _with_source(
        self, source: Source, cursor: str | None, work: Callable[[Source], Coroutine[Any, Any, None]]
    ) -> None:
        async def opened() -> None:
            await source.open(cursor)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await work(source)
            finally:
                await source.close()

        _run(opened())


async def _read_to_the_end(source: Source) -> None:
    while await source.next_batch(1):  # noqa: ASYNC110  # the source is what is waited for
        await asyncio.sleep(0)


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def _events(received: Sequence[Received]) -> list[Event]:
    return [one.event for one in received]


def _some(positions: range) -> list[int]:
    """All positions of a short feed; of a long one the first and last ones, and some between them."""
    if len(positions) <= 20:
        return list(positions)
    return [*positions[:8], *positions[8 : -4 : max(1, len(positions) // 8)], *positions[-4:]]
