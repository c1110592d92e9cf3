"""Metrics of a worker: their declarations, and their values at a scrape."""

from collections.abc import Iterator, Mapping
from typing import Any

from tagstream.runtime.exposition import Metric, MetricFamily
from workers.detection.figures import DetectionFigures
from workers.faust.liveness import Partition
from workers.pipeline.counters import Counters
from workers.pipeline.runner import StageRunner

RECORDS = Metric("tagstream_worker_records_total", "counter", "Records by agent and outcome.", ("agent", "outcome"))
BEHIND_FEED = Metric(
    "tagstream_worker_behind_feed_seconds", "gauge", "Age of the posts of live feeds when they are in the index."
)
PUBLISHED = Metric("tagstream_worker_published_total", "counter", "Records published.")
IN_FLIGHT = Metric("tagstream_worker_in_flight", "gauge", "Records in each stage.", ("stage",))
BATCHES = Metric(
    "tagstream_worker_batches_total", "counter", "Batches by stage and reason for closing.", ("stage", "closed")
)
BATCH_POSTS = Metric("tagstream_worker_batch_posts_total", "counter", "Records in those batches.", ("stage",))
RETRIES = Metric("tagstream_worker_retries_total", "counter", "Calls repeated because something was down.", ("stage",))
WAITING = Metric("tagstream_worker_waiting", "gauge", "1 while a stage waits for something that is down.", ("stage",))
LAG = Metric(
    "tagstream_worker_lag",
    "gauge",
    "Records not acknowledged, by partition, when last asked.",
    ("topic", "partition"),
)
DETECTION = Metric(
    "tagstream_worker_detection_total",
    "counter",
    "Posts that detection passed by, and states of trends and events that were written.",
    ("detected",),
)
WEBHOOKS = Metric("tagstream_worker_webhooks_total", "counter", "Webhook requests by result.", ("result",))
WEBHOOKS_WAITING = Metric("tagstream_worker_webhooks_waiting", "gauge", "Notifications that no receiver took yet.")


def worker_metrics(
    counters: Mapping[str, Counters],
    runners: Mapping[str, StageRunner[Any, Any]],
    *,
    published: int,
    behind_seconds: float | None,
    lags: Mapping[Partition, int],
    detection: DetectionFigures | None = None,
) -> Iterator[MetricFamily]:
    """Yields each metric as it is now, of the counters of each agent and the runner of each stage."""
    yield RECORDS.by_label(
        {
            (agent, outcome): count
            for agent, counted in counters.items()
            for outcome, count in counted.snapshot().items()
        }
    )
    yield BEHIND_FEED.single(behind_seconds)
    yield PUBLISHED.single(published)
    yield IN_FLIGHT.by_label({(stage,): runner.in_flight for stage, runner in runners.items()})
    yield BATCHES.by_label(
        {
            (stage, closed): count
            for stage, runner in runners.items()
            for closed, count in runner.batcher.figures.batches.items()
        }
    )
    yield BATCH_POSTS.by_label({(stage,): runner.batcher.figures.items for stage, runner in runners.items()})
    yield RETRIES.by_label({(stage,): runner.gate.retries for stage, runner in runners.items()})
    yield WAITING.by_label({(stage,): runner.gate.waiting_for is not None for stage, runner in runners.items()})
    yield LAG.by_label({(topic, str(partition)): lag for (topic, partition), lag in lags.items()})
    if detection is not None:
        yield DETECTION.by_label({(name,): count for name, count in detection.counts.items()})
        yield WEBHOOKS.by_label({(name,): count for name, count in detection.webhooks.items()})
        yield WEBHOOKS_WAITING.single(detection.webhooks_waiting)
