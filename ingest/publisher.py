"""Publishing of records to Kafka, in batches: each batch is done when the broker holds all of its records.

::

    publish(records) ─▶ thread ─▶ the library's buffer ─▶ broker ─▶ acknowledged ─▶ the batch's future
                          ▲                                  │
                          └──── again, after a pause ◀────── an outage

Owns the fate of each record: every future of the library ends in an acknowledgement, in another attempt, or in
`failure`. Publishing a record twice is harmless, so an outage costs time and nothing else (invariant 7). Records of one
key keep their order, except across a failed attempt; no reader depends on it. Knows nothing of cursors.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from kafka.errors import KafkaError

from tagstream.errors import Fatal
from tagstream.kafka.client import BACK_OFF, PATIENCE_SECONDS, at_start, close_producer, map_error, open_producer
from tagstream.kafka.topics import Headers, Topics
from tagstream.settings import Settings

# Well above the time in which one request is answered or given up.
_STALLED_SECONDS = 30.0


class OutgoingRecord(NamedTuple):
    """A record to be put on a topic. A value of None removes the key from a compacted topic."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(slots=True, eq=False)
class _PendingBatch:
    """A batch of which `left` records are not acknowledged yet."""

    left: int
    published: asyncio.Future[None]


class _Attempt(NamedTuple):
    """One record, given to one producer."""

    record: OutgoingRecord
    batch: _PendingBatch


class EventPublisher:
    """One producer and its attempts. Belongs to the event loop on which it was opened.

    `failure` is set when publishing cannot go on. `last_refusal` is the broker's last answer to an attempt that is
    being repeated, None while all is well. A producer that acknowledges nothing for `_STALLED_SECONDS` is replaced, and
    its records are published again: after a restart of the broker the library was seen to stand still for ever.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self.failure: asyncio.Future[None]
        self.last_refusal: str | None = None
        self._settings = settings
        self._topics = topics
        self._producer: Any = None
        self._lock = threading.Lock()
        self._in_flight: dict[int, _Attempt] = {}  # by attempt_id; shared with the library's thread, under the lock
        self._attempt_ids = count()
        self._to_repeat: list[_Attempt] = []
        self._retrying: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._progress = 0.0
        self._failed_rounds = 0

    async def open(self) -> None:
        """Connects to the broker.

        Raises:
            ServiceUnavailable: no broker answers.
            Fatal: the broker refuses.
        """
        self._loop = asyncio.get_running_loop()
        self.failure = self._loop.create_future()
        self._producer = await asyncio.to_thread(at_start, self._settings, self._open, PATIENCE_SECONDS)
        self._watching = self._loop.create_task(self._watch())

    def _open(self) -> Any:
        producer = open_producer(self._settings)
        try:
            # Asked for now, so that `send` never waits for the partitions of a topic.
            for topic in (self._topics.posts, self._topics.dead):
                producer.partitions_for(topic.name)
        except KafkaError:
            close_producer(producer)
            raise
        return producer

    async def publish(self, records: Sequence[OutgoingRecord]) -> asyncio.Future[None]:
        """Hands the records over; the future is done when the broker holds them all, however long that takes."""
        batch = _PendingBatch(len(records), self._loop.create_future())
        await asyncio.to_thread(self._send, [_Attempt(record, batch) for record in records])
        return batch.published

    async def close(self) -> None:
        """Ends at once. A record that is not acknowledged by now may or may not be on the broker."""
        for task in (self._retrying, self._watching):
            if task is not None:
                task.cancel()
        if self._producer is not None:
            await asyncio.to_thread(close_producer, self._producer)

    def _send(self, attempts: Sequence[_Attempt]) -> None:
        producer = self._producer
        for attempt in attempts:
            attempt_id = next(self._attempt_ids)
            with self._lock:
                if not self._in_flight:
                    self._progress = time.monotonic()
                self._in_flight[attempt_id] = attempt
            record = attempt.record
            try:
                future = producer.send(record.topic, key=record.key, value=record.value, headers=record.headers)
            except KafkaError as error:
                self._failed(producer, attempt_id, error)
            else:
                future.add_callback(self._acknowledged, attempt_id)
                future.add_errback(self._failed, producer, attempt_id)

    def _acknowledged(self, attempt_id: int, _: object) -> None:
        with self._lock:
            attempt = self._in_flight.pop(attempt_id, None)
            if attempt is None:
                return  # given to another producer meanwhile, and counted there
            self._progress = time.monotonic()
            attempt.batch.left -= 1
            complete = not attempt.batch.left
        if complete:
            self._on_loop(self._complete, attempt.batch)

    def _failed(self, producer: Any, attempt_id: int, error: Exception) -> None:
        with self._lock:
            attempt = self._in_flight.pop(attempt_id, None)
        if attempt is not None:
            self._on_loop(self._handle_failure, producer, attempt, error)

    def _on_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _complete(self, batch: _PendingBatch) -> None:
        self.last_refusal = None
        self._failed_rounds = 0
        if not batch.published.done():
            batch.published.set_result(None)

    def _handle_failure(self, producer: Any, attempt: _Attempt, error: Exception) -> None:
        mapped = map_error(error)
        # An error of a producer that was replaced concerns nobody.
        if isinstance(mapped, Fatal) and producer is self._producer:
            if not self.failure.done():
                self.failure.set_exception(mapped)
            return
        self.last_refusal = str(mapped)
        self._repeat([attempt])

    def _repeat(self, attempts: Sequence[_Attempt]) -> None:
        self._to_repeat += attempts
        if self._retrying is None or self._retrying.done():
            self._retrying = self._loop.create_task(self._retry())

    async def _retry(self) -> None:
        while self._to_repeat:
            self._failed_rounds += 1
            await asyncio.sleep(BACK_OFF.delay(self._failed_rounds))
            attempts, self._to_repeat = self._to_repeat, []
            await asyncio.to_thread(self._send, attempts)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_STALLED_SECONDS / 4)
            with self._lock:
                stalled = bool(self._in_flight) and time.monotonic() - self._progress > _STALLED_SECONDS
            if stalled:
                await self._replace()

    async def _replace(self) -> None:
        """Gives the records of a stalled producer to a new one, if a broker can be reached at all."""
        try:
            replacement = await asyncio.to_thread(self._open)
        except KafkaError as error:
            self.last_refusal = str(map_error(error))
            return
        old, self._producer = self._producer, replacement
        with self._lock:
            held = list(self._in_flight.values())
            self._in_flight.clear()
        self._repeat(held)
        await asyncio.to_thread(close_producer, old)
