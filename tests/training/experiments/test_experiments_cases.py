"""Hard names: how they are counted, pointed at and shown."""

from collections.abc import Sequence

import pytest

from training.inputs.sentences import Sentence, sentence_of
from training.report import cases
from training.report.cases import Case, cases_section, found_by, found_in, how_often_found, read_cases
from training.report.gallery import gallery
from training.report.record import FoundNames, ResultRecord
from training.report.rows import read_groups
from workers.tagger.conll import ConllPost


def record(recipe: str, gold: Sequence[int], found: str) -> ResultRecord:
    return ResultRecord(
        recipe=recipe,
        identity={"corpus": "twitter2015", "seed": 1},
        tested_on="twitter2015",
        data={},
        commit="0",
        parameters=1,
        epochs=1,
        best_epoch=1,
        seconds=1.0,
        dev={},
        test={},
        outcome=FoundNames(gold=tuple(gold), given=tuple(gold), found=found),
    )


# Tweet 1 has two names, tweet 2 none, tweet 3 one.
RECORDS = [record("bert_crf", (2, 0, 1), "101"), record("acn", (2, 0, 1), "001")]


def test_a_name_is_found_where_its_number_says() -> None:
    assert found_in(RECORDS[0], 1, 1)
    assert not found_in(RECORDS[0], 1, 2)
    assert found_in(RECORDS[1], 3, 1)
    assert found_by(RECORDS, 1, 1) == ["bert_crf"]
    assert found_by(RECORDS, 3, 1) == ["bert_crf", "acn"]
    assert how_often_found(RECORDS) == [1, 1, 1]


def test_the_section_counts_and_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = [
        Case(corpus="twitter2015", tweet=1, name=1, verdict="gold type", why="because"),
        Case(corpus="twitter2015", tweet=2, name=0, verdict="gold misses one", why="a town"),
        Case(corpus="twitter2017", tweet=9, name=1, verdict="system", why="elsewhere"),
    ]
    monkeypatch.setattr(cases, "read_cases", lambda: judged)
    section = cases_section("twitter2015", RECORDS)
    assert "Of 3 names, 1 (33.3 %) are found by all 2 systems" in section
    assert "| 1 | 1 | 1 of 2 | the gold gives a wrong type | because |" in section
    assert "| 2 | – | – | the gold leaves out a name | a town |" in section
    assert "elsewhere" not in section
    assert cases_section("twitter2015", RECORDS[:1]) == ""


def test_every_judged_name_is_of_a_corpus_of_the_table_and_judged_once() -> None:
    judged = read_cases()
    assert len(judged) > 40
    places = [(case.corpus, case.tweet, case.name) for case in judged]
    assert len(places) == len(set(places))
    assert {case.corpus for case in judged} <= set(read_groups()[0].corpora)


def sentence(text: str, tags: str) -> Sentence:
    places, start = [], 0
    for token, tag in zip(text.split(), tags.split(), strict=True):
        places.append((start, start + len(token), tag))
        start += len(token) + 1
    return sentence_of(ConllPost(text, tuple(places)))


def test_the_gallery_shows_judged_names_first_then_the_hardest_and_trusts_no_text() -> None:
    sentences = [
        sentence("Oslo <script> Ada", "B-LOC O B-PER"),
        sentence("nothing here", "O O"),
        sentence("in Bergen now", "O B-LOC O"),
    ]
    judged = [Case(corpus="twitter2015", tweet=3, name=1, verdict="system", why="a <b> & c")]
    page = gallery(sentences, RECORDS, judged, hardest=1)
    assert "<script>" not in page
    assert "a &lt;b&gt; &amp; c" in page
    first, second = page.split("<article>")[1:]
    assert '<mark class="case">Bergen <small>LOC</small></mark>' in first
    assert '<mark class="case">Ada <small>PER</small></mark>' in second
    assert "<mark>Oslo <small>LOC</small></mark> &lt;script&gt;" in second
    assert second.count('class="no"') == 2
