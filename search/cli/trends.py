"""The command `tagstream trends`: what is mentioned more than usual, as the detector stored it or by counting.

::

    --window auto ─┬▶ the index holds trends of that time      what the detector said, minute by minute
                   └▶ none: counted                           by windows that fit the length of the feed
    --window 1h   ───▶ counted                                the last hour of the feed beside the hours before it;
                                                              with --since hour by hour, each name at its best
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from search.cli.following import follow, refuse_with_follow
from search.cli.newest_minute import is_live, note_newest_minute
from search.cli.output import Form, form_of, output_options, write_csv
from search.cli.past_windows import past_windows
from search.cli.times import NamedDuration, check_range, command_time, shown_time, time_options
from search.cli.trend_view import (
    TREND_HEADER,
    TrendView,
    counted_view,
    fitted_view,
    forms_by_name,
    stored_view,
    trend_line,
    trend_row,
    trends_table,
)
from search.cli.why import learnt_names, why_document, why_lines
from search.events.names import NameAliases
from search.index import EntityIndex, Span
from search.open import opened_index
from search.trend_windows import DEFAULT_PAST, archive_windows, live_window, peaks
from tagstream.cli.console import answer, console, note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, current_settings, index_option, run_until_stopped
from tagstream.detections import TrendState
from tagstream.posts import clean_text
from tagstream.settings import Settings

Segment = Callable[[str], Sequence[str]]
_RECENT = (timedelta(minutes=15), timedelta(hours=1), timedelta(days=1))
_FOLLOWED = 1000
_DEFAULT_SIZE = 20
_LOOK_BACK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Question:
    since: datetime | None
    until: datetime | None
    window: int | None
    past: int
    size: int
    now: datetime
    separate: Sequence[str]


def trends_command(segment: Segment) -> click.Command:
    """Builds `tagstream trends`.

    Args:
        segment: splits a hashtag into its words, as those of posts are.
    """

    @click.command("trends", cls=TagstreamCommand)
    @index_option
    @click.option(
        "--window",
        type=NamedDuration(auto=None),
        metavar="auto|DURATION",
        default="auto",
        show_default=True,
        help="How recent: 15m, 6h, 2d. The last such time of the feed, or before --until, is counted; with --since "
        "every such time from there. auto: what the detector stored, or windows that fit the feed.",
    )
    @click.option(
        "--past",
        type=click.IntRange(1, 1000),
        help=f"With how many windows before it a window is compared, where trends are counted; {DEFAULT_PAST} or, with "
        "long windows, fewer.",
    )
    @time_options("Trends")
    @click.option("--size", type=click.IntRange(1, 1000), help=f"Trends at most; {_DEFAULT_SIZE} if not given.")
    @click.option("--follow", "following", is_flag=True, help="Print a line for each new trend, until Ctrl-C.")
    @click.option("--why", metavar="NAME", help="Say what counts as one with this name, and why.")
    @output_options
    def trends(
        index_spec: str | None,
        window: int | None,
        past: int | None,
        since: datetime | None,
        until: datetime | None,
        size: int | None,
        following: bool,
        why: str | None,
        as_json: bool,
        as_csv: bool,
    ) -> None:
        """Show what is mentioned more than usual.

        A name, hashtag or word trends when more authors mention it in a window than the time before explains. Of a feed
        that goes on now this shows what trends at its end; of an archive, what trended in it, each at its best. With
        --until it is as of then; with --since, of all the time from there, each at its best. The column until has the
        time at which it was so.

        Names that the feed shows to be one, such as NYC and #NewYorkCity, count as one; --why tells the reasons.
        """
        form = form_of(as_json=as_json, as_csv=as_csv)
        check_range(since, until)
        settings = current_settings(index=index_spec)
        refuse_with_follow(
            following,
            {
                "--since": since is not None,
                "--until": until is not None,
                "--window": window is not None,
                "--past": past is not None,
                "--size": size is not None,
                "--why": why is not None,
            },
        )
        if following:
            _follow(settings, form)
        if why is not None:
            _explain(settings, _name_of(why, segment), form, since, until)
            return
        question = _Question(
            since,
            until,
            window,
            past_windows(window, past),
            size or _DEFAULT_SIZE,
            command_time(click.get_current_context()),
            settings.separate_names,
        )

        async def work() -> list[TrendView]:
            async with opened_index(settings) as index:
                return await _found(index, question)

        _show(asyncio.run(work()), form)

    return trends


def _name_of(given: str, segment: Segment) -> str:
    """Returns the name that was asked about: a hashtag's is its words.

    Raises:
        UsageError: nothing was named.
    """
    name = clean_text(given).strip()
    bare = name.lstrip("#＃").strip()
    if not bare:
        raise click.UsageError("--why needs a name or a hashtag, such as --why 'Hong Kong' or --why '#HongKong'")
    return name if bare == name else " ".join(segment(bare)) or bare


async def _found(index: EntityIndex, question: _Question) -> list[TrendView]:
    feed = await index.feed_span()
    if feed is None:
        note("the index has no posts")
        return []
    found = []
    if question.window is None:
        found = await _stored(index, question, feed)
    if not found:
        found = await _counted(index, question, feed)
    if not found:
        is_last = question.window is not None and question.since is None and question.until is None
        whole = "; without --window the whole archive is looked through" if is_last else ""
        note(
            "nothing is mentioned more than its past explains; --since and --until look at other times, --window at "
            f"a longer one{whole}"
        )
        await note_newest_minute(index, question.now)
    return found


async def _stored(index: EntityIndex, question: _Question, feed: Span) -> list[TrendView]:
    """Returns what the detector stored of the time that is meant; none if it stored nothing."""
    end = question.until or feed.until
    if question.since is not None:
        begins: Sequence[datetime | None] = [question.since]
    elif question.until is not None or is_live(feed.until, question.now):
        begins = [end - length for length in _RECENT]  # the shortest time in which anything trended
    else:
        begins = [None]
    best = len(begins) == 1  # else what trends at one moment is asked for
    for since in begins:
        names, states = await learnt_names(index, question.separate, since=since, until=question.until, best=best)
        if states:
            folded = names.folded(states)[: question.size]
            reach = f"since {since:%Y-%m-%d %H:%M}" if since else "in the whole feed"
            note(f"as the detector saw it, {'each at its best, ' if best else ''}{reach} (UTC)")
            forms = forms_by_name(states, names)
            found = [(await stored_view(index, state), names.canonical(state.key)) for state in folded]
            return [fitted_view(view, forms.get(key, ())) for view, key in found]
    return []


async def _counted(index: EntityIndex, question: _Question, feed: Span) -> list[TrendView]:
    """Returns what trends by counting: in one window, or over a stretch of time, window by window.

    An archive is looked through, unless a window or its end is named.
    """
    is_one = question.until is not None or is_live(feed.until, question.now) or question.window is not None
    if question.since is None and is_one:
        known = Span(min(feed.since, question.until), question.until) if question.until else feed
        window = question.window or live_window(known)
        found = await index.trending(
            until=question.until, window_seconds=window, past_windows=question.past, size=question.size
        )
        end = question.until or feed.until
        begin = shown_time(end - timedelta(seconds=window))
        of = "before --until" if question.until else "of the feed"
        note(f"counted in the last {_spoken(window)} {of}, from {begin} to {shown_time(end)} (UTC)")
        return [counted_view(trend, end, window) for trend in found]
    span = Span(max(question.since or feed.since, feed.since), min(question.until or feed.until, feed.until))
    if span.since >= span.until:
        return []
    for window in [question.window] if question.window else archive_windows(span):
        found_peaks = await peaks(index, span, feed, window=window, past=question.past, size=question.size)
        if found_peaks:
            note(
                f"counted in windows of {_spoken(window)}, each name at its best, from {span.since:%Y-%m-%d %H:%M} to "
                f"{span.until:%Y-%m-%d %H:%M} (UTC)"
            )
            return [counted_view(*peak) for peak in found_peaks]
    return []


def _explain(settings: Settings, name: str, form: Form, since: datetime | None, until: datetime | None) -> None:
    """Prints what counts as one with a name.

    Raises:
        UsageError: as CSV, which has no form for it.
    """
    if form == "csv":
        raise click.UsageError("--why has no form in CSV: give --json, or neither")

    async def work() -> tuple[NameAliases, Sequence[TrendState]]:
        async with opened_index(settings) as index:
            return await learnt_names(index, settings.separate_names, since=since, until=until)

    names, states = asyncio.run(work())
    if form == "json":
        write_lines([why_document(names, states, name)])
    else:
        answer(*why_lines(names, states, name))


def _spoken(seconds: int) -> str:
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _show(found: Sequence[TrendView], form: Form, *, header: bool = True) -> None:
    if form == "json":
        write_lines(view.document() for view in found)
    elif form == "csv":
        write_csv(map(trend_row, found), TREND_HEADER if header else ())
    elif found:
        target = console()
        target.print(trends_table(found, target))


class _TrendFollower:
    """The trends that were there or were shown: one is told by its subject and the beginning of its rise."""

    def __init__(self, form: Form) -> None:
        self.shown = 0
        self._form = form
        self._known: dict[tuple[str, str, datetime], None] = {}
        self._newest: datetime | None = None
        self._header = True

    async def begin(self, index: EntityIndex, *, is_new: bool) -> None:
        """Notes the trends that are there, unless all are new."""
        if not is_new:
            await self._new(index)
        note("following; Ctrl-C ends it")

    async def look(self, index: EntityIndex) -> None:
        """Shows the trends that were stored since."""
        found = [counted for state in await self._new(index) if (counted := TrendView.of_state(state))]
        if self._form == "table":
            if found:
                answer(*map(trend_line, found))
        elif found or self._header:
            _show(found, self._form, header=self._header)
        self._header = False
        self.shown += len(found)

    async def _new(self, index: EntityIndex) -> list[TrendState]:
        since = None if self._newest is None else self._newest - _LOOK_BACK
        states = await index.stored_trends(since=since, size=_FOLLOWED)
        found = [state for state in states if (state.type, state.key, state.started_at) not in self._known]
        self._known |= {(state.type, state.key, state.started_at): None for state in found}
        for old in list(self._known)[: max(0, len(self._known) - 100 * _FOLLOWED)]:
            del self._known[old]
        if states:
            self._newest = max(state.minute for state in states)
        return sorted(found, key=lambda state: state.minute)


def _follow(settings: Settings, form: Form) -> None:
    follower = _TrendFollower(form)

    async def work(stop: asyncio.Event) -> None:
        await follow(settings, follower, stop)

    run_until_stopped(work)
    raise Interrupted(f"stopped: {follower.shown:,} trends were shown")
