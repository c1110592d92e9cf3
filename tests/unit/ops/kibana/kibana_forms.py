# ruff: noqa: N815 - the names are Kibana's
"""The forms of Kibana's saved objects, read from its source by hand, and stricter: nothing beyond them is allowed.

Read in the repository elastic/kibana, in the forms that Kibana 9.1 brings up to date on import:

- `data_view`: the attributes of the plugin data_views (`DataViewAttributes`), fields packed as JSON.
- `search`: saved_search/server/saved_objects/schema_legacy.ts, the form of 8.8.
- `dashboard`: dashboard/server/dashboard_saved_object/schema/v1/v1.ts, which forbids unknown attributes.
- `lens`: lens/server/content_management/v1/schema/common.ts, which forbids unknown attributes and checks no state; the
  columns are those of the form-based data source (lens-common, `TermsIndexPatternColumn` and its neighbours).
- the rule: stack_alerts/server/rule_types/es_query/rule_type_params.ts and the body of the API that creates a rule.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def unpacked(text: object) -> object:
    return json.loads(text) if isinstance(text, str) else text


EmptyList = Annotated[list[Any], BeforeValidator(unpacked), Field(max_length=0)]
EmptyObject = Annotated[dict[str, Any], BeforeValidator(unpacked), Field(max_length=0)]


class ReferenceForm(Form):
    name: str
    type: Literal["index-pattern", "search", "lens"]
    id: str


class KqlForm(Form):
    query: str
    language: Literal["kuery"]


class LinkParams(Form):
    type: Literal["a"]


class FieldFormatForm(Form):
    id: Literal["url"]
    params: LinkParams


class DataViewForm(Form):
    title: Annotated[str, Field(min_length=1)]
    name: str
    timeFieldName: str
    fields: EmptyList
    sourceFilters: EmptyList
    fieldAttrs: EmptyObject
    fieldFormatMap: Annotated[dict[str, FieldFormatForm], BeforeValidator(unpacked)]
    runtimeFieldMap: EmptyObject  # runtime-free


class SourceForm(Form):
    query: KqlForm
    filter: Annotated[list[Any], Field(max_length=0)]
    indexRefName: str | None = None


class MetaForm(Form):
    searchSourceJSON: Annotated[SourceForm, BeforeValidator(unpacked)]


class SearchForm(Form):
    title: str
    description: str
    columns: Annotated[list[str], Field(max_length=50)]
    sort: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    grid: EmptyObject
    hideChart: bool
    isTextBasedQuery: Literal[False]
    timeRestore: bool
    kibanaSavedObjectMeta: MetaForm


class RefreshForm(Form):
    pause: bool
    value: Annotated[int, Field(ge=5_000)]


class GridForm(Form):
    x: Annotated[int, Field(ge=0)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1, le=48)]
    h: Annotated[int, Field(ge=1)]
    i: str


class TimeRangeForm(Form):
    from_: Annotated[str, Field(alias="from", pattern=r"^now[-+]")]
    to: str


class PanelConfigForm(Form):
    timeRange: TimeRangeForm | None = None


class PanelForm(Form):
    type: Literal["lens", "search"]
    panelIndex: str
    gridData: GridForm
    embeddableConfig: PanelConfigForm
    panelRefName: str


class OptionsForm(Form):
    useMargins: bool
    syncColors: bool
    syncCursor: bool
    syncTooltips: bool
    hidePanelTitles: bool


class DashboardForm(Form):
    title: str
    description: str
    kibanaSavedObjectMeta: MetaForm
    timeRestore: Literal[True]
    timeFrom: str
    timeTo: str
    refreshInterval: RefreshForm
    panelsJSON: Annotated[list[PanelForm], BeforeValidator(unpacked)]
    optionsJSON: Annotated[OptionsForm, BeforeValidator(unpacked)]


class DateParams(Form):
    interval: Literal["auto"]
    includeEmptyRows: bool
    dropPartials: bool


class DateColumn(Form):
    label: str
    dataType: Literal["date"]
    operationType: Literal["date_histogram"]
    sourceField: str
    isBucketed: Literal[True]
    scale: Literal["interval"]
    params: DateParams


class OrderForm(Form):
    type: Literal["column"]
    columnId: str


class FormatForm(Form):
    id: Literal["terms"]


class TermsParams(Form):
    size: Annotated[int, Field(ge=1, le=1_000)]
    orderBy: OrderForm
    orderDirection: Literal["asc", "desc"]
    otherBucket: bool
    missingBucket: bool
    parentFormat: FormatForm


class TermsColumn(Form):
    label: str
    customLabel: Literal[True]
    dataType: Literal["string"]
    operationType: Literal["terms"]
    sourceField: str
    isBucketed: Literal[True]
    scale: Literal["ordinal"]
    params: TermsParams


class EmptyAsNull(Form):
    emptyAsNull: bool


class PercentileParams(Form):
    percentile: Annotated[int, Field(ge=1, le=99)]


class FigureForm(Form):
    label: str
    customLabel: Literal[True]
    dataType: Literal["number", "date"]
    sourceField: str
    isBucketed: Literal[False]
    scale: Literal["ratio"]


class CountColumn(FigureForm):
    operationType: Literal["count"]
    sourceField: Literal["___records___"]
    params: EmptyAsNull
    filter: KqlForm | None = None


class FieldColumn(FigureForm):
    operationType: Literal["unique_count", "max", "min"]
    params: EmptyAsNull


class PercentileColumn(FigureForm):
    operationType: Literal["percentile"]
    params: PercentileParams


Column = Annotated[
    DateColumn | TermsColumn | CountColumn | FieldColumn | PercentileColumn, Field(discriminator="operationType")
]


class LayerForm(Form):
    columns: dict[str, Column]
    columnOrder: list[str]
    incompleteColumns: EmptyObject
    sampling: Literal[1]


class LayersForm(Form):
    layers: dict[str, LayerForm]


class SourcesForm(Form):
    formBased: LayersForm


class DrawnForm(Form):
    layerId: str
    layerType: Literal["data"]


class MetricForm(DrawnForm):
    metricAccessor: str


class TableColumn(Form):
    columnId: str


class TableForm(DrawnForm):
    columns: Annotated[list[TableColumn], Field(min_length=1)]


class XyLayer(DrawnForm):
    seriesType: Literal["line", "area", "bar_stacked", "bar_horizontal"]
    accessors: Annotated[list[str], Field(min_length=1)]
    xAccessor: str
    splitAccessor: str | None = None


class LegendForm(Form):
    isVisible: bool
    position: Literal["right"]


class XyForm(Form):
    preferredSeriesType: Literal["line", "area", "bar_stacked", "bar_horizontal"]
    legend: LegendForm
    valueLabels: Literal["hide"]
    fittingFunction: Literal["None"]
    layers: Annotated[list[XyLayer], Field(min_length=1, max_length=1)]


class StateForm(Form):
    datasourceStates: SourcesForm
    visualization: MetricForm | TableForm | XyForm
    query: KqlForm
    filters: EmptyList
    internalReferences: EmptyList
    adHocDataViews: EmptyObject


class LensForm(Form):
    title: str
    description: str
    visualizationType: Literal["lnsMetric", "lnsDatatable", "lnsXY"]
    state: StateForm


class ObjectForm(Form):
    attributes: dict[str, Any]
    coreMigrationVersion: Literal["8.8.0"]
    id: Annotated[str, Field(pattern="^tagstream-[a-z-]+$")]
    managed: Literal[False]
    references: list[ReferenceForm]
    type: Literal["index-pattern", "search", "lens", "dashboard"]
    typeMigrationVersion: str


ATTRIBUTES: dict[str, type[Form]] = {
    "index-pattern": DataViewForm,
    "search": SearchForm,
    "lens": LensForm,
    "dashboard": DashboardForm,
}


class ScheduleForm(Form):
    interval: Annotated[str, Field(pattern="^[1-9][0-9]*[smhd]$")]


class EsQueryForm(Form):
    query: dict[str, Any]


class EsQueryParams(Form):
    searchType: Literal["esQuery"]
    index: Annotated[list[str], Field(min_length=1)]
    timeField: Annotated[str, Field(min_length=1)]
    esQuery: Annotated[EsQueryForm, BeforeValidator(unpacked)]
    size: Annotated[int, Field(ge=0, le=10_000)]
    timeWindowSize: Annotated[int, Field(ge=1)]
    timeWindowUnit: Literal["s", "m", "h", "d"]
    threshold: Annotated[list[int], Field(min_length=1, max_length=1)]
    thresholdComparator: Literal[">", ">=", "<", "<="]
    excludeHitsFromPreviousRun: bool
    aggType: Literal["count"]
    groupBy: Literal["top"]
    termField: Annotated[str, Field(min_length=1)]
    termSize: Annotated[int, Field(ge=1, le=1_000)]


class RuleForm(Form):
    name: Annotated[str, Field(min_length=1)]
    rule_type_id: Literal[".es-query"]
    consumer: Literal["stackAlerts"]
    tags: list[str]
    schedule: ScheduleForm
    actions: EmptyList
    params: EsQueryParams
