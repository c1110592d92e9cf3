"""What a running `tagstream ingest` says of itself over HTTP: whether it waits, and its figures.

Owns the names of the figures. They are those of the progress line and the report, and no others.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tagstream.cli.console import note
from tagstream.runtime.health_page import HealthPage, Metric

if TYPE_CHECKING:
    from ingest.run import IngestProgress


@asynccontextmanager
async def answering(address: str | None, snapshot: "Callable[[], IngestProgress]") -> AsyncIterator[None]:
    """Answers at the address while the context lasts; nowhere where it is None.

    It is alive as long as it answers, and not ready while it waits for the feed or the broker.

    Raises:
        BadSettings: the address cannot be had.
    """
    if address is None:
        yield
        return
    page = HealthPage(lambda: None, lambda: snapshot().waiting_for, lambda: metrics_of(snapshot()), process="ingest")
    where = await page.open(address)
    note(f"health at {where}/health/ready")
    try:
        yield
    finally:
        await page.close()


def metrics_of(progress: "IngestProgress") -> list[Metric]:
    """The figures of a run."""
    return [
        Metric("read_total", "counter", "Events that the source gave.", {"": progress.read}),
        Metric("published_total", "counter", "Events on the broker, with their cursor.", {"": progress.published}),
        Metric("posts_total", "counter", "Posts among them.", {"": progress.posts}),
        Metric("dead_letters_total", "counter", "Dead letters among them.", {"": progress.dead_letters}),
        Metric(
            "source_total",
            "counter",
            "What the source met that gave no event, by what it was.",
            {f'what="{name}"': number for name, number in progress.source_counts.items()},
        ),
        Metric("in_flight", "gauge", "Events that were read and are not on the broker.", {"": progress.in_flight}),
        Metric("lag_seconds", "gauge", "How long the oldest of them has waited.", {"": progress.lag_seconds}),
        Metric(
            "behind_feed_seconds",
            "gauge",
            "How old posts of a live feed are when they are on the broker.",
            {} if progress.behind_seconds is None else {"": progress.behind_seconds},
        ),
        Metric("clock_jumps_total", "counter", "How often this machine's clock was set.", {"": progress.clock_jumps}),
        Metric(
            "clock_wrong",
            "gauge",
            "1 while this machine's clock is in doubt.",
            {"": float(progress.clock_warning is not None)},
        ),
        Metric("waiting", "gauge", "1 while the feed or the broker is away.", {"": float(bool(progress.waiting_for))}),
    ]
