"""Trends, events and the snapshots of detectors in the SQLite index: functions over a connection.

Writers hold the transaction; a read is one transaction, so that an answer and the posts that may be seen in it are of
one moment.
"""

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from search.detections import (
    D,
    bounded_milliseconds,
    evidence_of,
    minute_number,
    read_event,
    read_trend,
    remaining,
    shown,
    storable,
    stored_json,
    subject_hash,
)
from search.limits import MAX_HISTORY, MAX_SIZE, check_detections
from search.sqlite.reads import SHOWN
from search.sqlite.schema import transaction
from tagstream.detections import DetectedEvent, TrendState

_TABLES = ("trends", "events", "event_states", "detector_states")
_IDS_A_QUERY = 500
_END = 2**63 - 1
_LAST_CHARACTER = chr(0x10FFFF)
MIN_STEP = 500
"""The expired states of one kind that a write removes at least, if there are so many: some milliseconds."""


def write(
    connection: sqlite3.Connection,
    trends: Sequence[TrendState],
    events: Sequence[DetectedEvent],
    state: Mapping[str, bytes],
) -> None:
    """Stores trends, events and snapshots; of one minute what is written last stays."""
    trends, events = storable(trends), storable(events)
    now = _now()
    connection.executemany(
        "INSERT INTO trends (subject, minute, score, document, kept_at) VALUES (?1, ?2, ?3, ?4, max(?2, ?5)) "
        "ON CONFLICT (subject, minute) "
        "DO UPDATE SET score = excluded.score, document = excluded.document, kept_at = excluded.kept_at",
        [(subject_hash(one), minute_number(one.minute), one.score, stored_json(one), now) for one in trends],
    )
    connection.executemany(
        "INSERT INTO events VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET detected_at = excluded.detected_at",
        [(one.id, minute_number(one.detected_at)) for one in events],
    )
    connection.executemany(
        "INSERT INTO event_states (id, minute, ended_at, document, kept_at) VALUES (?1, ?2, ?3, ?4, max(?2, ?5)) "
        "ON CONFLICT (id, minute) "
        "DO UPDATE SET ended_at = excluded.ended_at, document = excluded.document, kept_at = excluded.kept_at",
        [(one.id, minute_number(one.minute), _milliseconds(one.ended_at), stored_json(one), now) for one in events],
    )
    connection.executemany(
        "INSERT INTO detector_states VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        list(state.items()),
    )


def write_and_expire(
    connection: sqlite3.Connection,
    trends: Sequence[TrendState],
    events: Sequence[DetectedEvent],
    state: Mapping[str, bytes],
    retention: timedelta,
) -> None:
    """Stores as `write` does, and removes some of what is older than the retention: more than is stored."""
    write(connection, trends, events, state)
    step = max(MIN_STEP, 2 * max(len(trends), len(events)))
    drop_expired(connection, _now() - retention // timedelta(milliseconds=1), step)


def drop_expired(connection: sqlite3.Connection, before: int, step: int = MIN_STEP) -> int:
    """Removes the oldest of the states whose minute and time of storing are both before that time; returns how many.

    A step looks at so many of each kind at most. The newest state of an event stays, and is looked at again a retention
    later.

    Args:
        before: in milliseconds since 1970.
    """
    oldest = "SELECT rowid FROM {} WHERE kept_at < ? ORDER BY kept_at LIMIT ?"
    removed = connection.execute(f"DELETE FROM trends WHERE rowid IN ({oldest.format('trends')})", (before, step))
    count = removed.rowcount
    rows = [row for (row,) in connection.execute(oldest.format("event_states"), (before, step))]
    newest = "(SELECT max(minute) FROM event_states AS other WHERE other.id = event_states.id)"
    for row in rows:
        gone = connection.execute(f"DELETE FROM event_states WHERE rowid = ? AND minute < {newest}", (row,)).rowcount
        if not gone:
            connection.execute("UPDATE event_states SET kept_at = ? WHERE rowid = ?", (_now(), row))
        count += gone
    return count


def _now() -> int:
    """Returns the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def clear(connection: sqlite3.Connection) -> None:
    """Removes all trends, events and snapshots."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table}")


def state(connection: sqlite3.Connection, name: str) -> bytes | None:
    """Returns the snapshot of that name, None if there is none."""
    row = connection.execute("SELECT state FROM detector_states WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def events(
    connection: sqlite3.Connection, *, since: datetime | None, until: datetime | None, live: bool, size: int
) -> list[DetectedEvent]:
    """Returns the newest state before `until` of each event that lived in the range, newest detected first."""
    check_detections(size)
    low, high = _milliseconds(since, 0), _milliseconds(until, _END)
    rows = (
        "SELECT document FROM events JOIN event_states AS state ON state.id = events.id AND state.minute = "
        "(SELECT max(minute) FROM event_states WHERE id = events.id AND minute < ?2) "
        "WHERE detected_at < ?2 AND (ended_at IS NULL OR (NOT ?3 AND ended_at >= ?1)) "
        "ORDER BY detected_at DESC, events.id"
    )
    with _pages(connection, rows, (low, high, live), size) as pages:
        states = ([read_event(document) for document in page] for page in pages)
        return _first(connection, ([one for one in page if one.merged_into is None] for page in states), size)


def event(connection: sqlite3.Connection, event_id: str) -> DetectedEvent | None:
    """Returns the newest state of that event, None if there is none."""
    found = _states(connection, event_id, 1)
    return found[0] if found else None


def event_ids(connection: sqlite3.Connection, beginning: str, *, size: int) -> list[str]:
    """Returns the first ids that begin so, of the events that something is left of."""
    check_detections(size)
    rows = (
        "SELECT document FROM events JOIN event_states AS state ON state.id = events.id AND state.minute = "
        "(SELECT max(minute) FROM event_states WHERE id = events.id) "
        "WHERE events.id >= ? AND events.id < ? ORDER BY events.id"
    )
    with _pages(connection, rows, (beginning, beginning + _LAST_CHARACTER), size) as pages:
        return [one.id for one in _first(connection, ([read_event(one) for one in page] for page in pages), size)]


def event_history(connection: sqlite3.Connection, event_id: str) -> list[DetectedEvent]:
    """Returns the last states of that event by minute, oldest first; none of one whose newest is not there."""
    return _states(connection, event_id, MAX_HISTORY)[::-1]


def stored_trends(
    connection: sqlite3.Connection, *, since: datetime | None, until: datetime | None, size: int, best: bool
) -> list[TrendState]:
    """Returns the newest or the best state of each subject in the range, highest score first."""
    check_detections(size)
    chosen = (
        "SELECT subject, max(minute) AS minute FROM trends WHERE minute >= ? AND minute < ? GROUP BY subject "
        f"ORDER BY minute DESC, subject LIMIT {MAX_SIZE}"
    )
    if best:
        ranked = (
            "SELECT subject, minute, score, row_number() OVER (PARTITION BY subject ORDER BY score DESC, minute DESC) "
            "AS place FROM trends WHERE minute >= ? AND minute < ?"
        )
        chosen = (
            f"SELECT subject, minute FROM ({ranked}) WHERE place = 1 "
            f"ORDER BY score DESC, minute DESC, subject LIMIT {MAX_SIZE}"
        )
    rows = f"SELECT document FROM ({chosen}) JOIN trends USING (subject, minute) ORDER BY score DESC, subject"
    bounds = (_milliseconds(since, 0), _milliseconds(until, _END))
    with _pages(connection, rows, bounds, size) as pages:
        return _first(connection, ([read_trend(document) for document in page] for page in pages), size)


def _states(connection: sqlite3.Connection, event_id: str, size: int) -> list[DetectedEvent]:
    """Returns the newest states of an event, newest first; none if nothing is left of the newest."""
    with transaction(connection, write=False):
        rows = connection.execute(
            "SELECT document FROM event_states WHERE id = ? ORDER BY minute DESC LIMIT ?", (event_id, size)
        ).fetchall()
        states = [read_event(document) for (document,) in rows]
        found = _as_shown(connection, states)
        return found if found and found[0].minute == states[0].minute else []


@contextmanager
def _pages(
    connection: sqlite3.Connection, question: str, values: Sequence[object], size: int
) -> Iterator[Iterator[Sequence[str]]]:
    """Answers a question for documents page by page, in one read transaction."""
    with transaction(connection, write=False):
        rows = connection.execute(question, values)
        try:
            yield iter(lambda: [document for (document,) in rows.fetchmany(size)], [])
        finally:
            rows.close()


def _first(connection: sqlite3.Connection, pages: Iterator[Sequence[D]], size: int) -> list[D]:
    """Returns the first trends or events that may be shown: those that no post is left of are passed over."""
    found: list[D] = []
    for page in pages:
        found += _as_shown(connection, page)
        if len(found) >= size:
            break
    return found[:size]


def forget_removed(connection: sqlite3.Connection) -> None:
    """Takes out of trends and events what posts that were removed support. The caller holds the transaction."""
    for row, document in _rows(connection, "trends"):
        left = as_kept(connection, [read_trend(document)])
        if not left:
            connection.execute("DELETE FROM trends WHERE rowid = ?", (row,))
        elif (stored := stored_json(left[0])) != document:
            connection.execute("UPDATE trends SET document = ? WHERE rowid = ?", (stored, row))
    seen, supported = set[str](), set[str]()
    for row, document in _rows(connection, "event_states"):
        (event,) = as_kept(connection, [read_event(document)])
        seen.add(event.id)
        if event.evidence:
            supported.add(event.id)
        if (stored := stored_json(event)) != document:
            connection.execute("UPDATE event_states SET document = ? WHERE rowid = ?", (stored, row))
    for table in ("events", "event_states"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", [(name,) for name in sorted(seen - supported)])


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    """Yields the rows of a table, which may be changed and removed meanwhile."""
    row = 0
    question = f"SELECT rowid, document FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT {_IDS_A_QUERY}"
    while rows := connection.execute(question, (row,)).fetchall():
        yield from rows
        row = rows[-1][0]


def kept(connection: sqlite3.Connection, ids: Collection[str]) -> set[str]:
    """Returns those of these ids whose post is kept, hidden or not."""
    return _there(connection, ids)


def _as_shown(connection: sqlite3.Connection, detections: Sequence[D]) -> list[D]:
    return shown(detections, _there(connection, evidence_of(detections), f"AND {SHOWN}"))


def as_kept(connection: sqlite3.Connection, detections: Sequence[D]) -> list[D]:
    """Returns what is left of trends and events without what was deleted; what is only hidden is there."""
    return remaining(detections, _there(connection, evidence_of(detections)))


def _there(connection: sqlite3.Connection, ids: Collection[str], condition: str = "") -> set[str]:
    """Returns the ids, of these, of the posts that are there, and that fulfil a condition on their documents."""
    wanted, there = sorted(ids), set[str]()
    for start in range(0, len(wanted), _IDS_A_QUERY):
        some = wanted[start : start + _IDS_A_QUERY]
        rows = connection.execute(
            f"SELECT id FROM registry JOIN documents USING (number) WHERE id IN ({', '.join('?' * len(some))}) "
            f"{condition}",
            some,
        )
        there.update(post_id for (post_id,) in rows)
    return there


def _milliseconds(timestamp: datetime | None, default: int | None = None) -> int | None:
    return default if timestamp is None else bounded_milliseconds(timestamp)
