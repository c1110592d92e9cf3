"""Names of training posts turned into hashtags, and hashtags of ordinary words beside them.

::

    "Merkel visits New York"  ─▶  "Merkel visits #NewYork", "Merkel visits #newyork", "Merkel visits #PrayForNewYork"

The sets mark names in hashtags unevenly, and most hashtags that they mark are one word. Written anew, a name keeps its
type and its place; the segmenter that serves splits the hashtag, so the tagger learns from its mistakes, too.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets import Example, MarkedName
from workers.tagger.words import Kind, split_words

_BEFORE = (
    "Pray For", "Justice For", "Stand With", "Team", "Vote", "Visit", "Free", "Save", "Love", "I Love", "We Love",
    "Welcome To", "Happy Birthday", "RIP", "Go", "Stop", "Support", "Back", "Je Suis", "Hello", "Thank You",
    "Made In", "Live In", "Best Of", "Road To", "Live From", "Fly To", "Meet", "Ask", "Boycott", "Help", "Rebuild",
    "Discover", "Explore", "Miss", "Keep", "Bring Back", "Remember", "No", "Never", "Follow", "Watch", "Only In",
    "Weekend In", "Sunset In", "Back To", "Dump", "My",
)  # fmt: skip
_AFTER = (
    "News", "Strong", "Live", "Fans", "Tour", "Weather", "Traffic", "Elections", "Election", "Vote", "Votes",
    "Decides", "Food", "Jobs", "Events", "Marathon", "Airport", "Attacks", "Attack", "Earthquake", "Floods", "Fire",
    "Fires", "Protest", "Protests", "Riots", "Strikes", "Crash", "Shooting", "Life", "Love", "Style", "Nights",
    "Music", "Tech", "Startups", "Homes", "Travel", "Out", "For President", "In Concert", "Day", "Week",
    "Fashion Week", "2014", "2015", "2016", "2017", "2020", "24", "Bound", "Army", "Nation", "Memes", "Facts",
    "Speaks", "Interview", "Debate", "Summit", "Trip", "Diaries", "Bombing", "Relief",
)  # fmt: skip
_BETWEEN = ("In", "At", "And", "Vs", "For", "With", "Meets", "To", "From", "On")
STYLES = ("camel", "camel", "lower", "camel", "lower", "upper")


@dataclass(frozen=True, slots=True)
class HashtagNoise:
    """The chances, from 0 to 1, of a name, or a run of ordinary words in a post, to become a hashtag.

    `joined` is the share of such names that are joined with words of topics or with another name; `trailing` the chance
    of a post to get hashtags after it (`trailing_hashtags.py`).
    """

    name: float = 0.0
    words: float = 0.0
    joined: float = 0.4
    trailing: float = 0.0


@dataclass(frozen=True, slots=True)
class WrittenHashtag:
    """A hashtag with its sign; `names` are given by offsets in `text`."""

    text: str
    names: tuple[MarkedName, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edit:
    """A stretch of text and what takes its place; `names` are given by offsets in `text`."""

    start: int
    end: int
    text: str
    names: tuple[MarkedName, ...] = ()


def with_hashtags(
    example: Example, noise: HashtagNoise, pool: Sequence[tuple[str, str]], chance: random.Random
) -> Example:
    """Returns the post with some of its names and words as hashtags.

    `pool` holds names (text, type) to join them with.
    """
    edits = [
        _hashtag_of_name(example, name, noise, pool, chance)
        for name in example.names
        if _can_be_hashtag(example, name.start, name.end) and chance.random() < noise.name
    ]
    if chance.random() < noise.words:
        taken = [(name.start, name.end) for name in example.names]
        edits += _hashtag_of_words(example.text, taken, chance)
    return _edited(example, sorted(edits, key=lambda edit: edit.start)) if edits else example


def topic_words() -> set[str]:
    """Returns the words that names are joined with in hashtags, in lower case."""
    return {word.lower() for phrase in (*_BEFORE, *_AFTER, *_BETWEEN) for word in phrase.split()}


def hashtag_names(examples: Sequence[Example]) -> list[tuple[str, str]]:
    """Returns the names (text, type) of posts that can be written as hashtags, once each, in order."""
    pool = {
        (example.text[name.start : name.end], name.type): None
        for example in examples
        for name in example.names
        if name.type not in (None, "ANY") and _can_be_hashtag(example, name.start, name.end)
    }
    return [(text, kind) for text, kind in pool if kind is not None]


def _can_be_hashtag(example: Example, start: int, end: int) -> bool:
    text = example.text
    name = text[start:end]
    stands_free = (start == 0 or text[start - 1].isspace()) and (start < 2 or text[start - 2] not in "#@")
    return (
        stands_free
        and name.isascii()
        and name.replace(" ", "").isalnum()
        and 3 <= len(name) <= 40
        and not name.isdigit()
    )


def _hashtag_of_name(
    example: Example, name: MarkedName, noise: HashtagNoise, pool: Sequence[tuple[str, str]], chance: random.Random
) -> _Edit:
    hashtag = hashtag_of(example.text[name.start : name.end], name.type, noise.joined, pool, chance)
    return _Edit(name.start, name.end, hashtag.text, hashtag.names)


def hashtag_of(
    name: str,
    kind: str | None,
    joined: float,
    pool: Sequence[tuple[str, str]],
    chance: random.Random,
    style: str | None = None,
) -> WrittenHashtag:
    """Returns a name as a hashtag, in a style of chance where none is said.

    `joined` is the chance that words of a topic, or a name of `pool`, are written with it.
    """
    style = style or chance.choice(STYLES)
    parts: list[tuple[str, str | None]] = [(name, kind)]
    if chance.random() < joined:
        turn = chance.random()
        if turn < 0.4:
            parts.insert(0, (chance.choice(_BEFORE), None))
        elif turn < 0.8:
            parts.append((chance.choice(_AFTER), None))
        elif pool and kind != "ANY":
            parts += [(chance.choice(_BETWEEN), None), chance.choice(pool)]
    written, names = "#", []
    for text, part in parts:
        start = len(written)
        written += join_words(text, style)
        if part is not None:
            names.append(MarkedName(start, len(written), part))
    return WrittenHashtag(written, tuple(names))


def _hashtag_of_words(text: str, taken: Sequence[tuple[int, int]], chance: random.Random) -> list[_Edit]:
    """Returns an edit that makes a hashtag of one to three ordinary words in small letters; none where none stand."""
    run = ordinary_words(text, taken, chance)
    if run is None:
        return []
    start, end = run
    return [_Edit(start, end, "#" + join_words(text[start:end], chance.choice(STYLES)))]


def ordinary_words(text: str, taken: Sequence[tuple[int, int]], chance: random.Random) -> tuple[int, int] | None:
    """Returns where one to three words in small letters stand that are in no name (`taken`); None where none do."""
    words = split_words(text)
    plain = [
        word.kind is Kind.WORD and word.surface.isascii() and word.surface.islower() and word.surface.isalpha()
        and not any(start < word.end and end > word.start for start, end in taken)
        for word in words
    ]  # fmt: skip
    length = chance.choice((1, 2, 2, 3))
    starts = [
        i for i in range(len(words) - length + 1)
        if all(plain[i : i + length]) and sum(word.end - word.start for word in words[i : i + length]) >= 5
        and (words[i].start == 0 or text[words[i].start - 1].isspace())
        and (words[i + length - 1].end == len(text) or text[words[i + length - 1].end].isspace())
        and not (i and words[i - 1].surface in ("#", "@"))
    ]  # fmt: skip
    if not starts:
        return None
    first = chance.choice(starts)
    return words[first].start, words[first + length - 1].end


def join_words(text: str, style: str) -> str:
    """Returns words as they stand in a hashtag of a style: `camel`, `lower` or `upper`."""
    words = text.split()
    if style == "lower":
        return "".join(words).lower()
    if style == "upper":
        return "".join(words).upper()
    return "".join(word if word[1:] != word[1:].lower() else word.capitalize() for word in words)


def _edited(example: Example, edits: Sequence[_Edit]) -> Example:
    """Returns the example with edits that do not overlap; a name within an edit gives way to the edit's own names."""
    written, names, done = "", [], 0
    kept = [name for name in example.names if not any(edit.start <= name.start < edit.end for edit in edits)]
    for edit in (*edits, _Edit(len(example.text), len(example.text), "")):
        shift = len(written) - done
        names += [MarkedName(n.start + shift, n.end + shift, n.type) for n in kept if done <= n.start < edit.start]
        written += example.text[done : edit.start]
        names += [MarkedName(n.start + len(written), n.end + len(written), n.type) for n in edit.names]
        written += edit.text
        done = edit.end
    return Example(written, tuple(names), example.caption, example.unknown)
