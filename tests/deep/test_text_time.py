"""Fuzzing of what touches text: whatever it is given, it answers in bounded time and never raises."""

import time

import pytest

from workers.words import split_words

PATTERNS = ("a", "&#1", "l'", "a\u0301", "#", "@a", "http://", "\U0001f1e6", " ", "\u0e01")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_words_of_a_repeated_pattern(pattern: str) -> None:
    text = (pattern * 100_000)[:100_000]
    began = time.perf_counter()
    assert all(0 <= word.start < word.end <= len(text) for word in split_words(text))
    assert time.perf_counter() - began < 5
