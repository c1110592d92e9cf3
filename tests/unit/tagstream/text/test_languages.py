"""Languages as they are said in the field, and the one tag that each means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.languages import MAX_LANGUAGES, language_tag, language_tags, spellings_found


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("en", "en"),
        ("EN", "en"),
        (" en ", "en"),
        ("eng", "en"),
        ("English", "en"),
        ("english", "en"),
        ("English (United States)", "en"),
        ("en_US", "en-US"),
        ("en-us.UTF-8", "en-US"),
        ("en-US-u-ca-gregory", "en-US"),
        ("en,fr;q=0.8", "en"),
        ("us", "en"),
        ("en-UK", "en-GB"),
        ("pt-br", "pt-BR"),
        ("zh_hant_tw", "zh-Hant-TW"),
        ("cmn", "zh"),
        ("es-419", "es-419"),
        ("ger", "de"),
        ("deu", "de"),
        ("Deutsch", "de"),
        ("français", "fr"),
        ("iw", "he"),
        ("in", "id"),
        ("sh", "sr-Latn"),
        ("Русский", "ru"),
        ("日本語", "ja"),
        ("gsw", "gsw"),
        ("", None),
        (" \n", None),
        *((said, "und") for said in ("und", "unknown", "x-default", "none", "null", "zxx", "mul", "qme", "qaa", "C")),
        *((said, "und") for said in ("zz", "e", "xyz", "-", "\0", "\ud800", "9" * 400, "a-" * 9000, "english please")),
    ],
)
def test_a_language_is_what_it_means(said: str, tag: str | None) -> None:
    assert language_tag(said) == tag


def test_several_are_each_named_once_and_undetermined_only_where_nothing_else_is() -> None:
    assert language_tags(["pt", "por", "English", "xx", ""]) == ("pt", "en")
    assert language_tags(["xx", "unknown"]) == ("und",)
    assert language_tags(["", " "]) == ()
    assert len(language_tags(f"en-{number:03}" for number in range(100))) == MAX_LANGUAGES


def test_a_language_is_found_by_each_that_is_wider() -> None:
    assert list(spellings_found("zh-Hant-TW")) == ["zh-hant-tw", "zh-hant", "zh"]
    assert list(spellings_found("en_US")) == ["en-us", "en"]


@given(st.text(max_size=60))
def test_whatever_is_said_becomes_a_short_tag_that_stands_for_itself(said: str) -> None:
    tag = language_tag(said)
    if tag is not None:
        assert len(tag) <= 35
        assert tag.isascii()
        assert language_tag(tag) == tag
