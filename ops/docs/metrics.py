"""The page of the metrics that processes answer to a scrape."""

from types import ModuleType

from ingest import metrics_page as ingest_metrics
from tagstream.runtime.exposition import Metric
from workers.faust import metrics as worker_metrics

_PROCESSES = (("tagstream ingest", "ingest_http", ingest_metrics), ("tagstream worker", "worker_http", worker_metrics))


def metrics_page() -> str:
    """Returns docs/reference/metrics.md: every metric with its kind, its labels and its meaning."""
    parts = [
        "# Metrics",
        "Written by `make docs` from the declarations of the metrics.",
        "Two kinds of processes answer `/metrics` in the formats that Prometheus reads, text and OpenMetrics, beside "
        "`/health/live` and `/health/ready`. A counter rises from the start of its process.",
    ]
    for command, setting, module in _PROCESSES:
        parts.append(f"## `{command}`\n\nAt the address of the setting `{setting}`.\n\n{_table(module)}")
    return "\n\n".join(parts) + "\n"


def _table(module: ModuleType) -> str:
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in vars(module).values():
        if isinstance(metric, Metric):
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(rows)
