"""What the FTS5 table holds of a post, and how a parsed query asks it.

Two columns of ready terms separated by spaces: `words`, and `marks`, one mark for each property a query can ask for.
A mark is a hash in hexadecimal, so that no value of a hostile post can be mistaken for another, however long or odd
it is; and so a whole query, negations and all, is a single FTS5 expression that walks posts in order of time.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from search.author_names import author_names
from search.query import AnyOf, Clause, Field, Leaf, Named, ParsedQuery, Without
from tagstream.posts import ENTITY_TYPES, TaggedPost
from tagstream.text.analysis import Phrase, post_terms, tag
from tagstream.text.entity_keys import fold_key
from tagstream.text.languages import UNDETERMINED, spellings_found

MAX_ENTITY_MARKS = 1_000


@lru_cache(maxsize=65_536)
def mark(kind: str, value: str) -> str:
    """The term for a property: 16 hexadecimal digits."""
    return blake2b(f"{kind}\0{value}".encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=65_536)
def hash_key(first: str, second: str) -> int:
    """A signed 64-bit number that stands for a pair of texts (an entity's type and key, a source and its author)."""
    return int.from_bytes(blake2b(f"{first}\0{second}".encode(), digest_size=8).digest(), signed=True)


_EVERY_POST = mark("every", "post")


def words_column(post: TaggedPost) -> str:
    """The terms of the post's texts, in order."""
    return " ".join(post_terms(post))


def marks_column(post: TaggedPost) -> str:
    """The marks of the post, in no order."""
    return " ".join({_EVERY_POST, *_marks(post)})


def match_expression(query: ParsedQuery, source: str | None) -> str:
    """The FTS5 expression of a query; every text in it is a quoted string of terms of ours."""
    wanted = [_clause(clause) for clause in query.clauses if not isinstance(clause, Without)]
    unwanted = [_leaf(clause.leaf) for clause in query.clauses if isinstance(clause, Without)]
    if source is not None:
        wanted.append(_mark("source", source.lower()))
    expression = " AND ".join(wanted) if wanted else f'marks : "{_EVERY_POST}"'
    return f"({expression}) NOT ({' OR '.join(unwanted)})" if unwanted else expression


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
    for hashtag in post.hashtags[:MAX_ENTITY_MARKS]:
        yield mark("hashtag", tag(hashtag.text))
    for label in post.image_labels[:MAX_ENTITY_MARKS]:
        yield mark("label", fold_key(label))
    for cause in post.degraded[:MAX_ENTITY_MARKS]:
        yield mark("degraded", cause.lower())
    yield from (mark("has", feature) for feature in _features(post))


def _features(post: TaggedPost) -> Iterator[str]:
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


def _clause(clause: Clause) -> str:
    if isinstance(clause, AnyOf):
        return f"({' OR '.join(_leaf(leaf) for leaf in clause.choices)})"
    assert not isinstance(clause, Without)
    return _leaf(clause)


def _leaf(leaf: Leaf) -> str:
    match leaf:
        case Phrase(terms, prefix):
            return f"words : {_quoted(' '.join(terms))}{' *' if prefix else ''}"
        case Named(key, None):
            return f"({' OR '.join(_mark(type_, key) for type_ in ENTITY_TYPES)})"
        case Named(key, type_):
            return _mark(str(type_), key)
        case Field(name, value):
            return _mark(name, value)


def _mark(kind: str, value: str) -> str:
    return f"marks : {_quoted(mark(kind, value))}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
