"""The analysis of text, one for every index and every query, so that all stores find the same posts.

Text becomes *terms*: folded words (NFKC, case, accents, Arabic and Hebrew points), overlapping pairs of characters
for scripts that write no spaces, single emoji. A term holds ASCII letters and digits and characters beyond ASCII,
never a space or ASCII punctuation, so a store needs no tokenizer of its own: it splits at spaces.

Owns which words count as the same. Knows nothing of any store. A change here, to the keys of names
(tagstream/text/entity_keys.py) or to the marks of posts (search/terms.py) needs the terms of every index to be made
anew: raise `ANALYSIS_VERSION`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tagstream.posts import SegmentedHashtag, TaggedPost
from tagstream.text.plain_letters import SMALL_CAPITALS
from tagstream.text.safe_text import normalise, pieces, unescape

ANALYSIS_VERSION = 6
GAP = "\u241e"  # stands between the parts of a post so that no phrase reaches across; no query can hold it
MAX_TERM_LENGTH = 128  # a longer word is cut, in posts and queries alike

# Accents and points that people leave out when they search. Other combining marks (the vowels of Devanagari or Thai,
# the voicing marks of kana) make a different word and stay.
_DROPPED_MARKS = (
    (0x0300, 0x036F),
    (0x0483, 0x0487),
    (0x0591, 0x05BD),
    (0x05BF, 0x05C7),
    (0x0610, 0x061A),
    (0x0640, 0x0640),  # the Arabic letter stretcher
    (0x064B, 0x065F),
    (0x0670, 0x0670),
    (0x06D6, 0x06ED),
    (0x1AB0, 0x1AFF),
    (0x115F, 0x1160),  # fillers, which nobody sees
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFE20, 0xFE2F),
    (0xFFA0, 0xFFA0),
    (0x1F3FB, 0x1F3FF),  # skin tones
    (0xE0000, 0xE01EF),
)
# Letters without a decomposition that readers of other languages type differently; signs that NFKC would glue on.
_SPECIAL = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "™": " ", "℠": " "}
    | {"ـ": ""}
    | SMALL_CAPITALS
)
_APOSTROPHES = frozenset("'\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u2032\u2035\u00b4\u055a\u05f3\ua78c\uff07")
_EMOJI_RANGES = ((0x2190, 0x23FF), (0x2460, 0x2BFF), (0x1F000, 0x1F1E5), (0x1F200, 0x1F3FA), (0x1F400, 0x1FAFF))

# Han (with its extensions), kana, Thai, Lao, Myanmar, Khmer: no spaces between words.
_UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d\u309e\u30a1-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U000323af\u0e01-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17d3"
)
_EMOJI = "".join(f"{chr(first)}-{chr(last)}" for first, last in _EMOJI_RANGES)
# The flag of a part of a country is a black flag and the part's code in tags: one term, or Scotland would find England.
_CODE = "\U000e0030-\U000e0039\U000e0061-\U000e007a"
_FLAG_OR_TAGS = re.compile(f"(\U0001f3f4[{_CODE}]{{2,8}})\U000e007f?|[\U000e0000-\U000e007f]+")
_SPECIAL_RUN = re.compile(f"[{_UNSPACED}]+|[\U0001f1e6-\U0001f1ff]{{1,2}}|\U0001f3f4[{_CODE}]*|[{_EMOJI}]")
_CODE_CHARACTER = re.compile(f"[{_CODE}]")
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")

# The name of a picture that a network draws in its place: `:blobcat:`. Not the time in `10:30:45`, nor part of a path.
_SHORT_CODE = re.compile(r"(?<![\w:/])(?::(?=[^:]{0,64}[A-Za-z])[A-Za-z0-9_+\-]{2,64}:)+(?![\w:])")
_LINK = re.compile(r"\bhttps?://(?:www\.)?([^\s?#]*)\S*", re.IGNORECASE)
_RANDOM_LINK = re.compile(r"^(t\.co|bit\.ly|ow\.ly|buff\.ly|goo\.gl|tinyurl\.com|dlvr\.it|trib\.al)/\S*", re.IGNORECASE)
_ACRONYM = re.compile(r"\b[^\W\d_](?:\.[^\W\d_])+\b\.?")
# `l'Élysée` is searched as `Élysée`, `O'Brien` as one word.
_ELISIONS = frozenset(
    ["l", "d", "j", "m", "t", "n", "s", "c", "qu", "jusqu", "lorsqu", "un", "dell", "nell", "all", "sull", "dall"]
)


class _Folding(dict[int, str]):
    """A table from code point to folded form, a space for a separator of words; filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


def _fold_character(character: str) -> str:
    code = ord(character)
    if character in _APOSTROPHES:
        return "'"
    if _CODE_CHARACTER.match(character):
        return character
    if any(first <= code <= last for first, last in _DROPPED_MARKS):
        return ""
    special = character.casefold().translate(_SPECIAL)
    if not special.strip():
        return " " if special else ""
    if any(first <= code <= last for first, last in _EMOJI_RANGES) or 0x1F1E6 <= code <= 0x1F1FF:
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    parts = []
    for part in unicodedata.normalize("NFKD", special).casefold():
        if any(first <= ord(part) <= last for first, last in _DROPPED_MARKS):
            continue
        parts.append(part if unicodedata.category(part)[0] in "LMN" else " ")
    return unicodedata.normalize("NFC", "".join(parts))


_FOLDING = _Folding()
# Plain ASCII text has a table of its own because str.translate is then one loop in C.
_ASCII = {code: (chr(code).lower() if chr(code).isalnum() or code == 0x27 else " ") for code in range(128)}


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that stand side by side; with `prefix`, the last is only the beginning of a term."""

    terms: tuple[str, ...]
    prefix: bool = False


def fold(text: str) -> list[str]:
    """Returns the folded words of a text, before scripts without spaces are cut into pairs."""
    if "." in text:
        text = _ACRONYM.sub(lambda found: found[0].replace(".", ""), text)
    words = text.translate(_ASCII).split() if text.isascii() else _folded_words(text)
    if "'" not in text and text.isascii():
        return words
    return [part for word in words for part in (_without_apostrophes(word) if "'" in word else (word,))]


def _folded_words(text: str) -> list[str]:
    """Returns the folded words of any text, with their apostrophes."""
    words, rest = [], ""
    # Composed before, so that a letter meets the table with its marks; and after, because half-width kana and single
    # jamo become parts of a character there.
    text = _FLAG_OR_TAGS.sub(lambda found: found[1] or "", text)
    for piece in pieces(normalise("NFC", text)):
        *whole, rest = (rest + normalise("NFC", piece.translate(_FOLDING))).split(" ")
        words += whole
    return [word for word in (*words, rest) if word]


def terms(text: str) -> list[str]:
    """Returns the terms under which a text is indexed, in order.

    A run of n characters of a script without spaces gives n - 1 pairs and its last character, so that a query of
    one character is the beginning of some term wherever the character stands. Short codes of pictures give none.
    """
    if ":" in text:
        text = _SHORT_CODE.sub(" ", text)
    words = fold(text)
    found: list[str] = []
    for word in words:
        if word.isascii() or not _SPECIAL_RUN.search(word):
            found.append(word[:MAX_TERM_LENGTH])
        else:
            found.extend(_split_word(word))
    return found


def is_short_code(word: str) -> bool:
    """Says whether the word is the name of a picture (`:blobcat:`), which no index holds."""
    return _SHORT_CODE.fullmatch(word) is not None


def phrase(text: str) -> Phrase:
    """Returns the phrase to search for what a user typed: its terms, side by side; empty if it holds none."""
    found = terms(_without_links(unescape(text)))
    if not found or not _UNSPACED_START.match(found[-1]):
        return Phrase(tuple(found))
    # The last character of a run of pairs may be followed by more in the post: the pair before it says enough.
    if len(found) > 1 and len(found[-2]) == 2 and _UNSPACED_START.match(found[-2]) and found[-2][1] == found[-1]:
        return Phrase(tuple(found[:-1]))
    return Phrase(tuple(found), prefix=True)


def tag(text: str) -> str:
    """Returns a hashtag as one folded word, with or without its `#`: `#New_York` and `newyork` are the same."""
    return "".join(fold(text))[:MAX_TERM_LENGTH]


def post_terms(post: TaggedPost) -> list[str]:
    """Returns the terms of a post.

    They are its text, with hashtags as their words; the words of listed hashtags; every hashtag as one word; alt texts,
    image labels and links.
    """
    found = terms(_readable(post.text, post.hashtags))
    for hashtag in post.hashtags:
        whole, words = terms(tag(hashtag.text)), terms(" ".join(hashtag.words))
        if words and hashtag.span is None:
            found.append(GAP)
            found.extend(words)
        if whole and whole != words:
            found.append(GAP)
            found.extend(whole)
    for described in _descriptions(post):
        found.append(GAP)
        found.extend(terms(described))
    return found


def _descriptions(post: TaggedPost) -> Iterable[str]:
    yield from (media.alt for media in post.media if media.alt)
    yield from post.image_labels
    for link in post.links:
        yield from (_without_links(link.url), link.title, link.description)


def _readable(text: str, hashtags: Sequence[SegmentedHashtag]) -> str:
    """Returns the text with hashtags as their words, links as their readable part, HTML references as characters."""
    if hashtags:
        pieces, done = [], 0
        placed = [(*hashtag.span, hashtag) for hashtag in hashtags if hashtag.span is not None]
        for start, end, hashtag in sorted(placed, key=lambda hashtag: hashtag[0]):
            if done <= start < end <= len(text):
                pieces += [text[done:start], " ", " ".join(hashtag.words) or hashtag.text, " "]
                done = end
        text = "".join([*pieces, text[done:]])
    return _without_links(unescape(text))


def _without_links(text: str) -> str:
    """Returns the text with links without scheme, query and fragment; short links also lose their random code."""
    if "://" not in text:
        return text
    return _LINK.sub(lambda found: _RANDOM_LINK.sub(r"\1", found[1]), text)


def _without_apostrophes(word: str) -> list[str]:
    """Returns the words of a word with apostrophes: `Merkel's` is `Merkel`, `don't` one word, `l'Élysée` two."""
    parts = [part for part in word.strip("'").removesuffix("'s").split("'") if part]
    elided = 0
    while elided < len(parts) - 1 and parts[elided] in _ELISIONS:
        elided += 1
    return [*parts[:elided], "".join(parts[elided:])] if parts else []


def _split_word(word: str) -> Iterable[str]:
    """Yields the terms of a word that holds emoji or characters of scripts without spaces."""
    done = 0
    for run in _SPECIAL_RUN.finditer(word):
        if run.start() > done:
            yield word[done : run.start()][:MAX_TERM_LENGTH]
        done = run.end()
        characters = run[0]
        if _UNSPACED_START.match(characters):
            yield from (characters[at : at + 2] for at in range(len(characters) - 1))
            yield characters[-1]
        else:
            yield characters
    if done < len(word):
        yield word[done:][:MAX_TERM_LENGTH]
