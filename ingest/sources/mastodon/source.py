"""The public posts of a Mastodon server (`mastodon:HOST`), as they are written.

::

    connect ─▶ open the stream ─▶ read it into a buffer ──────────────────────────────────┐
                     └─▶ back-fill: the timeline by its ids, oldest first, until no more ─┴▶ then the buffer's events

The stream cannot be resumed. So the cursor is the newest status id that was seen, and after every connect the timeline
is read from there on (`min_id`) while the stream is already open. Nothing falls between the two, and a status that
comes by both is removed by its id. A post that reached the server late has an id of the time when it was written, which
may lie before others that were seen: so the back-fill begins `rewind_seconds` earlier. Without a cursor it begins with
the newest page.

Mastodon's ids are numbers that rise with time. Other servers that speak its protocol have ids of other kinds, which are
never compared. There the newest id is the one that the server gave last. A page goes on after the id that its `Link`
names, or after its first status; an id that the server no longer knows is a gap.

An outage still costs posts that reached the server later than `rewind_seconds` after they were written, and edits and
deletions of older posts, which no timeline tells. After `pages` pages, or where the server gives no more, everything up
to the present is missed, which is counted in `gaps`. A server also keeps back what the token's account has blocked,
muted, or not chosen among languages.

Streamed deletions and edits are obeyed. Mastodon tells nobody that an account is gone: its posts are deleted one by
one.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import SecretStr

from ingest.sources.mastodon.api import MastodonApi, MastodonLimits, PageTooLarge, StatusPage, UnknownId
from ingest.sources.mastodon.events import Oversized, StatusEventReader, StreamEvent, Understood
from ingest.sources.mastodon.feed import MastodonFeed, parse_feed
from ingest.sources.mastodon.status import PassedOverStatus, is_number, status_id
from ingest.sources.network.source import NetworkSource, Reconnecting
from tagstream.errors import BadSettings, CorruptState, MalformedPost
from tagstream.runtime.bounded_buffer import BoundedBuffer
from tagstream.settings import Settings
from tagstream.source import Received, named

PAGE_STATUSES = 40  # the most that a server gives at once
BUFFERED_EVENTS = 1024
BUFFERED_BYTES = 16 * 1024 * 1024
_NOTHING_SEEN = "-"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=\-]{1,1024}")
# Ids are made of milliseconds since 1970, shifted by 16 bits; before that, and elsewhere, of something else.
_CLOCK_SHIFT = 16
_FIRST_CLOCK_ID, _LAST_CLOCK_ID = 1_451_606_400_000 << _CLOCK_SHIFT, 4_102_444_800_000 << _CLOCK_SHIFT


@dataclass(frozen=True, slots=True)
class Backfilling:
    """The way to close a gap. `settle_seconds`: a server says that a stream is open a moment before it listens
    itself.
    """

    settle_seconds: float = 1.0
    rewind_seconds: float = 120.0
    pages: int = 1000


class MastodonSource(NetworkSource):
    """A feed of a server. `passed_over` counts items that are no post here."""

    def __init__(
        self,
        feed: MastodonFeed,
        token: SecretStr | None = None,
        *,
        reconnecting: Reconnecting | None = None,
        limits: MastodonLimits | None = None,
        backfilling: Backfilling | None = None,
    ) -> None:
        super().__init__(feed.name, reconnecting)
        self._feed = feed
        self._token = token
        self._limits = limits or MastodonLimits()
        self._backfilling = backfilling or Backfilling()
        self._reader = StatusEventReader(feed.source)
        self._newest: str | None = None

    @property
    def passed_over(self) -> Counter[PassedOverStatus]:
        return self._reader.passed_over

    def counts(self) -> Mapping[str, int]:
        return {
            **super().counts(),
            **named("passed_over", {reason: self.passed_over[reason] for reason in PassedOverStatus}),
        }

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        self._newest = parse_cursor(cursor)
        async with MastodonApi(self._feed, self._token, self._limits) as api:
            origin = await api.streaming_origin()
            async with api.stream(origin) as events:
                buffer: BoundedBuffer[StreamEvent | Oversized] = BoundedBuffer(BUFFERED_EVENTS, BUFFERED_BYTES)
                reading = asyncio.create_task(_fill(buffer, events))
                try:
                    async with aclosing(self._missed(api)) as missed:
                        async for received in missed:
                            yield received
                    while True:
                        for received in self._received(self._reader.event(await buffer.get())):
                            yield received
                finally:
                    reading.cancel()
                    await asyncio.wait({reading})

    async def _missed(self, api: MastodonApi) -> AsyncGenerator[Received, None]:
        """Yields what the timeline gained since the newest status that was seen, oldest first."""
        if self._newest is None:
            for received in await self._newest_page(api):
                yield received
            return
        await asyncio.sleep(self._backfilling.settle_seconds)
        after = rewound(self._newest, self._backfilling.rewind_seconds)
        for page_index in range(self._backfilling.pages):
            try:
                page = await self._page(api, after)
            except UnknownId:
                for received in await self._newest_page(api):
                    yield received
                break
            if page is not None and not page.statuses:
                return
            ids = [identifier for identifier in map(_id_of, page.statuses if page else ()) if identifier]
            for received in self._listed(page.statuses if page else []):
                yield received
            if after in ids:  # a server that does not know `min_id`: this is its newest page
                self.gaps += page_index > 0
                return
            following = (page.newer if page else None) or _newest_of(ids) or after
            if not _is_newer(following, after):
                break  # the server gave its newest page again, or a status that is too large
            after = following
        self.gaps += 1

    async def _newest_page(self, api: MastodonApi) -> list[Received]:
        page = await self._page(api, None)
        return self._listed(page.statuses if page else [])

    async def _page(self, api: MastodonApi, after: str | None) -> StatusPage | None:
        """Returns the next statuses; None if even one is too large."""
        limit = PAGE_STATUSES
        while limit:
            try:
                page = await api.page(limit, after)
            except PageTooLarge:
                limit //= 2
                continue
            await asyncio.sleep(page.pause_seconds)
            return page
        return None

    def _listed(self, statuses: list[object]) -> list[Received]:
        ordered = statuses[::-1]  # pages come newest first
        if all(is_number(_id_of(status) or "0") for status in statuses):
            # An item that is no status has no position among numbers; its dead letter comes first.
            ordered = sorted(statuses, key=lambda status: int(_id_of(status) or "0"))
        return [received for status in ordered for received in self._received(self._reader.listed(status))]

    def _received(self, understood: Understood) -> list[Received]:
        identifier = understood.id
        if identifier is not None and (understood.is_new or is_number(identifier)):
            self._newest = identifier if _is_newer(identifier, self._newest) else self._newest
        if understood.event is None:
            return []
        return [Received(understood.event, self._newest or _NOTHING_SEEN)]


def open_mastodon(argument: str, settings: Settings) -> MastodonSource:
    """Returns the source of `mastodon:<argument>`, with the token of the settings.

    Raises:
        BadSettings: the argument names no feed, or the token cannot be one.
    """
    token = settings.mastodon_token
    if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
        raise BadSettings("TAGSTREAM_MASTODON_TOKEN must be the access token alone: one word, without Bearer")
    return MastodonSource(parse_feed(argument), token)


async def _fill(
    buffer: BoundedBuffer[StreamEvent | Oversized], events: AsyncGenerator[StreamEvent | Oversized, None]
) -> None:
    """Reads the stream into the buffer until it ends, and tells the buffer how."""
    try:
        async with aclosing(events):
            async for event in events:
                await buffer.put(event, len(event.payload if isinstance(event, StreamEvent) else event.beginning))
    except Exception as error:  # the boundary of a task: `get` raises it
        buffer.fail(error)


def parse_cursor(cursor: str | None) -> str | None:
    """Reads the newest status id that was seen; None if none was.

    Raises:
        CorruptState: it is no cursor of `MastodonSource`.
    """
    if cursor is None or cursor == _NOTHING_SEEN:
        return None
    try:
        return status_id(cursor)
    except MalformedPost as error:
        raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of a Mastodon server") from error


def rewound(identifier: str, seconds: float) -> str:
    """Returns the id that the server would have made that much earlier; the same id where no clock made it."""
    if not is_number(identifier) or not _FIRST_CLOCK_ID <= int(identifier) <= _LAST_CLOCK_ID:
        return identifier
    return str(int(identifier) - (int(seconds * 1000) << _CLOCK_SHIFT))


def _is_newer(identifier: str, than: str | None) -> bool:
    """Says whether a later id is newer, too. Numbers tell; of other ids it is only known that they differ."""
    if than is not None and is_number(identifier) and is_number(than):
        return int(identifier) > int(than)
    return identifier != than


def _newest_of(identifiers: Sequence[str]) -> str | None:
    """Returns the newest id of a page, which comes newest first; among numbers the largest."""
    if identifiers and all(map(is_number, identifiers)):
        return max(identifiers, key=int)
    return identifiers[0] if identifiers else None


def _id_of(status: object) -> str | None:
    try:
        return status_id(status.get("id")) if isinstance(status, dict) else None
    except MalformedPost:
        return None
