"""The command `tagstream counts`: the posts of a query over time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any, Literal

import click

from search.cli.newest_minute import note_newest_minute
from search.cli.output import form_of, json_time, output_options, write_csv
from search.cli.tables import counts_table
from search.cli.times import NamedDuration, check_range, command_time, time_options
from search.index import Bucket, EntityIndex, Query, Span
from search.limits import MAX_BUCKETS
from search.open import opened_index
from search.query import parse
from tagstream.cli.console import console, note, write_lines
from tagstream.cli.options import TagstreamCommand, current_settings, index_option

Calendar = Literal["month", "year"]
Stretch = int | Calendar
MANY_CALENDAR_LINES = 240
"""Twenty years of months, each a question to the index: more are those of stray dates."""
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""The moment from which all buckets are counted, so that days begin at midnight and weeks on Mondays."""


class _Stretch(NamedDuration):
    """A length of time, or a month or year of the calendar, whose lengths differ."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name = value.strip().lower() if isinstance(value, str) else value
        if name in ("month", "year"):
            return name
        return super().convert(value, param, ctx)


@click.command(cls=TagstreamCommand)
@click.argument("query", nargs=-1)
@index_option
@click.option(
    "--per",
    type=_Stretch(minute=60, hour=3600, day=86_400, week=7 * 86_400),
    metavar="minute|hour|day|week|month|year|DURATION",
    default="hour",
    show_default=True,
    help="The length of time that a line stands for: also 15m or 6h. Days begin at midnight UTC, weeks on Mondays; "
    "months and years are those of the calendar.",
)
@time_options("Posts")
@click.option("--source", metavar="NAME", help="Posts of this source, such as jsonl.")
@output_options
def counts(
    query: tuple[str, ...],
    index_spec: str | None,
    per: Stretch,
    since: datetime | None,
    until: datetime | None,
    source: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Count the posts of a query over time, and their distinct authors.

    QUERY is what `tagstream search` takes; without one, every post. There is a line for every stretch of time, also for
    those without posts. Without --since and --until they reach from the first to the last post that is found; a time
    within a stretch counts from there, so that the sum is what `search` finds.
    """
    form = form_of(as_json=as_json, as_csv=as_csv)
    check_range(since, until)
    settings = current_settings(index=index_spec)
    question = _with_its_times(Query(" ".join(query), since, until, source))
    now = command_time(click.get_current_context())

    async def work() -> list[Bucket]:
        async with opened_index(settings) as index:
            return await _counted(index, question, per, now)

    buckets = asyncio.run(work())
    if form == "csv":
        write_csv(([bucket.start, bucket.posts, bucket.authors] for bucket in buckets), ("start", "posts", "authors"))
    elif form == "json":
        write_lines(count_document(bucket) for bucket in buckets)
    elif buckets:
        target = console()
        target.print(counts_table(buckets, target, days=not isinstance(per, int) or per % 86_400 == 0))
    if buckets:
        note(f"{sum(bucket.posts for bucket in buckets):,} posts")


def count_document(bucket: Bucket) -> dict[str, object]:
    """Returns a stretch of time as JSON."""
    return {"start": json_time(bucket.start), "posts": bucket.posts, "authors": bucket.authors}


def _with_its_times(question: Query) -> Query:
    """Returns the question with the times of its text, where these are narrower.

    Raises:
        MalformedQuery: the text is no query.
        UsageError: nothing lies between the times.
    """
    parsed = parse(question.text)
    since = max((one for one in (question.since, parsed.since) if one is not None), default=None)
    until = min((one for one in (question.until, parsed.until) if one is not None), default=None)
    check_range(since, until)
    return replace(question, since=since, until=until)


async def _counted(index: EntityIndex, question: Query, per: Stretch, now: datetime) -> list[Bucket]:
    found = await index.span(question)
    if found is None and (question.since is None or question.until is None):
        note("no posts are found")
        await note_newest_minute(index, now)
        return []
    feed = await index.feed_span()
    since, until = _reach(question, found, feed, now)
    start = floor(since, per)
    if (
        found is not None
        and _line_count(start, until, per) > (MAX_BUCKETS if isinstance(per, int) else MANY_CALENDAR_LINES)
        and feed is not None
    ):
        # A few posts of stray dates must not hide what the feed itself holds.
        since, until = max(since, feed.since), min(until, feed.until)
        if since < until:
            start, question = floor(since, per), replace(question, since=since, until=until)
            note(
                f"counted from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} (UTC), where the feed lies; "
                "--since and --until look at other times"
            )
    if isinstance(per, int):
        return await index.post_counts(question, since=start, until=until, bucket_seconds=per)
    return await _by_calendar(index, question, start, until, per)


async def _by_calendar(
    index: EntityIndex, question: Query, start: datetime, until: datetime, per: Calendar
) -> list[Bucket]:
    """Counts each month or year by itself: they differ in length, and authors of parts cannot be added up."""
    buckets: list[Bucket] = []
    while start < until:
        after = _next(start, per)
        seconds = int((after - start).total_seconds())
        buckets += await index.post_counts(question, since=start, until=after, bucket_seconds=seconds)
        start = after
    return buckets


def _reach(question: Query, found: Span | None, feed: Span | None, now: datetime) -> Sequence[datetime]:
    """Returns the times from which and up to which lines are printed."""
    since = question.since or (found.since if found else now)
    newest = max(span.until for span in (found, feed) if span is not None) if found or feed else now
    if question.until is not None:
        # Nothing is known of the future: no line for it.
        until = min(question.until, max(now, newest))
    else:
        until = newest if question.since is not None or found is None else found.until
    return since, max(until, since + timedelta(milliseconds=1))


def _line_count(start: datetime, until: datetime, per: Stretch) -> int:
    if isinstance(per, int):
        return -((start - until) // timedelta(seconds=per))
    years = until.year - start.year
    return 1 + (years if per == "year" else 12 * years + until.month - start.month)


def _next(start: datetime, per: Calendar) -> datetime:
    """Returns the beginning of the month or year after the one that begins then."""
    if per == "year" or start.month == 12:
        if start.year == MAXYEAR:
            return datetime.max.replace(tzinfo=UTC)
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def floor(moment: datetime, per: Stretch) -> datetime:
    """Returns the beginning of the stretch in which the moment lies."""
    if not isinstance(per, int):
        midnight = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        begin = midnight.replace(month=1) if per == "year" else midnight
        return max(begin, datetime(1970, 1, 1, tzinfo=UTC))
    length = timedelta(seconds=per)
    return max(_MONDAY + (moment - _MONDAY) // length * length, datetime(1970, 1, 1, tzinfo=UTC))
