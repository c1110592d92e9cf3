"""Words of posts: what counts as one, and that offsets hold in every script."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.plain_letters import plain_letters
from workers.tagger.words import Kind, by_lines, split_words

UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}|[\u0305\u0332\u0333\u0335-\u0338]")


def read_as(raw):
    return unicodedata.normalize("NFC", plain_letters(UNSEEN.sub("", raw)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RT @user_1: hi", [("RT", Kind.REPOST), ("@user_1", Kind.MENTION), (":", Kind.SYMBOL), ("hi", Kind.WORD)]),
        ("@a@social.example.org", [("@a@social.example.org", Kind.MENTION)]),
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
        ("e\u0301te\u0301", [("été", Kind.WORD)]),
        ("مرحبا\u200f بالعالم", [("مرحبا", Kind.WORD), ("بالعالم", Kind.WORD)]),
        ("", []),
        (" \n\u200b", []),
    ],
)  # fmt: skip
def test_words_and_kinds(text, expected):
    assert [(word.surface, word.kind) for word in split_words(text)] == expected


@pytest.mark.parametrize(
    "address",
    [
        "example.com", "www.example.it/a", "bbc.co.uk/news/abc", "bbc.co.uk", "t.co/AbC", "youtu.be/x1", "x.com",
        "EXAMPLE.ORG", "Bbc.co.uk/news", "me@example.org", "first.last+tag@mail.example.co.uk", "alice.bsky.social",
        "mastodon.social",         "example.com:8080", "example.com/", "shop.example.it", "münchen.de", "россия.рф", "ftp://a.b/c",
        "trib.al/x", "ift.tt/a",
        "HTTPS://Example.com/A",
        "rover.ebay.com/rover/1/711-53200-19255-0/1?ff3", "news.ycombinator.com",
    ],
)  # fmt: skip
def test_addresses_without_a_scheme(address):
    for before, after in (("", ""), ("see ", " now"), ("(", ")"), ("“", "”"), ("", "."), ("", ", or"), ("", "…")):
        found = split_words(before + address + after)
        assert [word.surface for word in found if word.kind is Kind.URL] == [address]


@pytest.mark.parametrize(
    "text",
    [
        "Booking.com", "Amazon.com", "U.S.A", "U.S.", "end.Next", "end.next", "do.it", "love you.so much", "e.g.this",
        "3.5m/s", "and/or", "Mr.Smith/London", "a.b", "v1.2.3", "10.30am", "F.C.Barcelona", "me@home", "yes...no",
        "node.js", "No.10/11", "ASP.NET",
    ],
)  # fmt: skip
def test_what_is_no_address(text):
    assert not [word for word in split_words(text) if word.kind is Kind.URL]


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("hi @alice.bsky.social!", "@alice.bsky.social"),
        ("@bbc.co.uk's", "@bbc.co.uk"),
        ("@some-one.example.com", "@some-one.example.com"),
        ("thanks @bob. Then", "@bob"),
        ("@bob.Then", "@bob"),
        ("@a@social.example.org.", "@a@social.example.org"),
    ],
)
def test_mentions_by_a_domain(text, mention):
    assert [word.surface for word in split_words(text) if word.kind is Kind.MENTION] == [mention]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (":blobcat: hi :party_parrot:", [":blobcat:", ":party_parrot:"]),
        (":paris::london: :+1:", [":paris::london:", ":+1:"]),
        ("10:30:45 Re:this: a::b ::ab::", []),
        ("note:ab: :ab:c", []),
    ],
)
def test_short_codes_of_emoji(text, codes):
    assert [word.surface for word in split_words(text) if word.kind is Kind.SHORTCODE] == codes


@pytest.mark.parametrize("mark", ["\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u200e", "\u202a\u202c"])
def test_what_nobody_sees_does_not_part_a_word(mark):
    words = split_words(f"Mer{mark}kel {mark}Oslo{mark}")
    assert [word.surface for word in words] == ["Merkel", "Oslo"]
    assert words[0].end == 6 + len(mark)


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("𝗡𝗲𝘄 𝗬𝗼𝗿𝗸!", ["New", "York", "!"]), ("ɴᴇᴡ Yᴏʀᴋ", ["new", "York"]), ("ＮＡＴＯ", ["NATO"]),
        ("ᴾᵃʳⁱˢ", ["Paris"]),
        ("Ⓟⓐⓡⓘⓢ 🅾🆂🅻🅾 🅾️🆂🅻🅾️", ["Paris", "OSLO", "OSLO"]), ("🄞⒮⒧⒪", ["Oslo"]), ("P̶a̶r̶i̶s̶", ["Paris"]), ("𝟏𝟐", ["12"]),
        ("#𝗣𝗮𝗿𝗶𝘀", ["#Paris"]), ("Sa\u0303o", ["São"]), ("𝐎𝐛𝐚𝐦𝐚'𝐬 𝐎𝐛𝐚𝐦𝐚's", ["Obama", "'", "s", "Obama", "'s"]),
        ("🅿 Ⓜ️ 🅰️", ["🅿", "Ⓜ️", "🅰️"]), ("1️⃣ ①Oslo", ["1️⃣", "①", "Oslo"]), ("\u0336", ["\u0336"]),
    ],
)  # fmt: skip
def test_styled_letters_are_read_as_plain_ones(text, surfaces):
    words = split_words(text)
    assert [word.surface for word in words] == surfaces
    assert "".join(text[word.start : word.end] for word in words) == text.replace(" ", "")


@pytest.mark.parametrize(
    "mark", ["'", "’", "´", "`", "′", "ʼ", "ʻ", "&#39;", "&#x27;", "&apos;", "&rsquo;", "&amp;#39;"]
)
def test_a_possessive_is_a_word_of_its_own(mark):
    for name in ("Obama", "Beyoncé"):
        *before, possessive, car = split_words(f"{name}{mark}s car")
        assert [word.surface for word in before] == [name]
        assert (possessive.surface.replace("’", "'"), possessive.kind, car.surface) == ("'s", Kind.SYMBOL, "car")
        assert possessive.start == len(name)


def test_an_apostrophe_within_a_name_parts_no_possessive():
    assert [word.surface for word in split_words("Hawaiʻi ʻsome ʻs O’Sullivan")] == [
        "Hawaiʻi", "ʻsome", "ʻs", "O", "’", "Sullivan"
    ]  # fmt: skip


@pytest.mark.parametrize("sign", ["&", "&amp;", "&#38;", "&amp;amp;", "&amp;amp;amp;"])
def test_an_ampersand_is_one_word_however_often_it_was_escaped(sign):
    assert [word.surface for word in split_words(f"AT{sign}T H{sign}M")] == ["AT", "&", "T", "H", "&", "M"]
    assert [word.surface for word in split_words("&amp;Tom; &amp;lt;")] == ["&", "Tom", ";", "<"]


def test_an_acronym_needs_no_last_dot():
    assert [word.surface for word in split_words("U.S.A U.S. J.K.Rowling U.S, A.")] == [
        "U.S.A", "U.S.", "J.K.", "Rowling", "U.S", ",", "A", "."
    ]  # fmt: skip


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\n\n \n", "\t"])
def test_a_line_that_ends_in_a_word_is_read_with_a_comma(line_break):
    text = f"Oslo{line_break}Rome!{line_break}Paris"
    words, starts = by_lines(text, split_words(text))
    assert [word.surface for word in words] == ["Oslo", ",", "Rome", "!", "Paris"]
    assert starts == [2, 4]
    assert text[words[1].start : words[1].end].strip() == ""
    assert by_lines("Oslo Rome", one := split_words("Oslo Rome")) == (one, [])


@given(st.text(max_size=300))
def test_offsets_point_into_the_text_in_order(text):
    end = 0
    for word in split_words(text):
        assert end <= word.start < word.end <= len(text)
        if not text[word.start : word.end].startswith("&"):
            raw = text[word.start : word.end]
            assert word.surface in (raw, read_as(raw)) or (word.surface in ("'s", "'S") and raw[1:] in ("s", "S"))
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
