"""The answers of the JSON API, with stable names."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from search.event_names import names_of_evidence
from search.facet_queries import facet_query
from search.index import Bucket, EntityCount, Facets, Trend
from tagstream.detections import DetectedEvent, EventSubject, TrendState
from tagstream.posts import EntityType, TaggedPost


class Failure(BaseModel):
    """An answer that is an error: what was wrong, and what to do.

    Of a malformed query also the part that cannot be obeyed: its first character and the one after it, from 0.
    """

    error: str
    start: int | None = None
    end: int | None = None


class PostPage(BaseModel):
    """A page of posts; `next` asks for the page after it, by the parameter `after`."""

    posts: Sequence[TaggedPost]
    total: int = Field(description="Posts of all pages.")
    ranked: int | None = Field(
        description="Of an order by relevance, the posts that were compared: all, or the newest."
    )
    next: str | None
    highlights: Sequence[Sequence[tuple[int, int]]] = Field(
        description="Of each post, in order, the places in its text (code points) of the words that the query found."
    )
    suggestions: Sequence["SuggestionDocument"] = Field(
        description="Of a query that finds nothing: others that find something."
    )


class SuggestionDocument(BaseModel):
    """Another query, and the number of posts that it finds."""

    q: str
    posts: int


class FacetDocument(BaseModel):
    """A value that posts of a query have, the number of these posts, and the query that asks for it."""

    value: str
    text: str
    posts: int
    q: str


class FacetsDocument(BaseModel):
    """The values that posts of a query have in common, by kind: person, place, …, type, source, language, hashtag."""

    total: int
    counted: int = Field(description="The posts that were counted: all, or the newest of a large result.")
    facets: Mapping[str, Sequence[FacetDocument]]


class CountsDocument(BaseModel):
    """Posts and distinct authors in a stretch of time that begins at `start`."""

    start: datetime
    posts: int
    authors: int


class HistogramDocument(BaseModel):
    """The posts of a query over time; every stretch is `seconds` long."""

    seconds: int | None
    buckets: Sequence[CountsDocument]


class EntityDocument(BaseModel):
    """A name, the posts that mention it, and their distinct authors."""

    type: EntityType
    key: str
    text: str
    posts: int
    authors: int


class TrendDocument(BaseModel):
    """A name that more authors mention than its past explains; `series` counts authors, oldest first."""

    type: str
    key: str
    text: str
    posts: int
    authors: int
    expected: float
    score: float
    series: Sequence[int] = ()
    started_at: datetime | None = None
    minute: datetime | None = None


class EventEntityDocument(BaseModel):
    """A name, a hashtag or a word of an event, with the posts of the event that mention it and their authors.

    Of a name that does not trend itself the posts of the evidence are counted.
    """

    text: str
    type: str
    key: str
    posts: int
    authors: int


class EventDocument(BaseModel):
    """An event: subjects that trend together. `posts` are the ids of its evidence."""

    id: str
    title: str
    detected_at: datetime
    started_at: datetime
    peak_at: datetime
    ended_at: datetime | None
    merged_into: str | None
    authors: int
    score: float
    entities: Sequence[EventEntityDocument] = Field(
        description="Its subjects that are names, then other people, places and organisations that at least a quarter "
        "of its evidence, and two posts, name."
    )
    subjects: Sequence[EventEntityDocument]
    posts: Sequence[str]


def facets_document(facets: Facets) -> FacetsDocument:
    """Returns facets as the API gives them."""
    return FacetsDocument(
        total=facets.total,
        counted=facets.counted,
        facets={
            kind: [
                FacetDocument(value=one.value, text=one.text, posts=one.posts, q=facet_query(kind, one.value))
                for one in values
            ]
            for kind, values in facets.values.items()
        },
    )


def counts_document(bucket: Bucket) -> CountsDocument:
    """Returns a stretch of time as the API gives it."""
    return CountsDocument(start=bucket.start, posts=bucket.posts, authors=bucket.authors)


def entity_document(entity: EntityCount) -> EntityDocument:
    """Returns a name as the API gives it."""
    return EntityDocument(
        type=entity.type, key=entity.key, text=entity.text, posts=entity.posts, authors=entity.authors
    )


def counted_trend(trend: Trend) -> TrendDocument:
    """Returns a trend that was counted when it was asked for."""
    return TrendDocument(
        **entity_document(trend.entity).model_dump(), expected=trend.expected, score=trend.score, series=trend.series
    )


def stored_trend(trend: TrendState) -> TrendDocument:
    """Returns a trend that the detector found while the feed ran."""
    return TrendDocument(
        type=trend.type,
        key=trend.key,
        text=trend.text,
        posts=trend.posts,
        authors=trend.authors,
        expected=trend.expected,
        score=trend.score,
        started_at=trend.started_at,
        minute=trend.minute,
    )


def event_document(event: DetectedEvent, posts: Mapping[str, TaggedPost]) -> EventDocument:
    """Returns an event as the API gives it; its title here is its names.

    Args:
        event: the event.
        posts: its evidence that may be seen, by id.
    """
    return EventDocument(
        id=event.id,
        title=", ".join(event.names),
        detected_at=event.detected_at,
        started_at=event.started_at,
        peak_at=event.peak_at,
        ended_at=event.ended_at,
        merged_into=event.merged_into,
        authors=event.authors,
        score=event.score,
        entities=list(map(_event_entity, (*event.entities, *names_of_evidence(event, posts.values())))),
        subjects=list(map(_event_entity, event.subjects)),
        posts=[post.post_id for post in event.evidence],
    )


def _event_entity(subject: EventSubject) -> EventEntityDocument:
    return EventEntityDocument(
        text=subject.text, type=subject.type, key=subject.key, posts=subject.posts, authors=subject.authors
    )
