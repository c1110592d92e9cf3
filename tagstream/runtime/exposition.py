"""Metrics of a process, declared once and written in the formats that Prometheus reads.

::

    Metric (name, kind, help, labels) ─▶ family with the values of this moment ─▶ registry ─▶ text or OpenMetrics

The figures stay where they are counted; a scrape reads them. So nothing is counted twice, and a process that nobody
scrapes pays nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

MetricFamily = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class Metric:
    """The declaration of a metric; the name of a counter ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()

    def single(self, value: float | None) -> MetricFamily:
        """Returns the metric with its one value, for one without labels; without any where that is None."""
        return self.by_label({} if value is None else {(): value})

    def by_label(self, values: Mapping[tuple[str, ...], float]) -> MetricFamily:
        """Returns the metric with a value for each combination of its labels' values."""
        family = (CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily)(
            self.name, self.help, labels=self.labels
        )
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


class MetricsCollector(Collector):
    """A collector that asks for the families anew at each scrape."""

    def __init__(self, families: Callable[[], Iterable[MetricFamily]]) -> None:
        self._families = families

    def collect(self) -> Iterator[MetricFamily]:
        """Yields each family as it is now."""
        yield from self._families()


class Exposition:
    """The metrics of one process, in a registry of their own: without what the library tells of Python itself."""

    def __init__(self, families: Callable[[], Iterable[MetricFamily]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(MetricsCollector(families))

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Returns the metrics as they are now, and their content type, in the format that an `Accept` header asks.

        A header that cannot be read gets the text format, as one that asks for nothing does.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type
