"""Hostile text on a terminal: what acts is shown, what belongs to a writing stays, and JSON keeps its value."""

import json
import sys
import time
import unicodedata

import pytest

from tagstream.text.terminal_text import MAX_MARKS, json_for_terminals, visible, visible_lines

STEERING = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    *"\u200b\u200e\u200f\u061c\u2028\u2029\u00ad\u034f\u180e\ufeff\u3164\ufff9\ufffb\ud800\udfff\udc9b\U000e0001\U000e0041",
]


@pytest.mark.parametrize("character", STEERING, ids=lambda character: f"{ord(character):04X}")
def test_what_steers_or_hides_is_shown_in_its_place(character: str) -> None:
    text = f"a{character}b"
    assert visible(text) != text
    assert visible(text).isprintable()
    assert len(visible(text)) > 2
    document = json.dumps(text, ensure_ascii=False)
    assert json_for_terminals(document).isprintable()
    assert json.loads(json_for_terminals(document)) == text


def test_no_code_point_of_a_steering_category_gets_through() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Zl", "Zp") or (0xD800 <= code < 0xE000):
            assert visible(character).isprintable(), f"U+{code:04X}"
            assert json_for_terminals(character).isprintable() or code < 0x20, f"U+{code:04X}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a␛[31mb"),
        ("a\x1b]0;t\x07b\x7f", "a␛]0;t␇b␡"),
        ("a\x9b31m\u202eb", r"a\u009b31m\u202eb"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("a\rb", "a␍b"),
        ("\udce9", r"\xe9"),
        ("x\U000e0041", r"x\U000e0041"),
    ],
)
def test_how_it_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain English, café, Zürich, Київ, 東京, القاهرة, ירושלים",
        "👩‍👩‍👧 ❤️ 1️⃣ 👋🏽 👩🏽‍🚀",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "می‌خواهم",
        "क्‍ष",
        "葛\U000e0100",
        "שָׁלוֹם",
        "؀١",
    ],
)
def test_what_belongs_to_a_writing_stays(text: str) -> None:
    assert visible(text) == text
    assert json_for_terminals(text) == text


def test_a_tower_of_marks_is_counted() -> None:
    tower = "\u0301" * 5000
    assert visible(f"e{tower}x") == "e" + "\u0301" * MAX_MARKS + f"(+{5000 - MAX_MARKS:,} marks)x"
    document = json.dumps(f"e{tower}", ensure_ascii=False)
    assert json_for_terminals(document).count("\u0301") == MAX_MARKS
    assert json.loads(json_for_terminals(document)) == f"e{tower}"


def test_a_tower_of_marks_from_beyond_the_first_plane_is_counted_too() -> None:
    tower = "\U0001e8d0" * 50
    assert json_for_terminals(tower).count("\U0001e8d0") == MAX_MARKS


def test_a_long_text_is_cut_and_says_so() -> None:
    assert visible("abcdef", 3) == "abc…"
    assert visible("abc", 3) == "abc"


def test_lines_stay_lines() -> None:
    assert visible_lines("a\n\tb\x1b\u202e") == "a\n\tb␛\\u202e"


@pytest.mark.parametrize(
    "unit", ["\x1b", "\u0301", "\u202e", "a\u200d", "👩‍", "\U000e0041", "🏴\U000e0041", "\ufe0f", "é"]
)
def test_it_takes_no_long_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.monotonic()
    visible(text)
    json_for_terminals(text)
    assert time.monotonic() - began < 20
