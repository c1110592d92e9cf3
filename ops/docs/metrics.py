"""The page of the metrics that processes answer to a scrape."""

from collections.abc import Iterator
from types import ModuleType

from ingest import metrics_page as ingest_metrics
from ops.docs.fields import table
from tagstream.runtime.exposition import Metric
from tagstream.runtime.metrics import DROPPED, EventOutcome
from workers.faust import metrics as worker_metrics
from workers.pipeline.microbatch import CloseReason

_PROCESSES = (("tagstream ingest", "ingest_http", ingest_metrics), ("tagstream worker", "worker_http", worker_metrics))
_LABELS = {
    "agent": "`tag` or `index`",
    "outcome": "[an outcome](#outcomes)",
    "stage": "`see`, `prepare`, `tag`, `index` or `mention`",
    "closed": "[why a batch was closed](#batches)",
    "what": "[what a source counts](sources.md#what-is-counted)",
    "topic": "a topic",
    "partition": "its partition",
    "detected": "`late`: a post whose minute was closed; `passed_over`: one of more posts than a minute's "
    "sample holds; "
    "`failures` of a detector, or of reading what a post is about; states of `trends` and of `events` that "
    "were written",
    "result": "`sent`; `failed`, and tried again; `dropped`, of too many or refused again and again",
}
_OUTCOMES = {
    EventOutcome.STORED: "The post is in the index: it is new, or replaced an older answer.",
    EventOutcome.LANGUAGE: "Stored without entities, because its language is not read.",
    EventOutcome.LENGTH: "Stored; only the beginning of a very long text was read for names.",
    EventOutcome.DEGRADED: "Stored without what a photo or the image model adds. `tagstream retag` makes it good.",
    EventOutcome.THUMBNAIL_REFUSED: "A thumbnail that the index never takes. Its post goes on without it.",
    EventOutcome.DUPLICATE: "The index holds this answer already.",
    EventOutcome.STALE: "The index holds a newer answer.",
    EventOutcome.DELETED: "The post was deleted, or its author erased.",
    EventOutcome.TOMBSTONE: "A deletion or an erasure, applied.",
    EventOutcome.STATUS: "An account was hidden, or shown again.",
    EventOutcome.MALFORMED: "A dead letter: it could not be read.",
    EventOutcome.UNTAGGABLE: "A dead letter: the tagger failed on it alone.",
    EventOutcome.REJECTED: "A dead letter: the index refused it alone.",
    EventOutcome.UNEXPECTED: "A dead letter: a defect of tagstream met it.",
    EventOutcome.EMPTY: "A record of a topic without a value. There is nothing in it to process or to keep.",
}
_NO_POST = (EventOutcome.TOMBSTONE, EventOutcome.STATUS, EventOutcome.THUMBNAIL_REFUSED)
_CLOSED = {
    "tokens": "The next post would have exceeded the token budget.",
    "count": "The batch was full by number of posts.",
    "deadline": "Its first post had waited long enough.",
    "drain": "The stage was stopping.",
}


def metrics_page() -> str:
    """Returns docs/reference/metrics.md: every metric with its kind, its labels and its meaning.

    Raises:
        LookupError: a label, an outcome or a reason has no meaning here.
    """
    if differ := (_OUTCOMES.keys() ^ set(EventOutcome)) | (_CLOSED.keys() ^ {one.value for one in CloseReason}):
        raise LookupError(f"ops/docs/metrics.py and the code differ in {differ}")
    parts = [
        "# Metrics",
        "This page is for operators who watch tagstream with Prometheus. It is written by `make docs` from the "
        "declarations of the metrics.",
        "Two kinds of processes answer on three paths. There is no login: bind the page to the loopback or to a "
        "private address.",
        table(
            ("path", "answers"),
            (
                (
                    "`/health/live`",
                    "200 while the process works; 503 with the reason if it is stuck and must be restarted.",
                ),
                (
                    "`/health/ready`",
                    "200 while it makes progress; 503 with the reason while it starts, stops or waits for a service.",
                ),
                ("`/metrics`", "The metrics in the formats that Prometheus reads, text and OpenMetrics."),
            ),
        ),
        "A counter rises from the start of its process.",
    ]
    for command, setting, module in _PROCESSES:
        parts += [f"## `{command}`", f"At the address of the setting `{setting}`.", _metrics_table(module)]
    parts += [
        "## Labels",
        table(("label", "value"), ((f"`{name}`", what) for name, what in _LABELS.items())),
        "## Outcomes",
        "What became of an event. The list is closed, and each outcome is counted from zero, so that nothing is "
        "dropped without a reason. The reports of `run` and `retag` use the same names.",
        table(
            ("outcome", "in the index", "meaning"),
            ((f"`{outcome}`", _in_the_index(outcome), meaning) for outcome, meaning in _OUTCOMES.items()),
        ),
        "## Batches",
        table(("closed by", "meaning"), ((f"`{name}`", meaning) for name, meaning in _CLOSED.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _metrics_table(module: ModuleType) -> str:
    return table(
        ("metric", "kind", "labels", "meaning"),
        (
            (f"`{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help)
            for metric in _metrics(module)
        ),
    )


def _metrics(module: ModuleType) -> Iterator[Metric]:
    for metric in vars(module).values():
        if isinstance(metric, Metric):
            if unknown := set(metric.labels) - _LABELS.keys():
                raise LookupError(f"ops/docs/metrics.py says nothing of the labels {unknown} of {metric.name}")
            yield metric


def _in_the_index(outcome: EventOutcome) -> str:
    if outcome in DROPPED:
        return "no"
    return "–" if outcome in _NO_POST else "yes"
