"""Charts of Lens in the form that its editor shows: a layer of columns on a data view, and how it is drawn.

A column is a bucket (a date histogram, top values) or a figure of each bucket (a count, distinct values, a percentile).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ops.kibana.data_views import DataView
from ops.kibana.saved_object import Json, Reference, SavedObject, kql

LAYER = "layer"
RECORDS = "___records___"


@dataclass(frozen=True)
class Chart:
    """A chart of one layer.

    Attributes:
        name: the last part of its id.
        query: what it looks at, in Kibana's language.
        buckets: the columns that divide the documents, the outermost first.
        figures: the columns that are counted in each bucket.
        time_range: the first and the last moment that it looks at, where that is not what the dashboard shows.
        kind: how it is drawn: `line`, `area`, `bar_stacked`, `bar_horizontal`, `metric` or `table`.
    """

    name: str
    title: str
    view: DataView
    kind: str
    figures: Mapping[str, Json]
    buckets: Mapping[str, Json] = field(default_factory=dict)
    query: str = ""
    description: str = ""
    time_range: tuple[str, str] | None = None

    @property
    def id(self) -> str:
        return f"tagstream-{self.name}"

    def saved(self) -> SavedObject:
        """Returns the saved object."""
        columns = {**self.buckets, **self.figures}
        layer = {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}
        drawn, visualization = self._drawn()
        attributes = {
            "title": self.title,
            "description": self.description,
            "visualizationType": drawn,
            "state": {
                "datasourceStates": {"formBased": {"layers": {LAYER: layer}}},
                "visualization": visualization,
                "query": kql(self.query),
                "filters": [],
                "internalReferences": [],
                "adHocDataViews": {},
            },
        }
        reference = Reference(f"indexpattern-datasource-layer-{LAYER}", "index-pattern", self.view.id)
        return SavedObject("lens", self.id, attributes, [reference])

    def _drawn(self) -> tuple[str, Json]:
        place = {"layerId": LAYER, "layerType": "data"}
        figures, buckets = list(self.figures), list(self.buckets)
        if self.kind == "metric":
            return "lnsMetric", {**place, "metricAccessor": figures[0]}
        if self.kind == "table":
            return "lnsDatatable", {**place, "columns": [{"columnId": one} for one in (*buckets, *figures)]}
        layer = {**place, "seriesType": self.kind, "accessors": figures, "xAccessor": buckets[-1]}
        if len(buckets) > 1:
            layer["splitAccessor"] = buckets[0]
        return "lnsXY", {
            "preferredSeriesType": self.kind,
            "legend": {"isVisible": len(figures) > 1 or len(buckets) > 1, "position": "right"},
            "valueLabels": "hide",
            "fittingFunction": "None",
            "layers": [layer],
        }


def over_time(view: DataView, field: str | None = None) -> Json:
    """Returns a bucket for each stretch of the shown time, empty ones too."""
    return {
        "label": field or view.time,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": field or view.time,
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def top(field: str, label: str, by: str, *, size: int = 10) -> Json:
    """Returns a bucket for each of the values of a field with the highest figure in column `by`."""
    return {
        "label": label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "terms",
        "sourceField": field,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": size,
            "orderBy": {"type": "column", "columnId": by},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    }


def count(label: str, query: str | None = None) -> Json:
    """Returns the number of documents, or of those that a query finds."""
    column = _figure("count", RECORDS, label, {"emptyAsNull": False})
    return column if query is None else column | {"filter": kql(query)}


def distinct(field: str, label: str) -> Json:
    """Returns the number of distinct values of a field."""
    return _figure("unique_count", field, label, {"emptyAsNull": False})


def highest(field: str, label: str) -> Json:
    """Returns the highest value of a field."""
    return _figure("max", field, label, {"emptyAsNull": True})


def earliest(field: str, label: str) -> Json:
    """Returns the earliest of the moments in a field."""
    return _figure("min", field, label, {"emptyAsNull": True}) | {"dataType": "date"}


def latest(field: str, label: str) -> Json:
    """Returns the latest of the moments in a field; nothing where there is none."""
    return _figure("max", field, label, {"emptyAsNull": True}) | {"dataType": "date"}


def percentile(field: str, label: str, percent: int) -> Json:
    """Returns the value of a field that so many percent of the documents do not exceed."""
    return _figure("percentile", field, label, {"percentile": percent})


def _figure(operation: str, field: str, label: str, params: Json) -> Json:
    return {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": operation,
        "sourceField": field,
        "isBucketed": False,
        "scale": "ratio",
        "params": params,
    }
