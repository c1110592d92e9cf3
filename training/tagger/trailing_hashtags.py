"""Hashtags after a sentence, and posts of nothing else: where most hashtags stand, and where the sets mark few.

::

    "what a night"  ─▶  "what a night #NewYork #longweekend #PrayForParis"        "#newyork #AngelaMerkel #sotired"

The hashtags are made of the names of training posts, at times of the post's own, and of ordinary words of such posts.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.datasets import Example, MarkedName
from training.tagger.hashtag_noise import STYLES, HashtagNoise, WrittenHashtag, hashtag_of, join_words, ordinary_words

_MOST_AFTER = 4
_MOST_ALONE = 8
_NAMES = 0.5  # share of names among such hashtags
_OWN = 0.3  # share of the post's own names among these
_ONE_STYLE = 0.7  # share of posts whose hashtags are all written alike


@dataclass(frozen=True, slots=True)
class HashtagMatter:
    """The matter of hashtags: names (text, type), and runs of ordinary words."""

    names: Sequence[tuple[str, str]] = ()
    words: Sequence[str] = ()


def ordinary_phrases(examples: Sequence[Example], chance: random.Random) -> list[str]:
    """Returns a run of ordinary words of each post that has one and whose annotators marked all types of names."""
    phrases = []
    for example in examples:
        taken = [(name.start, name.end) for name in example.names]
        if not example.unknown and (run := ordinary_words(example.text, taken, chance)):
            phrases.append(example.text[run[0] : run[1]])
    return phrases


def with_trailing_hashtags(
    example: Example, noise: HashtagNoise, matter: HashtagMatter, chance: random.Random
) -> Example:
    """Returns the post with one to four hashtags after it."""
    own = [
        (example.text[name.start : name.end], name.type)
        for name in example.names
        if name.type not in (None, "ANY") and _is_plain(example.text[name.start : name.end])
    ]
    text, names = example.text, list(example.names)
    for hashtag in _hashtags(chance.randint(1, _MOST_AFTER), own, noise, matter, chance):
        text += " "
        names += _moved(hashtag, len(text))
        text += hashtag.text
    return Example(text, tuple(names), example.caption, example.unknown)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.replace(" ", "").isalnum() and not name.isdigit() and len(name) >= 3


def hashtags_alone(noise: HashtagNoise, matter: HashtagMatter, chance: random.Random) -> Example:
    """Returns a post of one to eight hashtags and nothing else."""
    text, names = "", []
    for hashtag in _hashtags(chance.randint(1, _MOST_ALONE), (), noise, matter, chance):
        text += " " if text else ""
        names += _moved(hashtag, len(text))
        text += hashtag.text
    return Example(text, tuple(names))


def _hashtags(
    number: int,
    own: Sequence[tuple[str, str | None]],
    noise: HashtagNoise,
    matter: HashtagMatter,
    chance: random.Random,
) -> list[WrittenHashtag]:
    style = chance.choice(STYLES) if chance.random() < _ONE_STYLE else None
    made = []
    for _ in range(number):
        names = own if own and chance.random() < _OWN else matter.names
        if names and (not matter.words or chance.random() < _NAMES):
            name, kind = chance.choice(names)
            made.append(hashtag_of(name, kind, noise.joined, matter.names, chance, style))
        elif matter.words:
            written = join_words(chance.choice(matter.words), style or chance.choice(STYLES))
            made.append(WrittenHashtag(f"#{written}"))
    return made


def _moved(hashtag: WrittenHashtag, by: int) -> list[MarkedName]:
    return [MarkedName(name.start + by, name.end + by, name.type) for name in hashtag.names]
