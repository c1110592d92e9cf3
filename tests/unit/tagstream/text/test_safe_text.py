"""Text of any author: unescaped and normalised in bounded time, without raising."""

import html
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.analysis import phrase, tag, terms
from tagstream.text.safe_text import MAX_MARKS, PIECE_LENGTH, normalise, pieces, unescape
from workers.tagger.words import split_words

FORMS = ("NFC", "NFD", "NFKC", "NFKD")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AT&amp;T &lt;3 &#39;x&#x27; &eacute &notit;", "AT&T <3 'x' é ¬it;"),
        ("&#0000000000000065; &#x0000000000041;", "A A"),
        (f"&#{'9' * 4_301};", "\ufffd"),
        (f"a &#{'1' * 100_000} b", "a \ufffd b"),
        (f"&#x{'f' * 4_301} &#xD800;", "\ufffd \ufffd"),
        ("&#; &#x; && &amp &unknown;", "&#; &#x; && & &unknown;"),
    ],
)
def test_unescape(text: str, expected: str) -> None:
    assert unescape(text) == expected


@given(st.text(alphabet="&#xX;09aAmp ltÀ"))
def test_short_references_are_read_as_html_says(text: str) -> None:
    assert unescape(text) == html.unescape(text)


@given(st.text(), st.sampled_from(FORMS))
def test_a_normal_form_is_that_of_unicode(text: str, form: str) -> None:
    assert normalise(form, text) == unicodedata.normalize(form, text)  # type: ignore[arg-type]


@given(
    st.text(alphabet="a \u0301\u0327é가\u1100\u1161\u11a8ﾊﾞ한\ufdfa\u0e33\u3131\u314f", min_size=1, max_size=40),
    st.integers(0, 40),
    st.sampled_from(FORMS),
)
def test_cutting_changes_nothing(part: str, lead: int, form: str) -> None:
    text = ("x" * lead + part * (2 * PIECE_LENGTH))[: PIECE_LENGTH + 60]
    if not any(unicodedata.category(character)[0] == "M" for character in unicodedata.normalize("NFKD", part)):
        assert normalise(form, text) == unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert "".join(pieces(text)) == text


def test_marks_pile_up_to_a_bound() -> None:
    assert normalise("NFD", "a" + "\u0301\u0327" * 5_000 + "b") == "a" + "\u0327" * 15 + "\u0301" * 15 + "b"
    assert MAX_MARKS == 30


@pytest.mark.parametrize("pile", ["\u0301\u0327", "\u0f73", "\u0344", "\uff9e"])
def test_a_post_of_marks_is_read_at_once(pile: str) -> None:
    text = "#a" + (pile * 50_000)[:90_000] + " Oslo"
    began = time.process_time()
    assert terms(text)[-1] == terms("Oslo")[0]
    assert split_words(text)[-1].surface == "Oslo"
    tag(text)
    assert time.process_time() - began < 5


def test_a_thousand_elisions_are_words() -> None:
    assert terms("l'" * 1_000 + "Élysée") == ["l"] * 1_000 + ["elysee"]
    assert phrase("d'" * 50_000).terms[:2] == ("d", "d")
