"""Reads of trends and events from Elasticsearch.

An index that an older version made lacks the indices of trends and events until a writer of this version opens it; it
then has none.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from search.detections import (
    D,
    bounded_milliseconds,
    evidence_of,
    minute_number,
    read_event,
    read_trend,
    remaining,
    shown,
)
from search.documents import with_zone
from search.elastic.client import ElasticClient
from search.elastic.detections.documents import event_id
from search.elastic.detections.visibility import kept_entries, visible_entries
from search.elastic.reads import Hit, ask, many
from search.limits import MAX_HISTORY, MAX_SIZE, check_detections
from tagstream.detections import DetectedEvent, TrendState

_STEP = 500
_NEWEST_FIRST = [{"detected_at": "desc"}, {"id": "asc"}]


async def events(
    client: ElasticClient, *, since: datetime | None, until: datetime | None, live: bool, size: int
) -> list[DetectedEvent]:
    """Returns the newest state before `until` of each event that lived in the range, newest detected first."""
    check_detections(size)
    found: list[DetectedEvent] = []
    async for page in _candidates(client, since, until, live=live, size=size):
        states = page if until is None else await _as_of(client, page, until)
        found += await as_shown(client, [one for one in states if _lived(one, since, live=live)])
        if len(found) >= size:
            break
    return found[:size]


async def event(client: ElasticClient, name: str) -> DetectedEvent | None:
    """Returns the newest state of that event, as last written; None if there is none."""
    async for hit in many(client, [(client.names.events, event_id(name))], fields=["document"]):
        found = await as_shown(client, [_event(hit)])
        return found[0] if found else None
    return None


async def event_ids(client: ElasticClient, beginning: str, *, size: int) -> list[str]:
    """Returns the first ids that begin so, of the events that something is left of."""
    check_detections(size)
    found: list[str] = []
    query = {"prefix": {"id": {"value": beginning}}}
    async for page in _pages(client, client.names.events, query, [{"id": "asc"}], size=max(size, _STEP)):
        found += [one.id for one in await as_shown(client, [_event(hit) for hit in page])]
        if len(found) >= size:
            break
    return found[:size]


async def event_history(client: ElasticClient, name: str) -> list[DetectedEvent]:
    """Returns the last states of that event by minute, oldest first; none of one whose newest is not there."""
    states: list[DetectedEvent] = []
    query = {"term": {"id": name}}
    async for page in _pages(client, client.names.event_states, query, [{"minute": "desc"}], size=_STEP):
        told = [_event(hit) for hit in page]
        found = await as_shown(client, told)
        if not states and (not found or found[0].minute != told[0].minute):
            return []  # nothing is left of the newest
        states += found
        if len(states) >= MAX_HISTORY:
            break
    return states[:MAX_HISTORY][::-1]


async def stored_trends(
    client: ElasticClient, *, since: datetime | None, until: datetime | None, size: int, best: bool
) -> list[TrendState]:
    """Returns the newest or the best state of each subject in the range, highest score first."""
    check_detections(size)
    body = {
        "query": {"bool": {"filter": _minutes(since, until)}},
        "collapse": {"field": "subject"},
        "sort": [*([{"score": "desc"}] if best else []), {"minute": "desc"}, {"subject": "asc"}],
        "size": MAX_SIZE,
        "source": False,
        "docvalue_fields": ["score"],
        "track_total_hits": False,
    }
    answer = await ask(client, body, index=client.names.trends, ignore_unavailable=True)
    newest = sorted(answer["hits"]["hits"], key=lambda hit: (-hit["fields"]["score"][0], hit["sort"][-1]))
    found: list[TrendState] = []
    for start in range(0, len(newest), size):
        ids = [hit["_id"] for hit in newest[start : start + size]]
        wanted = [(client.names.trends, one) for one in ids]
        states = [read_trend(_document(hit)) async for hit in many(client, wanted, fields=["document"])]
        found += await as_shown(client, states)
        if len(found) >= size:
            break
    return found[:size]


async def as_shown(client: ElasticClient, detections: Sequence[D]) -> list[D]:
    """Returns the trends or events with the evidence that may be seen at this moment."""
    return shown(detections, await visible_entries(client, evidence_of(detections)))


async def as_kept(client: ElasticClient, detections: Sequence[D]) -> list[D]:
    """Returns what is left of trends and events without what was deleted; what is only hidden is there."""
    return remaining(detections, await kept_entries(client, evidence_of(detections)))


async def _candidates(
    client: ElasticClient, since: datetime | None, until: datetime | None, *, live: bool, size: int
) -> AsyncIterator[list[DetectedEvent]]:
    """Yields the newest states of events that may have lived in the range, newest detected first, page by page."""
    filters: list[Any] = []
    if until is not None:  # and how its events ended later says nothing of then
        filters.append({"range": {"detected_at": {"lt": bounded_milliseconds(until)}}})
    elif live:
        filters.append(_STILL_LIVE)
    elif since is not None:
        ended = {"range": {"ended_at": {"gte": bounded_milliseconds(since)}}}
        filters.append({"bool": {"should": [_STILL_LIVE, ended], "minimum_should_match": 1}})
    query = {"bool": {"filter": filters}}
    async for page in _pages(client, client.names.events, query, _NEWEST_FIRST, size=min(size, _STEP)):
        yield [_event(hit) for hit in page]


_STILL_LIVE = {"bool": {"must_not": [{"exists": {"field": "ended_at"}}]}}


async def _as_of(client: ElasticClient, newest: Sequence[DetectedEvent], until: datetime) -> list[DetectedEvent]:
    """Returns for each event its last state before `until`, in the same order; none of an event that has none."""
    end = bounded_milliseconds(until)
    later = [one.id for one in newest if minute_number(one.minute) >= end]
    states = {one.id: one for one in newest if minute_number(one.minute) < end}
    if later:
        body = {
            "query": {"bool": {"filter": [{"terms": {"id": later}}, *_minutes(None, until)]}},
            "collapse": {"field": "id"},
            "sort": [{"minute": "desc"}],
            "size": len(later),
            "source": ["document"],
            "track_total_hits": False,
        }
        answer = await ask(client, body, index=client.names.event_states, ignore_unavailable=True)
        states |= {one.id: one for one in map(_event, answer["hits"]["hits"])}
    return [states[one.id] for one in newest if one.id in states]


def _lived(event: DetectedEvent, since: datetime | None, *, live: bool) -> bool:
    if event.merged_into is not None:
        return False
    if event.ended_at is None:
        return True
    return not live and (since is None or with_zone(event.ended_at) >= with_zone(since))


async def _pages(
    client: ElasticClient, index: str, query: Mapping[str, Any], sort: Sequence[Mapping[str, str]], *, size: int
) -> AsyncIterator[Sequence[Hit]]:
    """Yields the documents that match, in an order that tells them all apart, page by page."""
    after: list[Any] | None = None
    while True:
        body = {
            "query": query,
            "sort": sort,
            "size": size,
            "search_after": after,
            "source": ["document"],
            "track_total_hits": False,
        }
        answer = await ask(client, body, index=index, ignore_unavailable=True)
        hits: Sequence[Hit] = answer["hits"]["hits"]
        if hits:
            yield hits
        if len(hits) < size:
            return
        after = hits[-1]["sort"]


def _minutes(since: datetime | None, until: datetime | None) -> list[Any]:
    if since is None and until is None:
        return []
    bounds = {"gte": since, "lt": until}
    return [{"range": {"minute": {name: bounded_milliseconds(one) for name, one in bounds.items() if one is not None}}}]


def _event(hit: Hit) -> DetectedEvent:
    return read_event(_document(hit))


def _document(hit: Hit) -> str:
    return str(hit["_source"].get("document") or "{}")
