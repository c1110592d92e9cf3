"""The development sets' persons, places and organisations, each once, and the ways to write one as a hashtag.

::

    "Pray for New York now"  ─▶  in the sentence            "Pray for #NewYork now", "Pray for #NewYorkBlackout now"
                                 after it                   "Pray for now #NewYork"
                                 in a post of hashtags      "#LazySunday #NewYork #GoodMorning"
                                 with another name in one   "Pray for #NewYorkAdaLovelace now"

No word of the topics here is one that training joins names with (`hashtag_noise.py`): the measure would flatter it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tagstream.posts import EntityType
from training.datasets import CORPORA
from training.tagger.measuring import development_posts
from training.tagger.nameless import nameless_hashtags
from training.tagger.perturbations import Token, camel, names_of, tokens_of
from workers.tagger.conll import SPELLINGS, ConllPost, joined_post

TYPES: tuple[EntityType, ...] = ("PER", "LOC", "ORG")
MAX_WORDS = 3
# The words of hashtags about a name, which stands at the `*`; taken in turn.
TOPICS: Mapping[EntityType, Sequence[str]] = {
    "PER": ("farewell *", "* rally", "bravo *", "* wedding", "congratulations *"),
    "LOC": ("evacuate *", "* skyline", "greetings *", "* blackout", "lovely *"),
    "ORG": ("sue *", "* layoffs", "unionize *", "* careers", "dear *"),
}
_FARTHER = 7  # places to the name that shares a hashtag: the next ones may stand in the same post
_MOST_AROUND = 3


@dataclass(frozen=True, slots=True)
class NamedPost:
    """A post and one of its names: the tokens `start` to `end`."""

    post: ConllPost
    start: int
    end: int
    kind: EntityType

    @property
    def words(self) -> list[str]:
        """The words of the name."""
        return [word for word, _ in tokens_of(self.post)[self.start : self.end]]


@dataclass(frozen=True, slots=True)
class Written:
    """The post with its name in a hashtag, and where in the text the name then stands."""

    post: ConllPost
    start: int
    end: int


def names_to_write() -> list[NamedPost]:
    """Returns each person, place and organisation of the development sets once, with the first post that has it."""
    found: dict[tuple[str, EntityType], NamedPost] = {}
    for corpus in CORPORA:
        for post in development_posts(corpus):
            tokens = tokens_of(post)
            for start, end in names_of(tokens):
                kind = SPELLINGS[tokens[start][1][2:].lower()]
                words = [word for word, _ in tokens[start:end]]
                is_plain = all(word.isascii() and word.isalpha() for word in words) and len("".join(words)) > 1
                after_sign = start > 0 and tokens[start - 1][0][-1] in "#@"
                if kind in TYPES and len(words) <= MAX_WORDS and is_plain and not after_sign:
                    found.setdefault((" ".join(words).lower(), kind), NamedPost(post, start, end, kind))
    return list(found.values())


Write = Callable[[Sequence[NamedPost], int], Written]


def write_as_hashtag(name: NamedPost, before: Sequence[str], after: Sequence[str], *, capitals: bool) -> Written:
    """Returns the post with the name as a hashtag, between the words before and after it."""
    hashtag, start, end = _hashtag(name, before, after, capitals=capitals)
    tokens = tokens_of(name.post)
    tokens[name.start : name.end] = [(hashtag, f"B-{name.kind}")]
    return _written(tokens, name.start, start, end)


def write_after(names: Sequence[NamedPost], place: int, *, capitals: bool) -> Written:
    """Returns the post with the name taken out of it, and put after it as a hashtag."""
    name = names[place]
    hashtag, start, end = _hashtag(name, (), (), capitals=capitals)
    tokens = tokens_of(name.post)
    rest = [*tokens[: name.start], *tokens[name.end :]]
    return _written([*rest, (hashtag, f"B-{name.kind}")], len(rest), start, end)


def write_among_hashtags(names: Sequence[NamedPost], place: int, *, capitals: bool) -> Written:
    """Returns a post of the name as a hashtag and up to six without a name around it."""
    name, chance = names[place], random.Random(f"among:{place}")
    hashtag, start, end = _hashtag(name, (), (), capitals=capitals)
    before, after = chance.randint(0, _MOST_AROUND), chance.randint(1, _MOST_AROUND)
    around: list[Token] = [(f"#{one}", "O") for one in chance.sample(nameless_hashtags(), before + after)]
    return _written([*around[:before], (hashtag, f"B-{name.kind}"), *around[before:]], before, start, end)


def write_with_another(names: Sequence[NamedPost], place: int, *, capitals: bool) -> Written:
    """Returns the post with a hashtag of the name and another one, which is the first of the two at every other."""
    other = names[(place + _FARTHER) % len(names)].words
    before, after = (other, []) if place % 2 else ([], other)
    return write_as_hashtag(names[place], before, after, capitals=capitals)


def _alone(names: Sequence[NamedPost], place: int, *, capitals: bool) -> Written:
    return write_as_hashtag(names[place], (), (), capitals=capitals)


def _joined(names: Sequence[NamedPost], place: int, *, capitals: bool) -> Written:
    topics = TOPICS[names[place].kind]
    before, after = topics[place % len(topics)].split("*")
    return write_as_hashtag(names[place], before.split(), after.split(), capitals=capitals)


def _hashtag(name: NamedPost, before: Sequence[str], after: Sequence[str], *, capitals: bool) -> tuple[str, int, int]:
    """Returns a hashtag and where in it the name stands."""
    join: Callable[[Sequence[str]], str] = camel if capitals else lambda words: "".join(words).lower()
    head, middle, tail = join(before), join(name.words), join(after)
    start = 1 + len(head)
    return f"#{head}{middle}{tail}", start, start + len(middle)


def _written(tokens: Sequence[Token], token: int, start: int, end: int) -> Written:
    post = joined_post(tokens)
    offset = post.tokens[token][0]
    return Written(post, offset + start, offset + end)


WAYS: Mapping[str, Write] = {
    f"{kind}, {case}": partial(write, capitals=capitals)
    for case, capitals in (("CamelCase", True), ("lower case", False))
    for kind, write in (
        ("alone", _alone),
        ("joined with other words", _joined),
        ("after the sentence", write_after),
        ("in a post of hashtags", write_among_hashtags),
        ("with another name in one hashtag", write_with_another),
    )
}
