"""The subjects of a post: its names, its hashtags and its words, and the sketch by which near-copies are told.

Half of what breaks is not yet a name, so `#earthquake` and a burst of "explosion" count beside `Boston`. Links, names
of accounts, numbers and the commonest words of some languages are no subjects; words that are common in a feed cost a
counter and never trend, so the list of stop words only saves work. Scripts without spaces have names and hashtags only.
"""

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

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

_IGNORED = regex.compile(
    r"(?:https?://|www\.)\S++|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.\-]++|&[a-z]{2,8};|\ART\b", regex.IGNORECASE
)
_WORD = regex.compile(r"[\p{L}\p{M}]++(?:['’][\p{L}\p{M}]++)*+")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def mentions_of(post: TaggedPost, observed_at: datetime) -> PostMentions:
    """Returns the subjects of a post; `observed_at` is when it was accepted."""
    text = _IGNORED.sub(_blank, post.text[:MAX_LENGTH])
    spans = [match.span() for match in _WORD.finditer(text)]
    words = [_folded(text[start:end]) for start, end in spans]
    return PostMentions(
        post_id=post.id,
        revision=post.revision,
        author=None if post.author is None else author_key(post.source, post.author.id),
        minute=minute_of(min(post.created_at, observed_at)),
        shingles=_shingles([number for _, number, _ in words]),
        subjects=_subjects(post, spans, words),
    )


def _blank(ignored: regex.Match[str]) -> str:
    return " " * len(ignored[0])


@lru_cache(maxsize=65_536)
def _folded(word: str) -> tuple[str, int, bool]:
    """Returns the folded form of a word, its hash, and whether it may be a subject."""
    key = fold_key(word)
    may_be = MIN_WORD_LENGTH <= len(key) <= MAX_WORD_LENGTH and key not in STOP_WORDS and not _UNSPACED.search(key)
    return key, int.from_bytes(blake2b(key.encode(), digest_size=4).digest()), may_be


def _subjects(
    post: TaggedPost, spans: list[tuple[int, int]], words: list[tuple[str, int, bool]]
) -> tuple[Subject, ...]:
    """Returns each subject once: names first, then hashtags, then words that stand in neither."""
    found: dict[tuple[str, str], Subject] = {}

    def add(kind: SubjectType, key: str, text: str) -> None:
        key = key[:MAX_KEY_LENGTH]
        if key and (kind, key) not in found and len(found) < MAX_SUBJECTS:
            found[kind, key] = Subject(type=kind, key=key, text=text[:MAX_KEY_LENGTH])

    for entity in post.entities:
        add(entity.type, entity.key, entity.text)
    for hashtag in post.hashtags:
        add("HASHTAG", fold_key(" ".join(hashtag.words) or hashtag.text), f"#{hashtag.text}")
    taken = [(entity.start, entity.end) for entity in post.entities[:MAX_SUBJECTS]]
    taken += [hashtag.span for hashtag in post.hashtags[:MAX_SUBJECTS] if hashtag.span]
    left = MAX_WORDS
    for (start, end), (key, _, may_be) in zip(spans, words, strict=True):
        if not may_be or any(start < after and end > before for before, after in taken):
            continue
        add("WORD", key, post.text[start:end])
        left -= 1
        if left == 0:
            break
    return tuple(found.values())


def _shingles(words: list[int]) -> tuple[int, ...]:
    """Returns the smallest hashes of the words and of the pairs of neighbours among them."""
    return tuple(sorted({*words, *(_mixed(first, second) for first, second in pairwise(words))})[:MAX_SHINGLES])


def _mixed(first: int, second: int) -> int:
    """Returns the hash of a pair of hashes, in the finishing steps of MurmurHash3."""
    number = (first * 0x9E3779B1 + second) & 0xFFFFFFFF
    number = ((number ^ number >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    number = ((number ^ number >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return number ^ number >> 16
