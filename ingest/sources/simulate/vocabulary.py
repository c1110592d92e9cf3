"""The words of the feed: names.txt and sentences.txt, read once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tagstream.posts import ENTITY_TYPES, EntityType


@dataclass(frozen=True, slots=True)
class Noun:
    """A word that fills a slot. `type` None: an ordinary word. `article` precedes it and is no part of the name."""

    text: str
    type: EntityType | None
    article: str = ""


@dataclass(frozen=True, slots=True)
class NounSlot:
    """A gap in a sentence that a noun of this kind fills."""

    kind: str


Sentence = tuple[str | NounSlot, ...]


@cache
def nouns() -> Mapping[str, tuple[Noun, ...]]:
    """Returns the nouns of each kind."""
    found: dict[str, tuple[Noun, ...]] = {}
    for heading, lines in _sections("names.txt"):
        kind, type_name = heading.split()
        entity_type = next((known for known in ENTITY_TYPES if known == type_name), None)
        words = [word.strip() for line in lines for word in line.split(";")]
        found[kind] = tuple(_noun(word, entity_type) for word in words if word)
    return found


@cache
def sentences() -> Mapping[str, tuple[Sentence, ...]]:
    """Returns the sentences of each topic; planted events have topics `event:…`, other languages `language:…`."""
    return {topic: tuple(map(_sentence, lines)) for topic, lines in _sections("sentences.txt")}


@cache
def everyday() -> tuple[Sentence, ...]:
    """Returns the sentences of ordinary topics; each is as likely as the others."""
    return tuple(line for topic, lines in sentences().items() if ":" not in topic for line in lines)


def topics(prefix: str) -> tuple[str, ...]:
    """Returns the topics with this prefix, without it: `topics("event")` are the kinds of planted events."""
    return tuple(topic.removeprefix(f"{prefix}:") for topic in sentences() if topic.startswith(f"{prefix}:"))


def _noun(word: str, entity_type: EntityType | None) -> Noun:
    if entity_type is not None and word.startswith("the "):
        return Noun(word.removeprefix("the "), entity_type, "the ")
    return Noun(word, entity_type)


def _sentence(line: str) -> Sentence:
    pieces = re.split(r"(\{\w+\})", line)
    return tuple(NounSlot(piece[1:-1]) if piece.startswith("{") else piece for piece in pieces if piece)


def _sections(name: str) -> list[tuple[str, list[str]]]:
    sections: list[tuple[str, list[str]]] = []
    for line in files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            sections.append((line.strip("[]"), []))
        elif line.strip() and not line.startswith("# "):
            sections[-1][1].append(line)
    return sections
