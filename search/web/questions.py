"""The parameters of a question to the page or the API, read alike for both; a wrong one is told by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from search.index import Bucket, EntityIndex, Query
from search.limits import MAX_BUCKETS
from tagstream.errors import BadSettings
from tagstream.posts import ENTITY_TYPES, EntityType, clean_text
from tagstream.text.times import BadTime, parse_duration, parse_time

MAX_PAGE_SIZE = 100
_STEPS = (60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
_WANTED_BARS = 60


@dataclass(frozen=True, slots=True)
class Histogram:
    """The posts of a query over time: buckets of equal length, oldest first."""

    buckets: tuple[Bucket, ...]
    seconds: int


def time_of(name: str, text: str | None, now: datetime | None = None) -> datetime | None:
    """Returns a time that was asked for in any form of `tagstream/text/times.py`; None where nothing was.

    Raises:
        BadSettings: it is no time.
    """
    if not text:
        return None
    try:
        return parse_time(text, now or datetime.now(UTC))
    except BadTime as error:
        raise BadSettings(f"{name}: {error}") from error


def seconds_of(name: str, text: str | None) -> int | None:
    """Returns a length of time that was asked for, in seconds; None where nothing was.

    Raises:
        BadSettings: it is no duration.
    """
    if not text:
        return None
    try:
        return parse_duration(text)
    except BadTime as error:
        raise BadSettings(f"{name}: {error}") from error


def type_of(text: str | None) -> EntityType | None:
    """Returns the type of an entity that was asked for; None where nothing was.

    Raises:
        BadSettings: there is no such type.
    """
    if not text:
        return None
    found = next((type_ for type_ in ENTITY_TYPES if type_ == text.upper()), None)
    if found is None:
        raise BadSettings(f"type: {text[:40]!r} is none of {', '.join(ENTITY_TYPES)}.")
    return found


def query_of(given: Mapping[str, str], *, size: int) -> Query:
    """Returns the search that the parameters `q`, `since`, `until`, `source`, `order` and `after` ask for.

    Raises:
        BadSettings: a parameter makes no sense.
    """
    since, until = time_of("since", given.get("since")), time_of("until", given.get("until"))
    if since is not None and until is not None and since >= until:
        raise BadSettings("since must lie before until.")
    order = given.get("order") or "newest"
    if order not in ("newest", "relevance"):
        raise BadSettings(f"order: {order[:40]!r} is neither newest nor relevance.")
    return Query(
        text=clean_text(given.get("q", "")),
        since=since,
        until=until,
        source=given.get("source") or None,
        order="relevance" if order == "relevance" else "newest",
        size=size,
        after=given.get("after") or None,
    )


async def histogram(
    index: EntityIndex, query: Query, seconds: int | None = None, *, with_authors: bool = False
) -> Histogram | None:
    """Returns the posts of a query over time, from the first to the last that is found; None where none is.

    The buckets are as long as `seconds`, or so long that there are about sixty. They begin at whole multiples since
    1970, and weeks and more at any.

    Raises:
        BadSettings: the query makes no sense, or there would be too many buckets.
    """
    span = await index.span(query)
    if span is None:
        return None
    # Where stray dates stretch the span over years, the feed itself is shown.
    feed = await index.feed_span()
    since, until = span
    if feed is not None and (until - since) > 4 * (feed.until - feed.since):
        since, until = max(since, feed.since), min(until, feed.until)
    if since >= until:
        since, until = span
    length = (until - since).total_seconds()
    step = seconds or next((one for one in _STEPS if length / one <= _WANTED_BARS), _STEPS[-1])
    start = _floor(since, step)
    if (until - start).total_seconds() / step > MAX_BUCKETS:
        raise BadSettings(f"per: there would be more than {MAX_BUCKETS:,} stretches of time. Choose longer ones.")
    buckets = await index.post_counts(query, since=start, until=until, bucket_seconds=step, with_authors=with_authors)
    return Histogram(tuple(buckets), step)


def _floor(moment: datetime, seconds: int) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // timedelta(seconds=seconds) * timedelta(seconds=seconds)
