"""Styled letters: each is the plain letter that it stands for, and none moves another."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.entity_keys import fold_key
from tagstream.text.plain_letters import PLAIN_LETTERS, plain_letters

CAPITALS = {"mathematical": 0x1D400, "fullwidth": 0xFF21, "circled": 0x24B6, "squared": 0x1F130, "dark circle": 0x1F150}
CAPITALS |= {"dark square": 0x1F170, "parenthesized": 0x1F110}


@pytest.mark.parametrize("style", CAPITALS)
def test_an_alphabet_of_capitals(style):
    written = "".join(chr(CAPITALS[style] + index) for index in range(26))
    assert plain_letters(written) == string.ascii_uppercase


@pytest.mark.parametrize("start", range(0x1D400, 0x1D6A4, 52))
def test_every_mathematical_alphabet(start):
    assigned = {code: PLAIN_LETTERS[code] for code in range(start, start + 52) if code in PLAIN_LETTERS}
    assert len(assigned) > 40  # the letters that stood elsewhere before have no second place
    assert all(string.ascii_letters[code - start].swapcase() == plain for code, plain in assigned.items())


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ɴᴇᴡ ʏᴏʀᴋ", "new york"), ("Bᴀʀᴀᴄᴋ", "Barack"), ("ғʀᴀɴᴄᴇ ɪʀᴀǫ", "france iraq"), ("ᴾᵃʳⁱˢ", "Paris"),
        ("ℙ𝔞𝕣ℹ𝓈", "Paris"), ("𝟏𝟐 𝟛", "12 3"), ("ⓟⓐⓡⓘⓢ ⒪", "paris o"), ("H₂O", "H2O"),
        ("ғазиз ǫǫ", "ғазиз ǫǫ"), ("ﬁ ½ № ㎏ ① m² 2ª É", "ﬁ ½ № ㎏ ① m² 2ª É"), ("Раris", "Раris"),
    ],
)  # fmt: skip
def test_styles(written, plain):
    assert plain_letters(written) == plain


@given(st.text())
def test_offsets_stay(text):
    assert len(plain_letters(text)) == len(text)
    assert plain_letters(plain_letters(text)) == plain_letters(text)


@pytest.mark.parametrize("name", ["ᴘᴀʀɪꜱ", "🅿🅰🆁🅸🆂", "🅟🅐🅡🅘🅢", "Ⓟⓐⓡⓘⓢ", "ᴾᵃʳⁱˢ", "𝗣𝗮𝗿𝗶𝘀", "P̶a̶r̶i̶s̶", "P̲aris"])
def test_a_name_in_styled_letters_is_counted_with_the_plain_one(name):
    assert fold_key(name) == "paris"
