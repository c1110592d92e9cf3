"""Writes of trends and events to Elasticsearch, and their removal.

::

    trends, states of events ─▶ newest state of each event ─▶ snapshots (`snapshots.py`)

A state has an id of its own minute, so a repetition replaces it. The newest state of an event is written only over the
state that was read, so that a late repeat of an older minute changes nothing, whoever else writes. Its version is the
server's own: an external one would outlast a removal for a minute, and refuse what a rebuild writes meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from search.detections import evidence_of, minute_number, read_event, read_trend, remaining, storable
from search.elastic.bulk import Action, ActionOutcome, send
from search.elastic.client import ElasticClient, pause
from search.elastic.detections.documents import (
    event_document,
    event_id,
    event_state_id,
    trend_document,
    trend_id,
)
from search.elastic.detections.visibility import kept_entries
from search.elastic.documents import to_json
from search.elastic.reads import Hit, many, scan
from tagstream.detections import DetectedEvent, TrendState
from tagstream.errors import IndexUnavailable

_ROUNDS = 12
_REMOVED_AT_ONCE = 1_000


async def write(client: ElasticClient, trends: Sequence[TrendState], events: Sequence[DetectedEvent]) -> None:
    """Stores trends and events; what is cut off, the same call makes whole.

    Raises:
        IndexUnavailable: some are not stored.
    """
    trends, events = await asyncio.to_thread(lambda: (storable(trends), storable(events)))
    await send(client, await asyncio.to_thread(_states, client, trends, events))
    await _write_newest(client, events)


def _states(client: ElasticClient, trends: Iterable[TrendState], events: Iterable[DetectedEvent]) -> list[Action]:
    names, now = client.names, _now()
    found = [Action("index", names.trends, trend_id(one), to_json(trend_document(one, now))) for one in trends]
    found += [
        Action("index", names.event_states, event_state_id(one), to_json(event_document(one, now))) for one in events
    ]
    return found


def _now() -> int:
    """Returns the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def _write_newest(client: ElasticClient, events: Sequence[DetectedEvent]) -> None:
    """Makes each event's newest state that of its latest minute.

    Raises:
        IndexUnavailable: other writers change the same events again and again.
    """
    waiting: dict[str, DetectedEvent] = {}
    for event in events:  # of one minute the last one stays
        before = waiting.get(event.id)
        if before is None or before.minute <= event.minute:
            waiting[event.id] = event
    for attempt in range(_ROUNDS):
        stored = {
            hit["_id"]: (hit["_source"]["minute"], (hit["_seq_no"], hit["_primary_term"]))
            async for hit in many(client, [(client.names.events, event_id(one)) for one in waiting], fields=["minute"])
        }
        chosen = {
            name: _newest(client, event, stored.get(event_id(name)))
            for name, event in waiting.items()
            if stored.get(event_id(name), (0,))[0] <= minute_number(event.minute)
        }
        results = await send(client, list(chosen.values()))
        lost = [name for name, result in zip(chosen, results, strict=True) if result.outcome is not ActionOutcome.DONE]
        if not lost:
            return
        waiting = {name: waiting[name] for name in lost}
        await pause(min(attempt, 3))
    raise IndexUnavailable(
        f"Other writers changed the same events at {client.address} {_ROUNDS} times in a row. Trying again."
    )


def _newest(client: ElasticClient, event: DetectedEvent, stored: tuple[int, tuple[int, int]] | None) -> Action:
    return Action(
        "create" if stored is None else "index",
        client.names.events,
        event_id(event.id),
        to_json(event_document(event, _now())),
        seen=None if stored is None else stored[1],
    )


async def forget_removed(client: ElasticClient) -> None:
    """Takes out of trends and events what posts that were removed support; what is written meanwhile stays."""
    names = client.names
    request = partial(client.raw.indices.refresh, index=list(names.detections), ignore_unavailable=True)
    await client.call(request)
    for index in (names.trends, names.event_states, names.events):
        page: list[Hit] = []
        async for hit in scan(
            client, index, {"match_all": {}}, [{"_shard_doc": "asc"}], fields=["document", "kept_at"]
        ):
            page.append(hit)
            if len(page) == _REMOVED_AT_ONCE:
                await send(client, await _left_of(client, index, page))
                page = []
        await send(client, await _left_of(client, index, page))


async def _left_of(client: ElasticClient, index: str, page: Sequence[Hit]) -> list[Action]:
    """Returns what makes of stored trends or events what is left of them; of most, nothing."""
    is_trend = index == client.names.trends
    read: Callable[[str], TrendState | DetectedEvent] = read_trend if is_trend else read_event
    stored = [(hit, read(hit["_source"]["document"])) for hit in page]
    there = await kept_entries(client, evidence_of([one for _, one in stored]))
    changes = []
    for hit, one in stored:
        seen, kept_at = (hit["_seq_no"], hit["_primary_term"]), hit["_source"]["kept_at"]
        if isinstance(one, TrendState):
            trends = remaining([one], there)
            document = trend_document(trends[0], kept_at) if trends else None
        else:
            document = event_document(remaining([one], there)[0], kept_at)
        if document is None:
            changes.append(Action("delete", index, hit["_id"], seen=seen))
        elif document["document"] != hit["_source"]["document"]:
            changes.append(Action("index", index, hit["_id"], to_json(document), seen=seen))
    return changes


async def clear(client: ElasticClient) -> None:
    """Removes all trends, events and snapshots, document by document: an index that is gone would be made anew
    without its mapping by whoever writes to it meanwhile.
    """
    names = client.names.detections
    await client.call(partial(client.raw.indices.refresh, index=list(names)))
    for index in names:
        removals: list[Action] = []
        async for hit in scan(client, index, {"match_all": {}}, [{"_shard_doc": "asc"}], fields=[]):
            removals.append(Action("delete", index, hit["_id"]))
            if len(removals) == _REMOVED_AT_ONCE:
                await send(client, removals)
                removals = []
        await send(client, removals)
    await client.call(partial(client.raw.indices.refresh, index=list(names)))
