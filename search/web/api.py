"""The JSON API under `/api`, described by `/api/openapi.json`; queries and times are those of the command line."""

import difflib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from search.event_lookup import find_event
from search.event_titles import posts_of
from search.highlights import highlights
from search.index import EntityIndex
from search.query import parse
from search.suggestions import suggestions
from search.web import documents, questions
from search.web.connections import client_of
from search.web.questions import MAX_PAGE_SIZE, query_of, seconds_of, time_of, type_of
from search.web.streams import Streams, as_json
from tagstream.detections import DetectedEvent
from tagstream.errors import BadSettings
from tagstream.posts import MAX_MEDIA, TaggedPost, clean_text

Text = Annotated[str | None, Query(max_length=2_000)]
Moment = Annotated[str | None, Query(max_length=64, description="2026-03-01T12:30, 2h, yesterday, …; in UTC")]
Size = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]
Identifier = Annotated[str, Query(min_length=1, max_length=1_024)]

_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": documents.Failure, "description": "A parameter makes no sense."},
    404: {"model": documents.Failure, "description": "There is none."},
    422: {"model": documents.Failure, "description": "A parameter is missing or out of bounds."},
    429: {"model": documents.Failure, "description": "Too many requests."},
    503: {"model": documents.Failure, "description": "The index does not answer; try again."},
}


def refuse_unknown(request: Request) -> None:
    """Refuses a parameter that the address does not know: obeyed in silence, a slip of the pen would find every post.

    Raises:
        BadSettings: there is one.
    """
    described = request.app.openapi()["paths"][request.scope["route"].path]["get"].get("parameters", ())
    known = sorted(one["name"] for one in described if one["in"] == "query")
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f" Did you mean {near[0]}?" if near else ""
            raise BadSettings(f"{name[:40]}: there is no such parameter here.{advice} Known are {', '.join(known)}.")


router = APIRouter(prefix="/api", responses=_FAILURES, dependencies=[Depends(refuse_unknown)])


@router.get("/posts")
async def search_posts(
    request: Request,
    q: Text = None,
    since: Moment = None,
    until: Moment = None,
    source: Text = None,
    order: Annotated[str, Query(pattern="^(newest|relevance)$")] = "newest",
    size: Size = 20,
    after: Text = None,
) -> documents.PostPage:
    """Finds posts, a page at a time."""
    given = {"q": q, "since": since, "until": until, "source": source, "order": order, "after": after}
    index: EntityIndex = request.app.state.index
    query = query_of(_given(given), size=size)
    page = await index.search(query)
    parsed = parse(query.text)
    others = [] if page.total else await suggestions(index, query)
    return documents.PostPage(
        posts=page.posts,
        total=page.total,
        ranked=page.ranked,
        next=page.next,
        highlights=[highlights(parsed, post.text) for post in page.posts],
        suggestions=[documents.SuggestionDocument(q=one.text, posts=one.posts) for one in others],
    )


@router.get("/post")
async def get_post(request: Request, id: Identifier) -> TaggedPost:
    """Returns one post."""
    post: TaggedPost | None = await request.app.state.index.get(clean_text(id))
    if post is None:
        raise NotThere(f"There is no post {id[:200]!r}.")
    return post


@router.get("/thumbnail", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def get_thumbnail(
    request: Request, id: Identifier, ordinal: Annotated[int, Query(ge=0, lt=MAX_MEDIA)] = 0
) -> Response:
    """Returns the JPEG of a post's photo, at most 256 pixels a side."""
    jpeg: bytes | None = await request.app.state.index.thumbnail(clean_text(id), ordinal)
    if jpeg is None:
        raise NotThere(f"No thumbnail is kept of photo {ordinal} of {id[:200]!r}.")
    return Response(jpeg, media_type="image/jpeg", headers={"Content-Disposition": "inline; filename=thumbnail.jpg"})


@router.get("/facets")
async def facets(
    request: Request,
    q: Text = None,
    since: Moment = None,
    until: Moment = None,
    source: Text = None,
    size: Size = 10,
) -> documents.FacetsDocument:
    """Counts what all posts of a query have in common: names, types, sources, languages, hashtags."""
    given = {"q": q, "since": since, "until": until, "source": source}
    return documents.facets_document(await request.app.state.index.facets(query_of(_given(given), size=1), size=size))


@router.get("/counts")
async def count_posts(
    request: Request,
    q: Text = None,
    since: Moment = None,
    until: Moment = None,
    source: Text = None,
    per: Annotated[str | None, Query(max_length=32, description="1m, 1h, 1d, …")] = None,
) -> documents.HistogramDocument:
    """Counts the posts of a query, and their authors, over time."""
    given = {"q": q, "since": since, "until": until, "source": source}
    query = query_of(_given(given), size=1)
    found = await questions.histogram(request.app.state.index, query, seconds_of("per", per), with_authors=True)
    if found is None:
        return documents.HistogramDocument(seconds=None, buckets=[])
    buckets = [documents.counts_document(bucket) for bucket in found.buckets]
    return documents.HistogramDocument(seconds=found.seconds, buckets=buckets)


@router.get("/entities")
async def top_entities(
    request: Request, type: Text = None, since: Moment = None, until: Moment = None, size: Size = 20
) -> list[documents.EntityDocument]:
    """Returns the names that most authors mention."""
    found = await request.app.state.index.top_entities(
        since=time_of("since", since), until=time_of("until", until), type=type_of(type), size=size
    )
    return [documents.entity_document(entity) for entity in found]


@router.get("/companions")
async def companions(
    request: Request,
    key: Identifier,
    type: Text = None,
    since: Moment = None,
    until: Moment = None,
    size: Size = 20,
) -> list[documents.EntityDocument]:
    """Returns the names that the same posts mention."""
    found = await request.app.state.index.companions(
        clean_text(key), type_of(type), since=time_of("since", since), until=time_of("until", until), size=size
    )
    return [documents.entity_document(entity) for entity in found]


@router.get("/trends")
async def trends(
    request: Request,
    window: Annotated[str, Query(max_length=32, description="The length of the window that is counted")] = "1h",
    until: Moment = None,
    size: Size = 20,
) -> list[documents.TrendDocument]:
    """Returns the names that more authors mention in the last window than the windows before explain."""
    found = await request.app.state.index.trending(
        until=time_of("until", until), window_seconds=seconds_of("window", window) or 3600, size=size
    )
    return [documents.counted_trend(trend) for trend in found]


@router.get("/trends/detected")
async def detected_trends(
    request: Request, since: Moment = None, until: Moment = None, size: Size = 20
) -> list[documents.TrendDocument]:
    """Returns what the detector found while the feed ran: names, hashtags and words, highest score first."""
    found = await request.app.state.index.stored_trends(
        since=time_of("since", since), until=time_of("until", until), size=size
    )
    return [documents.stored_trend(trend) for trend in found]


@router.get("/events")
async def events(
    request: Request, since: Moment = None, until: Moment = None, live: bool = False, size: Size = 20
) -> list[documents.EventDocument]:
    """Returns events, newest detected first."""
    found: list[DetectedEvent] = await request.app.state.index.events(
        since=time_of("since", since), until=time_of("until", until), live=live, size=size
    )
    posts = await posts_of(request.app.state.index, found, evidence=True)
    return [documents.event_document(event, posts[event.id]) for event in found]


@router.get("/event")
async def event(request: Request, id: Identifier) -> documents.EventDocument:
    """Returns one event, by its id or by a beginning that no other id has."""
    found = await find_event(request.app.state.index, id)
    if found is None:
        raise NotThere(f"There is no event {id[:200]!r}.")
    posts = await posts_of(request.app.state.index, [found], evidence=True)
    return documents.event_document(found, posts[found.id])


@router.get("/stream", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(request: Request, q: Text = None, source: Text = None) -> StreamingResponse:
    """Sends new posts of a query as server-sent events `post`, each one line of JSON."""
    streams: Streams = request.app.state.streams
    query = query_of(_given({"q": q, "source": source}), size=20)
    return await streams.answer(client_of(request.client), query, request.headers.get("last-event-id"), as_json)


class NotThere(Exception):
    """An answer that there is none: the index does not hold it."""


def failure(
    status: int, message: str, headers: dict[str, str] | None = None, place: tuple[int, int] | None = None
) -> JSONResponse:
    """Returns an error as the API gives it; `place` is the part of the query that cannot be obeyed."""
    where = {} if place is None else {"start": place[0], "end": place[1]}
    return JSONResponse({"error": message, **where}, status, headers)


def _given(parameters: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}
