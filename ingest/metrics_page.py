"""The health page and the metrics of a running `tagstream ingest`.

Owns the names of the metrics. They are the figures of the progress line and of the report, and no others.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tagstream.cli.console import note
from tagstream.runtime.exposition import Metric, MetricFamily
from tagstream.runtime.health_page import HealthPage

if TYPE_CHECKING:
    from ingest.run import IngestProgress


READ = Metric("tagstream_ingest_read_total", "counter", "Events that the source gave.")
PUBLISHED = Metric("tagstream_ingest_published_total", "counter", "Events on the broker, with their cursor.")
POSTS = Metric("tagstream_ingest_posts_total", "counter", "Posts on the broker.")
DEAD_LETTERS = Metric("tagstream_ingest_dead_letters_total", "counter", "Dead letters on the broker.")
SOURCE = Metric(
    "tagstream_ingest_source_total", "counter", "Occurrences in the source that gave no event, by kind.", ("what",)
)
IN_FLIGHT = Metric("tagstream_ingest_in_flight", "gauge", "Events that were read and are not on the broker.")
LAG = Metric("tagstream_ingest_lag_seconds", "gauge", "How long the oldest event that is not on the broker has waited.")
BEHIND_FEED = Metric(
    "tagstream_ingest_behind_feed_seconds", "gauge", "Age of the posts of a live feed when they are on the broker."
)
CLOCK_JUMPS = Metric("tagstream_ingest_clock_jumps_total", "counter", "Times that this machine's clock was set.")
CLOCK_WRONG = Metric("tagstream_ingest_clock_wrong", "gauge", "1 while this machine's clock is in doubt.")
WAITING = Metric("tagstream_ingest_waiting", "gauge", "1 while the feed or the broker is away.")


@asynccontextmanager
async def serve_metrics(address: str | None, snapshot: "Callable[[], IngestProgress]") -> AsyncIterator[None]:
    """Serves the page at the address while the context lasts; serves nothing where the address is None.

    The process is alive as long as the page answers. It is not ready while it waits for the feed or the broker.

    Raises:
        BadSettings: the address cannot be listened at.
    """
    if address is None:
        yield
        return
    page = HealthPage(lambda: None, lambda: snapshot().waiting_for, lambda: metrics_of(snapshot()), process="ingest")
    address_shown = await page.open(address)
    note(f"health at {address_shown}/health/ready")
    try:
        yield
    finally:
        await page.close()


def metrics_of(progress: "IngestProgress") -> list[MetricFamily]:
    """Returns the metrics of a run."""
    return [
        READ.single(progress.read),
        PUBLISHED.single(progress.published),
        POSTS.single(progress.posts),
        DEAD_LETTERS.single(progress.dead_letters),
        SOURCE.by_label({(what,): count for what, count in progress.source_counts.items()}),
        IN_FLIGHT.single(progress.in_flight),
        LAG.single(progress.lag_seconds),
        BEHIND_FEED.single(progress.behind_seconds),
        CLOCK_JUMPS.single(progress.clock_jumps),
        CLOCK_WRONG.single(progress.clock_warning is not None),
        WAITING.single(bool(progress.waiting_for)),
    ]
