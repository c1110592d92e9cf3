"""The pages for people: HTML made here, readable without scripts; one small script adds what is new while one looks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from search.event_lookup import find_event
from search.event_names import names_of_evidence
from search.event_titles import event_sentence, posts_of
from search.facet_queries import narrowed
from search.index import EntityIndex, FacetKind, Page, Query, Span, Trend
from search.query import parse
from search.suggestions import suggestions
from search.trend_series import trend_series
from search.trend_windows import DEFAULT_PAST, archive_windows, peaks
from search.web import markup
from search.web.api import NotThere
from search.web.connections import client_of
from search.web.guard import COOKIE, Access
from search.web.questions import histogram, query_of, seconds_of, time_of, type_of
from search.web.streams import Streams
from tagstream.errors import BadSettings
from tagstream.posts import EntityType, TaggedPost, clean_text
from tagstream.text.terminal_text import visible_lines

_FOLDER = Path(__file__).parent
_STATIC = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
_TABS = (("/", "Now"), ("/trends", "Trends"), ("/events", "Events"), ("/search", "Search"), ("/system", "System"))
_PAGE_SIZE = 30
_FACETS = 8
_TRENDS = 20
_COUNTED = 50
_SHOWN_LETTERS = 50

router = APIRouter(include_in_schema=False)


def environment() -> Environment:
    """Makes the environment of the templates: everything that is not `Markup` is escaped."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "shown": markup.shown,
        "marked": markup.marked,
        "clock": markup.clock_time,
        "sparkline": markup.sparkline,
        "time_line": markup.time_line,
        "length_of_time": markup.length_of_time,
        "posts": markup.posts_in_words,
        "web_address": markup.web_address,
        "claims_later_time": markup.claims_later_time,
        "lines": visible_lines,
    }
    made.globals |= {
        "name_address": markup.name_address,
        "search_address": markup.search_address,
        "api_address": markup.api_address,
        "type_names": markup.TYPE_NAMES,
        "narrowed": narrowed,
        "facet_kinds": get_args(FacetKind),
        "found": None,
        "times": {},
        "tabs": _TABS,
    }
    return made


def rendered(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Returns a page."""
    made = request.app.state.environment.get_template(template)
    path = request.url.path
    return HTMLResponse(made.render(path=path, index_name=request.app.state.index_name, **values), status)


@router.get("/")
async def now(request: Request) -> Response:
    """The newest posts, and new ones as they come."""
    given = dict(request.query_params)
    query = query_of(given, size=_PAGE_SIZE)
    page = await _index(request).search(query)
    times = _times(page)
    # They lie at the time of their reception: above an archive they would be all that is seen first.
    stray = [post for post in page.posts if markup.claims_later_time(post, times.get(post.id))]
    return rendered(
        request,
        "now.html",
        page=page,
        times=times,
        q=query.text,
        stray=stray,
        others=[post for post in page.posts if post not in stray],
        title="Now",
    )


@router.get("/live")
async def live(request: Request) -> Response:
    """New posts as pieces of a page, for the script of `now`."""
    streams: Streams = request.app.state.streams
    query = query_of(dict(request.query_params), size=_PAGE_SIZE)
    template = request.app.state.environment.get_template("post.html")

    def render(post: TaggedPost) -> str:
        return cast(str, template.render(post=post))

    return await streams.answer(client_of(request.client), query, request.headers.get("last-event-id"), render)


@router.get("/trends")
async def trends(request: Request) -> Response:
    """Trends: subjects that are mentioned more than usual."""
    given = request.query_params
    window = given.get("window") or "1h"
    if window == "best":
        found = await _at_their_best(_index(request))
    else:
        seconds = seconds_of("window", window) or 3600
        counted = await _index(request).trending(
            until=time_of("until", given.get("until")), window_seconds=seconds, size=_COUNTED
        )
        found = [(trend, None) for trend in counted]
    detected = await _index(request).stored_trends(
        since=time_of("since", given.get("since")), until=time_of("until", given.get("until")), size=_TRENDS
    )
    series = [[bucket.authors for bucket in await trend_series(_index(request), trend)] for trend in detected]
    return rendered(
        request,
        "trends.html",
        counted=found,
        detected=list(zip(detected, series, strict=True)),
        window=window,
        title="Trends",
    )


@router.get("/events")
async def events(request: Request) -> Response:
    """Events: subjects that trend together."""
    given = request.query_params
    only_live = given.get("live") in ("1", "true")
    found = await _index(request).events(
        since=time_of("since", given.get("since")),
        until=time_of("until", given.get("until")),
        live=only_live,
        size=50,
    )
    posts = await posts_of(_index(request), found, evidence=False)
    sentences = {one.id: event_sentence(one, posts[one.id]) for one in found}
    return rendered(request, "events.html", events=found, sentences=sentences, live=only_live, title="Events")


@router.get("/event")
async def event(request: Request) -> Response:
    """One event: its time line, who and where, and its posts."""
    identifier = clean_text(request.query_params.get("id", ""))
    index = _index(request)
    found = await find_event(index, identifier)
    if found is None:
        raise NotThere(f"There is no event {identifier[:200]!r}.")
    history = await index.event_history(found.id)
    posts = (await posts_of(index, [found], evidence=True))[found.id]
    named = names_of_evidence(found, posts.values())
    return rendered(
        request,
        "event.html",
        event=found,
        sentence=event_sentence(found, posts),
        posts=list(posts.values()),
        authors=markup.time_line([(state.minute, state.authors) for state in history], "authors"),
        by_type=_by_type((*found.subjects, *named)),
        named={name.key for name in named},
        title=", ".join(found.names),
    )


@router.get("/search")
async def search(request: Request) -> Response:
    """The posts of a query, with what they name and when they were written."""
    given = dict(request.query_params)
    index = _index(request)
    query = query_of(given, size=_PAGE_SIZE)
    page = await index.search(query)
    over_time = await histogram(index, query) if page.total else None
    asked = {name: given.get(name, "") for name in ("q", "since", "until", "source", "order")}
    address = markup.search_address(**asked | {"since": "", "until": ""})
    return rendered(
        request,
        "search.html",
        page=page,
        times=_times(page),
        given=given,
        asked=asked,
        bars=markup.bars(over_time.buckets, over_time.seconds, address) if over_time else Markup(""),
        drawn=sum(bucket.posts for bucket in over_time.buckets) if over_time else page.total,
        facets=await index.facets(query, size=_FACETS) if page.total else None,
        suggestions=[] if page.total else await suggestions(index, query),
        found=parse(query.text),
        title="Search",
    )


@router.get("/name")
async def name(request: Request) -> Response:
    """One name: its history, its companions, its spellings and its posts."""
    given = request.query_params
    key, type_ = clean_text(given.get("key", "")), type_of(given.get("type"))
    if not key:
        raise BadSettings("key: which name? For example /name?key=berlin&type=LOC.")
    index = _index(request)
    query = Query(text=_named(key, type_), size=_PAGE_SIZE)
    page = await index.search(query)
    over_time = await histogram(index, query) if page.total else None
    spellings = _spellings(page.posts, key, type_)
    return rendered(
        request,
        "name.html",
        key=key,
        type=type_,
        page=page,
        times=_times(page),
        spellings=spellings,
        companions=await index.companions(key, type_, size=20),
        query=query.text,
        bars=markup.bars(over_time.buckets, over_time.seconds, markup.search_address(q=query.text))
        if over_time
        else Markup(""),
        title=spellings[0] if spellings else key,
    )


@router.get("/post")
async def post(request: Request) -> Response:
    """One post."""
    identifier = clean_text(request.query_params.get("id", ""))
    found = await _index(request).get(identifier)
    if found is None:
        raise NotThere(f"There is no post {identifier[:200]!r}.")
    return rendered(request, "one_post.html", post=found, title=identifier)


@router.get("/system")
async def system(request: Request) -> Response:
    """The state of the index, and the inputs that could not be processed."""
    index = _index(request)
    everything = await index.search(Query(size=1))
    span = await index.feed_span()
    hour = [] if span is None else await _last_hour(index, span)
    causes = await index.dead_letter_counts()
    letters = [letter async for letter in index.dead_letters(size=_SHOWN_LETTERS)]
    degraded = {
        cause: (await index.search(Query(text=f"degraded:{cause}", size=1))).total for cause in ("photo", "image")
    }
    return rendered(
        request,
        "system.html",
        total=everything.total,
        span=span,
        hour=hour,
        behind=None if span is None else max(timedelta(), datetime.now(UTC) - span.until),
        causes=sorted(causes.items(), key=lambda one: -one[1]),
        letters=letters,
        degraded=degraded,
        title="System",
    )


async def _last_hour(index: EntityIndex, span: Span) -> list[tuple[datetime, int]]:
    """Returns the posts of each of the last sixty minutes of the feed."""
    since = span.until - timedelta(hours=1)
    counts = await index.post_counts(Query(), since=since, until=span.until, bucket_seconds=60, with_authors=False)
    return [(one.start, one.posts) for one in counts]


@router.get("/token")
async def ask_for_token(request: Request) -> Response:
    """The form in which the token of the server is written."""
    return rendered(request, "token.html", title="Token", is_refused=False)


@router.post("/token")
async def take_token(request: Request) -> Response:
    """Keeps the token in a cookie that no script reads, or asks again."""
    access: Access = request.app.state.access
    token = (await _form(request)).get("token", "")
    if not access.admits(token):
        return rendered(request, "token.html", status=401, title="Token", is_refused=True)
    response = RedirectResponse("/", status_code=303)
    if access.token is not None:
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
    return response


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The style sheet, the script and the icon."""
    if name not in _STATIC:
        raise NotThere(f"There is no file {name[:80]!r}.")
    headers = {"Cache-Control": "public, max-age=3600"}
    return FileResponse(_FOLDER / "static" / name, media_type=_STATIC[name], headers=headers)


def _index(request: Request) -> EntityIndex:
    return cast(EntityIndex, request.app.state.index)


async def _form(request: Request) -> Mapping[str, str]:
    """Returns the fields of a small form."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > 4_096:
            raise BadSettings("The form is too long.")
    return dict(parse_qsl(body.decode("ascii", "replace")))


async def _at_their_best(index: EntityIndex) -> list[tuple[Trend, datetime | None]]:
    """Returns what trended in the whole feed, each name with the end of the window in which it was at its best."""
    feed = await index.feed_span()
    if feed is None or feed.since >= feed.until:
        return []
    for window in archive_windows(feed):
        if found := await peaks(index, feed, feed, window=window, past=DEFAULT_PAST, size=_COUNTED):
            return [(peak.trend, peak.until) for peak in found]
    return []


def _times(page: Page) -> dict[str, datetime]:
    """Returns the times at which the posts of a page lie in the feed, by id; none where the index does not tell."""
    return {post.id: time for post, time in zip(page.posts, page.times, strict=False)}


def _named(key: str, type_: EntityType | None) -> str:
    """Returns the query that finds the posts that mention the name."""
    field = "entity" if type_ is None else markup.TYPE_NAMES[type_]
    escaped = key.replace("\\", " ").replace('"', " ")
    return f'{field}:"{escaped}"'


def _spellings(posts: Iterable[TaggedPost], key: str, type_: EntityType | None) -> list[str]:
    """Returns how these posts write the name, the commonest spelling first."""
    written = Counter(
        entity.text for post in posts for entity in post.entities if entity.key == key and type_ in (None, entity.type)
    )
    return sorted(written, key=lambda text: (-written[text], text))


def _by_type(subjects: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for subject in subjects:
        found.setdefault(subject.type, []).append(subject)
    return found
