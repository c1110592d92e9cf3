"""What Kibana is given is current, of the forms of its version, whole, and asks only for fields that there are."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kibana_forms import ATTRIBUTES, LensForm, MetricForm, ObjectForm, RuleForm, TableForm
from pydantic import ValidationError

from ops.kibana import write
from ops.kibana.data_views import DATA_VIEWS
from ops.kibana.rule import RULE_ID, rule
from ops.stack.shared import SHARED
from search.elastic import schema
from search.elastic.documents import letter_document
from search.events.events import SILENCE
from search.testing.writing import letter

LINES = [json.loads(line) for line in (write.FOLDER / "objects.ndjson").read_text(encoding="utf-8").splitlines()]
BY_ID = {(one["type"], one["id"]): one for one in LINES}
MAPPINGS: dict[str, dict[str, Any]] = {
    "tagstream-posts": schema.POST_FIELDS,
    "tagstream-trends": schema.TREND_FIELDS,
    "tagstream-events": schema.EVENT_FIELDS,
    "tagstream-event-states": schema.EVENT_FIELDS,
    "tagstream-dead": schema.DEAD_FIELDS,
}
NUMBERS = {"long", "integer", "double", "float"}
objects = pytest.mark.parametrize("one", LINES, ids=lambda one: one["id"])
charts = pytest.mark.parametrize("one", [one for one in LINES if one["type"] == "lens"], ids=lambda one: str(one["id"]))


def test_the_files_are_what_the_generator_writes() -> None:
    for path, text in write.files().items():
        assert path.read_text(encoding="utf-8") == text, "write them: make docs"


def test_a_stale_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(write, "FOLDER", tmp_path)
    stale = CliRunner().invoke(write.main, ["--check"])
    assert (stale.exit_code, "objects.ndjson, rule.json" in stale.output) == (1, True)
    assert CliRunner().invoke(write.main, []).exit_code == 0
    assert CliRunner().invoke(write.main, ["--check"]).exit_code == 0


@objects
def test_an_object_has_the_form_of_its_kind(one: dict[str, Any]) -> None:
    assert SHARED["ELASTICSEARCH_VERSION"].startswith("9.1."), "read the forms of the new version of Kibana again"
    whole = ObjectForm.model_validate(one)
    ATTRIBUTES[whole.type].model_validate(whole.attributes)


@objects
def test_what_an_object_refers_to_is_there_and_used(one: dict[str, Any]) -> None:
    used = json.dumps(one["attributes"])
    for reference in one["references"]:
        assert (reference["type"], reference["id"]) in BY_ID
        if one["type"] == "dashboard":
            panel, name = reference["name"].split(":")
            panels = {panel["panelIndex"]: panel for panel in json.loads(one["attributes"]["panelsJSON"])}
            assert (panels[panel]["panelRefName"], panels[panel]["type"]) == (name, reference["type"])
        elif one["type"] == "lens":
            assert reference["name"].removeprefix("indexpattern-datasource-layer-") in used
        else:
            assert reference["name"] in used


def test_ids_are_unique_and_every_object_is_shown_somewhere() -> None:
    assert len(BY_ID) == len(LINES) > 30
    placed = {reference["id"] for one in LINES if one["type"] == "dashboard" for reference in one["references"]}
    assert {one["id"] for one in LINES if one["type"] == "lens"} <= placed


@charts
def test_the_columns_of_a_chart_are_there_drawn_and_ordered(one: dict[str, Any]) -> None:
    form = LensForm.model_validate(one["attributes"])
    ((layer_id, layer),) = form.state.datasourceStates.formBased.layers.items()
    assert sorted(layer.columnOrder) == sorted(layer.columns)
    buckets = {name for name, column in layer.columns.items() if column.isBucketed}
    assert set(layer.columnOrder[: len(buckets)]) == buckets, "figures before buckets are no figures of them"
    for column in layer.columns.values():
        if column.operationType == "terms":
            assert not layer.columns[column.params.orderBy.columnId].isBucketed
    drawn = form.state.visualization
    if isinstance(drawn, MetricForm):
        kind, place, shown = "lnsMetric", drawn.layerId, [drawn.metricAccessor]
    elif isinstance(drawn, TableForm):
        kind, place, shown = "lnsDatatable", drawn.layerId, [column.columnId for column in drawn.columns]
    else:
        (xy,) = drawn.layers
        split = [xy.splitAccessor] if xy.splitAccessor else []
        kind, place, shown = "lnsXY", xy.layerId, [*split, xy.xAccessor, *xy.accessors]
        assert xy.seriesType == drawn.preferredSeriesType
    assert (kind, place, shown) == (form.visualizationType, layer_id, layer.columnOrder)


@charts
def test_the_fields_of_a_chart_have_the_right_types(one: dict[str, Any]) -> None:
    view = BY_ID["index-pattern", one["references"][0]["id"]]["attributes"]["title"]
    form = LensForm.model_validate(one["attributes"])
    for layer in form.state.datasourceStates.formBased.layers.values():
        for column in layer.columns.values():
            if column.operationType == "count":
                continue
            kind = MAPPINGS[view][column.sourceField]["type"]
            if column.operationType == "date_histogram":
                assert kind == "date"
            elif column.operationType == "terms":
                assert kind == "keyword"
            elif column.operationType in ("min", "max") and kind == "date":
                assert column.dataType == "date"
            else:
                assert column.dataType == "number"
                assert kind in NUMBERS or column.operationType == "unique_count"


def test_names_are_grouped_as_they_are_counted() -> None:
    """`Kamala Harris` and `KAMALA HARRIS` are one person."""
    as_counted = set()
    for one in LINES:
        if one["type"] == "lens" and one["references"][0]["id"] == "tagstream-posts":
            (layer,) = one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
            fields = {column["sourceField"] for column in layer["columns"].values()}
            assert not fields & {"person", "place", "organisation", "other"}
            if any(field.endswith("_key") for field in fields):
                as_counted.add(one["id"])
                assert "form by which they are counted" in one["attributes"]["description"]
    assert len(as_counted) == 5


def test_events_of_one_title_are_rows_of_their_own_with_their_times() -> None:
    form = LensForm.model_validate(BY_ID["lens", "tagstream-events"]["attributes"])
    (layer,) = form.state.datasourceStates.formBased.layers.values()
    columns = [layer.columns[name] for name in layer.columnOrder]
    asked = [(column.operationType, column.sourceField) for column in columns]
    assert asked[0] == ("terms", "id")
    assert {("terms", "title"), ("min", "detected_at"), ("max", "ended_at")} <= set(asked)


def test_saved_searches_and_data_views_name_fields_that_there_are() -> None:
    for view in DATA_VIEWS:
        assert MAPPINGS[view.title][view.time]["type"] == "date"
    for one in LINES:
        if one["type"] == "search":
            view_id = one["references"][0]["id"]
            fields = MAPPINGS[BY_ID["index-pattern", view_id]["attributes"]["title"]]
            assert {*one["attributes"]["columns"], *(name for name, _ in one["attributes"]["sort"])} <= fields.keys()


def test_addresses_of_posts_can_be_followed() -> None:
    formats = json.loads(BY_ID["index-pattern", "tagstream-posts"]["attributes"]["fieldFormatMap"])
    assert formats["url"]["id"] == "url"
    assert "url" in schema.POST_FIELDS
    for name in ("latest-posts", "photo-posts", "degraded-posts"):
        assert "url" in BY_ID["search", f"tagstream-{name}"]["attributes"]["columns"]


def test_live_events_are_counted_whenever_they_were_detected() -> None:
    newsroom = BY_ID["dashboard", "tagstream-newsroom"]
    ((panel, _),) = [one["name"].split(":") for one in newsroom["references"] if one["id"] == "tagstream-events-live"]
    configs = {one["panelIndex"]: one["embeddableConfig"] for one in json.loads(newsroom["attributes"]["panelsJSON"])}
    assert configs.pop(panel) == {"timeRange": {"from": "now-50y", "to": "now+1d"}}
    assert not any(configs.values())


def test_the_reasons_of_dead_letters_can_be_searched() -> None:
    assert schema.DEAD_FIELDS["message"]["type"] == "text"
    refused = letter("a")
    assert letter_document(refused, 0)["message"] == refused.message != ""
    assert "message" in BY_ID["search", "tagstream-dead-letters"]["attributes"]["columns"]


def test_panels_do_not_overlap() -> None:
    for one in LINES:
        if one["type"] == "dashboard":
            taken: set[tuple[int, int]] = set()
            for panel in json.loads(one["attributes"]["panelsJSON"]):
                grid = panel["gridData"]
                cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
                assert not cells & taken
                assert max(x for x, _ in cells) < 48
                taken |= cells


def test_the_rule_has_the_form_that_kibana_takes() -> None:
    form = RuleForm.model_validate(rule())
    assert schema.EVENT_FIELDS[form.params.timeField]["type"] == "date"
    assert form.params.index == ["tagstream-events"]
    assert schema.EVENT_FIELDS[form.params.termField]["type"] == "keyword"
    assert len(RULE_ID) == 36


def test_the_rule_looks_at_when_events_were_stored_and_longer_than_they_are_silent() -> None:
    params = RuleForm.model_validate(rule()).params
    assert (params.timeField, params.termField, params.timeWindowUnit) == ("kept_at", "id", "h")
    assert params.timeWindowSize * 60 > SILENCE
    assert not params.excludeHitsFromPreviousRun, "only for rules without groups"


@pytest.mark.parametrize("spoilt", [{"extra": 1}, {"title": None}, {"panelsJSON": "[{}]"}])
def test_the_forms_refuse_what_kibana_would(spoilt: dict[str, object]) -> None:
    dashboard = BY_ID["dashboard", "tagstream-newsroom"]["attributes"]
    with pytest.raises(ValidationError):
        ATTRIBUTES["dashboard"].model_validate(dashboard | spoilt)
