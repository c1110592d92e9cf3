"""`tagstream demo`: the main job on a feed that ships with the project, and what came of it."""

import asyncio
import os
import shlex
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from ingest.feed import refuse_unreadable
from ingest.sources.wrappers.survey import Survey
from search.cli.event_view import EventView, events_table, views
from search.cli.tables import entities_table, posts_table
from search.cli.trend_view import counted_view, trends_table
from search.index import EntityIndex, Query, Trend
from search.open import opened_index
from tagstream.cli.console import console, note
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, current_settings, models_option
from tagstream.errors import BadSettings
from tagstream.posts import EntityType, TaggedPost
from tagstream.settings import Settings
from tagstream.text.terminal_text import visible
from workers.cli.run import conclude, run_source, summary
from workers.open_models import load_tagger, open_image_model

_SHIPPED_FEED = "simulate:2026?posts=3000"
# Not the name of an index that somebody uses: these files are deleted by the next demo.
_INDEX_NAME = "demo.db"
_SIBLINGS = ("", "-wal", "-shm", "-journal", ".writer")
_FIELDS: dict[EntityType, str] = {"PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}
_POSTS_SHOWN = 14
_POSTS_LOOKED_AT = 400
_LONGEST_SHOWN = 300
_TRENDS_SHOWN = 8
_EVENTS_SHOWN = 12
_HOURS_LOOKED_AT = 24


@click.command(cls=TagstreamCommand)
@click.argument("feed", required=False)
@click.option("--directory", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@models_option
def demo(feed: str | None, directory: Path, models_spec: str | None) -> None:
    """Tag a feed, index it, and show what was found.

    FEED is a file of JSON lines (or any source); without it a feed of invented posts that ships with tagstream.
    The index is made anew each time, in the --directory.
    """
    spec = _source_of(feed)
    path = directory / _INDEX_NAME
    settings = current_settings(index=f"sqlite:{path}", models=models_spec)
    # Whatever can be refused is refused before the index of the earlier demo is deleted.
    source = _found(spec, directory, settings)
    image_model, tagger = open_image_model(settings), load_tagger(settings)
    _make_room(directory)
    note(f"tagging {spec}")
    report, interrupted = run_source(source, tagger, settings, image_model)
    if interrupted:
        note(f"done: {summary(report)}")
        raise Interrupted("the demo was stopped before its end; what was read is in the index")
    conclude(report, source, settings)
    note(f"done: {summary(report)}")

    async def show() -> None:
        async with opened_index(settings) as index:
            await _show(index, settings.index, console())

    asyncio.run(show())


def _source_of(feed: str | None) -> str:
    if feed is None:
        return _SHIPPED_FEED
    is_spec = feed == "-" or feed.startswith(("csv:", "jsonl:", "simulate:"))
    return feed if is_spec and not Path(feed).exists() else f"jsonl:{feed}"


def _found(spec: str, directory: Path, settings: Settings) -> Survey:
    """Opens the source of that name.

    Raises:
        BadSettings: the spec names no source, or a file that the demo is about to delete.
        UnreadableInput: the file is not there.
    """
    from ingest.sources.open import open_source

    source = Survey(open_source(spec, settings))
    kind, _, path = spec.partition(":")
    if kind == "jsonl" and path != "-":
        refuse_unreadable(path)
        for old in _index_files(directory):
            if old.exists() and old.samefile(path):
                raise BadSettings(
                    f"{path!r} is the index of an earlier demo, and this one would delete it: name a feed"
                )
    return source


def _make_room(directory: Path) -> None:
    """Makes the directory, and removes the index of an earlier demo from it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(f"--directory {directory}: cannot be made: {error.strerror}") from error
    for old in _index_files(directory):
        old.unlink(missing_ok=True)


def _index_files(directory: Path) -> list[Path]:
    return [directory / f"{_INDEX_NAME}{suffix}" for suffix in _SIBLINGS]


async def _show(index: EntityIndex, spec: str, target: Console) -> None:
    posts = await _worth_showing(index)
    if not posts:
        note("no names were found in this feed")
        return
    peaks = await _peaks(index, posts[0].created_at)
    target.print(_heading("Posts and the names in them"), posts_table(posts, target), sep="\n")
    if peaks:
        table = trends_table([counted_view(trend, moment, 3600) for trend, moment in peaks], target)
        target.print(_heading("Trending: mentioned by more people than usual, in its best hour"), table, sep="\n")
    else:
        counts = await index.top_entities(size=_TRENDS_SHOWN)
        target.print(_heading("Most mentioned (nothing is trending)"), entities_table(counts, target), sep="\n")
    events = await views(index, await index.events(size=_EVENTS_SHOWN), evidence=False)
    if events:
        target.print(_heading("Events: names that many people began to mention together"))
        target.print(events_table(events, target))
    target.print(_heading("Now search it"))
    for line in _commands(posts, peaks, events, spec):
        target.print(Text(f"  {visible(line)}"), soft_wrap=True)
    target.print(_heading("Or look at it in a browser"))
    target.print(Text(f"  {visible(f'{_program()} serve --index {shlex.quote(spec)}')}"), soft_wrap=True)


async def _peaks(index: EntityIndex, newest: datetime) -> list[tuple[Trend, datetime]]:
    """Returns what trended in the last day of the feed: each entity once, at its best hour."""
    best: dict[tuple[str, str], tuple[Trend, datetime]] = {}
    # The calendar begins with the year 1, and a hostile feed may be dated there.
    hours_before = (newest - datetime.min.replace(tzinfo=UTC)) // timedelta(hours=1)
    for hours in range(min(_HOURS_LOOKED_AT, hours_before + 1)):
        until = newest - timedelta(hours=hours)
        for trend in await index.trending(until=until, size=_TRENDS_SHOWN):
            key = (trend.entity.key, trend.entity.type)
            if key not in best or trend.score > best[key][0].score:
                best[key] = (trend, until)
    return sorted(best.values(), key=lambda peak: -peak[0].score)[:_TRENDS_SHOWN]


async def _worth_showing(index: EntityIndex) -> list[TaggedPost]:
    """Returns recent posts with names, newest first: short ones, no two about the same name."""
    page = await index.search(Query("has:entity", size=_POSTS_LOOKED_AT))
    # The authors' clocks are not to be trusted: a few posts always come from the year 9999.
    dates = sorted(post.created_at for post in page.posts)
    newest = dates[len(dates) * 9 // 10] if dates else None
    seen: set[str] = set()
    chosen: list[TaggedPost] = []
    for post in page.posts:
        keys = {entity.key for entity in post.entities}
        is_new = len(post.text) <= _LONGEST_SHOWN and not keys & seen
        if len(chosen) < _POSTS_SHOWN and is_new and newest is not None and post.created_at <= newest:
            chosen.append(post)
            seen |= keys
    return chosen


def _commands(
    posts: list[TaggedPost], peaks: list[tuple[Trend, datetime]], events: list[EventView], spec: str
) -> list[str]:
    """Commands that can be pasted, about what was found."""
    program = _program()
    index = f"--index {shlex.quote(spec)}"
    when = ""
    name, kind = posts[0].entities[0].text, posts[0].entities[0].type
    if peaks:
        trend, moment = peaks[0]
        name, kind = trend.entity.text, trend.entity.type
        when = f"--until {moment.replace(tzinfo=None).isoformat(timespec='seconds')} "
    by_name = f'{_FIELDS[kind]}:"{name}"'.replace("\n", " ")
    about_events = [f"{program} event {shlex.quote(view.event.id)} {index}" for view in events[:1]]
    return [
        f"{program} search {shlex.quote(by_name)} {index}",
        f"{program} search type:PER has:hashtag {index}",
        f"{program} counts {shlex.quote(by_name)} --per hour {index}",
        f"{program} trends {when}{index}",
        *about_events,
        f"{program} dead-letters list {index}",
    ]


def _program() -> str:
    """Returns the command that calls this program from here."""
    found = shutil.which("tagstream")
    if found and Path(found).resolve() == Path(sys.argv[0]).resolve():
        return "tagstream"
    near = os.path.relpath(sys.argv[0])
    return shlex.quote(near if not near.startswith("..") else os.path.abspath(sys.argv[0]))


def _heading(title: str) -> Text:
    return Text(f"\n{title}", "bold underline")
