"""Look-alike letters: which words are read as Latin, and which stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.entity_keys import fold_key
from tagstream.text.look_alikes import latin_look_alikes


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("P\u0430ris", "Paris"),
        ("\u0420aris and L\u043end\u043en", "Paris and London"),
        ("\u039cerkel", "Merkel"),
        ("Москва", "Москва"),
        ("Афины Αθήνα", "Афины Αθήνα"),
        ("WiFiЖ", "WiFiЖ"),
        ("\u0441\u043e", "\u0441\u043e"),
        ("caf\u00e9", "caf\u00e9"),
        ("\u00c9l\u0443s\u00e9e", "\u00c9lys\u00e9e"),
    ],
)
def test_words_of_mixed_alphabets_are_read_as_latin(written: str, read: str) -> None:
    assert latin_look_alikes(written) == read


def test_a_name_has_one_key_whatever_its_alphabets() -> None:
    assert fold_key("P\u0430ris") == fold_key("Paris") == "paris"


@given(st.text(alphabet="aP\u0430\u043eЖαΩ \u0301é", max_size=30))
def test_the_length_stays(text: str) -> None:
    assert len(latin_look_alikes(text)) == len(text)
