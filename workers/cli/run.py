"""`tagstream run`: the whole pipeline in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ingest.feed import feed_options, open_feed
from ingest.sources.wrappers.opened_early import OpenedEarly
from ingest.sources.wrappers.survey import Survey
from search.cli.http_address import HttpAddress
from search.open import is_absent_file, opened_index
from tagstream.cli.console import note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import (
    TagstreamCommand,
    current_settings,
    index_option,
    json_option,
    models_option,
    run_until_stopped,
)
from tagstream.cli.progress import RunProgress, in_distance, in_reasons
from tagstream.runtime.daemon_thread_pool import unless_stopped
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from tagstream.text.redaction import redacted
from workers.detection.open import opened_detection
from workers.images.interface import ImageModel
from workers.local import RunReport, run_pipeline
from workers.open_models import load_tagger, open_image_model
from workers.pipeline.settings import stage_settings
from workers.tagger.interface import Tagger

if TYPE_CHECKING:
    from search.web.server import Listening


@click.command("run", cls=TagstreamCommand)
@click.option(
    "--source",
    "source_spec",
    required=True,
    metavar="SPEC",
    help="The feed: bluesky:, mastodon:HOST, x:, rss:URL, jsonl:PATH, csv:PATH, - for JSON lines from standard "
    "input, or simulate:SEED[?posts=N]; docs/reference/sources.md has their options.",
)
@feed_options
@index_option
@models_option
@click.option(
    "--until-end",
    is_flag=True,
    help="End with the feed. A file ends by itself; a feed that never ends runs until it is interrupted.",
)
@click.option(
    "--serve",
    "is_served",
    is_flag=True,
    help="Show the index in a browser meanwhile, as `tagstream serve` does; the page ends with the run.",
)
@click.option(
    "--http",
    "address",
    type=HttpAddress(),
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where --serve listens. Any address but one of this machine needs a token (TAGSTREAM_SERVE_TOKEN).",
)
@json_option
def run_feed(
    source_spec: str,
    speed: float | None,
    record: str | None,
    columns: tuple[str, ...],
    index_spec: str | None,
    models_spec: str | None,
    until_end: bool,
    is_served: bool,
    address: tuple[str, int],
    as_json: bool,
) -> None:
    """Tag a feed and index it, until the feed ends, Ctrl-C or SIGTERM.

    A second run goes on where the first one stopped, even if that one was killed: nothing is lost and nothing doubles.
    Malformed lines become dead letters and do not stop the run. --json prints the report of the run at its end.
    """
    settings = current_settings(index=index_spec, models=models_spec)
    page = _place(address, settings) if is_served else None
    source = open_feed(source_spec, settings, speed=speed, record=record, columns=columns)
    tagger, image_model = load_tagger(settings), open_image_model(settings)
    report, interrupted = run_source(source, tagger, settings, image_model, is_service=True, page=page)
    if as_json:
        write_lines([report_document(report)])
    for line in source.unread_files():
        note(line)
    where = f" at {report.cursor}" if report.cursor else ""
    if interrupted:
        raise Interrupted(f"stopped{where} after {summary(report)}; the same command goes on from there")
    if until_end and not report.ended:
        note(f"the feed was left{where} before its end")
    conclude(report, source, settings)
    note(f"done: {summary(report)}")


def conclude(report: RunReport, feed: Survey, settings: Settings) -> None:
    """Tells which records of a file were refused and why a feed gave no names, before the command says it is done.

    Raises:
        UnreadableInput: nothing of the feed could be read.
    """
    if report.ended:
        feed.refuse_if_nothing_was_understood()
    if refused := feed.refused():
        note(refused)
    posts = report.progress.posts
    if posts and report.progress.outcomes[EventOutcome.LANGUAGE] == posts:
        read = ", ".join(sorted(settings.languages))
        note(
            f"none of its posts is in a language that is read ({feed.languages}; the setting languages is {read}): "
            "they are stored without names"
        )


def run_source(
    source: Survey,
    tagger: Tagger,
    settings: Settings,
    image_model: ImageModel | None = None,
    *,
    is_service: bool = False,
    page: "Listening | None" = None,
) -> tuple[RunReport, bool]:
    """Runs the pipeline over the source; returns its report, and whether it was interrupted before the feed ended.

    Opens the source before it makes a file for the index, so that a feed that cannot be opened leaves no file behind.
    With `page`, the index is served there meanwhile, read by connections of its own.
    """

    async def work(stop: asyncio.Event) -> tuple[RunReport, bool]:
        opened = OpenedEarly(source)
        try:
            if is_absent_file(settings.index):
                await unless_stopped(stop, opened.open_early())
            async with (
                opened_index(settings, create=True) as index,
                opened_detection(index, settings, note) as detection,
                _served(page, settings),
            ):
                with RunProgress(source.share_read) as progress:
                    report = await run_pipeline(
                        opened,
                        tagger,
                        index,
                        image_model=image_model,
                        settings=stage_settings(settings),
                        stop=stop,
                        progress=progress,
                        detection=detection,
                    )
        finally:
            await opened.close()  # again, after a run: an index that cannot be opened leaves it open
        return report, stop.is_set() and not report.ended

    return run_until_stopped(work, is_service=is_service)


def _place(address: tuple[str, int], settings: Settings) -> "Listening":
    from search.web.server import listening_at  # the web framework takes long to import

    return listening_at(address, settings)


@asynccontextmanager
async def _served(page: "Listening | None", settings: Settings) -> AsyncIterator[None]:
    """Serves the index for the time of the block, if there is a page."""
    if page is None:
        yield
        return
    from search.web.server import serving

    async with opened_index(settings) as index, serving(index, page, settings.index):
        yield


def summary(report: RunReport) -> str:
    """Returns what the run did, in one line."""
    progress = report.progress
    rate = progress.posts / progress.elapsed_seconds if progress.elapsed_seconds else 0.0
    kept = {name: number for name, number in progress.outcomes.items() if name not in progress.dropped}
    parts = [f"{progress.posts:,} posts in {progress.elapsed_seconds:.1f} s ({rate:,.0f} posts/s)"]
    if reasons := in_reasons(kept):
        parts.append(reasons)
    if reasons := in_reasons(progress.dropped):
        parts.append(f"dropped: {reasons}")
    if reasons := in_reasons(progress.source_counts):
        parts.append(f"source: {reasons}")
    if distance := in_distance(progress.behind_seconds):
        parts.append(distance)
    if progress.clock_warning:
        parts.append(f"warning: {progress.clock_warning}")
    return "; ".join(parts)


def report_document(report: RunReport) -> dict[str, Any]:
    """Returns the report of a run as JSON."""
    progress = report.progress
    return {
        "posts": progress.posts,
        "posts_per_second": progress.posts / progress.elapsed_seconds if progress.elapsed_seconds else 0.0,
        "elapsed_seconds": progress.elapsed_seconds,
        "read": progress.read,
        "finished": progress.finished,
        "outcomes": dict(progress.outcomes),
        "dropped": dict(progress.dropped),
        "source": dict(progress.source_counts),
        "behind_seconds": progress.behind_seconds,
        "clock_jumps": progress.clock_jumps,
        "clock_warning": progress.clock_warning,
        "ended": report.ended,
        "abandoned": report.abandoned,
        "cursor": redacted(report.cursor) if report.cursor else None,
        "p50_seconds": report.p50_seconds,
        "p95_seconds": report.p95_seconds,
        "batches": asdict(report.batches),
        "detection": None if report.detection is None else asdict(report.detection),
    }
