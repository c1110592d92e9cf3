"""The texts of people: sentences filled with names, then made untidy, while every name's offsets are kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest.sources.simulate.random import Random
from ingest.sources.simulate.vocabulary import Noun, NounSlot, Sentence, nouns
from ingest.sources.simulate.world import World, invented_person
from tagstream.posts import EntityType

Bindings = Mapping[str, Sequence[Noun]]


@dataclass(frozen=True, slots=True)
class Name:
    """The span of a name in a text, in code points; in a hashtag without its sign."""

    start: int
    end: int
    type: EntityType
    in_hashtag: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text. It is a name if it has a type, in a hashtag or not."""

    text: str
    type: EntityType | None = None
    in_hashtag: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A text in pieces."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def names(self) -> tuple[Name, ...]:
        """The names in the text, in order."""
        found, start = [], 0
        for piece in self.pieces:
            end = start + len(piece.text)
            if piece.type is not None:
                found.append(Name(start, end, piece.type, piece.in_hashtag))
            start = end
        return tuple(found)


def plain(text: str) -> Draft:
    """Returns the draft of a text whose names nobody knows."""
    return Draft((Piece(text),))


def marked(text: str, names: Sequence[Name]) -> Draft:
    """Returns the draft of a text whose names are known."""
    pieces, offset = [], 0
    for name in names:
        pieces.append(Piece(text[offset : name.start]))
        pieces.append(Piece(text[name.start : name.end], name.type, name.in_hashtag))
        offset = name.end
    return Draft((*pieces, Piece(text[offset:])))


def fill(random: Random, world: World, sentence: Sentence, bindings: Bindings | None = None) -> Draft:
    """Fills the slots of a sentence; a kind that is bound takes its nouns in turn from there."""
    pieces: list[Piece] = []
    turns: dict[str, int] = {}
    for part in sentence:
        if isinstance(part, str):
            pieces.append(Piece(part))
            continue
        bound = bindings.get(part.kind) if bindings else None
        if bound:
            turn = turns.get(part.kind, random.between(0, len(bound) - 1))
            turns[part.kind] = turn + 1
            noun = bound[turn % len(bound)]
        else:
            noun = _draw(random, world, part)
        if noun.article:
            pieces.append(Piece(noun.article if pieces else noun.article.capitalize()))
        pieces.append(Piece(noun.text, noun.type))
    return Draft(tuple(pieces))


def untidy(random: Random, draft: Draft, tags: Sequence[Noun] | None = None) -> Draft:
    """Returns the draft as somebody on a phone would type it: case, typos, hashtags, emoji, links.

    Args:
        tags: the hashtags beside those made of names; those of every day if None.
    """
    pieces = list(draft.pieces)
    habit = random.share()
    if habit < 0.10:
        pieces = [Piece(piece.text.lower(), piece.type) for piece in pieces]
    elif habit < 0.13:
        pieces = [Piece(piece.text.upper(), piece.type) for piece in pieces]
    elif habit < 0.21:
        pieces = _with_typo(random, pieces)
    if random.chance(0.3):
        pieces += _hashtags(random, pieces, nouns()["tag"] if tags is None else tags)
    if random.chance(0.1):
        pieces.append(Piece(f" {_link(random)}"))
    if random.chance(0.12):
        pieces.append(Piece(f" {random.pick(nouns()['emoji']).text * random.between(1, 3)}"))
    return Draft(tuple(pieces))


def addressed(handle: str, draft: Draft) -> Draft:
    """Returns the draft as an answer to somebody."""
    return Draft((Piece(f"@{handle} "), *draft.pieces))


def reposted(handle: str, draft: Draft) -> Draft:
    """Returns the draft as a repost of somebody else's."""
    return Draft((Piece(f"RT @{handle}: "), *draft.pieces))


def hashtag_form(random: Random, name: str) -> str:
    """Spells the name as a hashtag: `NewYorkCity` or `newyorkcity`."""
    words = ["".join(letter for letter in word if letter.isalnum()) for word in name.split()]
    if random.chance(0.6):
        return "".join(word[:1].upper() + word[1:] for word in words)
    return "".join(words).lower()


def _hashtags(random: Random, pieces: Sequence[Piece], tags: Sequence[Noun]) -> list[Piece]:
    names = [piece for piece in pieces if piece.type is not None]
    found = []
    for _ in range(random.between(1, 3)):
        found.append(Piece(" #"))
        named = random.pick(names) if names and random.chance(0.5) else None
        form = hashtag_form(random, named.text) if named else ""
        if named and not form.isdigit():
            found.append(Piece(form, named.type, in_hashtag=True))
        else:
            found.append(Piece(random.pick(tags).text))
    return found


def _with_typo(random: Random, pieces: Sequence[Piece]) -> list[Piece]:
    """Swaps two neighbouring letters of an ordinary word."""
    typed = list(pieces)
    candidates = [index for index, piece in enumerate(pieces) if piece.type is None and len(piece.text) > 6]
    if candidates:
        index = random.pick(candidates)
        text = pieces[index].text
        offset = random.between(1, len(text) - 4)
        typed[index] = Piece(text[:offset] + text[offset + 1] + text[offset] + text[offset + 2 :])
    return typed


def _link(random: Random) -> str:
    host = random.pick(("example.org", "news.example.com", "l.example.net"))
    return f"https://{host}/{random.between(10**6, 10**9):x}" + random.pick(("", "", "?s=20", "#top"))


_MADE_UP: Mapping[str, Callable[[Random, World], str]] = {
    "number": lambda random, _: str(random.between(2, random.pick((9, 60, 500)))),
    "clock": lambda random, _: f"{random.between(0, 23)}:{random.between(0, 59):02}",
    "score": lambda random, _: f"{random.between(0, 5)}-{random.between(0, 4)}",
    "percent": lambda random, _: f"{random.between(1, 99)}%",
    "link": lambda random, _: _link(random),
    "handle": lambda random, world: world.pick_author(random).handle,
}


def _draw(random: Random, world: World, slot: NounSlot) -> Noun:
    if slot.kind == "person":
        return invented_person(random)
    if make_up := _MADE_UP.get(slot.kind):
        return Noun(make_up(random, world), None)
    return random.pick(nouns()[slot.kind])
