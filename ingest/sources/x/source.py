"""The filtered stream of X (API v2): posts that match rules, and events that X wants obeyed.

::

    rules ─▶ GET /2/tweets/search/stream ───────────────────┐
             GET /2/tweets/compliance/stream, 4 partitions ─┼─▶ events
             GET /2/users/compliance/stream, 4 partitions ──┘    (with compliance=1)

The cursor is the newest timestamp that the stream has told of, in milliseconds. X cannot go on from it exactly. With
`backfill_minutes` it gives the last minutes once more, which repeats some posts (harmless: they have their ids);
without it, posts during a break are lost. A break that was longer than X's back-fill is counted in `gaps`: nobody knows
how many posts were in it. The first connection begins with now.

`Post.position` is the id of the post; deletions and erasures have the position of their timestamp in that order. The
origin of a dead letter is named by its bytes, so that back-filling makes no second one. An `errors` frame without a
post ends the connection, because X ends it then.
"""

import asyncio
import hashlib
import math
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest.sources.error_isolation import identified_dead_letter, isolate_error
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, read_object, refuse
from ingest.sources.network.source import FeedUnavailable, NetworkSource, Reconnecting
from ingest.sources.x.archive_fields import SOURCE, is_id, member, post_name, timestamp_of_id
from ingest.sources.x.compliance import PARTITIONS, POST_STREAM, USER_STREAM, read_compliance
from ingest.sources.x.post import FIELDS, Includes, read_post
from ingest.sources.x.rules import checked_rules, synchronise
from ingest.sources.x.stream import MAX_FRAME_BYTES, XConnection
from tagstream.dead_letter import dead_letter
from tagstream.errors import CorruptState
from tagstream.posts import (
    DeadLetter,
    Event,
    clean_text,
    from_epoch_milliseconds,
    to_epoch_milliseconds,
)
from tagstream.runtime.bounded_buffer import BoundedBuffer
from tagstream.source import Received, named

ADDRESS = "https://api.x.com"
STREAM = "/2/tweets/search/stream"
MAX_BACKFILL_MINUTES = 5
CONNECT_SECONDS = 10.0
# The heartbeat of 20 s often comes a little late.
SILENCE_SECONDS = 30.0
RATE_LIMITED_SECONDS = 60.0
_EARLIEST = datetime(2006, 1, 1, tzinfo=UTC)
_BUFFERED_LINES = 64
_BUFFERED_BYTES = 8 * 1024 * 1024
_KNOWN_GOOD_POST = (
    b'{"data": {"id": "1786000000000000000", "text": "Rain in #Porto", "author_id": "7", '
    b'"created_at": "2024-05-02T11:37:04.000Z"}, "includes": {"users": [{"id": "7", "username": "ann"}]}}'
)
_KNOWN_GOOD_EVENT = (
    b'{"data": {"delete": {"tweet": {"id": "1786000000000000000", "author_id": "7"}, '
    b'"event_at": "2024-05-02T11:37:04.000Z"}}}'
)


class _Stream(NamedTuple):
    """A connection: posts come in one, compliance events in several."""

    path: str
    partition: int | None = None


class XSource(NetworkSource):
    """Posts that match the rules, from X at `base`; with `compliance` also deletions and hidden accounts.

    `passed_over` counts compliance events that mean nothing here. `now` is the wall clock, which measures the outage
    before a restart; `clock` measures outages in between.
    """

    def __init__(
        self,
        token: str,
        *,
        base: str = ADDRESS,
        rules: Sequence[str] = (),
        backfill_minutes: int = 0,
        compliance: bool = False,
        reconnecting: Reconnecting | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        rate_limited_seconds: float = RATE_LIMITED_SECONDS,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(f"{SOURCE}:" if base == ADDRESS else f"{SOURCE}:{base}", reconnecting)
        self._rules = checked_rules(rules)
        self._backfill_minutes = backfill_minutes
        self._compliance = compliance
        self._max_frame_bytes = max_frame_bytes
        self._now = now
        self._clock = clock
        self._connection = XConnection(
            base,
            token,
            connect_seconds=connect_seconds,
            silence_seconds=silence_seconds,
            rate_limited_seconds=rate_limited_seconds,
            max_frame_bytes=max_frame_bytes,
        )
        self.passed_over = 0
        self._has_rules = False
        self._newest = _EARLIEST
        self._heard: dict[_Stream, float] = {}  # when this process last heard of each, by the clock that never jumps

    def counts(self) -> Mapping[str, int]:
        return {**super().counts(), **named("passed_over", {"compliance": self.passed_over})}

    async def open(self, cursor: str | None) -> None:
        """Sets where to begin.

        Raises:
            CorruptState: the cursor is not one of ours.
        """
        self._newest = _EARLIEST if cursor is None else parse_cursor(cursor)
        await super().open(cursor)

    async def close(self) -> None:
        await super().close()
        await self._connection.close()

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        if not self._has_rules:
            await synchronise(self._connection, self._rules)
            self._has_rules = True
        missed = {stream: self._missed(stream, cursor) for stream in self._streams()}
        longest = timedelta(minutes=self._backfill_minutes)
        broken = {stream for stream, one in missed.items() if one is not None and one > longest}
        async with aclosing(self._frames(missed)) as frames:
            async for stream, line in frames:
                if stream in broken:
                    broken.discard(stream)
                    self.gaps += 1
                self._heard[stream] = self._clock()
                event, ends = self._read(stream.path, line) if line else (None, None)
                if event is not None:
                    yield Received(event, str(to_epoch_milliseconds(self._newest)))
                if ends:
                    raise FeedUnavailable(f"X disconnects {stream.path}: {ends}")

    def _streams(self) -> list[_Stream]:
        compliance = [_Stream(path, part) for path in (POST_STREAM, USER_STREAM) for part in PARTITIONS]
        return [_Stream(STREAM), *(compliance if self._compliance else ())]

    def _missed(self, stream: _Stream, cursor: str | None) -> timedelta | None:
        """Returns how long nothing was heard of the stream; None before the first connection, which misses nothing."""
        if stream in self._heard:
            return timedelta(seconds=self._clock() - self._heard[stream])
        return None if cursor is None else max(timedelta(), self._now() - self._newest)

    def _parameters(self, stream: _Stream, missed: timedelta | None) -> dict[str, str]:
        parameters = dict(FIELDS) if stream.partition is None else {"partition": str(stream.partition)}
        if missed is not None and self._backfill_minutes:
            # One minute more than the outage, because posts come up to a minute after they were written.
            minutes = math.ceil(missed / timedelta(minutes=1)) + 1
            parameters["backfill_minutes"] = str(min(self._backfill_minutes, minutes))
        return parameters

    async def _frames(self, missed: Mapping[_Stream, timedelta | None]) -> AsyncGenerator[tuple[_Stream, bytes], None]:
        """Yields the lines of all streams as they come; the end of one is the end of all."""
        buffer: BoundedBuffer[tuple[_Stream, bytes]] = BoundedBuffer(_BUFFERED_LINES, _BUFFERED_BYTES)
        readers = [
            asyncio.create_task(self._forward(stream, self._parameters(stream, one), buffer))
            for stream, one in missed.items()
        ]
        try:
            async for frame in buffer:
                yield frame
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _forward(
        self, stream: _Stream, parameters: Mapping[str, str], buffer: BoundedBuffer[tuple[_Stream, bytes]]
    ) -> None:
        try:
            async with aclosing(self._connection.lines(stream.path, parameters)) as lines:
                async for line in lines:
                    await buffer.put((stream, line), len(line))
        except Exception as error:  # whatever it is, the reader of the buffer raises it
            buffer.fail(error)

    def _read(self, path: str, line: bytes) -> tuple[Event | None, str | None]:
        """Reads a line: its event, and the reason for which the connection ends with it, if it does."""
        fields: Fields = {}
        try:
            if len(line) > self._max_frame_bytes:
                refuse(LineFault.LINE_TOO_LONG, f"a frame has more than {self._max_frame_bytes:,} bytes")
            fields = read_object(line)
            if "data" not in fields and ("errors" in fields or "connection_issue" in fields):
                return None, _titles(fields)
            if path != STREAM:
                event, timestamp = read_compliance(fields)
                self.passed_over += event is None
                self._newest = max(self._newest, min(timestamp, self._now()))
                return event, None
            post = read_post(member(fields, "data"), Includes(member(fields, "includes")))
            written = timestamp_of_id(post.position) or post.created_at
            # A wrong id from the future would hide every later outage.
            self._newest = max(self._newest, min(written, self._now()))
        except MalformedLine as malformed:
            return _dead_letter(line, fields, malformed, path), None
        except Exception as error:
            unexpected = MalformedLine(LineFault.UNEXPECTED, isolate_error(error, _read_known_good))
            return identified_dead_letter(lambda known: _dead_letter(line, known, unexpected, path), fields), None
        return post, None


def _read_known_good() -> None:
    fields = read_object(_KNOWN_GOOD_POST)
    read_post(member(fields, "data"), Includes(member(fields, "includes")))
    read_compliance(read_object(_KNOWN_GOOD_EVENT))


def parse_cursor(cursor: str) -> datetime:
    """Reads the newest timestamp from a cursor.

    Raises:
        CorruptState: it is no cursor of `XSource`.
    """
    if re.fullmatch(r"[0-9]{1,15}", cursor):
        try:
            return from_epoch_milliseconds(int(cursor))
        except OverflowError:
            pass
    raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of the stream of X")


def _titles(fields: Fields) -> str:
    """Returns X's reasons for ending the connection; they are hostile, as everything from outside."""
    errors = fields.get("errors")
    problems = errors[:3] if isinstance(errors, list) else [fields]
    titles = [str(problem.get("title") or problem.get("detail")) for problem in problems if isinstance(problem, dict)]
    return clean_text(repr(", ".join(titles)[:200]))


def _dead_letter(line: bytes, fields: Fields, malformed: MalformedLine, path: str) -> DeadLetter:
    data = fields.get("data")
    post: Fields = data if path == STREAM and isinstance(data, dict) else {}
    identifier, author = post.get("id"), post.get("author_id")
    return dead_letter(
        origin=f"{SOURCE}:{path}:{hashlib.sha256(line).hexdigest()[:32]}",
        source=SOURCE,
        cause=malformed.fault.value,
        message=str(malformed),
        body=line,
        post_id=post_name(int(str(identifier))) if is_id(identifier) else None,
        author=str(int(str(author))) if is_id(author) else None,
        position=int(str(identifier)) if is_id(identifier) else 0,
    )
