"""The pictures of the results page: they show the records, and one that does not is found out."""

from pathlib import Path

import pytest

from training.report.plots import Plot, draw_f1, draw_learning, draw_speed, draw_types, plots_of
from training.report.record import FoundNames, ResultRecord
from training.report.rows import Group
from training.report.speed import Speed

GROUP = Group(title="t", about="a", recipes=("bert_crf", "acn"), corpora=("twitter2015",), seeds=(1, 2))

SPEED = Speed(corpus="twitter2015", tweets=1, tokens_per_second={"bert_crf": (900.0, 1500.0, 1600.0), "acn": (1000.0,)})


def record(recipe: str, seed: int, f1: float) -> ResultRecord:
    figures = {"precision": f1, "recall": f1, "f1": f1}
    counted = {**figures, "types": dict.fromkeys(("PER", "LOC", "ORG", "MISC"), figures)}
    return ResultRecord(
        recipe=recipe,
        identity={"corpus": "twitter2015", "seed": seed},
        tested_on="twitter2015",
        data={},
        commit="0",
        parameters=1,
        epochs=2,
        best_epoch=2,
        seconds=1.0,
        dev={},
        test={"strict": counted, "lenient": counted, "untyped": figures},
        outcome=FoundNames(gold=(), given=(), found=""),
        curve=[  # type: ignore[arg-type]
            {"epoch": epoch, "loss": 1.0, "seconds": 1.0, "dev_strict_f1": f1 / epoch, "dev_lenient_f1": f1}
            for epoch in (1, 2)
        ],
    )


def records(*f1: float) -> dict[str, ResultRecord]:
    runs = [record("bert_crf", 1, f1[0]), record("bert_crf", 2, f1[1]), record("acn", 1, f1[2])]
    return {run.name: run for run in runs}


def test_one_system_is_no_picture() -> None:
    alone = {"bert_crf-twitter2015-1": record("bert_crf", 1, 0.7)}
    assert plots_of(GROUP, "twitter2015", alone, SPEED) == []


def test_the_pictures_show_the_records() -> None:
    f1, types, speed, learning = plots_of(GROUP, "twitter2015", records(0.7, 0.72, 0.65), SPEED)
    assert f1.shown == {
        "BERT-CRF": {"measured": [70.0, 72.0], "published": 71.81},
        "ACN": {"measured": [65.0], "published": 70.69},
    }
    assert types.shown["BERT-CRF"] == [71.0] * 4
    assert speed.shown == {"BERT-CRF": [1500.0, 71.0], "ACN": [1000.0, 65.0]}
    assert learning.shown == {"BERT-CRF": [[1, 0.7], [2, 0.35]], "ACN": [[1, 0.65], [2, 0.325]]}


def test_a_picture_of_other_figures_is_old(tmp_path: Path) -> None:
    before = plots_of(GROUP, "twitter2015", records(0.7, 0.72, 0.65), SPEED)
    after = plots_of(GROUP, "twitter2015", records(0.7, 0.72, 0.66), SPEED)
    for plot in before:
        assert not plot.is_current(tmp_path)
        plot.write(tmp_path)
        assert plot.is_current(tmp_path)
    assert not any(plot.is_current(tmp_path) for plot in after)


@pytest.mark.parametrize(
    ("draw", "shown"),
    [
        (draw_f1, {"A": {"measured": [1.0], "published": None}, "B": {"measured": [], "published": None}}),
        (draw_types, {"A": [0.0, 100.0, 50.0, 60.0]}),
        (draw_speed, {"A": [1.0, 0.0]}),
        (draw_learning, {"A <b>": [[1, 0.5]]}),
    ],
)
def test_few_figures_are_drawn_too(draw: object, shown: dict[str, object], tmp_path: Path) -> None:
    plot = Plot("p.svg", "", shown, draw)  # type: ignore[arg-type]
    plot.write(tmp_path)
    text = (tmp_path / "p.svg").read_text()
    assert text.startswith("<?xml")
    assert "<b>" not in text


def test_without_speeds_there_is_no_picture_of_them() -> None:
    unmeasured = SPEED.model_copy(update={"tokens_per_second": {}})
    names = [plot.name for plot in plots_of(GROUP, "twitter2015", records(0.7, 0.72, 0.65), unmeasured)]
    assert names == ["twitter2015_f1.svg", "twitter2015_types.svg", "twitter2015_learning.svg"]
