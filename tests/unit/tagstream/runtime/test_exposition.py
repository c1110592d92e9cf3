"""Metrics in the text format: names, kinds, labels and their escaping."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tagstream.runtime.exposition import Exposition, Metric


def test_every_family_has_its_help_its_type_and_its_values() -> None:
    lag = Metric("tagstream_worker_lag", "gauge", "Records.", ("topic", "partition"))
    published = Metric("tagstream_worker_published_total", "counter", "Records published.")
    absent = Metric("tagstream_worker_behind_feed_seconds", "gauge", "Age.")
    families = [lag.by_label({("posts", "0"): 123456789}), published.single(2), absent.single(None)]
    body, content_type = Exposition(lambda: families).render()
    assert content_type.startswith("text/plain")
    assert body.decode().splitlines() == [
        "# HELP tagstream_worker_lag Records.",
        "# TYPE tagstream_worker_lag gauge",
        'tagstream_worker_lag{partition="0",topic="posts"} 1.23456789e+08',
        "# HELP tagstream_worker_published_total Records published.",
        "# TYPE tagstream_worker_published_total counter",
        "tagstream_worker_published_total 2.0",
        "# HELP tagstream_worker_behind_feed_seconds Age.",
        "# TYPE tagstream_worker_behind_feed_seconds gauge",
    ]


def test_the_value_of_a_label_may_be_anything() -> None:
    source = Metric("tagstream_ingest_source_total", "counter", "Kinds,\nby name.", ("what",))
    values = {('a "quoted" \\ word',): 1.0, ("two\nlines",): 2.0, ("日本",): 3.0}
    body, _ = Exposition(lambda: [source.by_label(values)]).render()
    (family,) = text_string_to_metric_families(body.decode())
    assert {(sample.labels["what"],): sample.value for sample in family.samples} == values


@pytest.mark.parametrize(
    "accept",
    [
        'application/openmetrics-text;version="1.0.0"',
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=1.x",
        "text/plain;version=abc",
        ";=,",
    ],
)
def test_an_accept_header_that_cannot_be_read_gets_a_format(accept: str) -> None:
    body, _ = Exposition(lambda: [Metric("tagstream_worker_published_total", "counter", "Records.").single(2)]).render(
        accept
    )
    assert b"tagstream_worker_published_total 2.0" in body
