"""The posts, of given ids, that may be seen in Elasticsearch at this moment, as every earlier write left them.

Asked of the registry, which sees each write at once, and of the statuses of accounts, which are refreshed first. Posts
whose day was dropped stay in the registry: they are no longer there to be read, and were not deleted.
"""

from collections.abc import Collection
from functools import partial

from search.elastic.client import ElasticClient
from search.elastic.documents import RegistryEntry, post_id, read_entry
from search.elastic.reads import ask, many

_AUTHORS_A_QUERY = 5_000


async def visible_entries(client: ElasticClient, ids: Collection[str]) -> dict[str, RegistryEntry]:
    """Returns the entries of the registry of those posts that are neither deleted nor erased nor hidden."""
    kept = await kept_entries(client, ids)
    hidden = await _hidden_among(client, {entry.author for entry in kept.values() if entry.author is not None})
    return {name: entry for name, entry in kept.items() if entry.author not in hidden}


async def kept_entries(client: ElasticClient, ids: Collection[str]) -> dict[str, RegistryEntry]:
    """Returns the entries of the registry of those posts that are neither deleted nor erased."""
    wanted = [(client.names.registry, post_id(one)) for one in sorted(ids)]
    entries = [read_entry(hit) async for hit in many(client, wanted)]
    return {entry.record.id: entry for entry in entries if entry.record.visible}


async def _hidden_among(client: ElasticClient, authors: Collection[int]) -> set[int]:
    """Returns the keys, of these, of hidden authors."""
    if not authors:
        return set()
    names, ordered = client.names, sorted(authors)
    await client.call(partial(client.raw.indices.refresh, index=names.accounts))
    hidden: set[int] = set()
    for start in range(0, len(ordered), _AUTHORS_A_QUERY):
        among = {"terms": {"author": ordered[start : start + _AUTHORS_A_QUERY]}}
        body = {
            "query": {"bool": {"filter": [{"term": {"hidden": True}}, among]}},
            "size": _AUTHORS_A_QUERY,
            "sort": [{"author": "asc"}],
            "source": False,
            "track_total_hits": False,
        }
        answer = await ask(client, body, index=names.accounts)
        hidden.update(hit["sort"][0] for hit in answer["hits"]["hits"])
    return hidden
