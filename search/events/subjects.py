"""The subjects of a post: its names, its hashtags and its words, and the sketch by which near-copies are told.

Half of what breaks is not yet a name, so `#earthquake` and a burst of "explosion" count beside `Boston`. Links, names
of accounts, numbers and the commonest words of some languages are no subjects; words that are common in a feed cost a
counter and never trend, so the list of stop words only saves work. Scripts without spaces have names and hashtags only.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from struct import unpack
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
_UNREAD = r"(?:https?://|www\.)\S++|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.\-]++|&[a-z]{2,8};"
_READ = rf"(?P<word>[\p{{N}}]*+{_LETTERS}(?:(?:\p{{N}}++|['’._*\-]){_LETTERS})*+[\p{{N}}]*+)"
_TOKEN = regex.compile(rf"{_UNREAD}|{_READ}", regex.IGNORECASE)
_FIRST_TOKEN = regex.compile(rf"{_UNREAD}|\ART\b|{_READ}", regex.IGNORECASE)
_MAX_TOKEN_LENGTH = 3 * MAX_WORD_LENGTH
_DIGEST_SIZE = 4
_MAX_REMEMBERED = 24
"""The characters of the longest chunk that is remembered: all take 30 MiB in a feed, and 100 of the worst texts."""
_MARKS = regex.compile(r"[^\p{L}\p{M}\p{N}'’]++")
_LETTERS_OF_DIGITS = str.maketrans("013457", "oieast")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


HasRoom = Callable[[datetime, int | None, str], bool]
"""Whether a minute still takes a post, by its author's key and its id."""


def mentions_of(post: TaggedPost, observed_at: datetime, has_room: HasRoom | None = None) -> PostMentions:
    """Returns the subjects of a post; `observed_at` is when it was accepted.

    A post for which its minute has no room is not read: nobody will ask for its subjects.
    """
    minute = minute_of(min(post.created_at, observed_at))
    author = None if post.author is None else author_key(post.source, post.author.id)
    if has_room is not None and not has_room(minute, author, post.id):
        return PostMentions(post_id=post.id, revision=post.revision, author=author, minute=minute)
    first, *others = post.text[:MAX_LENGTH].split(" ")
    chunks = [_first_chunk(first) if len(first) <= _MAX_REMEMBERED else _read(first, _FIRST_TOKEN)]
    chunks += [_chunk(other) if len(other) <= _MAX_REMEMBERED else _read(other, _TOKEN) for other in others]
    return PostMentions(
        post_id=post.id,
        revision=post.revision,
        author=author,
        minute=minute,
        shingles=_shingles(b"".join([chunk.digests for chunk in chunks])),
        subjects=_subjects(post, chunks),
    )


class _Word(NamedTuple):
    """The key of a word that may be a subject, and its place in the chunk."""

    start: int
    end: int
    key: str


class _Chunk(NamedTuple):
    """What is read between two spaces: of each token a digest of what a reader reads, and the words of all.

    A token is letters in a row, also with digits and marks between; none spans a space.
    """

    length: int
    digests: bytes
    words: tuple[_Word, ...]


def _read(chunk: str, tokens: regex.Pattern[str]) -> _Chunk:
    digests: list[bytes] = []
    words: list[_Word] = []
    for match in tokens.finditer(chunk):
        if match.lastgroup:
            begin, end = match.span()
            token = chunk[begin : min(end, begin + _MAX_TOKEN_LENGTH)]
            digests.append(_digest(token))
            words += _words(token, begin)
    return _Chunk(len(chunk), b"".join(digests), tuple(words))


def _read_letters(chunk: str) -> _Chunk:
    """Reads a chunk of plain letters, which is one token and one word, as `_read` would, in a third of the time."""
    key = chunk.lower()
    words = (_Word(0, len(chunk), key),) if _may_be_subject(key) else ()
    return _Chunk(len(chunk), blake2b(key.encode(), digest_size=_DIGEST_SIZE).digest(), words)


@lru_cache(maxsize=65_536)
def _chunk(chunk: str) -> _Chunk:
    """Reads a chunk: most of a post was read before in other posts."""
    return _read_letters(chunk) if chunk.isascii() and chunk.isalpha() else _read(chunk, _TOKEN)


@lru_cache(maxsize=8_192)
def _first_chunk(chunk: str) -> _Chunk:
    """Reads the first chunk of a text, where `RT` marks a retweet."""
    return _read(chunk, _FIRST_TOKEN)


def _digest(token: str) -> bytes:
    letters = token if token.isalpha() else _MARKS.sub("", token)
    if not letters.isalpha():
        letters = letters.translate(_LETTERS_OF_DIGITS)
    return blake2b(fold_key(letters).encode(), digest_size=_DIGEST_SIZE).digest()


def _words(token: str, offset: int) -> Iterator[_Word]:
    """Yields the words in a token that may be subjects; the token stands `offset` characters into its chunk."""
    for match in _WORD.finditer(token):
        key = fold_key(match[0])
        if _may_be_subject(key):
            yield _Word(offset + match.start(), offset + match.end(), key)


def _may_be_subject(key: str) -> bool:
    return (
        MIN_WORD_LENGTH <= len(key) <= MAX_WORD_LENGTH
        and key not in STOP_WORDS
        and (key.isascii() or not _UNSPACED.search(key))
    )


@lru_cache(maxsize=16_384)
def _subject(kind: SubjectType, key: str, text: str) -> Subject:
    """Returns the subject: most posts name what other posts have named, and to check it anew takes time."""
    return Subject(type=kind, key=key[:MAX_KEY_LENGTH], text=text[:MAX_KEY_LENGTH])


def _subjects(post: TaggedPost, chunks: Iterable[_Chunk]) -> tuple[Subject, ...]:
    """Returns each subject once: names first, then hashtags, then words that stand in neither."""
    found: dict[tuple[str, str], Subject] = {}
    for entity in post.entities[:MAX_SUBJECTS]:
        found.setdefault((entity.type, entity.key), _subject(entity.type, entity.key, entity.text))
    for hashtag in post.hashtags[:MAX_SUBJECTS]:
        key = fold_key(" ".join(hashtag.words) or hashtag.text)
        found.setdefault(("HASHTAG", key), _subject("HASHTAG", key, f"#{hashtag.text}"))
    found.pop(("HASHTAG", ""), None)
    for start, end, key in islice(_free_words(post, chunks), MAX_WORDS):
        found.setdefault(("WORD", key), _subject("WORD", key, post.text[start:end]))
    return tuple(found.values())[:MAX_SUBJECTS]


def _free_words(post: TaggedPost, chunks: Iterable[_Chunk]) -> Iterator[tuple[int, int, str]]:
    """Yields place and key of each word that stands in no name and no hashtag."""
    taken = [(entity.start, entity.end) for entity in post.entities[:MAX_SUBJECTS]]
    taken += [hashtag.span for hashtag in post.hashtags[:MAX_SUBJECTS] if hashtag.span]
    offset = 0
    for length, _, words in chunks:
        for start_in_chunk, end_in_chunk, key in words:
            start, end = offset + start_in_chunk, offset + end_in_chunk
            if not (taken and any(start < after and end > before for before, after in taken)):
                yield start, end, key
        offset += length + 1  # and the space


def _shingles(digests: bytes) -> tuple[int, ...]:
    """Returns the smallest hashes of the tokens and of the pairs of neighbours among them."""
    count = len(digests) // _DIGEST_SIZE
    numbers = set(unpack(f">{count}I", digests))
    # A checksum of random bytes is as random, and changes with their order.
    last = len(digests) - _DIGEST_SIZE
    numbers.update([crc32(digests[start : start + 2 * _DIGEST_SIZE]) for start in range(0, last, _DIGEST_SIZE)])
    return tuple(sorted(numbers)[:MAX_SHINGLES])
