"""The metrics of a worker: each declared one has its values, by the labels that it declares."""

from types import SimpleNamespace

from tagstream.runtime.exposition import Metric
from tagstream.runtime.metrics import EventOutcome
from workers.detection.figures import DetectionFigures
from workers.faust import metrics
from workers.pipeline.counters import Counters


def test_every_declared_metric_is_told_with_its_labels() -> None:
    counters = Counters()
    counters.add(EventOutcome.STORED, 3)
    runner = SimpleNamespace(
        in_flight=5,
        batcher=SimpleNamespace(figures=SimpleNamespace(batches={"deadline": 2}, items=7)),
        gate=SimpleNamespace(retries=1, waiting_for="Kafka"),
    )
    families = metrics.worker_metrics(
        {"index": counters},
        {"tag": runner},
        published=4,
        behind_seconds=1.5,
        lags={("posts", 0): 9},
        detection=DetectionFigures({"late": 2, "passed_over": 0}, {"sent": 6}, webhooks_waiting=8),
    )
    told = {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.value
    }
    assert told == {
        ("tagstream_worker_records_total", (("agent", "index"), ("outcome", "stored"))): 3,
        ("tagstream_worker_behind_feed_seconds", ()): 1.5,
        ("tagstream_worker_published_total", ()): 4,
        ("tagstream_worker_in_flight", (("stage", "tag"),)): 5,
        ("tagstream_worker_batches_total", (("stage", "tag"), ("closed", "deadline"))): 2,
        ("tagstream_worker_batch_posts_total", (("stage", "tag"),)): 7,
        ("tagstream_worker_retries_total", (("stage", "tag"),)): 1,
        ("tagstream_worker_waiting", (("stage", "tag"),)): 1,
        ("tagstream_worker_lag", (("topic", "posts"), ("partition", "0"))): 9,
        ("tagstream_worker_detection_total", (("detected", "late"),)): 2,
        ("tagstream_worker_webhooks_total", (("result", "sent"),)): 6,
        ("tagstream_worker_webhooks_waiting", ()): 8,
    }
    assert {name for name, _ in told} == {item.name for item in vars(metrics).values() if isinstance(item, Metric)}
