"""Scoring: a tagger that is right, wrong, and partly both, counted by hand."""

import pytest

from tagstream.posts import Entity, TaggedPost
from workers.tagger.evaluation import score_conll
from workers.tagger.interface import PreparedPost

FILE = """Ada B-PER
Lovelace I-PER
in O
Paris B-LOC

Acme I-ORG
sells O
phones O

nothing O
"""


class FixedTagger:
    """Answers each text with fixed spans."""

    model, generation = "fixed@1", 1

    def __init__(self, answers):
        self._answers = answers

    def prepare(self, posts):
        return [PreparedPost(post, 16, 1) for post in posts]

    def tag(self, prepared):
        return [
            TaggedPost.model_construct(
                entities=tuple(
                    Entity(text="x", type=kind, start=start, end=end, score=1.0, key="x")
                    for start, end, kind in self._answers.get(item.post.text, [])
                )
            )
            for item in prepared
        ]


@pytest.fixture
def score(tmp_path):
    path = tmp_path / "gold.bio"
    path.write_text(FILE)
    return lambda answers, **options: score_conll(path, FixedTagger(answers), **options)


RIGHT = {"Ada Lovelace in Paris": [(0, 12, "PER"), (16, 21, "LOC")]}


def test_all_right_is_one_and_a_stray_inside_counts_only_leniently(score):
    figures = score(RIGHT)
    assert figures["posts"] == 3
    assert figures["strict"]["f1"] == figures["strict"]["precision"] == 1.0
    assert figures["lenient"]["recall"] == pytest.approx(2 / 3)
    assert figures["lenient"]["types"]["ORG"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_wrong_type_and_wrong_end_are_wrong(score):
    figures = score({"Ada Lovelace in Paris": [(0, 3, "PER"), (16, 21, "ORG")]})
    assert figures["strict"]["f1"] == 0.0
    assert figures["strict"]["types"]["LOC"]["recall"] == 0.0


def test_an_entity_inside_a_token_takes_the_token(score):
    assert score({"Ada Lovelace in Paris": [(1, 7, "PER")]})["strict"]["types"]["PER"]["f1"] == 1.0


def test_only_the_chosen_types_count_in_gold_and_in_answers(score):
    figures = score(RIGHT, types=("LOC",))
    assert figures["strict"] == {
        "precision": 1.0, "recall": 1.0, "f1": 1.0, "types": {"LOC": {"precision": 1.0, "recall": 1.0, "f1": 1.0}}
    }  # fmt: skip


def test_false_entities_where_there_are_none(score):
    figures = score({**RIGHT, "nothing": [(0, 7, "MISC")], "Acme sells phones": [(0, 4, "ORG")]})
    assert figures["entity_free"] == {"posts": 1, "false_entities_per_1000": 1000.0}
