"""Perturbations keep the names: every span stands where its words went, whatever was done to the text."""

import random
import unicodedata

import pytest

from training.tagger.perturbations import (
    PERTURBATIONS,
    camel,
    each_word,
    elongate,
    mistype,
    names_as_hashtags,
    perturbed,
    tokens_of,
    with_emoji,
    with_links_and_mentions,
    without_marks,
)
from workers.tagger.conll import gold_spans, joined_post

POST = joined_post(
    [
        ("RT", "O"), ("@ada_l", "O"), (":", "O"), ("Angela", "B-PER"), ("Merkel", "I-PER"), ("flies", "O"),
        ("to", "O"), ("New", "B-LOC"), ("York", "I-LOC"), ("City", "I-LOC"), ("and", "O"), ("Paris", "B-LOC"),
        ("London", "B-LOC"), (",", "O"), ("says", "O"), ("the", "O"), ("A.C.M.E.", "B-ORG"), ("#Berlin", "B-LOC"),
        ("https://t.co/Ab", "O"), ("with", "O"), ("\u201c", "B-MISC"), ("Star", "I-MISC"), ("Wars", "I-MISC"),
        ("\u201d", "I-MISC"), ("tonight", "O"), ("!!!", "O"),
    ]
)  # fmt: skip


def named(post):
    """The names of a post: their text and type."""
    spans = sorted(gold_spans(post, lenient=False))
    return [(post.text[post.tokens[start][0] : post.tokens[end - 1][1]], kind) for start, end, kind in spans]


def only(perturb, post=POST):
    (changed,) = perturbed([post], perturb, "test")
    return changed


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_no_name_is_lost_or_made_and_each_keeps_its_type(name):
    for seed in range(20):
        (changed,) = perturbed([POST], PERTURBATIONS[name], str(seed))
        assert [kind for _, kind in named(changed)] == [kind for _, kind in named(POST)]
        assert all(changed.text[start:end] == word for (start, end, _), (word, _) in
                   zip(changed.tokens, tokens_of(changed), strict=True))  # fmt: skip


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_same_seed_gives_the_same_posts_and_every_perturbation_changes_something(name):
    posts = [POST] * 30
    changed = perturbed(posts, PERTURBATIONS[name], "seed")
    assert changed == perturbed(posts, PERTURBATIONS[name], "seed")
    assert (changed == posts) is (name == "as written")


def test_addresses_mentions_and_hashtags_keep_their_form():
    upper = only(PERTURBATIONS["all upper case"])
    assert {"@ada_l", "#Berlin", "https://t.co/Ab", "ANGELA", "FLIES"} <= set(upper.text.split(" "))


def test_typos_and_elongation_stay_on_their_side():
    for change in (mistype, elongate):
        outside, inside = only(each_word(change, names=False)), only(each_word(change, others=False))
        assert named(outside) == named(POST)
        assert outside.text != POST.text
        others = [word for word, tag in tokens_of(inside) if tag == "O"]
        assert others == [word for word, tag in tokens_of(POST) if tag == "O"]
        assert named(inside) != named(POST)


def test_a_typo_is_one_edit_inside_a_word():
    chance = random.Random(1)
    for _ in range(500):
        word = mistype("Lovelace", chance)
        assert word[0] == "L"
        assert len(word) in (7, 8)
        assert sum(a != b for a, b in zip(word, "Lovelace", strict=False)) <= 7


def test_without_marks_a_name_keeps_its_words_and_begins_with_the_first_that_is_left():
    plain = only(without_marks)
    assert plain.text == (
        "RT @ada_l Angela Merkel flies to New York City and Paris London says the ACME #Berlin https://t.co/Ab with "
        "Star Wars tonight"
    )
    assert ("Star Wars", "MISC") in named(plain)


def test_added_tokens_are_outside_names_and_never_inside_one():
    for seed in range(50):
        (changed,) = perturbed([POST], with_emoji, str(seed))
        assert named(changed) == named(POST)
    assert named(only(with_links_and_mentions)) == named(POST)


def test_names_become_hashtags_where_they_can():
    tagged = only(names_as_hashtags)
    assert named(tagged)[:4] == [
        ("#AngelaMerkel", "PER"),
        ("#NewYorkCity", "LOC"),
        ("#Paris", "LOC"),
        ("#London", "LOC"),
    ]
    assert named(tagged)[4:] == named(POST)[4:]
    assert camel(["van", "der", "Bellen", "NASA"]) == "VanDerBellenNASA"


@pytest.mark.parametrize("name", [name for name in PERTURBATIONS if "fullwidth" in name or "mathematical" in name])
def test_styled_letters_are_the_same_letters_to_unicode(name):
    assert unicodedata.normalize("NFKC", only(PERTURBATIONS[name]).text) == POST.text
