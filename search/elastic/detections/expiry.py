"""The end of stored minutes of trends and events, so that they do not grow for ever beside posts that are dropped.

A state goes when both its minute and the time it was stored at are before the retention: the states of an archive of
years ago stay as long as those of today. The newest state of an event stays as long as the event is told, and counts as
stored anew when its turn comes: so it does not stand before those that may go.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from search.documents import with_zone
from search.elastic.bulk import Action, send
from search.elastic.client import ElasticClient
from search.elastic.detections.documents import event_id
from search.elastic.documents import to_json
from search.elastic.reads import Hit, ask, many
from tagstream.posts import to_epoch_milliseconds

MAX_REMOVED = 10_000
"""The states of one kind that are looked at at once: a server answers with no more by default."""
_KEPT_AT_ONCE = 200


async def drop_expired(client: ElasticClient, before: datetime) -> int:
    """Removes the oldest of the states of before that time, `MAX_REMOVED` of each kind at most; returns how many."""
    names = client.names
    trends = await _oldest(client, names.trends, before)
    states = await _oldest(client, names.event_states, before)
    events = sorted({hit["_source"]["id"] for hit in states})
    newest: dict[str, int] = {}
    async for hit in many(client, [(names.events, event_id(one)) for one in events], fields=["id", "minute"]):
        newest[hit["_source"]["id"]] = hit["_source"]["minute"]
    kept = [hit for hit in states if newest.get(hit["_source"]["id"]) == hit["_source"]["minute"]]
    await _store_anew(client, kept)
    there = {hit["_id"] for hit in kept}
    gone = [hit for hit in (*trends, *states) if hit["_id"] not in there]
    await send(client, [Action("delete", hit["_index"], hit["_id"]) for hit in gone])
    return len(gone)


async def _oldest(client: ElasticClient, index: str, before: datetime) -> Sequence[Hit]:
    limit = to_epoch_milliseconds(with_zone(before))
    body: Mapping[str, Any] = {
        "query": {"bool": {"filter": [{"range": {name: {"lt": limit}}} for name in ("minute", "kept_at")]}},
        "sort": [{"minute": "asc"}],
        "size": MAX_REMOVED,
        "source": ["id", "minute"],
        "track_total_hits": False,
    }
    found: Sequence[Hit] = (await ask(client, body, index=index))["hits"]["hits"]
    return found


async def _store_anew(client: ElasticClient, states: Sequence[Hit]) -> None:
    """Notes that these states are stored now; one that changes meanwhile is stored now anyway."""
    now = time.time_ns() // 1_000_000
    for start in range(0, len(states), _KEPT_AT_ONCE):
        wanted = [(hit["_index"], hit["_id"]) for hit in states[start : start + _KEPT_AT_ONCE]]
        actions = [
            Action(
                "index",
                hit["_index"],
                hit["_id"],
                to_json({**hit["_source"], "kept_at": now}),
                seen=(hit["_seq_no"], hit["_primary_term"]),
            )
            async for hit in many(client, wanted)
        ]
        await send(client, actions)
