"""Figures of a version: counted by strict rules, kept by measure, and written into the card as they are."""

import json

import numpy as np

from tagstream.posts import Entity, TaggedPost
from tagstream.settings import REPOSITORY
from training.tagger.card_sections import SECTIONS, table
from training.tagger.measuring import counts, f1, keep_figures, marked_types, read_figures
from workers.tagger.conll import joined_post


def test_counts_are_of_marked_types_and_whole_names():
    post = joined_post([("New", "B-LOC"), ("York", "I-LOC"), ("Ada", "B-PER"), ("x", "B-MISC")])
    entities = tuple(
        Entity(text=post.text[start:end], type=kind, start=start, end=end, score=1.0, key="x")
        for start, end, kind in ((0, 8, "LOC"), (9, 12, "ORG"), (13, 14, "MISC"))
    )
    answer = TaggedPost.model_construct(entities=entities)
    assert counts([post], [answer]).tolist() == [[2, 3, 3]]
    assert counts([post], [answer], marked_types("btc")).tolist() == [[1, 2, 2]]
    assert f1(counts([post], [answer])) == 2 * 2 / 6
    assert f1(np.zeros((0, 3), np.int64)) == 0


def test_a_measure_replaces_its_own_figures_only(tmp_path):
    (tmp_path / "mner/3").mkdir(parents=True)
    assert read_figures(tmp_path, 3) == {}
    keep_figures(tmp_path, 3, "one", {"f1": 0.123456789})
    keep_figures(tmp_path, 3, "other", [1, (2.0, "x")])
    keep_figures(tmp_path, 3, "one", {"f1": 0.5})
    assert read_figures(tmp_path, 3) == {"one": {"f1": 0.5}, "other": [1, [2.0, "x"]]}


def test_every_measure_of_a_shipped_version_stands_in_its_card():
    for path in (REPOSITORY / "triton_models/mner").glob("*/figures.json"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        card = path.with_name("model_card.md").read_text(encoding="utf-8")
        assert {"development", "calibration"} <= set(kept)
        for name in SECTIONS.keys() & kept.keys():
            section = SECTIONS[name](kept[name])
            assert section in card
            assert all(line.count("`") % 2 == 0 for line in section.splitlines())


def test_a_table_has_a_head_and_a_row_a_line():
    assert table(["", "a"], [["x", "1"]]) == ["|  | a |", "| --- | --- |", "| x | 1 |"]
