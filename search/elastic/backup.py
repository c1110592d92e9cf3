"""Backups of an index in Elasticsearch: everything it keeps, as of one point in time.

::

    point in time ─▶ statuses ─▶ erasures ─▶ posts, each with its record ─▶ other records ─┐
                                                      ▲ and thumbnails, by id, as they are now │
                        cursors ◀─ dead letters ◀─ events ◀─ trends ◀──────────────────────────┘

A post that changes meanwhile may be missing, and a post that is deleted meanwhile is never shown: its present record,
which says so, is given instead. Of trends and events that is given which the posts support that are there.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from search.detections import read_event, read_trend
from search.elastic.client import ElasticClient
from search.elastic.detections.reads import as_kept
from search.elastic.documents import RegistryEntry, post_id, read_entry, read_letter, read_post, read_status
from search.elastic.reads import Hit, many
from search.elastic.thumbnails import address, photo_of, read_jpeg, shown_places
from search.index import Detection, Kept, Remembered, SourceCursor, Thumbnail, Unnamed
from search.registry import RegistryRecord
from tagstream.errors import CorruptState, TagstreamError
from tagstream.posts import Erasure

_STEP = 200
_KEEP_ALIVE = "10m"  # the longest that a reader may take over a page


async def everything(client: ElasticClient) -> AsyncIterator[Kept]:
    """Yields everything the index keeps, in an order that another index can take in.

    Raises:
        IndexUnavailable: the server dropped the point in time, because the reader took minutes for a page; begin again.
    """
    names = client.names
    detections = await _detections(client)
    indices = [names.registry, names.accounts, names.dead, names.cursors, names.posts, *detections]
    await client.call(partial(client.raw.indices.refresh, index=indices))
    point = _PointInTime(client)
    await point.open(indices)
    try:
        async for hit in point.hits(names.accounts, [{"source": "asc"}, {"author_id": "asc"}]):
            yield read_status(hit["_source"])
        unnamed = 0
        async for hit in point.hits(names.registry, [{"_shard_doc": "asc"}]):
            if (erasure := _erasure(hit)) is not None:
                yield erasure
            unnamed += "erased_up_to" in hit["_source"] and erasure is None
        if unnamed:
            yield Unnamed(unnamed)
        async for page in point.pages(names.posts, [{"id": "asc"}], fields=["document", "version"]):
            for remembered in await _with_records(client, page):
                yield remembered
        async for page in point.pages(names.registry, [{"_shard_doc": "asc"}]):
            for remembered in await _without_posts(client, page):
                yield remembered
        for index in detections:
            tie = "subject" if index == names.trends else "id"
            async for page in point.pages(index, [{"minute": "asc"}, {tie: "asc"}], fields=["document"]):
                documents = [hit["_source"]["document"] for hit in page]
                kept: Sequence[Detection]
                if index == names.trends:
                    kept = await as_kept(client, [read_trend(document) for document in documents])
                else:
                    kept = await as_kept(client, [read_event(document) for document in documents])
                for detection in kept:
                    yield detection
        async for hit in point.hits(names.dead, [{"kept_at": "asc"}, {"origin_key": "asc"}], fields=["letter"]):
            yield read_letter(hit["_source"])
        async for hit in point.hits(names.cursors, [{"_shard_doc": "asc"}]):
            yield SourceCursor(str(hit["_source"]["source"]), str(hit["_source"]["position"]))
    finally:
        await point.close()


async def _detections(client: ElasticClient) -> list[str]:
    """Returns the indices of states of trends and events; an index of an older version lacks them."""
    names = client.names
    settings = client.raw.indices.get_settings
    wanted = [names.trends, names.event_states]
    answer = await client.call(partial(settings, index=wanted, name="index.uuid", ignore_unavailable=True))
    return [one for one in wanted if one in answer]


class _PointInTime:
    """A point in time of several indices."""

    def __init__(self, client: ElasticClient) -> None:
        self._client = client
        self._id = ""

    async def open(self, indices: Sequence[str]) -> None:
        request = partial(self._client.raw.open_point_in_time, index=indices, keep_alive=_KEEP_ALIVE)
        self._id = str((await self._client.call(request))["id"])

    async def close(self) -> None:
        with suppress(TagstreamError):  # it ends by itself, too
            await self._client.call(partial(self._client.raw.close_point_in_time, id=self._id))

    async def pages(
        self, index: str, sort: Sequence[Mapping[str, str]], *, fields: Sequence[str] | None = None
    ) -> AsyncIterator[Sequence[Hit]]:
        """Yields the documents of an index, or of the indices of a pattern, in order, page by page."""
        query = {"wildcard": {"_index": index}} if "*" in index else {"term": {"_index": index}}
        after: list[Any] | None = None
        while True:
            request = partial(
                self._client.raw.search,
                pit={"id": self._id, "keep_alive": _KEEP_ALIVE},
                query=query,
                sort=sort,
                size=_STEP,
                search_after=after,
                source=None if fields is None else {"includes": fields},
                seq_no_primary_term=True,
                version=True,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            answer = await self._client.call(request)
            self._id = answer.get("pit_id", self._id)
            hits: Sequence[Hit] = answer["hits"]["hits"]
            if hits:
                yield hits
            if len(hits) < _STEP:
                return
            after = hits[-1]["sort"]

    async def hits(
        self, index: str, sort: Sequence[Mapping[str, str]], *, fields: Sequence[str] | None = None
    ) -> AsyncIterator[Hit]:
        async for page in self.pages(index, sort, fields=fields):
            for hit in page:
                yield hit


def _erasure(hit: Hit) -> Erasure | None:
    """Returns the erasure that a document of the registry holds; None if it holds none, or names no account."""
    stored = hit["_source"]
    if "erased_up_to" not in stored or "source" not in stored:
        return None
    return Erasure(source=stored["source"], author=stored["author_id"], position=stored["erased_up_to"])


async def _with_records(client: ElasticClient, page: Sequence[Hit]) -> list[Remembered]:
    """Returns the posts of a page with their records and thumbnails."""
    wanted = [(client.names.registry, one["_id"]) for one in page]
    entries = {hit["_id"]: read_entry(hit) async for hit in many(client, wanted)}
    found = []
    for hit in page:
        entry = entries.get(hit["_id"])
        if entry is None:
            raise CorruptState(
                f"The registry at {client.address} does not know {hit['_id']!r}, of which it has a post."
            )
        record = entry.record
        if not record.visible:
            found.append(Remembered(_hidden(record)))
            continue
        post = read_post(hit["_source"])
        record.version = hit["_source"]["version"]  # a newer one came meanwhile: that is not of this moment
        found.append(Remembered(record, post, await _thumbnails(client, entry)))
    return found


async def _thumbnails(client: ElasticClient, entry: RegistryEntry) -> tuple[Thumbnail, ...]:
    """Returns the thumbnails that the visible post shows; a photo may lie in two places, as the same picture."""
    wanted = {address(client.names, entry.record.id, one): photo_of(one) for one in sorted(shown_places(entry))}
    found = {wanted[hit["_index"], hit["_id"]]: read_jpeg(hit) async for hit in many(client, list(wanted))}
    return tuple(Thumbnail(*one) for one in sorted(found.items()))


async def _without_posts(client: ElasticClient, page: Sequence[Hit]) -> list[Remembered]:
    """Returns the records of a page whose post is not there: deleted, erased, or of a day that was dropped."""
    entries = [read_entry(hit) for hit in page if "erased_up_to" not in hit["_source"]]
    shown = [one for one in entries if one.record.visible and one.day is not None]
    wanted = [(client.names.of_day(one.day or ""), post_id(one.record.id)) for one in shown]
    there = {hit["_id"] async for hit in many(client, wanted, fields=["id"])}
    return [Remembered(_hidden(one.record)) for one in entries if post_id(one.record.id) not in there]


def _hidden(record: RegistryRecord) -> RegistryRecord:
    """Returns the record, marked as not visible."""
    record.visible = False
    return record
