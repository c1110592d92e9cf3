"""The terms of a post: its words, and marks for each property that a query can ask for.

Every kind of index stores these two columns and searches nothing else, so the same query finds the same posts in each.
A mark is a hash in hexadecimal: no value of a hostile post can be mistaken for another value, however long or odd it
is, and a query over properties needs no text search of its own. The words of names and the hashtags are marks that can
be read, because queries ask for their beginnings: folded words after their kind, apart by `SEPARATOR`, which no folded
word can hold. Two words that stand side by side in a name make a mark of their own.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

from search.author_names import author_names
from tagstream.posts import ENTITY_TYPES, TaggedPost
from tagstream.text.analysis import post_terms, tag, terms
from tagstream.text.entity_keys import fold_key
from tagstream.text.languages import UNDETERMINED, spellings_found

MAX_ENTITY_MARKS = 1_000
MAX_NAME_WORDS = 16
SEPARATOR = "\u241f"
LABEL = "LABEL"


@lru_cache(maxsize=65_536)
def mark(kind: str, value: str) -> str:
    """Returns the term for a property: 16 hexadecimal digits."""
    return blake2b(f"{kind}\0{value}".encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=65_536)
def hash_key(first: str, second: str) -> int:
    """Returns a signed 64-bit number that stands for a pair of texts, such as an entity's type and its key."""
    return int.from_bytes(blake2b(f"{first}\0{second}".encode(), digest_size=8).digest(), signed=True)


def author_key(source: str, author: str) -> int:
    """Returns the number that stands for an author: counts and erasures tell authors apart by it."""
    return hash_key(source, author)


EVERY_POST = mark("every", "post")
"""The mark that every post carries: a query without any other condition asks for this one."""


def words_column(post: TaggedPost) -> str:
    """Returns the terms of the post's texts, in order, separated by spaces."""
    return " ".join(post_terms(post))


def marks_column(post: TaggedPost) -> str:
    """Returns the marks of the post, in no order, separated by spaces."""
    return " ".join({EVERY_POST, *_marks(post)})


def name_marks(kind: str, words: Sequence[str]) -> list[str]:
    """Returns the marks of every post with a name of this kind that holds the words side by side.

    Of a query whose last word is only a beginning, the last mark is.
    """
    if len(words) == 1:
        return [f"{kind.lower()}{SEPARATOR}{words[0]}"]
    return [f"{kind.lower()}{SEPARATOR}{first}{SEPARATOR}{second}" for first, second in pairwise(words)]


def name_kinds(kind: str | None) -> tuple[str, ...]:
    """Returns the kinds of names that are asked for: of entities of any type without one."""
    return ENTITY_TYPES if kind is None else (kind,)


def hashtag_mark(folded: str) -> str:
    """Returns the mark of a hashtag, which a query may ask for by its beginning."""
    return f"hashtag{SEPARATOR}{folded}"


def facets_of(post: TaggedPost) -> Iterator[tuple[str, str]]:
    """Yields the kind and value of what is counted of a post besides its names, each once."""
    yield "source", post.source
    yield from (("language", tag_) for tag_ in post.langs or (UNDETERMINED,))
    yield from (("hashtag", folded) for folded in hashtags_of(post))


def hashtags_of(post: TaggedPost) -> list[str]:
    """Returns the hashtags of a post, folded, in order of code points."""
    return sorted({folded for one in post.hashtags[:MAX_ENTITY_MARKS] if (folded := tag(one.text))})


def _marks_of_words(kind: str, name: str) -> Iterator[str]:
    words = terms(name)[:MAX_NAME_WORDS]
    for word in words:
        yield from name_marks(kind, [word])
    if len(words) > 1:
        yield from name_marks(kind, words)


def _marks(post: TaggedPost) -> Iterator[str]:
    source = post.source.lower()
    yield mark("source", source)
    network, colon, _ = source.partition(":")
    if colon:
        yield mark("source", network)
    for name in author_names(post):
        yield mark("author", name)
    for lang in post.langs or (UNDETERMINED,):
        yield from (mark("lang", spelling) for spelling in spellings_found(lang))
    for entity in post.entities[:MAX_ENTITY_MARKS]:
        yield mark(entity.type, entity.key)
        yield mark("type", entity.type)
        yield from _marks_of_words(entity.type, entity.key)
    for hashtag in post.hashtags[:MAX_ENTITY_MARKS]:
        yield hashtag_mark(tag(hashtag.text))
    for label in post.image_labels[:MAX_ENTITY_MARKS]:
        yield mark("label", fold_key(label))
        yield from _marks_of_words(LABEL, fold_key(label))
    for cause in post.degraded[:MAX_ENTITY_MARKS]:
        yield mark("degraded", cause.lower())
    yield from (mark("has", feature) for feature in _features(post))


def _features(post: TaggedPost) -> Iterator[str]:
    """Yields what `has:` finds of the post."""
    if post.entities:
        yield "entity"
    if post.hashtags:
        yield "hashtag"
    if post.reply_to:
        yield "reply"
    if post.image_labels:
        yield "label"
    if post.links or "://" in post.text:
        yield "link"
    for media in post.media:
        yield "photo" if media.kind == "photo" else "video"
