"""The columns of a Lens chart as the search that Kibana sends, and as a plain count over the documents."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kibana_queries import from_kql

from ops.kibana.lens import Chart
from tagstream.posts import to_epoch_milliseconds

Json = dict[str, Any]
Row = tuple[tuple[str, ...], tuple[float, ...]]
HOUR = 3_600_000


def search_of(chart: Chart) -> Json:
    """Returns the search: a bucket aggregation in the other, figures in the innermost and wherever they order."""
    inner = {name: _figure(column) for name, column in chart.figures.items()}
    for name, column in reversed(chart.buckets.items()):
        figures = {one: _figure(column) for one, column in chart.figures.items()}
        inner = {name: {**_bucket(column), "aggs": {**figures, **inner}}}
    return {"size": 0, "query": from_kql(chart.query), "track_total_hits": True, "aggs": inner}


def _bucket(column: Json) -> Json:
    if column["operationType"] == "date_histogram":
        return {"date_histogram": {"field": column["sourceField"], "fixed_interval": "1h", "min_doc_count": 1}}
    params = column["params"]
    place = f"{params['orderBy']['columnId']}"
    return {
        "terms": {"field": column["sourceField"], "size": params["size"], "order": {place: params["orderDirection"]}}
    }


def _figure(column: Json) -> Json:
    field = {"field": column["sourceField"]}
    match column["operationType"]:
        case "count":
            # `_index` is in every document once, so this is their number, and a figure to order by.
            return {"value_count": {"field": "_index"}}
        case "unique_count":
            return {"cardinality": field}
        case "percentile":
            return {"percentiles": {**field, "percents": [column["params"]["percentile"]]}}
        case operation:
            return {operation: field}


def rows_of(chart: Chart, answer: Json) -> list[Row]:
    """Returns the rows of the answer: the values of the buckets, and the figures."""
    return list(_rows(chart, list(chart.buckets), answer["aggregations"], ()))


def _rows(chart: Chart, names: Sequence[str], found: Json, before: tuple[str, ...]) -> Iterator[Row]:
    if not names:
        yield before, tuple(_value(found[one]) for one in chart.figures)
        return
    for bucket in found[names[0]]["buckets"]:
        yield from _rows(chart, names[1:], bucket, (*before, str(bucket["key"])))


def _value(found: Json) -> float:
    value = next(iter(found["values"].values())) if "values" in found else found["value"]
    return math.nan if value is None else float(value)


def counted(chart: Chart, documents: Sequence[Json]) -> dict[tuple[str, ...], tuple[float, ...]]:
    """Returns every row, whatever the size of the chart, by counting the documents one by one."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for one in documents:
        for key in _keys(list(chart.buckets.values()), one, ()):
            groups.setdefault(key, []).append(one)
    return {key: tuple(_counted(column, found) for column in chart.figures.values()) for key, found in groups.items()}


def _keys(columns: Sequence[Json], document: Json, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not columns:
        yield before
        return
    for value in _values(document, columns[0]["sourceField"]):
        key = _hour(value) if columns[0]["operationType"] == "date_histogram" else value
        yield from _keys(columns[1:], document, (*before, str(key)))


def _hour(value: str | int) -> int:
    milliseconds = to_epoch_milliseconds(datetime.fromisoformat(value)) if isinstance(value, str) else value
    return milliseconds // HOUR * HOUR


def _counted(column: Json, documents: Sequence[Json]) -> float:
    if column["operationType"] == "count":
        return float(len(documents))
    values = sorted(value for one in documents for value in _values(one, column["sourceField"]))
    match column["operationType"]:
        case "unique_count":
            return float(len(set(values)))
        case "max":
            return float(max(values, default=math.nan))
        case "min":
            return float(min(values, default=math.nan))
        case "percentile":
            return _percentile(values, column["params"]["percentile"])
        case operation:
            raise AssertionError(f"a panel asks for {operation!r}, which no test translates")


def _percentile(values: Sequence[float], percent: int) -> float:
    """Returns the percentile as Elasticsearch's digest gives it for few values, exact to a neighbour."""
    if not values:
        return math.nan
    return float(values[min(len(values) - 1, int(len(values) * percent / 100))])


def _values(document: Json, field: str) -> list[Any]:
    value = document.get(field)
    if value is None:
        return []
    return list(dict.fromkeys(value)) if isinstance(value, list) else [value]
