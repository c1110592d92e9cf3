"""Puts records on the broker, and says when all of a batch are there.

::

    publish(records) ─▶ thread ─▶ the library's buffer ─▶ broker ─▶ acknowledged ─▶ the batch's future
                          ▲                                  │
                          └──── again, after a pause ◀────── an outage

Owns the fate of each record: every future of the library is read, and ends in an acknowledgement, in another attempt,
or in `failure`. Repetitions are harmless, so an outage costs time and nothing else (invariant 7). Records of one key
keep their order but across a failed attempt; what reads them does not depend on it. Knows nothing of cursors.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from kafka.errors import KafkaError

from tagstream.broker import PATIENCE_SECONDS, at_start, close_producer, judged, open_producer
from tagstream.errors import Fatal
from tagstream.settings import Settings
from tagstream.topics import Headers, Topics

_PAUSE_SECONDS = 0.5


class Record(NamedTuple):
    """What is put on a topic; a value of None deletes the key of a compacted one."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(slots=True, eq=False)
class _Batch:
    """Records whose acknowledgements are still awaited; counted down by the library's thread alone."""

    left: int
    published: asyncio.Future[None]


class Publisher:
    """One producer and the attempts that it makes. Belongs to the event loop on which it was opened.

    `failure` is set when publishing cannot go on. `last_refusal` is what the broker last answered to an attempt that is
    being repeated, None while all is well.
    """

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self.failure: asyncio.Future[None]
        self.last_refusal: str | None = None
        self._settings = settings
        self._topics = topics
        self._producer: Any = None
        self._again: list[tuple[Record, _Batch]] = []
        self._retrying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects.

        Raises:
            ServiceUnavailable: no broker answers.
            Fatal: it refuses.
        """
        self._loop = asyncio.get_running_loop()
        self.failure = self._loop.create_future()
        self._producer = await asyncio.to_thread(at_start, self._settings, self._open, PATIENCE_SECONDS)

    def _open(self) -> Any:
        producer = open_producer(self._settings)
        try:
            # So that `send` never has to ask where a topic is, and to wait for the answer.
            for topic in (self._topics.posts, self._topics.dead):
                producer.partitions_for(topic.name)
        except KafkaError:
            close_producer(producer)
            raise
        return producer

    async def publish(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Hands the records over; the answer is done when the broker holds them all, however long that takes."""
        batch = _Batch(len(records), self._loop.create_future())
        await asyncio.to_thread(self._send, [(record, batch) for record in records])
        return batch.published

    async def close(self) -> None:
        """Ends at once: what is not acknowledged by now may or may not be on the broker."""
        if self._retrying is not None:
            self._retrying.cancel()
        if self._producer is not None:
            await asyncio.to_thread(close_producer, self._producer)

    def _send(self, attempts: Sequence[tuple[Record, _Batch]]) -> None:
        for record, batch in attempts:
            try:
                future = self._producer.send(record.topic, key=record.key, value=record.value, headers=record.headers)
            except KafkaError as error:
                self._failed(record, batch, error)
            else:
                future.add_callback(self._acknowledged, batch)
                future.add_errback(partial(self._failed, record, batch))

    def _acknowledged(self, batch: _Batch, _: object) -> None:
        batch.left -= 1
        if not batch.left:
            self._on_loop(self._complete, batch)

    def _failed(self, record: Record, batch: _Batch, error: Exception) -> None:
        self._on_loop(self._judge, record, batch, error)

    def _on_loop(self, callback: Any, *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _complete(self, batch: _Batch) -> None:
        self.last_refusal = None
        if not batch.published.done():
            batch.published.set_result(None)

    def _judge(self, record: Record, batch: _Batch, error: Exception) -> None:
        verdict = judged(error)
        if isinstance(verdict, Fatal):
            if not self.failure.done():
                self.failure.set_exception(verdict)
            return
        self.last_refusal = str(verdict)
        self._again.append((record, batch))
        if self._retrying is None or self._retrying.done():
            self._retrying = self._loop.create_task(self._retry())

    async def _retry(self) -> None:
        while self._again:
            await asyncio.sleep(_PAUSE_SECONDS * (0.5 + random.random()))
            attempts, self._again = self._again, []
            await asyncio.to_thread(self._send, attempts)
