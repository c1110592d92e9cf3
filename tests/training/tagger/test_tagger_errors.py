"""Errors of a tagger: which names are wrong, how they are drawn, and what a reader's causes come to."""

import csv

import pytest

from tagstream.errors import UnreadableInput
from tagstream.posts import Entity, TaggedPost
from tagstream.text.entity_keys import fold_key
from training.tagger.card_sections import errors_section
from training.tagger.errors import Error, draw, errors_of, read_judged, write_sample
from workers.tagger.conll import joined_post
from workers.tagger.evaluation import as_post


def answer_of(post, *names):
    """Returns an answer with (word, type) pairs as its names."""
    entities = []
    for text, kind in names:
        start = post.text.index(text)
        end = start + len(text)
        entities.append(Entity(text=text, start=start, end=end, type=kind, key=fold_key(text), score=0.9))
    return TaggedPost.model_construct(post=as_post(post, 0), entities=tuple(entities))


def test_each_kind_of_error():
    post = joined_post([("Paris", "B-LOC"), ("Hilton", "O"), ("met", "O"), ("Ann", "B-PER"), ("Lee", "I-PER")])
    answer = answer_of(post, ("Paris", "PER"), ("Hilton", "ORG"), ("Ann", "PER"))
    errors = [(error.kind, error.given, error.gold) for error in errors_of("wnut17", 3, post, answer)]
    assert errors == [
        ("other type", "Paris PER", "Paris LOC"),
        ("false", "Hilton ORG", ""),
        ("other borders", "Ann PER", "Ann Lee PER"),
    ]
    post = joined_post([("Acme", "B-ORG"), ("in", "O"), ("Oslo", "B-LOC")])
    (missed,) = errors_of("wnut17", 4, post, answer_of(post, ("Oslo", "LOC")))
    assert (missed.kind, missed.given, missed.gold) == ("missed", "", "Acme ORG")


def test_types_that_a_set_does_not_mark_are_no_errors():
    post = joined_post([("Nobel", "O"), ("prize", "O")])
    assert not list(errors_of("btc", 0, post, answer_of(post, ("Nobel", "MISC"))))
    assert list(errors_of("wnut17", 0, post, answer_of(post, ("Nobel", "MISC"))))


def error(corpus, number):
    return Error(corpus, number, "missed", "", "Rome LOC", "Rome\tit is")


def test_every_set_has_its_share_of_the_drawn_errors():
    errors = {"one": [error("one", number) for number in range(50)], "two": [error("two", 1)], "none": []}
    drawn = draw(errors, 10, seed=1)
    assert [each.corpus for each in drawn] == ["one", "two", *["one"] * 8]
    assert drawn == draw(errors, 10, seed=1) != draw(errors, 10, seed=2)
    assert len(draw(errors, 100, seed=1)) == 51


def test_causes_are_counted_and_an_unknown_one_is_named(tmp_path):
    path = tmp_path / "errors.tsv"
    write_sample([error("one", number) for number in range(3)], path)
    with pytest.raises(UnreadableInput, match=r"errors\.tsv:2: cause ''"):
        read_judged(path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file, dialect="excel-tab"))
    for row, cause in zip(rows[1:], ("gold", "context", "context"), strict=True):
        row[0] = cause
    with path.open("w", newline="") as file:
        csv.writer(file, dialect="excel-tab").writerows(rows)
    judged = read_judged(path)
    assert judged == {"context": {"all": 2, "missed": 2}, "gold": {"all": 1, "missed": 1}}
    assert "3 errors" in errors_section(judged)
    assert "Rome" not in errors_section(judged)
