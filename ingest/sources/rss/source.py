"""The entries of RSS and Atom feeds (`rss:URL[,URL…]`, `rss:@FILE`), polled politely.

::

    each feed: due ─▶ fetch (conditionally) ─▶ parse ─▶ new entries ─▶ buffer ─▶ posts, oldest first
                ▲                                                        │
                └── as often as the feed itself says, within bounds ◀────┘ remembered when it was taken

The cursor holds, for each feed, how to ask again (ETag, Last-Modified) and marks of the entries that were read. It
moves when the last new entry of an answer was handed on: a restart before that repeats the others of that answer, and
loses none. Without a cursor a feed gives all its entries.

Feeds have no deletions: an entry that falls out of a feed is old, not deleted. They have no resume either: nobody tells
of an entry that came and went between two polls. An edit is seen where the entry says when it was updated. A feed that
fails is asked again later and later, and stops none of the others. If all feeds fail, that is an outage; if all refuse
from the beginning (401, 403, 410), it is a mistake.

Counted are answers that are no feed (`no_feed`) or cost too much to read (`too_slow`), redirects to an address that is
not public (`refused_address`), entries beyond those that are read of one feed (`left_out`), and entries whose date is
missing or cannot be read (`undated`, see timestamps/entry_timestamps.py).
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ingest.sources.error_isolation import UNEXPECTED, isolate_error
from ingest.sources.formats.json_fields import MalformedLine
from ingest.sources.network.source import FeedUnavailable, NetworkSource, Reconnecting
from ingest.sources.network.untrusted_client import UntrustedClient
from ingest.sources.rss.document import Document, FeedEntry
from ingest.sources.rss.entry import entry_post
from ingest.sources.rss.feeds import RssFeeds, parse_feeds, source_of
from ingest.sources.rss.fetch import FeedFetchLimits, FeedResponse, FetchOutcome, fetch, make_client
from ingest.sources.rss.identity import native_ids, revision_of, shared_names
from ingest.sources.rss.reading import NO_FEED, TOO_SLOW, FeedReaders, NotRead
from ingest.sources.rss.state import FeedMemory, from_cursor, mark, to_cursor
from ingest.sources.rss.timestamps.dates import read_date
from ingest.sources.rss.timestamps.entry_timestamps import own_timestamp, timestamps_of
from tagstream.dead_letter import dead_letter
from tagstream.errors import BadSettings
from tagstream.network.address import Endpoint, parse_endpoints
from tagstream.posts import DeadLetter, Event, Post, native_id
from tagstream.runtime.backoff import BackOff
from tagstream.runtime.bounded_buffer import BoundedBuffer
from tagstream.settings import Settings
from tagstream.source import Received

FEEDS_AT_A_TIME = 4
BUFFERED_POLLS = 8
BUFFERED_BYTES = 16 * 1024 * 1024
REFUSED_ADDRESS, LEFT_OUT, UNDATED = "refused_address", "left_out", "undated"
COUNTS = (NO_FEED, TOO_SLOW, REFUSED_ADDRESS, LEFT_OUT, UNDATED)


@dataclass(frozen=True, slots=True)
class Polling:
    """The pace of polling: as often as a feed says itself, within bounds.

    A feed is not asked more often than `every_seconds`, and as often as that if it says nothing; not less often than
    `longest_seconds`, and a failing one not less often than `longest_failing_seconds`. `chance` spreads the feeds: up
    to a tenth later.
    """

    every_seconds: float = 300.0
    longest_seconds: float = 3600.0
    longest_failing_seconds: float = 21_600.0
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def delay(self, hint_seconds: float | None) -> float:
        """Returns the seconds until a feed that answered is asked again."""
        within = min(max(hint_seconds or 0.0, self.every_seconds), max(self.longest_seconds, self.every_seconds))
        return within * (1 + self.chance() / 10)

    def delay_after_failure(self, failures: int, retry_after_seconds: float | None) -> float:
        """Returns the seconds until a feed that failed so many times in a row (1 or more) is asked again."""
        own = BackOff(self.every_seconds, self.longest_failing_seconds).full(failures)
        return min(max(own, retry_after_seconds or 0.0), self.longest_failing_seconds) * (1 + self.chance() / 10)


@dataclass(slots=True)
class _Feed:
    """The state of a feed: its memory, when it is due by the loop's clock, and its last failure."""

    address: str
    memory: FeedMemory
    due: float = 0.0
    failures: int = 0
    refused: bool = False
    was_read: bool = False
    problem: str | None = None
    retry_after_seconds: float | None = None
    refused_body: str | None = None


@dataclass(frozen=True, slots=True)
class _Poll:
    """The events of one answer, and the memory to keep once they were handed on."""

    address: str
    events: list[Event]
    memory: FeedMemory


@dataclass(frozen=True, slots=True)
class _NewEntry:
    """An entry that is new, its native id, and when it was written in milliseconds since 1970."""

    entry: FeedEntry
    identifier: str
    timestamp: int


class RssSource(NetworkSource):
    """The feeds of a specification. `now` dates entries that do not say when they were written."""

    def __init__(
        self,
        feeds: RssFeeds,
        *,
        reconnecting: Reconnecting | None = None,
        polling: Polling | None = None,
        limits: FeedFetchLimits | None = None,
        readers: FeedReaders | None = None,
        allowed: Collection[Endpoint] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(feeds.name, reconnecting)
        self._counts = Counter(dict.fromkeys(COUNTS, 0))
        self._addresses = feeds.addresses
        self._polling = polling or Polling()
        self._limits = limits or FeedFetchLimits()
        self._readers = readers or FeedReaders()
        self._allowed = allowed
        self._now = now
        self._feeds: list[_Feed] = []
        self._safe: dict[str, FeedMemory] | None = None

    def counts(self) -> Mapping[str, int]:
        return {**super().counts(), **self._counts}

    async def close(self) -> None:
        await super().close()
        await self._readers.close()

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        if self._safe is None:
            memories = from_cursor(cursor)
            self._safe = {address: memories.get(address, FeedMemory()) for address in self._addresses}
            self._feeds = [_Feed(address, FeedMemory()) for address in self._addresses]
        for feed in self._feeds:
            # Answers in the buffer when the last connection ended were never handed on.
            feed.memory = self._safe[feed.address]
        buffer: BoundedBuffer[_Poll] = BoundedBuffer(BUFFERED_POLLS, BUFFERED_BYTES)
        slots = asyncio.Semaphore(FEEDS_AT_A_TIME)
        # In a thread, because reading the certificates of the system takes a while.
        client = await asyncio.to_thread(make_client, self._limits, self._allowed)
        polling = [asyncio.create_task(self._poll(feed, client, buffer, slots)) for feed in self._feeds]
        try:
            while True:
                poll = await buffer.get()
                for received in _taken(poll, self._safe):
                    yield received
                self._refuse_if_all_fail()
        finally:
            for task in polling:
                task.cancel()
            await asyncio.wait(polling)
            await client.close()

    def _refuse_if_all_fail(self) -> None:
        feeds = self._feeds
        if not all(feed.problem for feed in feeds):
            return
        shown = "; ".join(f"{feed.address[:200]}: {feed.problem}" for feed in feeds[:3])
        if all(feed.refused for feed in feeds):
            raise BadSettings(f"no feed may be read: {shown}. Remove what is gone, or name feeds that are public")
        asked = [feed.retry_after_seconds for feed in feeds if feed.retry_after_seconds is not None]
        raise FeedUnavailable(f"no feed can be read: {shown}", min(asked) if len(asked) == len(feeds) else None)

    async def _poll(
        self, feed: _Feed, client: UntrustedClient, buffer: BoundedBuffer[_Poll], slots: asyncio.Semaphore
    ) -> None:
        """Polls one feed for ever."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(feed.due - loop.time())
                async with slots:
                    response = await fetch(client, feed.address, feed.memory.validators, self._limits)
                    poll = await self._read(feed, response, loop.time())
                await buffer.put(poll, len(response.body))
        except Exception as defect:  # the boundary of a task: `get` raises it
            buffer.fail(defect)

    async def _read(self, feed: _Feed, response: FeedResponse, timestamp: float) -> _Poll:
        """Reads an answer, and decides when the feed is asked again."""
        document = None
        dead_letters: list[Event] = []
        problem = response.message
        self._counts[REFUSED_ADDRESS] += response.refused_address
        if response.outcome is FetchOutcome.MODIFIED:
            try:
                document = await self._readers.read(response.body, response.content_type, response.address)
            except NotRead as error:
                problem = str(error)
                dead_letters = self._refused_body(feed, response.body, error.cause, problem)
        if problem:
            feed.problem, feed.failures = problem, feed.failures + 1
            # A feed that could be read before refuses for a reason that may pass.
            feed.refused = response.outcome is FetchOutcome.REFUSED and not feed.was_read
            feed.retry_after_seconds = response.retry_after_seconds
            feed.due = timestamp + self._polling.delay_after_failure(feed.failures, response.retry_after_seconds)
            return _Poll(feed.address, dead_letters, feed.memory)
        feed.problem, feed.failures, feed.refused, feed.retry_after_seconds = None, 0, False, None
        hints = [hint for hint in (response.age_seconds, document and document.every_seconds) if hint]
        feed.due = timestamp + self._polling.delay(max(hints, default=None))
        if document is None:
            return _Poll(feed.address, [], feed.memory)
        try:
            poll = await asyncio.to_thread(self._new, feed, document, response.validators)
        except Exception as error:
            message = isolate_error(error, read_known_good)
            dead_letters = self._refused_body(feed, response.body, UNEXPECTED, message)
            return _Poll(feed.address, dead_letters, feed.memory)
        feed.memory, feed.was_read = poll.memory, True
        return poll

    def _new(self, feed: _Feed, document: Document, validators: tuple[str | None, str | None]) -> _Poll:
        """Finds the new entries of a document, oldest first."""
        memory, address = feed.memory, feed.address
        if document.published is None:
            # Where a feed does not say when it changed, the server does.
            document = replace(document, published=read_date(validators[1] or ""))
        # A name that several entries once bore stays none, or an entry that bears it alone by now would come again.
        remembered = frozenset(memory.repeated)
        repeated = shared_names(document, address, lambda name: mark(name, 0) in remembered)
        identifiers = native_ids(document, address, repeated)
        written = timestamps_of(document, self._now(), memory.was_read)
        items = map(_NewEntry, document.entries, identifiers, written)
        marks = {mark(item.identifier, revision_of(item.entry)): item for item in items}
        known = set(memory.marks)
        new = [item for its_mark, item in marks.items() if its_mark not in known]
        # Feeds mostly put the newest first; where entries have dates, the dates decide.
        new.reverse()
        new.sort(key=lambda item: max(item.timestamp, (item.entry.updated or 0) * 1000))
        self._counts[LEFT_OUT] += document.left_out
        self._counts[UNDATED] += sum(own_timestamp(item.entry) is None for item in new)
        events: list[Event] = [self._event(item, document, address) for item in new]
        return _Poll(address, events, memory.after(validators, marks, [mark(name, 0) for name in sorted(repeated)]))

    def _event(self, item: _NewEntry, document: Document, address: str) -> Post | DeadLetter:
        try:
            return entry_post(item.entry, document, address, item.identifier, item.timestamp)
        except MalformedLine as malformed:
            return _dead_letter(item, address, malformed.fault.value, str(malformed))
        except Exception as error:
            return _dead_letter(item, address, UNEXPECTED, isolate_error(error, read_known_good))

    def _refused_body(self, feed: _Feed, body: bytes, cause: str | None, problem: str) -> list[Event]:
        """Makes a dead letter of a body that is no feed or costs too much, once for as long as the same body comes."""
        if cause is None:
            return []
        if cause in self._counts:
            self._counts[cause] += 1
        digest = hashlib.sha256(body).hexdigest()
        if feed.refused_body == digest:
            return []
        feed.refused_body = digest
        source = source_of(feed.address)
        origin = native_id(source, f"{feed.address}#sha256-{digest}")
        return [dead_letter(origin=origin, source=source, cause=cause, message=problem, body=body)]


def open_rss(argument: str, settings: Settings) -> RssSource:
    """Returns the source of `rss:<argument>`.

    Raises:
        BadSettings: the argument names no feeds.
        UnreadableInput: its file cannot be read.
    """
    return RssSource(
        parse_feeds(argument),
        polling=Polling(every_seconds=float(settings.rss_poll_seconds)),
        readers=FeedReaders(filter_required=settings.sandbox_required),
        allowed=parse_endpoints(settings.media_allowed),
    )


def _dead_letter(item: _NewEntry, address: str, cause: str, message: str) -> DeadLetter:
    source = source_of(address)
    name = native_id(source, item.identifier)
    return dead_letter(
        origin=f"{name}@{revision_of(item.entry)}",
        source=source,
        cause=cause,
        message=message,
        body=repr(item.entry).encode(errors="replace"),
        post_id=name,
    )


def read_known_good() -> None:
    """Reads a known good feed as far as this process reads one, without a guard."""
    entry = FeedEntry(id="7", link="https://feed.example/7", title="Rain in Porto", published=1_714_560_000)
    document = Document(address="https://feed.example/", title="News", entries=(entry,))
    (identifier,) = native_ids(document, document.address, shared_names(document, document.address, lambda _: False))
    (timestamp,) = timestamps_of(document, datetime(2024, 5, 2, tzinfo=UTC), read_before=False)
    entry_post(entry, document, document.address, identifier, timestamp)


def _taken(poll: _Poll, safe: dict[str, FeedMemory]) -> list[Received]:
    """Returns the events of an answer; the cursor of the last one says that the answer was read."""
    if not poll.events:
        safe[poll.address] = poll.memory
        return []
    before = to_cursor(safe)
    safe[poll.address] = poll.memory
    last = len(poll.events) - 1
    return [Received(event, to_cursor(safe) if index == last else before) for index, event in enumerate(poll.events)]
