"""The subjects of a post, and the sketch by which near-copies are told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from zlib import crc32

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from search.events.copies import SIMILARITY, similarity
from search.events.subjects import MAX_LENGTH, MAX_WORDS, mentions_of
from search.terms import author_key
from tagstream.detections import MAX_SHINGLES, MAX_SUBJECTS, PostMentions
from tagstream.posts import Author, Entity, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import fold_key

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


def test_words_that_tell_of_anything_that_happens_are_no_subjects() -> None:
    text = "BREAKING news: latest reports of an explosion, photos and video http https"
    assert {key for _, key in named(mentions_of(tagged(text), NOON))} == {"explosion"}


@pytest.mark.parametrize("author", [None, Author(id="a")])
def test_a_post_without_room_in_its_minute_is_told_but_not_read(author: Author | None) -> None:
    post = tagged("Explosion near Boston", revision=3, author=author)
    asked = []

    def has_room(*what: object) -> bool:
        asked.append(what)
        return False

    found = mentions_of(post, NOON, has_room)
    read = mentions_of(post, NOON, lambda *_: True)
    assert read == mentions_of(post, NOON)
    assert read.subjects
    assert found == read.model_copy(update={"subjects": (), "shingles": ()})
    assert asked == [(read.minute, read.author, read.post_id)]


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


LETTERS = r"[\p{L}\p{M}][\p{L}\p{M}\p{Default_Ignorable_Code_Point}]*+"
TOKEN = regex.compile(
    r"(?:https?://|www\.)\S++|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.\-]++|&[a-z]{2,8};|\ART\b"
    rf"|(?P<word>[\p{{N}}]*+{LETTERS}(?:(?:\p{{N}}++|['’._*\-]){LETTERS})*+[\p{{N}}]*+)",
    regex.IGNORECASE,
)
SPACES = (" ", "\n", "\u00a0", "\x1c", "\u2003")
SIGNS = ("'", "’", ".", ",", "-", "_", "*", "/", ":", "@", "&", ";", "1", "²", "\u0301", "\u200b")
UNREAD = ("RT", "rt", "@news", "&amp;", "http://t.co/a", "www.a.org/b")
WORDS = (
    "explosion",
    "Explosion",
    "expl0sion",
    "it's",
    "isn’t",
    "e\u0301",
    "東京",
    "ſtaff",
    "İzmir",
    "U.S.",
    "Baden-Baden",
)
PIECES = st.sampled_from((*SPACES, *SIGNS, *UNREAD, *WORDS))


def sketch_of_the_whole(text: str) -> tuple[int, ...]:
    """Returns the sketch of a text that is read in one go."""
    digests = []
    for match in TOKEN.finditer(text[:MAX_LENGTH]):
        if match["word"]:
            letters = regex.sub(r"[^\p{L}\p{M}\p{N}'’]", "", match["word"][:120])
            if not letters.isalpha():
                letters = letters.translate(str.maketrans("013457", "oieast"))
            digests.append(blake2b(fold_key(letters).encode(), digest_size=4).digest())
    hashes = {int.from_bytes(one) for one in digests} | {crc32(first + second) for first, second in pairwise(digests)}
    return tuple(sorted(hashes)[:MAX_SHINGLES])


def words_of_the_whole(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields place and key of the words of a text that is read in one go, stop words among them."""
    for match in TOKEN.finditer(text[:MAX_LENGTH]):
        for word in regex.finditer(rf"{LETTERS}(?:['’]{LETTERS})*+", (match["word"] or "")[:120]):
            yield match.start() + word.start(), match.start() + word.end(), fold_key(word[0])


@given(st.lists(PIECES | st.text(max_size=3) | PIECES.map(lambda piece: piece * 20), max_size=40).map("".join))
@example("RT")
@example("RT explosion near the bridge")
@example("RT@news: explosion, RT @police")
@example(" RT explosion")
@example("rt'explosion www.a.org/b\nexplosion http://a\x1cb")
@example("explosion " * 399 + "explosions")
def test_a_text_is_read_between_spaces_as_in_one_go(text: str) -> None:
    mentions = mentions_of(tagged(text), NOON)
    assert mentions.shingles == sketch_of_the_whole(text)
    spellings: dict[str, str] = {}
    for start, end, key in words_of_the_whole(text):
        spellings.setdefault(key, text[start:end])
    assert [(one.key, one.text) for one in mentions.subjects] == [
        (key, spelling) for key, spelling in spellings.items() if key in {one.key for one in mentions.subjects}
    ]


@given(st.lists(PIECES, max_size=6).map(" ".join), st.integers(0, 40), st.integers(1, 40))
def test_only_words_outside_a_name_are_subjects_wherever_it_stands(text: str, start: int, length: int) -> None:
    name = text[start : start + length] or text[:1]
    begin = text.find(name)
    end = begin + len(name)
    without_name = {one.key for one in mentions_of(tagged(text), NOON).subjects}
    outside = {key for first, after, key in words_of_the_whole(text) if after <= begin or first >= end}
    subjects = mentions_of(tagged(text, ((name, "MISC"),) if name else ()), NOON).subjects
    assert {one.key for one in subjects if one.type == "WORD"} == without_name & outside
