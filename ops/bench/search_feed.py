"""Tagged posts for the search benchmark: deterministic, a hundred thousand in seconds, with the names that are in them.

Tagging a million posts takes a quarter of an hour, and what a search costs depends on words, names and times alone. So
posts are made with their entities: an everyday sentence of the `simulate:` source with names of its lists, then words
and a made-up person drawn from a made-up vocabulary. Words, names and authors follow Zipf's law: the second is half as
frequent as the first, the third a third, and so on.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from ingest.sources.simulate.random import Random
from ingest.sources.simulate.vocabulary import Noun, everyday, nouns
from ingest.sources.simulate.world import world_of
from ingest.sources.simulate.writing import Draft, Piece, fill, untidy
from search.index import Indexable
from tagstream.posts import Author, Entity, Media, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import fold_key
from tagstream.text.hashtags import hashtags_of

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 30
VOCABULARY = 200_000
AUTHORS = 50_000

_BATCH = 2_000
_SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_SOURCES = ("bluesky", "mastodon:social.example", "x", "mastodon:news.example")
_LANGUAGES = ("en", "en", "en", "en", "en-GB", "de", "es", None)
_LABELS = ("person", "street", "crowd", "car", "boat", "dog", "food", "stage", "flood water", "fire engine")
_WORDS = (2, 14)
_REPEATS = 60


def word_of(rank: int) -> str:
    """Returns the word of that rank of the made-up vocabulary, from 1: of three syllables or more."""
    syllables, rest = [], rank + len(_SYLLABLES) ** 2
    while rest:
        rest, at = divmod(rest, len(_SYLLABLES))
        syllables.append(_SYLLABLES[at])
    return "".join(syllables)


def posts(count: int, seed: int = 7) -> Iterator[list[Indexable]]:
    """Yields the posts in order of time, in batches; a number of posts and a seed give the same posts everywhere."""
    random = Random(f"{seed}/search benchmark")
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        yield [_post(random, seed, number, _time_of(number, count)) for number in numbers]


def _time_of(number: int, count: int) -> datetime:
    """Spreads the posts over the days: three quarters more by day, three quarters less by night."""
    days = DAYS * number / count
    return START + timedelta(days=days + 0.119 * math.sin(2 * math.pi * days), milliseconds=number % 1000)


def _post(random: Random, seed: int, number: int, created_at: datetime) -> Indexable:
    draft = untidy(random, fill(random, world_of(seed), random.pick(everyday()), _named()))
    draft = Draft((*draft.pieces, *_tail(random)))
    source = random.pick(_SOURCES)
    author = _rank(random, AUTHORS)
    labels = (_LABELS[_rank(random, len(_LABELS)) - 1],) if random.chance(0.1) else ()
    media = (Media(url=f"https://{source[-12:]}/{number}.jpg", alt="a photo"),) if random.chance(0.2) else ()
    text = draft.text
    post = TaggedPost(
        id=f"{source}:{number}",
        source=source,
        author=Author(id=f"u{author}", handle=f"{word_of(author)}.example"),
        created_at=created_at,
        text=text,
        lang=random.pick(_LANGUAGES),
        hashtags=tuple(
            SegmentedHashtag(text=tag.text, start=tag.start, end=tag.end, words=(tag.text,))
            for tag in hashtags_of(text)
        ),
        media=media,
        entities=tuple(_entities(text, draft)),
        image_labels=labels,
        model="bench@1",
        generation=1,
    )
    return Indexable(post, created_at + timedelta(seconds=2), number + 1)


def _entities(text: str, draft: Draft) -> Iterator[Entity]:
    for name in draft.names:
        written = text[name.start : name.end]
        yield Entity(
            text=written,
            type=name.type,
            start=name.start,
            end=name.end,
            score=0.9,
            in_hashtag=name.in_hashtag,
            key=fold_key(written),
        )


def _tail(random: Random) -> Iterator[Piece]:
    """Yields words of the vocabulary, and now and then a person whose last name is one."""
    if random.chance(0.3):
        yield Piece(" says ")
        name = f"{random.pick(nouns()['first']).text} {word_of(_rank(random, VOCABULARY)).capitalize()}"
        yield Piece(name, "PER")
    words = (word_of(_rank(random, VOCABULARY)) for _ in range(random.between(*_WORDS)))
    yield Piece(" " + " ".join(words))


def _rank(random: Random, most: int) -> int:
    """Draws a rank from 1 to `most` by Zipf's law."""
    return min(int((most + 1) ** random.share()), most)


@cache
def _named() -> Mapping[str, Sequence[Noun]]:
    """Returns the nouns of each kind, each as often as its rank in the list lets expect, in no order."""
    found = {}
    for kind, choice in nouns().items():
        repeated = [noun for rank, noun in enumerate(choice, start=1) for _ in range(math.ceil(_REPEATS / rank))]
        Random(f"nouns/{kind}").shuffle(repeated)
        found[kind] = tuple(repeated)
    return found
