"""Names in posts without any: a reader's verdicts are counted, and nothing of the posts is kept."""

import csv
from collections import Counter

import pytest

from tagstream.errors import UnreadableInput
from training.tagger.card_sections import false_names_section
from training.tagger.false_names import read_judged


def write(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file, dialect="excel-tab").writerows([("verdict", "corpus", "name", "type", "text"), *rows])
    return path


def test_verdicts_are_counted_by_set(tmp_path):
    rows = [
        ("name", "btc", "Ada", "PER", "x"),
        ("none", "btc", "God", "PER", "x"),
        ("none", "wnut17", "Fire", "MISC", "x"),
    ]
    counted = read_judged(write(tmp_path / "names.tsv", *rows))
    assert counted == {"btc": Counter(name=1, none=1), "wnut17": Counter(none=1), "tweebank": Counter()}


@pytest.mark.parametrize("row", [("", "btc"), ("maybe", "btc"), ("name", "elsewhere")])
def test_a_row_without_a_verdict_is_named(tmp_path, row):
    path = write(tmp_path / "names.tsv", ("name", "btc", "Ada", "PER", "x"), (*row, "Ada", "PER", "x"))
    with pytest.raises(UnreadableInput, match=r"names\.tsv:3: verdict"):
        read_judged(path)


def test_the_card_says_what_is_really_false():
    section = false_names_section({"btc": {"posts": 200, "given": 8, "no_names": 2}})
    assert "All 8 names" in section.replace("\n", " ")
    assert "6 are names that they left out, 2 are no names" in section.replace("\n", " ")
    assert "| btc | 40 | 10 |" in section
