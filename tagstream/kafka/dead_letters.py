"""The dead letters on the broker: reading, requeueing and dropping them.

::

    posts.dead (compacted, a dead letter under its origin) ─▶ dead_letters
    requeue   the event ─▶ posts, acknowledged; then a null under its origin ─▶ posts.dead
    drop      the null alone

A kill between the two halves of a requeue leaves the dead letter, and the event on `posts` once or twice: both are
harmless. Knows nothing of the index: `workers/faust/dead_letter_sweep.py` asks it whether a dead letter may be kept.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from kafka.errors import KafkaError

from tagstream.codec import decode, encode
from tagstream.errors import Fatal, MalformedPost
from tagstream.kafka.client import BACK_OFF, PATIENCE_SECONDS, at_start, close_producer, map_error, open_producer
from tagstream.kafka.compacted import CompactedRecord, newest_values
from tagstream.kafka.topics import Headers, Topics, headers, key_of
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Post, clean_text
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.settings import Settings

_READ_AT_ONCE = 64
_WAIT_SECONDS = 1.0
_STALLED_SECONDS = 30.0


class _Put(NamedTuple):
    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


class BrokerDeadLetters:
    """The dead letters of one installation.

    `on_unreadable` is called with the key and the reason of each record that holds no dead letter.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        on_unreadable: Callable[[str, str], None] = lambda _key, _reason: None,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._on_unreadable = on_unreadable
        self._producer: Any = None
        self._closing = threading.Event()

    async def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]:
        """Yields every dead letter, or those of a cause, oldest first.

        Raises:
            ServiceUnavailable: the broker does not answer.
            NewerVersion: a newer tagstream wrote one of them.
        """
        entries = newest_values(self._settings, self._topics.dead.name)
        while True:
            some = await in_daemon_thread(lambda: at_start(self._settings, lambda: self._read(entries)), "letters-read")
            if not some:
                return
            for letter in some:
                if isinstance(letter, DeadLetter) and cause in (None, letter.cause):
                    yield letter

    async def requeue(self, letter: DeadLetter, event: Post | Deletion | Erasure | AccountStatus) -> None:
        """Publishes the event of a dead letter as if it came now, then drops it; waits while the broker is away.

        Raises:
            MalformedPost: no message can hold the event.
            Fatal: the broker refuses.
        """
        posts = self._topics.posts
        published = _Put(posts.name, key_of(event), encode(event), headers(datetime.now(UTC)))
        await in_daemon_thread(lambda: self._put([published]), "letters-requeue")
        await self.drop([letter.origin])

    async def drop(self, origins: Sequence[str]) -> None:
        """Drops the dead letters of these origins; idempotent, durable on return, waits while the broker is away.

        Raises:
            Fatal: the broker refuses.
        """
        nulls = [_Put(self._topics.dead.name, origin.encode(), None, []) for origin in origins]
        await in_daemon_thread(lambda: self._put(nulls), "letters-drop")

    async def close(self) -> None:
        """Ends at once, whatever is being published."""
        self._closing.set()
        if self._producer is not None:
            await asyncio.to_thread(close_producer, self._producer)

    def _read(self, entries: Iterator[CompactedRecord]) -> list[DeadLetter | None]:
        return [self._letter(entry) for entry in islice(entries, _READ_AT_ONCE)]

    def _letter(self, entry: CompactedRecord) -> DeadLetter | None:
        key = clean_text(entry.key.decode(errors="replace"))
        try:
            letter = decode(entry.value)
        except MalformedPost as error:
            self._on_unreadable(key, str(error))
            return None
        if not isinstance(letter, DeadLetter) or letter.origin.encode() != entry.key:
            self._on_unreadable(key, "it holds no dead letter of that origin")
            return None
        return letter

    def _put(self, puts: Sequence[_Put]) -> None:
        """Publishes each record until it is acknowledged, or until `close`."""
        for put in puts:
            failures = 0
            while not self._closing.is_set() and not self._is_acknowledged(put):
                failures += 1
                self._closing.wait(BACK_OFF.delay(failures))

    def _is_acknowledged(self, put: _Put) -> bool:
        """Publishes the record; False after an outage: it may be there or not, and a repetition does no harm."""
        if self._producer is None:
            self._producer = at_start(self._settings, lambda: open_producer(self._settings), PATIENCE_SECONDS)
        deadline = time.monotonic() + _STALLED_SECONDS
        future = None
        while not self._closing.is_set() and time.monotonic() < deadline:
            try:
                future = future or self._producer.send(put.topic, key=put.key, value=put.value, headers=put.headers)
                future.get(timeout=_WAIT_SECONDS)
                return True
            except KafkaError as error:
                if future is not None and not future.is_done:
                    continue  # only our patience has ended: the record is still on its way
                verdict = map_error(error)
                if isinstance(verdict, Fatal):
                    raise verdict from error
                future = None
        # A producer that is silent for so long may never speak again: the next attempt takes another.
        producer, self._producer = self._producer, None
        close_producer(producer)
        return False
