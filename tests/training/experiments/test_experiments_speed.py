"""The speed of systems: all in one run, by turns, and nothing of it in a record."""

import pytest
from made_up_corpora import save_small_encoder, write_corpora

from training.experiments.run import PreparedSystem
from training.report import table
from training.report.rows import read_groups
from training.report.speed import Speed, measure, read_speed

RECIPES = ("bert_crf", "msb_tiny_crf", "feature_crf_stanford")


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_DATA", str(write_corpora(tmp_path / "data")))
    return save_small_encoder(tmp_path / "encoder")


def test_systems_take_turns_and_the_first_answer_is_not_measured(encoder, tmp_path, monkeypatch):
    answered = []
    real = PreparedSystem.answers
    monkeypatch.setattr(PreparedSystem, "answers", lambda self, part: answered.append(self.system) or real(self, part))
    measured = measure(RECIPES, tweets=4, rounds=3, encoder=str(encoder), cache=tmp_path / "cache")
    assert list(measured.tokens_per_second) == list(RECIPES)
    assert all(len(rates) == 3 and min(rates) > 0 for rates in measured.tokens_per_second.values())
    assert measured.tweets == 4
    first, second = answered[:2]
    assert [system is first for system in answered[2:]] == [True, False, False, True, True, False]
    assert len(answered) == 2 + 2 * 3
    assert second is not first


def test_a_system_that_was_not_measured_has_no_figure():
    measured = Speed(corpus="twitter2015", tweets=1, tokens_per_second={"acn": (3.0, 1.0, 2.0)})
    assert measured.of("acn") == 2.0
    assert measured.of("cwi") is None


def test_what_is_kept_names_systems_of_the_table():
    recipes = {recipe for group in read_groups() for recipe in group.recipes}
    assert set(read_speed().tokens_per_second) <= recipes


def test_the_table_shows_the_median():
    measured = Speed(corpus="twitter2015", tweets=1, tokens_per_second={"bert_crf": (1.0, 77_777.0, 99_999.0)})
    assert "| 77,777 |" in table.page(table.read_records(), measured)
