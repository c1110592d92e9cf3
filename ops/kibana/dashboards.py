"""The dashboards: which charts and saved searches stand where."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.kibana.charts import NEWSROOM, OPERATIONS
from ops.kibana.lens import Chart
from ops.kibana.saved_object import Json, Reference, SavedObject, packed, search_source
from ops.kibana.searches import LATEST, REPAIR, SavedSearch

_COLUMNS = 48  # of Kibana's grid
_HEIGHTS = {"metric": 6, "table": 14, "search": 18}
_USUAL_HEIGHT = 12


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; each row of panels shares the width."""

    name: str
    title: str
    description: str
    rows: Sequence[Sequence[Chart | SavedSearch]]

    def saved(self) -> SavedObject:
        """Returns the saved object. Its panels are links, so that each can be opened and changed by itself."""
        panels: list[Json] = []
        references = []
        y = 0
        for row in self.rows:
            height = max(_HEIGHTS.get(one.kind, _USUAL_HEIGHT) for one in row)
            width = _COLUMNS // len(row)
            for place, one in enumerate(row):
                index = str(len(panels) + 1)
                kind = "lens" if isinstance(one, Chart) else "search"
                grid = {"x": place * width, "y": y, "w": width, "h": height, "i": index}
                panels.append(
                    {
                        "type": kind,
                        "panelIndex": index,
                        "gridData": grid,
                        "embeddableConfig": _time_range(one),
                        "panelRefName": f"panel_{index}",
                    }
                )
                references.append(Reference(f"{index}:panel_{index}", kind, one.id))
            y += height
        options = {"useMargins": True, "syncColors": False, "syncCursor": True, "syncTooltips": False}
        attributes = {
            "title": self.title,
            "description": self.description,
            "kibanaSavedObjectMeta": search_source(),
            "timeRestore": True,
            "timeFrom": "now-24h",
            "timeTo": "now",
            "refreshInterval": {"pause": False, "value": 10_000},
            "panelsJSON": packed(panels),
            "optionsJSON": packed({**options, "hidePanelTitles": False}),
        }
        return SavedObject("dashboard", f"tagstream-{self.name}", attributes, references)


def _time_range(panel: Chart | SavedSearch) -> Json:
    """Returns the time that the panel looks at by itself; nothing where it looks at that of its dashboard."""
    if isinstance(panel, SavedSearch) or panel.time_range is None:
        return {}
    begins, ends = panel.time_range
    return {"timeRange": {"from": begins, "to": ends}}


def _rows(charts: Sequence[Chart], lengths: Sequence[int]) -> list[Sequence[Chart | SavedSearch]]:
    """Returns the charts in rows of these lengths."""
    if sum(lengths) != len(charts):
        raise ValueError(f"{len(charts)} charts do not fill rows of {lengths}")
    left = iter(charts)
    return [[next(left) for _ in range(length)] for length in lengths]


DASHBOARDS = (
    Dashboard(
        "newsroom",
        "tagstream: newsroom",
        "What people write about: posts, names, trends, events. Hidden accounts are left out.",
        [*_rows(NEWSROOM, (1, 3, 3, 2, 2, 2, 3, 2)), [LATEST]],
    ),
    Dashboard(
        "operations",
        "tagstream: operations",
        "How late posts are, and what went wrong. What a source dropped is not in Elasticsearch: each process tells it "
        "at /metrics (docs/reference/metrics.md).",
        [*_rows(OPERATIONS, (2, 1, 3, 2, 3)), [REPAIR]],
    ),
)
