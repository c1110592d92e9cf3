"""Tags, spans and figures of the systems, and whether two systems differ."""

import pytest

from tagstream.errors import BadSettings
from training.inputs.sentences import CORPORA, load_sentences, part_file, parts_of, sentence_of
from training.report.record import FoundNames, found_names
from training.report.significance import fixed_and_broken, p_value
from training.scoring import score
from workers.tagger.conll import ConllPost
from workers.tagger.crf_decoder import TAGS

NUMBER = {tag: number for number, tag in enumerate(TAGS)}


def tweet(*tags: str):
    tokens, start = [], 0
    for tag in tags:
        tokens.append((start, start + 1, tag))
        start += 2
    return sentence_of(ConllPost(" ".join("w" for _ in tags), tuple(tokens)))


def numbers(*tags: str) -> list[int]:
    return [NUMBER[tag] for tag in tags]


def test_a_stray_inside_tag_is_learnt_as_the_beginning_of_a_name():
    assert tweet("I-PER", "I-PER", "O", "B-LOC", "I-ORG").tags == tuple(
        numbers("B-PER", "I-PER", "O", "B-LOC", "B-ORG")
    )


def test_labels_of_other_spellings_are_the_four_types():
    assert tweet("B-OTHER", "I-other", "B-person").tags == tuple(numbers("B-MISC", "I-MISC", "B-PER"))


def test_both_ways_of_counting_differ_by_the_stray_tags_of_gold_and_answer_alike():
    sentences = [tweet("I-PER", "O", "B-LOC")]
    figures = score(sentences, [numbers("I-PER", "O", "B-LOC")])
    assert figures["strict"]["f1"] == figures["lenient"]["f1"] == 1
    assert figures["strict"]["types"]["PER"]["f1"] == 0
    assert figures["lenient"]["types"]["PER"]["f1"] == 1


def test_a_name_counts_only_with_its_whole_span_and_its_type_but_untyped_without_the_latter():
    sentences = [tweet("B-PER", "I-PER", "O"), tweet("B-LOC", "O", "B-ORG")]
    figures = score(sentences, [numbers("B-PER", "O", "O"), numbers("B-ORG", "O", "B-ORG")])
    assert figures["strict"]["precision"] == pytest.approx(1 / 3)
    assert figures["strict"]["recall"] == pytest.approx(1 / 3)
    assert figures["untyped"]["f1"] == pytest.approx(2 / 3)


def test_an_outcome_says_of_each_gold_name_in_order_whether_it_was_found():
    sentences = [tweet("B-PER", "O", "B-LOC"), tweet("O", "O", "O"), tweet("B-ORG", "I-ORG", "O")]
    answers = [numbers("B-PER", "O", "B-MISC"), numbers("B-PER", "O", "O"), numbers("B-ORG", "I-ORG", "O")]
    outcome = found_names(sentences, answers)
    assert outcome == FoundNames(gold=(2, 0, 1), given=(2, 1, 1), found="101")
    assert outcome.right == [1, 0, 1]


def test_systems_that_answer_alike_do_not_differ_and_a_much_better_one_does():
    weak = FoundNames(gold=(1,) * 60, given=(1,) * 60, found="01" * 30)
    strong = FoundNames(gold=(1,) * 60, given=(1,) * 60, found="1" * 60)
    assert p_value(weak, weak, rounds=200) == 1
    assert p_value(strong, weak, rounds=2000) < 0.001
    assert p_value(weak, strong, rounds=2000) == p_value(strong, weak, rounds=2000)
    assert fixed_and_broken(strong, weak) == (30, 0)


def test_a_difference_of_one_tweet_is_chance():
    one = FoundNames(gold=(1,) * 60, given=(1,) * 60, found="1" + "01" * 29 + "0")
    other = FoundNames(gold=(1,) * 60, given=(1,) * 60, found="0" + "01" * 29 + "0")
    assert p_value(one, other, rounds=500) > 0.9


def test_outcomes_of_different_tweets_are_not_compared():
    with pytest.raises(ValueError, match="different tweets"):
        p_value(FoundNames(gold=(1,), given=(1,), found="1"), FoundNames(gold=(0,), given=(1,), found=""))


def test_a_part_that_is_not_there_is_refused_by_name():
    assert parts_of("wnut16") == ["train", "dev"]
    assert all(part_file(corpus, part) for corpus in CORPORA for part in parts_of(corpus))
    with pytest.raises(BadSettings, match="wnut16 has no test part"):
        load_sentences("wnut16", "test")
    with pytest.raises(BadSettings, match="there are twitter2015"):
        load_sentences("conll2003", "train")
