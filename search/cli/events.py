"""The commands `tagstream events` and `event`: what is breaking, since when, who and where."""

import asyncio
import time
from datetime import datetime
from itertools import pairwise

import click
from rich.text import Text

from search.cli.event_view import EVENT_HEADER, EventView, event_document, event_line, event_row, events_table, views
from search.cli.following import follow, refuse_with_follow
from search.cli.newest_minute import note_newest_minute
from search.cli.output import Form, form_of, json_time, output_options, write_csv
from search.cli.tables import posts_table, sparkline
from search.cli.times import check_range, command_time, time_options
from search.event_lookup import find_event
from search.index import EntityIndex
from search.open import opened_index
from tagstream.cli.console import answer, console, note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import (
    TagstreamCommand,
    current_settings,
    index_option,
    json_option,
    run_until_stopped,
)
from tagstream.detections import DetectedEvent
from tagstream.errors import UnreadableInput
from tagstream.settings import Settings
from tagstream.text.terminal_text import visible

NO_EVENTS = (
    "the index holds no events: `tagstream run` and `worker` detect them while they run, and "
    "`tagstream events --rebuild` finds those of the posts that are there"
)
NOTHING_BROKE = (
    "no event was detected: nothing that trends did so together for long enough. `tagstream trends` shows what trended"
)
_FOLLOWED = 1000
_DEFAULT_SIZE = 20
_SHOWN_ID = 80
_NOTE_EVERY_SECONDS = 5.0
_BARS_SHOWN = 60


@click.command(cls=TagstreamCommand)
@index_option
@time_options("Events that lived")
@click.option("--live", is_flag=True, help="Those that have not ended.")
@click.option("--size", type=click.IntRange(1, 1000), help=f"Events at most; {_DEFAULT_SIZE} if not given.")
@click.option("--follow", "following", is_flag=True, help="Print a line for each new event, until Ctrl-C.")
@click.option("--rebuild", "rebuilding", is_flag=True, help="Make all trends and events anew from the posts, first.")
@output_options
def events(
    index_spec: str | None,
    since: datetime | None,
    until: datetime | None,
    live: bool,
    size: int | None,
    following: bool,
    rebuilding: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what is breaking: events, the newest first.

    An event is names, hashtags and words that trend together. Its title is its names, then the text of a post that
    mentions them. With --until the answer is as of then. All times are those of the feed.

    `tagstream run` and `worker` detect events while they run. --rebuild replays the posts of an index through the
    detectors, by the feed's clock; nobody else may write to a SQLite index meanwhile.
    """
    form = form_of(as_json=as_json, as_csv=as_csv)
    check_range(since, until)
    settings = current_settings(index=index_spec)
    refuse_with_follow(
        following,
        {
            "--live": live,
            "--size": size is not None,
            "--since": since is not None,
            "--until": until is not None,
            "--rebuild": rebuilding,
        },
    )
    if following:
        _follow(settings, form)
    now = command_time(click.get_current_context())

    async def work() -> list[EventView]:
        async with opened_index(settings) as index:
            if rebuilding:
                await _rebuild(index)
            found = await index.events(since=since, until=until, live=live, size=size or _DEFAULT_SIZE)
            if not found:
                await _say_why(index, now, is_limited=live or since is not None or until is not None)
            return await views(index, found, evidence=form != "table")

    _show(asyncio.run(work()), form)


async def _rebuild(index: EntityIndex) -> None:
    # Imported here: the detectors take longer to load than an answer takes.
    from search.detection.rebuild import rebuild

    last = time.monotonic()

    def progress(posts: int, newest: datetime | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _NOTE_EVERY_SECONDS:
            last = time.monotonic()
            note(f"{posts:,} posts" + (f" | {newest:%Y-%m-%d %H:%M}" if newest else ""))

    posts = await rebuild(index, progress)
    note(f"done: trends and events were made anew from {posts:,} posts")


async def _say_why(index: EntityIndex, now: datetime, *, is_limited: bool) -> None:
    """Says why no events were found: none are stored, or none of that time."""
    if not is_limited or not await index.events(size=1):
        detected = bool(await index.stored_trends(size=1))
        note(NOTHING_BROKE if detected else NO_EVENTS)
        return
    note("no events are found; without --live, --since and --until all are shown")
    await note_newest_minute(index, now)


def _show(found: list[EventView], form: Form, *, header: bool = True) -> None:
    if form == "json":
        write_lines(map(event_document, found))
    elif form == "csv":
        write_csv(map(event_row, found), EVENT_HEADER if header else ())
    elif found:
        target = console()
        target.print(events_table(found, target))


class _EventFollower:
    """The ids of the events that were there or were shown."""

    def __init__(self, form: Form) -> None:
        self.shown = 0
        self._form = form
        self._known: set[str] = set()
        self._header = True

    async def begin(self, index: EntityIndex, *, is_new: bool) -> None:
        """Notes the events that are there, unless all are new."""
        if not is_new:
            await self._new(index)
        note("following; Ctrl-C ends it")

    async def look(self, index: EntityIndex) -> None:
        """Shows the events that were stored since."""
        found = await self._new(index)
        if not found:
            return
        shown = await views(index, found[::-1], evidence=self._form != "table")
        if self._form == "table":
            answer(*map(event_line, shown))
        else:
            _show(shown, self._form, header=self._header)
        self._header = False
        self.shown += len(found)

    async def _new(self, index: EntityIndex) -> list[DetectedEvent]:
        found = [event for event in await index.events(size=_FOLLOWED) if event.id not in self._known]
        self._known |= {event.id for event in found}
        return found


def _follow(settings: Settings, form: Form) -> None:
    follower = _EventFollower(form)

    async def work(stop: asyncio.Event) -> None:
        await follow(settings, follower, stop)

    run_until_stopped(work)
    raise Interrupted(f"stopped: {follower.shown:,} events were shown")


@click.command(cls=TagstreamCommand)
@click.argument("event_id", metavar="EVENT_ID")
@index_option
@json_option
def event(event_id: str, index_spec: str | None, as_json: bool) -> None:
    """Show one event: its times, what it is about, and posts as evidence.

    EVENT_ID is as `tagstream events` shows it, or its beginning, if no other id begins so. What it is about is what
    trended; other people, places and organisations are shown if a quarter of the posts, and at least two, name them.
    With --json, `history` holds its figures minute by minute.
    """
    settings = current_settings(index=index_spec)

    async def work() -> tuple[EventView, EventView | None, list[DetectedEvent]] | None:
        async with opened_index(settings) as index:
            found = await find_event(index, event_id)
            if found is None:
                return None
            whole = await index.event(found.merged_into) if found.merged_into else None
            into = (await views(index, [whole], evidence=False))[0] if whole else None
            return (await views(index, [found], evidence=True))[0], into, await index.event_history(found.id)

    found = asyncio.run(work())
    if found is None:
        shown = visible(event_id, _SHOWN_ID)
        raise UnreadableInput(f"there is no event {shown} in the index. `tagstream events` lists those that are there")
    view, into, history = found
    if as_json:
        minutes = [
            {"minute": json_time(one.minute), "authors": one.authors, "posts": one.posts, "score": one.score}
            for one in history
        ]
        write_lines([event_document(view) | {"history": minutes}])
    else:
        _show_one(view, into, history)


def _show_one(view: EventView, into: EventView | None, history: list[DetectedEvent]) -> None:
    one, target = view.event, console()
    target.print(Text(view.shown_title, "bold"))
    ended = "" if one.ended_at is None else f", ended {one.ended_at:%Y-%m-%d %H:%M}"
    merged = f", merged into {visible(one.merged_into, _SHOWN_ID)}" if one.merged_into else ""
    if into is not None:
        merged += f" ({into.shown_title})"
    times = f"since {one.started_at:%Y-%m-%d %H:%M} UTC, detected {one.detected_at:%H:%M}, peak {one.peak_at:%H:%M}"
    target.print(Text(f"{times}{ended}{merged}", "dim"))
    figures = f"{one.authors:,} authors, {one.posts:,} posts, score {one.score:.1f}"
    growth = [now.authors - before.authors for before, now in pairwise([*history[:1], *history])]
    target.print(Text(f"{figures}  {sparkline([max(0, step) for step in growth[-_BARS_SHOWN:]])}", "dim"))
    about = ", ".join(f"{subject.text} ({subject.type.lower()} {subject.posts:,})" for subject in one.subjects)
    target.print(Text(visible(about)), soft_wrap=False)
    named = ", ".join(f"{name.text} ({name.type.lower()} {name.posts})" for name in view.names_of_posts)
    if named:
        target.print(Text(visible(f"named in these {len(view.posts)} posts: {named}")), soft_wrap=False)
    if view.posts:
        target.print(posts_table(view.posts.values(), target))
