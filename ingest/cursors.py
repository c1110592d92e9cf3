"""The cursors of sources, kept on the compacted topic `cursors`, with one owner for each source.

::

    claim   init_transactions (fences the former owner) ─▶ read the newest record ─▶ write it again as ours
    save    begin, send, commit;   refused? ─▶ whose is the newest record? ─▶ ours: claim again │ another's: Fatal

Owns fencing. Posts are published without transactions, because the markers of transactions leave gaps in a topic's
offsets. A cursor is saved afterwards, in a transaction whose id is derived from the source's name, so that an owner
that was replaced can save nothing more, and finds out. A transaction that an outage outlasted is refused in the same
way; a record therefore names its owner.

Keeps the second half of invariant 1. `ingest/run.py` keeps the first half: everything up to a cursor is on the broker.
"""

import asyncio
import json
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka.errors import AuthorizationError, InvalidProducerEpochError, KafkaError, ProducerFencedError

from tagstream.errors import CorruptState, Fatal
from tagstream.kafka.client import (
    BACK_OFF,
    PATIENCE_SECONDS,
    at_start,
    close_producer,
    commit_transaction,
    map_error,
    open_producer,
)
from tagstream.kafka.compacted import newest_values
from tagstream.kafka.topics import Topics
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.settings import Settings

# Longer than the broker keeps a transaction open: a commit that has not happened by then never will.
_COMMIT_SECONDS = 15.0
_INIT_ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class _SavedCursor:
    """A record of the topic: the cursor from which the source goes on (None: its beginning), and the process that owns
    it.
    """

    cursor: str | None
    owner: str


class Superseded(Fatal):
    """Another process has become the owner of this source."""


class CursorKeeper:
    """The cursor of one source, owned by this process from `claim` on. Takes one call at a time."""

    def __init__(self, settings: Settings, topics: Topics, source: str) -> None:
        self._settings = settings
        self._topic = topics.cursors.name
        self._source = source
        self._transactional_id = f"{self._topic}/{source}"
        self._owner = uuid.uuid4().hex
        self._producer: Any = None
        self._known: _SavedCursor | None = None
        self._closing = threading.Event()

    async def claim(self) -> str | None:
        """Makes this process the owner, and returns the newest cursor that any owner saved.

        Raises:
            ServiceUnavailable: the broker does not answer.
            Fatal: the broker refuses, or the saved record is not a cursor of ours.
        """
        return await in_daemon_thread(lambda: at_start(self._settings, self._claim, PATIENCE_SECONDS), "cursor-claim")

    async def save(self, cursor: str) -> None:
        """Saves the cursor, which is durable on return. An outage makes this call last as long as the outage.

        Raises:
            Fatal: another process has become the owner.
        """
        await in_daemon_thread(lambda: self._save(cursor), "cursor-save")

    async def close(self) -> None:
        """Ends at once. A save that is under way may or may not have happened."""
        self._closing.set()
        if self._producer is not None:
            await asyncio.to_thread(close_producer, self._producer)

    def _claim(self) -> str | None:
        try:
            self._fence()
            self._known = self._newest()
            cursor = self._known.cursor if self._known else None
            self._write(_SavedCursor(cursor, self._owner))
        except KafkaError as error:
            self._drop_producer()
            if isinstance(error, ProducerFencedError | InvalidProducerEpochError):
                raise self._superseded() from error
            raise
        return cursor

    def _save(self, cursor: str) -> None:
        saved = _SavedCursor(cursor, self._owner)
        failures = 0
        while not self._closing.is_set():
            try:
                if self._producer is None:
                    self._take_up_again()
                self._write(saved)
                return
            except AuthorizationError as error:
                raise map_error(error) from error
            except KafkaError:
                # Whatever the reason, this producer's transaction is in doubt, so a new producer begins again.
                self._drop_producer()
                failures += 1
                self._closing.wait(BACK_OFF.delay(failures))

    def _take_up_again(self) -> None:
        """Claims the name once more, if no other process owns it."""
        self._check_owner()
        self._fence()
        self._check_owner()

    def _check_owner(self) -> None:
        newest = self._newest()
        known = {self._owner} | ({self._known.owner} if self._known else set())
        if newest is not None and newest.owner not in known:
            raise self._superseded()

    def _superseded(self) -> Superseded:
        return Superseded(
            f"another tagstream ingest reads {self._source} now, and this one has stopped; the other goes on from what "
            "this one saved last. Let only one read a source at a time"
        )

    def _fence(self) -> None:
        self._producer = open_producer(self._settings, transactional_id=self._transactional_id)
        for attempt in range(_INIT_ATTEMPTS):
            try:
                self._producer.init_transactions()
                return
            except KafkaError as error:
                if isinstance(map_error(error), Fatal) or attempt + 1 == _INIT_ATTEMPTS or self._closing.is_set():
                    self._drop_producer()
                    raise

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            close_producer(producer)

    def _write(self, saved: _SavedCursor) -> None:
        value = {"cursor": saved.cursor, "owner": saved.owner, "saved_at": datetime.now(UTC).isoformat()}
        producer = self._producer
        producer.begin_transaction()
        sent = producer.send(
            self._topic, key=self._source.encode(), value=json.dumps(value, ensure_ascii=False).encode()
        )
        commit_transaction(producer, _COMMIT_SECONDS)
        sent.get(timeout=1)
        self._known = saved

    def _newest(self) -> _SavedCursor | None:
        for entry in newest_values(self._settings, self._topic):
            if entry.key == self._source.encode():
                return _read_saved_cursor(entry.value, self._source)
        return None


def _read_saved_cursor(value: bytes, source: str) -> _SavedCursor:
    try:
        document = json.loads(value)
        cursor, owner = document["cursor"], document["owner"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptState(f"the saved cursor of {source} cannot be read: {value[:80]!r}") from error
    if not isinstance(owner, str) or not isinstance(cursor, str | None):
        raise CorruptState(f"the saved cursor of {source} cannot be read: {value[:80]!r}")
    return _SavedCursor(cursor, owner)
