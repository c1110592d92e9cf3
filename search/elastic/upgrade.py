"""Renewal of the posts that an older version wrote.

::

    an older analysis made the terms      posts-v2-DAY ─▶ posts-v2-DAY
    indices of the form before            posts-DAY (no more writes) ─▶ posts-v2-DAY, then posts-DAY is deleted

Each post is written again at its own version. A post that changes meanwhile has a higher version and stays as it is;
one that was deleted is not written: the registry knows. A renewal that is cut off begins again at the next start, and
several processes may do it at once.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import elasticsearch

from search.documents import post_json
from search.elastic.bulk import Action, send
from search.elastic.client import ElasticClient
from search.elastic.documents import TIMING_FIELDS, post_document, read_entry, read_post, to_json
from search.elastic.reads import Hit, many, scan
from search.elastic.schema import post_mapping, put_mapping
from search.registry import RegistryRecord
from tagstream.errors import CorruptState, IndexUnavailable
from tagstream.text.entity_keys import with_current_keys

_STEP = 500


async def analyse_anew(client: ElasticClient) -> None:
    """Writes every post again with the terms of this analysis; the mapping of each index notes when it is done."""
    found = await client.call(partial(client.raw.indices.get_mapping, index=client.names.posts))
    for index in found:
        await _renew(client, index, index)
        await put_mapping(client, index, post_mapping())


async def move_earlier_posts(client: ElasticClient) -> None:
    """Moves the posts of the form before into indices of today's, day by day; needs the space of a day twice."""
    pattern = f"{client.names.shown_posts}-*"
    found = await client.call(partial(client.raw.indices.get_settings, index=pattern, name="index.uuid"))
    for index in sorted(filter(client.names.is_earlier, found)):
        try:
            await _move(client, index)
        except (CorruptState, IndexUnavailable) as error:
            there = await client.call(partial(client.raw.indices.exists, index=index))
            if there or not isinstance(error.__cause__, elasticsearch.NotFoundError):
                raise  # else another process has moved it


async def _move(client: ElasticClient, index: str) -> None:
    # A worker of before that still runs waits from here on, and then stops.
    await client.call(partial(client.patient.indices.add_block, index=index, block="write"))
    await _renew(client, index, client.names.of_day(client.names.day_of(index)))
    await client.call(partial(client.patient.indices.delete, index=index))


async def _renew(client: ElasticClient, index: str, target: str) -> None:
    """Writes every post of an index into another or the same, as this version makes it."""
    batch: list[Hit] = []
    async for hit in scan(client, index, {"match_all": {}}, [{"id": "asc"}], fields=["document", *TIMING_FIELDS]):
        batch.append(hit)
        if len(batch) == _STEP:
            await _write_again(client, target, batch)
            batch = []
    await _write_again(client, target, batch)


def renewed_document(written: str, record: RegistryRecord, timing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the document of a post as this version makes it, from the post as it was written."""
    stored = read_post({"document": written})
    post = with_current_keys(stored)
    return post_document(post, written if post is stored else post_json(post), record, timing)


async def _write_again(client: ElasticClient, index: str, batch: Sequence[Hit]) -> None:
    registry = client.names.registry
    records = {
        hit["_id"]: read_entry(hit).record async for hit in many(client, [(registry, one["_id"]) for one in batch])
    }
    actions = []
    for hit in batch:
        record = records.get(hit["_id"])
        if record is not None and record.visible:
            stored = hit["_source"]
            kept = {name: stored[name] for name in TIMING_FIELDS if name in stored}
            source = to_json(renewed_document(stored["document"], record, kept))
            actions.append(Action("index", index, hit["_id"], source, version=hit["_version"]))
    await send(client, actions)
