"""Reads from Elasticsearch: documents by id, searches page by page, everything in order.

An answer is whole: a search that an index did not answer is an outage, and never an answer with fewer posts.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import elasticsearch

from search.elastic.client import ElasticClient, error_type
from search.elastic.documents import (
    RegistryEntry,
    account_id,
    document_id,
    post_id,
    read_entry,
    read_letter,
    read_post,
    read_status,
)
from search.elastic.hidden_authors import shown_filters
from search.elastic.queries import Json, read_token, score_body, search_body, token
from search.elastic.thumbnails import address, photo_of, read_jpeg, shown_places
from search.index import Page, Query
from search.terms import hash_key
from search.thumbnails import photo_at
from tagstream.errors import CorruptState, IndexUnavailable, TagstreamError
from tagstream.posts import AccountStatus, DeadLetter, TaggedPost, from_epoch_milliseconds

_STEP = 500
_IDS_A_REQUEST = 1_000
_CAUSES = 1_000
_KEEP_ALIVE = "2m"

Hit = Mapping[str, Any]


async def many(
    client: ElasticClient, wanted: Sequence[tuple[str, str]], *, fields: Sequence[str] | None = None
) -> AsyncIterator[Hit]:
    """Yields the documents of these (index, id) that are there, as last written; `fields` of them, or all."""
    for start in range(0, len(wanted), _IDS_A_REQUEST):
        docs = [{"_index": index, "_id": one} for index, one in wanted[start : start + _IDS_A_REQUEST]]
        answer = await client.call(partial(client.raw.mget, docs=docs, source_includes=fields))
        for hit in answer["docs"]:
            if "error" in hit:
                _check_missing(client, hit)
            elif hit["found"]:
                yield hit


def _check_missing(client: ElasticClient, hit: Hit) -> None:
    """Passes over an index that may be missing; anything else that is not answered is not known.

    A day without an index has no posts, and an index of an older version no trends and no events.
    """
    problem = error_type(hit)
    if problem != "index_not_found_exception":
        raise IndexUnavailable(
            f"Elasticsearch at {client.address} cannot read {hit['_index']}: {problem}. Trying again."
        )
    names = client.names
    may_be_missing = hit["_index"].startswith((names.of_day(""), names.media_of_day("")))
    if not may_be_missing and hit["_index"] not in names.detections:
        raise CorruptState(f"The index {hit['_index']} at {client.address} is gone. Restore it from a snapshot.")


async def ask(client: ElasticClient, body: Mapping[str, Any], *, index: str | None = None, **options: Any) -> Hit:
    """Returns the answer to a search of all posts, or of `index`."""
    where = client.names.posts if index is None else index
    answer = await client.call(
        partial(client.raw.search, index=where, allow_partial_search_results=False, **body, **options)
    )
    found: Hit = answer.body
    return found


async def scan(
    client: ElasticClient,
    index: str,
    query: Mapping[str, Any],
    sort: Sequence[Mapping[str, str]],
    *,
    fields: Sequence[str] | None = None,
    most: int | None = None,
) -> AsyncGenerator[Hit]:
    """Yields every document that matches, in order, as of one point in time: what is written meanwhile is not seen.

    With `most`, so many at most.

    A server that restarts, or a reader that takes minutes over a page, loses it: this then goes on as of another one,
    which needs an order of its own (not `_shard_doc`).
    """
    pit = await _open(client, index)
    after: list[Any] | None = None
    try:
        while True:
            step = _STEP if most is None else min(most, _STEP)
            page = partial(
                client.raw.search,
                query=query,
                sort=sort,
                size=step,
                search_after=after,
                source=None if fields is None else {"includes": fields},
                seq_no_primary_term=True,
                version=True,
                track_total_hits=False,
            )
            try:
                answer = await client.call(partial(page, pit={"id": pit, "keep_alive": _KEEP_ALIVE}))
            except IndexUnavailable as error:
                if not isinstance(error.__cause__, elasticsearch.NotFoundError) or "_shard_doc" in sort[0]:
                    raise
                pit = await _open(client, index)
                continue
            pit = answer.get("pit_id", pit)
            hits = answer["hits"]["hits"]
            for hit in hits:
                yield hit
            most = None if most is None else most - len(hits)
            if len(hits) < step or most == 0:
                return
            after = hits[-1]["sort"]
    finally:
        with suppress(TagstreamError):  # it ends by itself, too
            await client.call(partial(client.raw.close_point_in_time, id=pit))


async def _open(client: ElasticClient, index: str) -> str:
    answer = await client.call(partial(client.raw.open_point_in_time, index=index, keep_alive=_KEEP_ALIVE))
    return str(answer["id"])


async def search(client: ElasticClient, query: Query) -> Page:
    """Returns one page of the posts that match.

    Raises:
        MalformedQuery: the text is not a query, or `after` is not the end of a page in this order.
        BadSettings: a page size that cannot be.
    """
    shown = await shown_filters(client)
    body = search_body(query, shown)
    options: dict[str, Any] = {}
    if query.order == "relevance":
        options["search_type"] = "dfs_query_then_fetch"  # words are as rare as they are in all days together
        if query.after is not None:
            body["search_after"] = await _score_now(client, query, shown)
    answer = await ask(client, body, **options)
    hits = answer["hits"]["hits"]
    page = hits[: query.size]
    following = token(query.order, page[-1]["sort"]) if len(hits) > query.size else None
    posts = tuple(read_post(hit["_source"]) for hit in page)
    total = answer["hits"]["total"]["value"]
    times = tuple(from_epoch_milliseconds(hit["sort"][-2]) for hit in page)  # in both orders: …, time, id
    return Page(posts, total, following, None if query.order == "newest" else total, times)


async def _score_now(client: ElasticClient, query: Query, shown: Sequence[Json]) -> list[Any]:
    """Returns the sort values of the post last shown, with its present score.

    All scores shift a little as posts arrive. So a page continues after the *post* last shown, at its present score;
    its former score serves only if the post is gone.
    """
    assert query.after is not None
    score, time, last = read_token(query.order, query.after)
    answer = await ask(client, score_body(query, last, shown), search_type="dfs_query_then_fetch")
    hits = answer["hits"]["hits"]
    return [hits[0]["_score"] if hits else score, time, last]


async def get(client: ElasticClient, identifier: str) -> TaggedPost | None:
    """Returns the visible post of that id, as last written; None if there is none."""
    found = await _visible(client, identifier)
    return None if found is None else found[1]


async def thumbnail(client: ElasticClient, identifier: str, ordinal: int) -> bytes | None:
    """Returns the JPEG of the visible post's medium of that index, as last written; None if there is none."""
    found = await _visible(client, identifier)
    photo = None if found is None else photo_at(found[1], ordinal)
    if found is None or photo is None:
        return None
    places = [one for one in sorted(shown_places(found[0])) if photo_of(one) == photo]
    async for hit in many(client, [address(client.names, identifier, one) for one in places]):
        return read_jpeg(hit)
    return None


async def _visible(client: ElasticClient, identifier: str) -> tuple[RegistryEntry, TaggedPost] | None:
    """Returns the visible post of that id with its entry of the registry; None if there is none."""
    async for found in many(client, [(client.names.registry, post_id(identifier))]):
        entry = read_entry(found)
        if entry.record.visible and entry.day is not None:
            day = client.names.of_day(entry.day)
            async for hit in many(client, [(day, post_id(identifier))], fields=["document"]):
                post = read_post(hit["_source"])
                return None if await _is_hidden(client, post) else (entry, post)
    return None


async def _is_hidden(client: ElasticClient, post: TaggedPost) -> bool:
    """Returns whether the post's author is hidden, as last written."""
    wanted = [] if post.author is None else [(client.names.accounts, account_id(post.source, post.author.id))]
    async for hit in many(client, wanted):
        return read_status(hit["_source"]).hidden
    return False


async def cursor(client: ElasticClient, source: str) -> str | None:
    """Returns the saved position of a source, None if there is none."""
    async for hit in many(client, [(client.names.cursors, document_id("c", source))]):
        return str(hit["_source"]["position"])
    return None


async def documents(client: ElasticClient, *, with_hidden: bool) -> AsyncIterator[TaggedPost]:
    """Yields every visible post in order of id, as of one point in time; `with_hidden` also those of hidden authors."""
    query = {"bool": {"filter": [] if with_hidden else await shown_filters(client)}}
    async for hit in scan(client, client.names.posts, query, [{"id": "asc"}], fields=["document"]):
        yield read_post(hit["_source"])


async def account_statuses(client: ElasticClient) -> AsyncIterator[AccountStatus]:
    """Yields the newest status of every account in order of source and author, as of one point in time."""
    order = [{"source": "asc"}, {"author_id": "asc"}]
    async for hit in scan(client, client.names.accounts, {"match_all": {}}, order):
        yield read_status(hit["_source"])


async def dead_letters(client: ElasticClient, cause: str | None, size: int | None) -> AsyncIterator[DeadLetter]:
    """Yields the dead letters in the order in which they first came, as of one point in time; at most `size`."""
    query: Hit = {"match_all": {}} if cause is None else {"term": {"cause_key": hash_key("cause", cause)}}
    order = [{"kept_at": "asc"}, {"origin_key": "asc"}]
    async for hit in scan(client, client.names.dead, query, order, fields=["letter"], most=size):
        yield read_letter(hit["_source"])


async def dead_letter_counts(client: ElasticClient) -> dict[str, int]:
    """Returns the number of dead letters of each cause, of the commonest `_CAUSES`.

    They are told apart by the hash, because a long name is not indexed itself.
    """
    one = {"top_hits": {"size": 1, "_source": ["letter.cause"]}}
    causes = {"terms": {"field": "cause_key", "size": _CAUSES}, "aggs": {"one": one}}
    answer = await ask(client, {"size": 0, "aggs": {"causes": causes}}, index=client.names.dead)
    return {
        str(bucket["one"]["hits"]["hits"][0]["_source"]["letter"]["cause"]): bucket["doc_count"]
        for bucket in answer["aggregations"]["causes"]["buckets"]
    }
