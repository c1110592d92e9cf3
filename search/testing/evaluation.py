"""A plain evaluation of queries, post by post, and random queries for it: what every index must agree with.

It reads the tree of `search/query.py` and the posts themselves, and knows nothing of terms columns, marks and stores.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta

from search.author_names import author_names
from search.query import AllOf, AnyOf, Field, Named, NameWords, ParsedQuery, Part, Without
from search.testing.posts import START, entity, tagged
from tagstream.posts import Media, SegmentedHashtag, TaggedPost
from tagstream.text.analysis import Phrase, post_terms, tag, terms
from tagstream.text.entity_keys import fold_key

_WORDS = ("red", "green", "Blue", "merkel", "Straße", "東京都", "🔥", "can't", "don")
_NAMES = ("Angela Merkel", "Merkel", "Merkel Straße", "New York", "東京都", "Müller", "C++", "Jean-Luc", "New Angela")
_TAGS = ("NewYork", "Newport", "red", "Zürich")
_LANGUAGES = (None, "en", "en-US", "de", "pt-BR")
VALUES = (
    "red", "green", "blue", '"red green"', '"green red"', "gre*", "mer*", "strasse", "東京", "京", "🔥", "cant",
    "person:merkel", "person:Merk*", 'person:"Angela Merkel"', 'place:"angela m*"', "entity:new", 'entity:"New York"',
    "entity:muller", "place:東京", "organisation:C++", "other:Jean-Luc", "type:PER", "type:place", "#newyork", "#new*",
    "hashtag:ZURICH", "has:photo", "has:hashtags", "has:entity", "lang:en", "lang:EN-us", "lang:und", "from:bo",
    "from:anna", "source:jsonl", "source:mastodon", "label:boat", 'label:"fishing boat"', "label:fish*",
    "degraded:photo",
)  # fmt: skip


def holds(query: ParsedQuery, post: TaggedPost) -> bool:
    """Returns whether the post, seen after it was written, is one of those that the query asks for."""
    in_time = (query.since is None or post.created_at >= query.since) and (
        query.until is None or post.created_at < query.until
    )
    return in_time and all(_holds(part, post) for part in query.clauses)


def _holds(part: Part, post: TaggedPost) -> bool:
    match part:
        case AllOf(parts):
            return all(_holds(one, post) for one in parts)
        case AnyOf(choices):
            return any(_holds(one, post) for one in choices)
        case Without(inner):
            return not _holds(inner, post)
        case Phrase(words, prefix):
            return _side_by_side(words, prefix, post_terms(post))
        case Named(key, type_):
            return any(one.key == key and type_ in (None, one.type) for one in post.entities)
        case NameWords(words, "LABEL", prefix):
            return any(_side_by_side(words, prefix, terms(fold_key(label))) for label in post.image_labels)
        case NameWords(words, kind, prefix):
            return any(
                _side_by_side(words, prefix, terms(one.key)) for one in post.entities if kind in (None, one.type)
            )
        case Field(name, value, prefix):
            return any(found.startswith(value) if prefix else found == value for found in _values(name, post))


def _side_by_side(words: Sequence[str], prefix: bool, within: Sequence[str]) -> bool:
    *whole, last = words
    return any(
        list(within[at : at + len(whole)]) == whole and (following.startswith(last) if prefix else following == last)
        for at, following in enumerate(within[len(whole) :])
    )


def _values(name: str, post: TaggedPost) -> Iterable[str]:
    match name:
        case "type":
            return (one.type for one in post.entities)
        case "hashtag":
            return (tag(one.text) for one in post.hashtags)
        case "source":
            return (post.source, post.source.partition(":")[0])
        case "author":
            return author_names(post)
        case "lang":
            tags = [part.lower().split("-") for part in post.langs or ("und",)]
            return ("-".join(parts[:length]) for parts in tags for length in range(1, len(parts) + 1))
        case "label":
            return map(fold_key, post.image_labels)
        case "degraded":
            return post.degraded
    has: dict[str, object] = {
        "entity": post.entities,
        "hashtag": post.hashtags,
        "reply": post.reply_to,
        "label": post.image_labels,
    }
    has |= {"photo": post.media, "link": post.links}
    return (feature for feature, there in has.items() if there)


def random_posts(chance: random.Random, number: int) -> list[TaggedPost]:
    """Returns posts that hold much of what the random queries ask for; each has a minute of its own."""
    return [_random_post(chance, at) for at in range(number)]


def _random_post(chance: random.Random, at: int) -> TaggedPost:
    def some(choices: Sequence[str], most: int) -> list[str]:
        return chance.sample(choices, chance.randint(0, most))

    names = [entity(name, chance.choice(("PER", "LOC", "ORG", "MISC"))) for name in some(_NAMES, 3)]
    hashtags = [SegmentedHashtag(text=one, words=(one,)) for one in some(_TAGS, 2)]
    post = tagged(
        str(at),
        " ".join(some(_WORDS, 4)),
        minute=at,
        author=chance.choice((None, "17", "18")),
        source=chance.choice(("jsonl", "mastodon:host.example")),
        hashtags=hashtags,
        entities=names,
        media=[Media(url="https://example.org/1.jpg", alt=" ".join(some(_WORDS, 2)))] if chance.random() < 0.3 else [],
        lang=chance.choice(_LANGUAGES),
    )
    author = post.author and post.author.model_copy(update={"handle": {"17": "Bo", "18": "anna"}[post.author.id]})
    labels = tuple(some(("fishing boat", "boat", "gull"), 2))
    degraded = ("photo",) if chance.random() < 0.2 else ()
    return post.model_copy(update={"author": author, "image_labels": labels, "degraded": degraded})


def random_query(chance: random.Random, posts: int) -> str:
    """Returns a query of up to three levels of parentheses, now and then with a time, over that many random posts."""
    text = _random_parts(chance, depth=0)
    for field in ("since", "until"):
        if chance.random() < 0.15:
            moment = START + timedelta(minutes=chance.randrange(posts) if field == "since" else posts)
            text += f" {field}:{moment:%Y-%m-%dT%H:%M}"
    return text


def _random_parts(chance: random.Random, depth: int) -> str:
    return " ".join(
        " OR ".join(_random_part(chance, depth) for _ in range(chance.choice((1, 1, 2, 3))))
        for _ in range(chance.choice((1, 1, 2, 3)))
    )


def _random_part(chance: random.Random, depth: int) -> str:
    negation = chance.choice(("", "", "", "-", "NOT "))
    if depth < 3 and chance.random() < 0.3:
        return f"{negation}({_random_parts(chance, depth + 1)})"
    return negation + chance.choice(VALUES)
