"""Renewal of the terms and entity keys of posts that an older analysis made.

Each post is written again, in place, at its own version. A post that changes meanwhile has a higher version and stays
as it is. A renewal that is cut off begins again at the next start.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from search.documents import post_json
from search.elastic.bulk import Action, send
from search.elastic.client import ElasticClient
from search.elastic.documents import post_document, read_entry, read_post, to_json
from search.elastic.reads import Hit, many, scan
from search.elastic.schema import post_mapping, put_mapping
from search.registry import RegistryRecord
from tagstream.text.entity_keys import with_current_keys

_STEP = 500


async def analyse_anew(client: ElasticClient) -> None:
    """Writes every post again with the terms of this analysis; the mapping of each index notes when it is done."""
    found = await client.call(partial(client.raw.indices.get_mapping, index=client.names.posts))
    for index in found:
        batch: list[Hit] = []
        async for hit in scan(client, index, {"match_all": {}}, [{"id": "asc"}], fields=["document"]):
            batch.append(hit)
            if len(batch) == _STEP:
                await _write_again(client, index, batch)
                batch = []
        await _write_again(client, index, batch)
        await put_mapping(client, index, post_mapping())


def renewed_document(written: str, record: RegistryRecord) -> dict[str, Any]:
    """Returns the document of a post as this analysis makes it, from the post as it was written."""
    stored = read_post({"document": written})
    post = with_current_keys(stored)
    return post_document(post, written if post is stored else post_json(post), record)


async def _write_again(client: ElasticClient, index: str, batch: Sequence[Hit]) -> None:
    registry = client.names.registry
    records = {
        hit["_id"]: read_entry(hit).record async for hit in many(client, [(registry, one["_id"]) for one in batch])
    }
    actions = []
    for hit in batch:
        if hit["_id"] in records:
            source = to_json(renewed_document(hit["_source"]["document"], records[hit["_id"]]))
            actions.append(Action("index", index, hit["_id"], source, version=hit["_version"]))
    await send(client, actions)
