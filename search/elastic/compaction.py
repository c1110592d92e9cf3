"""Removal of the words of removed documents from the segments of Elasticsearch.

Lucene marks a removed document, and drops its words when the segment is next merged; by itself it merges a segment only
when enough of it is gone. Compacting merges every segment that holds a removed document. Documents removed just now may
stay: the server keeps them for copies that fall behind, half a minute where there are none.
"""

from functools import partial
from typing import Any

from search.elastic.client import ElasticClient
from search.index import Compacted

_HOURS = 3_600
_ANY_REMOVED = {"index.merge.policy.expunge_deletes_allowed": 0}


async def compact(client: ElasticClient) -> Compacted:
    """Merges the segments with removed documents; takes up to as long as copying the index."""
    # By name: there may be no index of thumbnails, and a pattern that nothing matches is an error.
    names = partial(client.raw.indices.get_settings, index=f"{client.names.prefix}-*", name="index.uuid")
    indices = sorted(await client.call(names))
    raw: Any = client.raw.options(request_timeout=_HOURS)
    before = await _size(client, indices)
    await client.call(partial(client.patient.indices.put_settings, index=indices, settings=_ANY_REMOVED))
    await client.call(partial(raw.indices.flush, index=indices, wait_if_ongoing=True))
    await client.call(partial(raw.indices.forcemerge, index=indices, only_expunge_deletes=True))
    await client.call(partial(raw.indices.refresh, index=indices))
    return Compacted(before, await _size(client, indices))


async def _size(client: ElasticClient, indices: list[str]) -> int:
    answer = await client.call(partial(client.raw.indices.stats, index=indices, metric="store"))
    return int(answer["_all"]["total"]["store"]["size_in_bytes"])
