"""Words of posts: what counts as one, and that offsets hold in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.words import Kind, split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @user_1: hi", [("RT", Kind.REPOST), ("@user_1", Kind.MENTION), (":", Kind.SYMBOL), ("hi", Kind.WORD)]),
        ("@a@social.example.org", [("@a@social.example.org", Kind.MENTION)]),
        ("me@example.org", [("me", Kind.WORD), ("@", Kind.SYMBOL), ("example", Kind.WORD), (".", Kind.SYMBOL),
                            ("org", Kind.WORD)]),
        ("see http://t.co/abc.", [("see", Kind.WORD), ("http://t.co/abc", Kind.URL), (".", Kind.SYMBOL)]),
        ("#NewYork, #9 ＃東京", [("#NewYork", Kind.HASHTAG), (",", Kind.SYMBOL), ("#9", Kind.HASHTAG),
                               ("＃東京", Kind.HASHTAG)]),
        ("AT&amp;T &lt;3", [("AT", Kind.WORD), ("&", Kind.SYMBOL), ("T", Kind.WORD), ("<", Kind.SYMBOL),
                            ("3", Kind.NUMBER)]),
        ("Obama's U.S. trip", [("Obama", Kind.WORD), ("'s", Kind.SYMBOL), ("U.S.", Kind.WORD), ("trip", Kind.WORD)]),
        ("3,000.50 5th", [("3,000.50", Kind.NUMBER), ("5th", Kind.WORD)]),
        ("東京タワー", [("東", Kind.CHARACTER), ("京", Kind.CHARACTER), ("タ", Kind.CHARACTER), ("ワ", Kind.CHARACTER),
                   ("ー", Kind.WORD)]),
        ("नमस्ते दुनिया", [("नमस्ते", Kind.WORD), ("दुनिया", Kind.WORD)]),
        ("👨‍👩‍👧!!!", [("👨‍👩‍👧", Kind.SYMBOL), ("!!!", Kind.SYMBOL)]),
        ("e\u0301te\u0301", [("e\u0301te\u0301", Kind.WORD)]),
        ("مرحبا\u200f بالعالم", [("مرحبا", Kind.WORD), ("بالعالم", Kind.WORD)]),
        ("", []),
        (" \n\u200b", []),
    ],
)  # fmt: skip
def test_words_and_kinds(text, expected):
    assert [(word.surface, word.kind) for word in split_words(text)] == expected


@given(st.text(max_size=300))
def test_offsets_point_into_the_text_in_order(text):
    end = 0
    for word in split_words(text):
        assert end <= word.start < word.end <= len(text)
        if not text[word.start : word.end].startswith("&"):
            assert word.surface == text[word.start : word.end]
        end = word.end


@given(st.text(alphabet="aB1 é東#@&;:/.'\u0301\u200d👩", max_size=200))
def test_no_visible_character_is_skipped(text):
    covered = {place for word in split_words(text) for place in range(word.start, word.end)}
    for place, character in enumerate(text):
        assert place in covered or character.isspace() or character in "\u0301\u200d"


@pytest.mark.parametrize(
    "text", ["&" * 50_000, "http://" + "." * 50_000, "@" * 50_000, "x\u0301" * 50_000, "a." * 50_000]
)
def test_hostile_repetition_is_read_whole(text):
    words = split_words(text)
    assert words[-1].end == len(text) or text.startswith("http")
