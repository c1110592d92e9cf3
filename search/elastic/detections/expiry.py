"""The end of stored minutes of trends and events, so that they do not grow for ever beside posts that are dropped.

A state goes when both its minute and the time it was stored at are before the retention: the states of an archive of
years ago stay as long as those of today. The newest state of each event stays, as its record in the registry does.
"""

from datetime import datetime

from search.documents import with_zone
from search.elastic.bulk import Action, send
from search.elastic.client import ElasticClient
from search.elastic.reads import ask
from tagstream.posts import to_epoch_milliseconds

MAX_REMOVED = 10_000
"""The states of one kind that go at once: a server answers with no more by default."""


async def drop_expired(client: ElasticClient, before: datetime) -> int:
    """Removes the oldest of the states of before that time, `MAX_REMOVED` of each kind at most; returns how many."""
    removed = 0
    limit = to_epoch_milliseconds(with_zone(before))
    body = {
        "query": {"bool": {"filter": [{"range": {name: {"lt": limit}}} for name in ("minute", "kept_at")]}},
        "sort": [{"minute": "asc"}],
        "size": MAX_REMOVED,
        "source": False,
        "track_total_hits": False,
    }
    for index in (client.names.trends, client.names.event_states):
        hits = (await ask(client, body, index=index))["hits"]["hits"]
        await send(client, [Action("delete", index, hit["_id"]) for hit in hits])
        removed += len(hits)
    return removed
