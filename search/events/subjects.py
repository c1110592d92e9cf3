"""The subjects of a post: its names, its hashtags and its words, and the sketch by which near-copies are told.

Half of what breaks is not yet a name, so `#earthquake` and a burst of "explosion" count beside `Boston`. Links, names
of accounts, numbers and the commonest words of some languages are no subjects; words that are common in a feed cost a
counter and never trend, so the list of stop words only saves work. Scripts without spaces have names and hashtags only.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import islice, pairwise
from typing import NamedTuple
from zlib import crc32

import regex

from search.events.minutes import minute_of
from search.events.stop_words import STOP_WORDS
from search.terms import author_key
from tagstream.detections import MAX_KEY_LENGTH, MAX_SHINGLES, MAX_SUBJECTS, PostMentions, Subject, SubjectType
from tagstream.posts import TaggedPost
from tagstream.text.entity_keys import fold_key

MAX_WORDS = 12
MIN_WORD_LENGTH = 4
MAX_WORD_LENGTH = 40
"""A longer run of letters is no word of any language that writes spaces."""
MAX_LENGTH = 4_000
"""The characters of a post that are read for words: the longest post of a microblog, several times over."""

# A word may hold signs that nobody sees, and be cut by digits and marks (`expl0sion`, `po.lice`): so copies are made
# that differ for a machine and not for a reader.
_LETTERS = r"[\p{L}\p{M}][\p{L}\p{M}\p{Default_Ignorable_Code_Point}]*+"
_WORD = regex.compile(rf"{_LETTERS}(?:['’]{_LETTERS})*+")
_TOKEN = regex.compile(
    r"(?:https?://|www\.)\S++|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.\-]++|&[a-z]{2,8};|\ART\b"
    rf"|(?P<word>[\p{{N}}]*+{_LETTERS}(?:(?:\p{{N}}++|['’._*\-]){_LETTERS})*+[\p{{N}}]*+)",
    regex.IGNORECASE,
)
_MAX_TOKEN_LENGTH = 3 * MAX_WORD_LENGTH
_MARKS = regex.compile(r"[^\p{L}\p{M}\p{N}'’]++")
_LETTERS_OF_DIGITS = str.maketrans("013457", "oieast")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")

_PlacedWord = tuple[int, int, str]


def mentions_of(post: TaggedPost, observed_at: datetime) -> PostMentions:
    """Returns the subjects of a post; `observed_at` is when it was accepted."""
    tokens = [match.span() for match in _TOKEN.finditer(post.text, 0, MAX_LENGTH) if match.lastgroup]
    read = [_read(post.text[start : min(end, start + _MAX_TOKEN_LENGTH)]) for start, end in tokens]
    return PostMentions(
        post_id=post.id,
        revision=post.revision,
        author=None if post.author is None else author_key(post.source, post.author.id),
        minute=minute_of(min(post.created_at, observed_at)),
        shingles=_shingles([token.digest for token in read]),
        subjects=_subjects(post, _words(tokens, read)),
    )


class _Token(NamedTuple):
    """Letters in a row, also with digits and marks between: a hash of what a reader reads, and the words in it.

    `words` has the place of each word in the token and its key, of those that may be subjects.
    """

    digest: bytes
    words: tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=65_536)
def _read(token: str) -> _Token:
    letters = _MARKS.sub("", token)
    if not letters.isalpha():
        letters = letters.translate(_LETTERS_OF_DIGITS)
    keys = ((*match.span(), fold_key(match[0])) for match in _WORD.finditer(token))
    return _Token(
        blake2b(fold_key(letters).encode(), digest_size=4).digest(),
        tuple((start, end, key) for start, end, key in keys if _may_be_subject(key)),
    )


def _may_be_subject(key: str) -> bool:
    return MIN_WORD_LENGTH <= len(key) <= MAX_WORD_LENGTH and key not in STOP_WORDS and not _UNSPACED.search(key)


def _words(tokens: Sequence[tuple[int, int]], read: Sequence[_Token]) -> Iterator[_PlacedWord]:
    """Yields the place in the text and the key of each word that may be a subject."""
    for (begin, _), token in zip(tokens, read, strict=True):
        for start, end, key in token.words:
            yield begin + start, begin + end, key


@lru_cache(maxsize=16_384)
def _subject(kind: SubjectType, key: str, text: str) -> Subject:
    """Returns the subject: most posts name what other posts have named, and to check it anew takes time."""
    return Subject(type=kind, key=key[:MAX_KEY_LENGTH], text=text[:MAX_KEY_LENGTH])


def _subjects(post: TaggedPost, words: Iterable[_PlacedWord]) -> tuple[Subject, ...]:
    """Returns each subject once: names first, then hashtags, then words that stand in neither."""
    found: dict[tuple[str, str], Subject] = {}
    for entity in post.entities[:MAX_SUBJECTS]:
        found.setdefault((entity.type, entity.key), _subject(entity.type, entity.key, entity.text))
    for hashtag in post.hashtags[:MAX_SUBJECTS]:
        key = fold_key(" ".join(hashtag.words) or hashtag.text)
        found.setdefault(("HASHTAG", key), _subject("HASHTAG", key, f"#{hashtag.text}"))
    found.pop(("HASHTAG", ""), None)
    for start, end, key in _free_words(post, words):
        found.setdefault(("WORD", key), _subject("WORD", key, post.text[start:end]))
    return tuple(found.values())[:MAX_SUBJECTS]


def _free_words(post: TaggedPost, words: Iterable[_PlacedWord]) -> Iterator[_PlacedWord]:
    """Yields the first `MAX_WORDS` words that stand in no name and no hashtag."""
    taken = [(entity.start, entity.end) for entity in post.entities[:MAX_SUBJECTS]]
    taken += [hashtag.span for hashtag in post.hashtags[:MAX_SUBJECTS] if hashtag.span]
    free = (
        (start, end, key)
        for start, end, key in words
        if not (taken and any(start < after and end > before for before, after in taken))
    )
    return islice(free, MAX_WORDS)


def _shingles(words: Sequence[bytes]) -> tuple[int, ...]:
    """Returns the smallest hashes of the words and of the pairs of neighbours among them."""
    numbers = {int.from_bytes(word) for word in words}
    # A checksum of random bytes is as random, and changes with their order.
    numbers.update(crc32(first + second) for first, second in pairwise(words))
    return tuple(sorted(numbers)[:MAX_SHINGLES])
