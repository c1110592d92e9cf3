"""The subjects of a post: its names, its hashtags and its words, and the sketch by which near-copies are told.

Half of what breaks is not yet a name, so `#earthquake` and a burst of "explosion" count beside `Boston`. Links, names
of accounts, numbers and the commonest words of some languages are no subjects; words that are common in a feed cost a
counter and never trend, so the list of stop words only saves work.
"""

from collections.abc import Iterator
from datetime import datetime
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

_IGNORED = regex.compile(
    r"(?:https?://|www\.)\S++|(?<![\p{L}\p{N}_])@[\p{L}\p{N}_.\-]++|&[a-z]{2,8};|^RT\b", regex.IGNORECASE
)
_WORD = regex.compile(r"[\p{L}\p{M}]++(?:['’][\p{L}\p{M}]++)*+")


def mentions_of(post: TaggedPost, observed_at: datetime) -> PostMentions:
    """Returns the subjects of a post; `observed_at` is when it was accepted."""
    words = list(_words(post.text))
    return PostMentions(
        post_id=post.id,
        revision=post.revision,
        author=None if post.author is None else author_key(post.source, post.author.id),
        minute=minute_of(min(post.created_at, observed_at)),
        shingles=_shingles([word for _, _, word in words]),
        subjects=tuple(_subjects(post, words)),
    )


def _subjects(post: TaggedPost, words: list[tuple[int, int, str]]) -> list[Subject]:
    """Returns each subject once: names first, then hashtags, then words that stand in neither."""
    found: dict[tuple[str, str], Subject] = {}

    def add(kind: SubjectType, key: str, text: str) -> None:
        key, text = key[:MAX_KEY_LENGTH], text[:MAX_KEY_LENGTH]
        if key and (kind, key) not in found and len(found) < MAX_SUBJECTS:
            found[kind, key] = Subject(type=kind, key=key, text=text)

    taken = [(entity.start, entity.end) for entity in post.entities]
    for entity in post.entities:
        add(entity.type, entity.key, entity.text)
    for hashtag in post.hashtags:
        if hashtag.span:
            taken.append(hashtag.span)
        add("HASHTAG", fold_key(" ".join(hashtag.words) or hashtag.text), f"#{hashtag.text}")
    left = MAX_WORDS
    for start, end, word in words:
        if left == 0:
            break
        if len(word) < MIN_WORD_LENGTH or word in STOP_WORDS:
            continue
        if any(start < after and end > before for before, after in taken):
            continue
        left -= ("WORD", word) not in found
        add("WORD", word, post.text[start:end])
    return list(found.values())


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields start, end and folded form of the words outside links, names of accounts and references."""
    blanked = _IGNORED.sub(lambda ignored: " " * len(ignored[0]), text)
    for match in _WORD.finditer(blanked):
        word = fold_key(match[0])
        if word:
            yield match.start(), match.end(), word


def _shingles(words: list[str]) -> tuple[int, ...]:
    """Returns the smallest hashes of the words and of the pairs of neighbours among them."""
    runs = {*words, *(f"{first} {second}" for first, second in pairwise(words))}
    return tuple(sorted({_hash(run) for run in runs})[:MAX_SHINGLES])


def _hash(run: str) -> int:
    return int.from_bytes(blake2b(run.encode(), digest_size=4).digest())
