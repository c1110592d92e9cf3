"""The mappings of the indices in Elasticsearch, and their creation and upgrade on a server.

::

    open ─▶ read mappings ─▶ newer than this code? ─▶ stop
                         ├─▶ not there: create   (templates for the days, the fixed indices, posts-v2-old)
                         └─▶ older: add fields   (template and open indices)

Every mapping is strict: the server refuses a field that the mapping lacks. Changes to an index only add fields. Posts
of the form before are moved into indices of today's (`upgrade.py`); another type of another field needs a new prefix
and a dump. Knows nothing of records.
"""

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import elasticsearch

from search.elastic import shown_posts
from search.elastic.address import OLD, Names
from search.elastic.client import ElasticClient, error_type
from search.elastic.documents import MAX_KEYWORD_LENGTH
from tagstream.errors import AbsentIndex, CorruptState, NewerVersion, UnreadableInput
from tagstream.text.analysis import ANALYSIS_VERSION

# 2: accounts may be hidden, which whoever reads must know of. 3: so must whoever writes of where thumbnails lie.
# 4: posts are of contract version 3, with `langs` and `links`. 5: there are trends and events, which a backup carries.
# 6: posts lie in indices of another form (`address.py`), whose `text` can be searched.
SCHEMA_VERSION = 6
REFRESH_INTERVAL = "250ms"
_MAX_FIELDS = 96
_TEMPLATE_PRIORITY = 500

META = {"schema": SCHEMA_VERSION, "analysis": ANALYSIS_VERSION}

_KEYWORD = {"type": "keyword", "ignore_above": MAX_KEYWORD_LENGTH}
_LONG = {"type": "long"}
_KEPT: dict[str, object] = {"type": "object", "enabled": False}  # in the document as it was, searched by nothing
_KEPT_LONG = {"type": "long", "index": False, "doc_values": False}
_TERM = {"type": "keyword", "norms": False}

REGISTRY_FIELDS: dict[str, Any] = {
    "id": _KEPT,
    "number": _KEPT_LONG,
    "version": _KEPT_LONG,
    "position": _KEPT_LONG,
    "observed_at": _KEPT_LONG,
    "deleted": _KEPT_LONG,
    "deleted_position": _KEPT_LONG,
    "visible": {"type": "boolean", "index": False, "doc_values": False},
    "day": _KEPT,
    "author": _LONG,  # a hash: an erasure finds the author's posts by it
    "arrived_at": _KEPT_LONG,
    "photos": _KEPT,  # where its thumbnails may lie
    "erased_up_to": _KEPT_LONG,  # of accounts; with who that is, for a backup
    "source": _KEPT,
    "author_id": _KEPT,
}

POST_FIELDS: dict[str, Any] = {
    "id": {"type": "keyword"},
    "version": _LONG,
    "time": {"type": "date", "format": "epoch_millis"},
    "implausible": {"type": "boolean"},
    "author": _LONG,
    # Ready terms of ours, split at spaces and nowhere else, so that both kinds of index find the same posts.
    "words": {"type": "text", "analyzer": "whitespace"},
    "marks": _TERM,
    "mentions": _KEYWORD,
    "entities": {
        "type": "nested",
        "properties": {
            "mention": _KEYWORD,
            "type": _KEYWORD,
            "key": _KEYWORD,
            "text": _KEYWORD,
            "score": {"type": "float"},
            "in_hashtag": {"type": "boolean"},
        },
    },
    "document": _KEPT,
    # For people and dashboards: nothing of ours asks these, unless a line below says so.
    "created_at": {"type": "date", "format": "strict_date_optional_time"},
    "observed_at": {"type": "date", "format": "epoch_millis"},
    "arrived_at": {"type": "date", "format": "epoch_millis"},  # whoever watches a query asks it
    "indexed_at": {"type": "date", "format": "epoch_millis"},
    "processing_seconds": {"type": "double"},
    "lag_seconds": {"type": "double"},
    "source": _KEYWORD,
    "author_id": _KEYWORD,
    "author_handle": _KEYWORD,
    "lang": _KEYWORD,
    "langs": _KEYWORD,
    # Unicode's own boundaries of words, and letters made small: for no language in particular.
    "text": {"type": "text", "analyzer": "standard"},
    "url": {"type": "keyword", "index": False, "doc_values": False},
    "links": {
        "type": "object",
        "properties": {
            "url": {"type": "keyword", "index": False, "doc_values": False},
            "title": {"type": "text", "index": False},
            "description": {"type": "text", "index": False},
        },
    },
    "hashtags": _KEYWORD,
    "person": _KEYWORD,
    "place": _KEYWORD,
    "organisation": _KEYWORD,
    "other": _KEYWORD,
    # The same names as they are counted: these are asked by `facets.py`.
    "person_key": _KEYWORD,
    "place_key": _KEYWORD,
    "organisation_key": _KEYWORD,
    "other_key": _KEYWORD,
    "media_kinds": _KEYWORD,
    "image_labels": _KEYWORD,
    "model": _KEYWORD,
    "generation": {"type": "integer"},
    "degraded": _KEYWORD,
    "untagged": _KEYWORD,
}

DEAD_FIELDS: dict[str, Any] = {
    "letter": _KEPT,
    "kept_at": {"type": "date", "format": "epoch_millis"},
    "origin_key": _LONG,
    "cause_key": _LONG,
    "post_key": _LONG,
    "author_key": _LONG,
    "position": _LONG,
    "source": _KEYWORD,
    "cause": _KEYWORD,
    # For people: nothing of ours asks it. Dead letters of before have it in `letter` alone.
    "message": {"type": "text", "analyzer": "standard"},
}

ACCOUNT_FIELDS: dict[str, Any] = {
    "source": {"type": "keyword"},
    "author_id": {"type": "keyword"},
    "author": _LONG,  # the same hash as in posts
    "position": _KEPT_LONG,
    "hidden": {"type": "boolean"},
}

MEDIA_FIELDS: dict[str, Any] = {"jpeg": {"type": "binary"}}

_MOMENT = {"type": "date", "format": "epoch_millis"}
_SUBJECTS = dict.fromkeys(("person", "place", "organisation", "other", "hashtags", "words"), _KEYWORD)

TREND_FIELDS: dict[str, Any] = {
    "subject": _LONG,  # a hash of type and key
    "minute": _MOMENT,
    "kept_at": _MOMENT,  # when it was stored, which decides with its minute when it goes
    "score": {"type": "double"},
    "document": _KEPT,
    # For people and dashboards, here and in events: nothing of ours asks these.
    "started_at": _MOMENT,
    "type": _KEYWORD,
    "key": _KEYWORD,
    "text": _KEYWORD,
    **_SUBJECTS,
    "companions": _KEYWORD,
    "authors": _LONG,
    "posts": _LONG,
    "expected": {"type": "double"},
}

EVENT_FIELDS: dict[str, Any] = {
    "id": {"type": "keyword"},
    "minute": _MOMENT,
    "kept_at": _MOMENT,
    "detected_at": _MOMENT,
    "ended_at": _MOMENT,
    "document": _KEPT,
    "started_at": _MOMENT,
    "peak_at": _MOMENT,
    "merged_into": {"type": "keyword"},
    "title": _KEYWORD,
    "names": _KEYWORD,
    **_SUBJECTS,
    "authors": _LONG,
    "posts": _LONG,
    "score": {"type": "double"},
}

SNAPSHOT_FIELDS: dict[str, Any] = {
    "name": _KEPT,
    "slot": _KEPT_LONG,
    "parts": _KEPT_LONG,
    "digest": _KEPT,
    "part": {"type": "binary"},
}

CURSOR_FIELDS: dict[str, Any] = {"source": _KEPT, "position": _KEPT}


def mapping(fields: Mapping[str, Any], *, left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns a strict mapping that notes the version of this code."""
    found: dict[str, Any] = {"dynamic": "strict", "_meta": META, "properties": dict(fields)}
    if left_out:
        found["_source"] = {"excludes": list(left_out)}
    return found


def index_settings(replicas: int, *, refresh: str) -> dict[str, Any]:
    """Returns the settings of one index; each has one shard, which the order of equal scores relies on."""
    return {
        "number_of_shards": 1,
        "number_of_replicas": replicas,
        "refresh_interval": refresh,
        "mapping.total_fields.limit": _MAX_FIELDS,
    }


def fixed_indices(names: Names, replicas: int) -> dict[str, dict[str, Any]]:
    """Returns the indices that are always there, with settings and mappings."""
    searched = index_settings(replicas, refresh=REFRESH_INTERVAL)
    # Read by id, which sees every write; an erasure refreshes before it searches.
    read_by_id = index_settings(replicas, refresh="-1")
    return {
        names.registry: {"settings": read_by_id, "mappings": mapping(REGISTRY_FIELDS)},
        names.cursors: {"settings": read_by_id, "mappings": mapping(CURSOR_FIELDS)},
        names.dead: {"settings": searched, "mappings": mapping(DEAD_FIELDS)},
        names.accounts: {"settings": searched, "mappings": mapping(ACCOUNT_FIELDS)},
        names.trends: {"settings": searched, "mappings": mapping(TREND_FIELDS)},
        names.events: {"settings": searched, "mappings": mapping(EVENT_FIELDS)},
        names.event_states: {"settings": searched, "mappings": mapping(EVENT_FIELDS)},
        names.detectors: {"settings": read_by_id, "mappings": mapping(SNAPSHOT_FIELDS)},
        names.of_day(OLD): {"settings": searched, "mappings": post_mapping()},
    }


def post_mapping() -> dict[str, Any]:
    """Returns the settings of an index of posts. Terms and marks follow from the document, and are not stored again."""
    return mapping(POST_FIELDS, left_out=("words", "marks"))


def templates(names: Names, replicas: int) -> dict[str, dict[str, Any]]:
    """Returns the templates, by name, from which the first post or thumbnail of a day makes the index of the day."""
    searched, read_by_id = (index_settings(replicas, refresh=interval) for interval in (REFRESH_INTERVAL, "-1"))
    made = {names.posts: (searched, post_mapping()), names.media: (read_by_id, mapping(MEDIA_FIELDS))}
    return {
        pattern.removesuffix("-*"): {
            "index_patterns": [pattern],
            "priority": _TEMPLATE_PRIORITY,
            "_meta": META,
            "template": {"settings": settings, "mappings": mappings},
            "composed_of": [shown_posts.component(names)] if pattern == names.posts else [],
        }
        for pattern, (settings, mappings) in made.items()
    }


async def prepare(client: ElasticClient, *, replicas: int, create: bool) -> bool:
    """Checks the indices of our prefix on the server; with `create`, makes missing ones and upgrades old ones.

    Returns:
        Whether the terms of stored posts are of an older analysis, and must be made anew.

    Raises:
        UnreadableInput: nothing is there, or something too old to be read, and `create` is false.
        NewerVersion: a newer tagstream made it.
        CorruptState: an index of that name is not ours, or its mapping contradicts ours.
    """
    names = client.names
    found = await _mappings(client)
    older_analysis = False
    for index, one in found.items():
        older_analysis |= _check_version(client, index, one) and index.startswith(names.of_day(""))
    if not create:
        if names.registry not in found:
            raise AbsentIndex(f"There is no index at {client.address}. Check the address, or write one first.")
        if names.accounts not in found:
            raise UnreadableInput(
                f"The index at {client.address} does not say which accounts are hidden: an older tagstream made it. "
                "Start a worker of this version once; it brings it up to date."
            )
        if any(map(names.is_earlier, found)):
            raise UnreadableInput(
                f"Posts of the index at {client.address} lie where an older tagstream put them. Start a worker of this "
                "version once; it moves them. If it is at it now, wait until it is done."
            )
        return False
    await _end_template_before(client)
    await shown_posts.publish(client, known=names.accounts in found)
    for name, body in templates(names, replicas).items():
        await client.call(partial(client.patient.indices.put_index_template, name=name, **body))
    fixed = fixed_indices(names, replicas)
    # Together, because the server then changes its state once.
    await asyncio.gather(*(_create(client, index, body) for index, body in fixed.items() if index not in found))
    expected = {index: body["mappings"] for index, body in fixed.items()}
    for index, one in found.items():
        wanted = None if names.is_earlier(index) else expected.get(index, _mapping_of_day(names, index))
        if wanted is not None and not _includes(one, wanted):
            # The version of the posts' terms rises only when they are made anew; what that writes finds its fields.
            outdated = older_analysis and index.startswith(names.of_day(""))
            await put_mapping(client, index, wanted, meta=one["_meta"] if outdated else wanted["_meta"])
    return older_analysis


async def _mappings(client: ElasticClient) -> dict[str, Any]:
    pattern = f"{client.names.prefix}-*"
    answer = await client.call(partial(client.raw.indices.get_mapping, index=pattern))
    names = client.names
    ours = (names.registry, names.cursors, names.dead, names.accounts, *names.detections)
    return {
        index: one["mappings"]
        for index, one in answer.items()
        if index in ours or names.is_earlier(index) or _mapping_of_day(names, index) is not None
    }


async def _end_template_before(client: ElasticClient) -> None:
    """Takes the place of the template of posts of the form before, so that no worker that still runs makes a day."""
    name = client.names.shown_posts
    if await client.call(partial(client.raw.indices.exists_index_template, name=name)):
        refused: dict[str, Any] = {"index_patterns": [f"{name}-*"], "allow_auto_create": False, "_meta": META}
        lower = partial(client.patient.indices.put_index_template, name=name, priority=_TEMPLATE_PRIORITY - 1)
        await client.call(partial(lower, **refused))


def _mapping_of_day(names: Names, index: str) -> dict[str, Any] | None:
    """Returns the mapping of an index of a day, None if the index is of no day."""
    if index.startswith(names.of_day("")):
        return post_mapping()
    return mapping(MEDIA_FIELDS) if index.startswith(names.media_of_day("")) else None


def _check_version(client: ElasticClient, index: str, found: Mapping[str, Any]) -> bool:
    """Returns whether an older analysis made the terms of the index."""
    meta = found.get("_meta", {})
    schema, analysis = meta.get("schema"), meta.get("analysis")
    if not isinstance(schema, int) or not isinstance(analysis, int):
        raise CorruptState(
            f"The index {index} at {client.address} was not made by tagstream. Name another prefix, or delete it."
        )
    if schema > SCHEMA_VERSION or analysis > ANALYSIS_VERSION:
        raise NewerVersion(
            f"The index {index} at {client.address} is of version {schema} (analysis {analysis}); this tagstream knows "
            f"{SCHEMA_VERSION} (analysis {ANALYSIS_VERSION}). Upgrade it."
        )
    return analysis < ANALYSIS_VERSION


async def _create(client: ElasticClient, index: str, body: Mapping[str, Any]) -> None:
    async def request() -> None:
        try:
            await client.patient.indices.create(index=index, settings=body["settings"], mappings=body["mappings"])
        except elasticsearch.BadRequestError as error:
            # Another worker that starts now was first, or our own request whose answer was lost.
            if error_type(error.body) != "resource_already_exists_exception":
                raise

    await client.call(request)


async def put_mapping(
    client: ElasticClient, index: str, wanted: Mapping[str, Any], *, meta: Mapping[str, Any] = META
) -> None:
    """Adds the fields that an open index lacks; `meta` becomes its note of the version.

    Raises:
        CorruptState: the index has a field of ours with another meaning.
    """

    async def request() -> None:
        await client.patient.indices.put_mapping(
            index=index, properties=wanted["properties"], meta=meta, dynamic="strict"
        )

    try:
        await client.call(request)
    except Exception as error:
        if isinstance(error.__cause__, elasticsearch.BadRequestError):
            raise CorruptState(
                f"The mapping of {index} at {client.address} contradicts this version: {error.__cause__}. Write a dump "
                "with the version that made it, and load it under another prefix."
            ) from error
        raise


def _includes(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Returns whether a mapping already holds all of another."""
    return found.get("_meta") == wanted["_meta"] and not list(missing_fields(found, wanted))


def missing_fields(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yields the fields, with their path, that a mapping lacks or types otherwise."""
    there = found.get("properties", {})
    for name, field in wanted["properties"].items():
        if name not in there or there[name].get("type", "object") != field["type"]:
            yield name
        elif "properties" in field:
            yield from (f"{name}.{inner}" for inner in missing_fields(there[name], field))
