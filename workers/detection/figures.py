"""The figures of detection: the same in one process, as its report has them, and in a worker, as its metrics do."""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.detection.writer import DetectionWriter


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """Counts since the process began.

    Attributes:
        counts: posts that were `late` (their minute was closed) or `passed_over` (more in a minute than a sample
            holds), `failures` of a detector or of reading a post's subjects, and states of `trends` and `events` that
            were written.
        webhooks: requests that were `sent` or `failed` (and are tried again), and notifications that were `dropped` (of
            too many, or refused again and again).
        webhooks_waiting: notifications that their receivers have not taken yet.
    """

    counts: Mapping[str, int]
    webhooks: Mapping[str, int]
    webhooks_waiting: int


def figures_of(writer: DetectionWriter, *, late: int, passed_over: int, failures: int) -> DetectionFigures:
    """Returns the figures of a process whose detections this writer writes."""
    notifier = writer.notifier
    webhooks = (
        {}
        if notifier is None
        else {
            "sent": notifier.sent,
            "failed": notifier.failures,
            "dropped": notifier.dropped,
        }
    )
    return DetectionFigures(
        counts={
            "late": late,
            "passed_over": passed_over,
            "failures": failures,
            "trends": writer.trends,
            "events": writer.events,
        },
        webhooks=webhooks,
        webhooks_waiting=0 if notifier is None else notifier.waiting,
    )
