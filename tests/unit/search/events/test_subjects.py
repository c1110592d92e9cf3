"""The subjects of a post, and the sketch by which near-copies are told."""

from datetime import UTC, datetime, timedelta

import pytest

from search.events.copies import SIMILARITY, similarity
from search.events.subjects import MAX_WORDS, mentions_of
from search.terms import author_key
from tagstream.detections import MAX_SUBJECTS, PostMentions
from tagstream.posts import Author, Entity, SegmentedHashtag, TaggedPost

NOON = datetime(2024, 1, 1, 12, 0, 30, tzinfo=UTC)


def tagged(text: str, entities: tuple[tuple[str, str], ...] = (), **fields: object) -> TaggedPost:
    found = []
    for name, kind in entities:
        start = text.index(name)
        values = {"text": name, "type": kind, "start": start, "end": start + len(name), "score": 0.9}
        found.append(Entity.model_validate({**values, "key": name.lower()}))
    values = {"id": "test:1", "source": "test", "created_at": NOON, "text": text, "entities": tuple(found)}
    return TaggedPost.model_validate({"model": "stub@1", "generation": 0, **values, **fields})


def named(mentions: PostMentions) -> set[tuple[str, str]]:
    return {(subject.type, subject.key) for subject in mentions.subjects}


def sketch(text: str) -> frozenset[int]:
    return frozenset(mentions_of(tagged(text), NOON).shingles)


def test_names_hashtags_and_words_are_subjects() -> None:
    text = "Explosion near Boston Marathon, 12 injured &amp; @police asks http://t.co/Explode #BostonMarathon"
    hashtag = SegmentedHashtag(
        text="BostonMarathon", start=text.index("#"), end=len(text), words=("Boston", "Marathon")
    )
    listed = SegmentedHashtag(text="news", words=("news",))
    post = tagged(text, (("Boston Marathon", "MISC"),), hashtags=(hashtag, listed))
    assert named(mentions_of(post, NOON)) == {
        ("MISC", "boston marathon"),
        ("HASHTAG", "boston marathon"),
        ("HASHTAG", "news"),
        ("WORD", "explosion"),
        ("WORD", "near"),
        ("WORD", "injured"),
        ("WORD", "asks"),
    }


def test_signs_that_nobody_sees_change_neither_words_nor_sketch() -> None:
    text = "Explosion near the bridge, many people injured"
    hidden = "\u200b".join(text).replace("\u200b \u200b", " ").replace(",\u200b", ",").replace("\u200b,", ",")
    assert named(mentions_of(tagged(hidden), NOON)) == named(mentions_of(tagged(text), NOON))
    assert sketch(hidden) == sketch(text)


@pytest.mark.parametrize(
    "changed",
    [
        "Expl0sion n3ar th3 bridg3 m4ny p3opl3 injur3d",
        "Ex.plosion ne-ar the bri_dge ma*ny peo.ple inju.red",
    ],
    ids=["digits", "marks"],
)
def test_digits_and_marks_in_words_do_not_hide_a_copy(changed: str) -> None:
    assert sketch(changed) == sketch("Explosion near the bridge many people injured")


def test_words_with_hyphens_and_digits_are_subjects_as_they_were() -> None:
    found = named(mentions_of(tagged("Covid-19 in Baden-Baden: tsunami2011, e.g. http://x.org/Explode-3"), NOON))
    assert found == {("WORD", "covid"), ("WORD", "baden"), ("WORD", "tsunami")}


def test_words_of_other_languages_are_subjects() -> None:
    spanish = mentions_of(tagged("Fuerte terremoto sacude la ciudad, todos estamos en la calle"), NOON)
    assert {"terremoto", "sacude", "calle"} <= {key for _, key in named(spanish)}
    assert "todos" not in {key for _, key in named(spanish)}


def test_the_minute_is_the_earlier_of_both_times() -> None:
    assert mentions_of(tagged("a"), NOON + timedelta(hours=1)).minute == NOON.replace(second=0)
    assert mentions_of(tagged("a"), NOON - timedelta(hours=1)).minute == NOON.replace(second=0, hour=11)


def test_the_author_is_its_key_or_nobody() -> None:
    assert mentions_of(tagged("a", author=Author(id="b")), NOON).author == author_key("test", "b")
    assert mentions_of(tagged("a"), NOON).author is None


def test_a_hostile_post_has_few_subjects() -> None:
    text = " ".join("".join(chr(97 + int(digit)) for digit in str(number)) for number in range(10_000, 12_000))
    assert len(mentions_of(tagged(text), NOON).subjects) == MAX_WORDS
    hashtags = tuple(SegmentedHashtag(text=f"tag{number}", words=(f"tag{number}",)) for number in range(60))
    assert len(mentions_of(tagged("", hashtags=hashtags), NOON).subjects) == MAX_SUBJECTS


@pytest.mark.parametrize(
    "change",
    [("best", "greatest"), ("Everybody", "hey everyone"), ("America", "America!!! 123 http://t.co/x"), ("the", "")],
)
def test_small_changes_make_a_near_copy(change: tuple[str, str]) -> None:
    text = "Everybody follow Jordan Vega from Ohio, the best singer in America #VegaArmy"
    assert similarity(sketch(text), sketch(text.replace(*change))) >= SIMILARITY


def test_posts_on_one_matter_are_no_near_copies() -> None:
    first = sketch("Explosion at the Boston Marathon finish line, many people injured")
    second = sketch("My brother was running the Boston Marathon, he is safe after the explosion")
    assert similarity(first, second) < SIMILARITY
