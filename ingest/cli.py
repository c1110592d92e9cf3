"""The command `tagstream ingest`: puts a source's events on Kafka for the workers."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from ingest.feed import feed_options, open_feed
from ingest.metrics_page import serve_metrics
from tagstream.cli.console import note, write_lines
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import TagstreamCommand, current_settings, json_option, kafka_option, run_until_stopped
from tagstream.cli.progress import RunProgress, in_distance, in_reasons
from tagstream.runtime.metrics import EventOutcome, EventRate, PipelineProgress
from tagstream.text.redaction import redacted

if TYPE_CHECKING:
    from ingest.run import IngestProgress, IngestReport


@click.command(cls=TagstreamCommand)
@click.option(
    "--source",
    "source_spec",
    required=True,
    metavar="SPEC",
    help="The feed: bluesky:, mastodon:HOST, x:, rss:URL, jsonl:PATH, csv:PATH, - for JSON lines from standard "
    "input, or simulate:SEED[?posts=N]; docs/reference/sources.md has their options.",
)
@feed_options
@kafka_option("The brokers. [default: the setting kafka]")
@click.option(
    "--until-end",
    is_flag=True,
    help="End with the feed. A file ends by itself; a feed that never ends runs until it is interrupted.",
)
@json_option
def ingest(
    source_spec: str,
    speed: float | None,
    record: str | None,
    columns: tuple[str, ...],
    kafka: str | None,
    until_end: bool,
    as_json: bool,
) -> None:
    """Put a feed on Kafka, where the workers take it from.

    Makes the topics if they are not there. A second run goes on where the first one stopped, even if that one was
    killed: nothing is lost, and what is on the topic twice counts once. While the broker is away it waits. Malformed
    lines become dead letters. --json prints the report of the run at its end.
    """
    settings = current_settings(kafka=kafka)
    from ingest.run import Ingest
    from tagstream.kafka.admin import ensure_topics
    from tagstream.kafka.topics import open_topics

    source = open_feed(source_spec, settings, speed=speed, record=record, columns=columns)
    topics = open_topics(settings)

    async def work(stop: asyncio.Event) -> "tuple[IngestReport, bool]":
        await asyncio.to_thread(ensure_topics, settings, topics)
        with RunProgress(source.share_read) as progress:
            shown = _ProgressDisplay(progress)
            run = Ingest(source, settings, topics)
            async with serve_metrics(settings.ingest_http, run.snapshot):
                report = await run.run(stop, shown)
        return report, stop.is_set() and not report.ended

    report, interrupted = run_until_stopped(work, is_service=True)
    if as_json:
        write_lines([report_document(report)])
    for line in source.unread_files():
        note(line)
    where = f" at {report.progress.cursor}" if report.progress.cursor else ""
    if interrupted:
        raise Interrupted(f"stopped{where} after {summary(report)}; the same command goes on from there")
    if until_end and not report.ended:
        note(f"the feed was left{where} before its end")
    if report.ended:
        source.refuse_if_nothing_was_understood()
    note(f"done: {summary(report)}")


class _ProgressDisplay:
    """Shows the progress of an ingest run in the form that all commands share."""

    def __init__(self, show: RunProgress) -> None:
        self._show = show
        self._rate = EventRate()
        self._rate.read(0.0, 0)

    def __call__(self, progress: "IngestProgress") -> None:
        dropped = {EventOutcome.MALFORMED: progress.dead_letters}
        self._show(
            PipelineProgress(
                elapsed_seconds=progress.elapsed_seconds,
                read=progress.read,
                finished=progress.published,
                posts=progress.posts,
                posts_per_second=self._rate.read(progress.elapsed_seconds, progress.posts),
                in_flight=progress.in_flight,
                lag_seconds=progress.lag_seconds,
                outcomes=dropped,
                dropped=dropped,
                waiting_for=progress.waiting_for,
                source_counts=progress.source_counts,
                behind_seconds=progress.behind_seconds,
                clock_jumps=progress.clock_jumps,
                clock_warning=progress.clock_warning,
            )
        )


def summary(report: "IngestReport") -> str:
    """Returns a line that says what the run did."""
    progress = report.progress
    rate = progress.posts / progress.elapsed_seconds if progress.elapsed_seconds else 0.0
    parts = [f"{progress.posts:,} posts in {progress.elapsed_seconds:.1f} s ({rate:,.0f} posts/s)"]
    if progress.dead_letters:
        parts.append(f"dead letters: {progress.dead_letters:,}")
    if reasons := in_reasons(progress.source_counts):
        parts.append(f"source: {reasons}")
    if distance := in_distance(progress.behind_seconds):
        parts.append(distance)
    if progress.clock_warning:
        parts.append(f"warning: {progress.clock_warning}")
    if progress.in_flight:
        parts.append(f"not acknowledged, and read again: {progress.in_flight:,}")
    return "; ".join(parts)


def report_document(report: "IngestReport") -> dict[str, Any]:
    """Returns the report of a run as JSON."""
    progress = report.progress
    return {
        "posts": progress.posts,
        "posts_per_second": progress.posts / progress.elapsed_seconds if progress.elapsed_seconds else 0.0,
        "elapsed_seconds": progress.elapsed_seconds,
        "read": progress.read,
        "published": progress.published,
        "dead_letters": progress.dead_letters,
        "source": dict(progress.source_counts),
        "behind_seconds": progress.behind_seconds,
        "clock_jumps": progress.clock_jumps,
        "clock_warning": progress.clock_warning,
        "ended": report.ended,
        "abandoned": progress.in_flight,
        "cursor": redacted(progress.cursor) if progress.cursor else None,
    }
