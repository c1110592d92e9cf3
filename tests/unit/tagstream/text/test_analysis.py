"""What counts as the same word."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.posts import Media, SegmentedHashtag, TaggedPost
from tagstream.text.analysis import GAP, MAX_TERM_LENGTH, Phrase, phrase, post_terms, tag, terms

SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world"),
        ("ZÜRICH Zürich Zu\u0308rich zurich", "zurich zurich zurich zurich"),
        ("Straße STRASSE", "strasse strasse"),
        ("İstanbul ISTANBUL", "istanbul istanbul"),
        ("Łódź Ærø Øresund", "lodz aero oresund"),
        ("ＦＵＬＬ ﬁne ℌ", "full fine h"),
        ("iPhone™ m² 5", "iphone m2 5"),
        ("ёлка Елка", "елка елка"),
        ("ΌΔΟΣ όδος", "οδοσ οδοσ"),
        ("don't don’t donʼt", "dont dont dont"),
        ("Merkel's Merkel’s merkel'", "merkel merkel merkel"),
        ("l'Élysée d’Angela qu'il", "l elysee d angela qu il"),
        ("O'Brien 'quoted' rock'n'roll", "obrien quoted rocknroll"),
        ("U.S.A. U.S. e.g. end. Next", "usa us eg end next"),
        ("3.5% of 1,000", "3 5 of 1 000"),
        (":blobcat: hi :a_1::b-2: (:c3:)", "hi"),
        ("10:30:45 a:b:c re:this: :30: https://x.org/:ab:/", "10 30 45 a b c re this 30 https x org ab"),
        ("AT&T foo_bar @some_one", "at t foo bar some one"),
        ("soft\u00adhyphen zero\u200bwidth join\u200dner \ufeffmark", "softhyphen zerowidth joinner mark"),
        ("\u202eabc\u202c", "abc"),
        ("हिन्दी में", "हिन्दी में"),
        ("خَبَر عـــاجل", "خبر عاجل"),
        ("שָׁלוֹם", "שלום"),
        ("한국어 한국어", "한국어 한국어"),
        ("가", "가"),
        ("東京都", "東京 京都 都"),
        ("東 京", "東 京"),
        ("Tokyo東京2020", "tokyo 東京 京 2020"),
        ("ｶﾞﾝ が か", "ガン ン が か"),
        ("ไทย", "ไท ทย ย"),
        ("🔥🔥fire👍🏽", "🔥 🔥 fire 👍"),
        ("👨\u200d👩\u200d👧 🇩🇪🇫🇷 ❤️ ❤", "👨 👩 👧 🇩🇪 🇫🇷 ❤ ❤"),
        (f"{SCOTLAND} {ENGLAND}x 🏴 🏴\u200d☠️", f"{SCOTLAND[:-1]} {ENGLAND[:-1]} x 🏴 🏴 ☠"),
        ("1️⃣ a\U000e0067b 🏴\U000e0067", "1 ab 🏴"),
        ("Merkel\ufe0f Mer\u2060kel Merkel\u3164 O‛Neal", "merkel merkel merkel oneal"),
        ("\ufffd \ud800 \0 ,.-_", ""),
    ],
)
def test_terms(text: str, expected: str) -> None:
    assert terms(text) == expected.split()


@given(st.text())
def test_terms_need_no_tokenizer(text: str) -> None:
    found = terms(text)
    for term in found:
        assert 0 < len(term) <= MAX_TERM_LENGTH
        assert not set(term) & (set(string.punctuation) | set(string.whitespace) | set(string.ascii_uppercase))
        assert term.split() == [term]
        assert term != GAP


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_text_is_found_by_itself(text: str) -> None:
    indexed = terms(text)
    wanted = phrase(text)
    count = len(wanted.terms)
    places = [indexed[at : at + count] for at in range(len(indexed) - count + 1)]
    if "://" not in text:
        if wanted.prefix:
            assert any(
                tuple(place[:-1]) == wanted.terms[:-1] and place[-1].startswith(wanted.terms[-1]) for place in places
            )
        else:
            assert list(wanted.terms) in places


@given(st.text(alphabet="東京都abc #", min_size=1), st.integers(0, 20), st.integers(1, 20))
def test_a_part_of_a_run_is_found(text: str, start: int, length: int) -> None:
    part = text[start : start + length].strip()
    wanted = phrase(part)
    if part and all(character in "東京都" for character in part):
        indexed = terms(text)
        count = len(wanted.terms)
        assert any(
            tuple(indexed[at : at + count - 1]) == wanted.terms[:-1]
            and (indexed[at + count - 1].startswith(wanted.terms[-1]) if wanted.prefix else True)
            for at in range(len(indexed) - count + 1)
        )


def test_phrases() -> None:
    assert phrase("New York") == Phrase(("new", "york"))
    assert phrase("東京都") == Phrase(("東京", "京都"))
    assert phrase("都") == Phrase(("都",), prefix=True)
    assert phrase("東京 tower") == Phrase(("東京", "京", "tower"))
    assert phrase("!?") == Phrase(())
    assert phrase("AT&amp;T") == phrase("AT&T")
    assert not set(phrase(SCOTLAND).terms) & set(terms(ENGLAND + "🏴"))


def test_a_hashtag_is_one_word() -> None:
    assert tag("#New_York") == tag("newyork") == tag("ＮｅｗＹｏｒｋ") == "newyork"
    assert tag("#Müller") == "muller"
    assert tag("#東京オリンピック") == "東京オリンピック"


def tagged(text: str, **fields: object) -> TaggedPost:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return TaggedPost(
        id="jsonl:1", source="jsonl", created_at=moment, text=text, model="stub@1", generation=1, **fields
    )  # type: ignore[arg-type]


def hashtag(text: str, sign: int, words: str) -> SegmentedHashtag:
    return SegmentedHashtag(text=text, start=sign, end=sign + 1 + len(text), words=tuple(words.split()))


def test_hashtags_stand_in_the_text_as_words_and_after_it_whole() -> None:
    post = tagged("in #NewYork, #now", hashtags=(hashtag("NewYork", 3, "New York"), hashtag("now", 13, "now")))
    assert post_terms(post) == ["in", "new", "york", "now", GAP, "newyork"]


def test_hashtags_that_are_only_listed_are_found_by_their_words() -> None:
    listed = SegmentedHashtag(text="NewYork", words=("New", "York"))
    post = tagged("in Oslo", hashtags=(listed, SegmentedHashtag(text="rome", words=("rome",))))
    assert post_terms(post) == ["in", "oslo", GAP, "new", "york", GAP, "newyork", GAP, "rome"]


def test_a_hashtag_with_impossible_offsets_does_no_harm() -> None:
    twice = hashtag("ab", 0, "a b")
    post = tagged("#ab cd", hashtags=(twice, twice, hashtag("far", 90, "f ar")))
    assert post_terms(post) == ["a", "b", "cd", GAP, "ab", GAP, "ab", GAP, "far"]


def test_alt_texts_and_labels_are_found() -> None:
    post = tagged("look", media=(Media(alt="A red Car"), Media()), image_labels=("street",))
    assert post_terms(post) == ["look", GAP, "a", "red", "car", GAP, "street"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://www.bbc.co.uk/news/world-1?utm=x#top now", "see bbc co uk news world 1 now"),
        ("https://t.co/AbC12 http://BIT.LY/x", "t co bit ly"),
        ("AT&amp;T &lt;3 &#39;quoted&#39;", "at t 3 quoted"),
        ("https:// and ://", "and"),
    ],
)
def test_links_and_html_entities(text: str, expected: str) -> None:
    assert post_terms(tagged(text)) == expected.split()
