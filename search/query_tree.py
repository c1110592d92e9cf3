"""The tree of a parsed query, and the error of a text that is none. Pure: knows no text and no store."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Self

from rich.cells import cell_len

from tagstream.errors import BadSettings
from tagstream.posts import EntityType
from tagstream.text.analysis import Phrase
from tagstream.text.terminal_text import visible

FieldName = Literal["type", "hashtag", "source", "author", "lang", "has", "label", "degraded"]
NameKind = EntityType | Literal["LABEL"]
"""What has names that are found by a word of them: entities of a type, and what photos show."""

_SHOWN_BEFORE = 50
_SHOWN_AFTER = 30


class MalformedQuery(BadSettings):
    """A text that is no query; the message says where, and what would be a query.

    Attributes:
        start: the first character of the part that cannot be obeyed, counted from 0; None if it is the whole.
        end: the character after that part.
        excerpt: two lines: a piece of the query, and carets under the part.
    """

    def __init__(self, message: str, query: str = "", start: int | None = None, end: int = 0) -> None:
        place = "" if start is None else f" (At character {start + 1} of the query.)"
        super().__init__(f"{message}{place}")
        self.message = message
        self.start = start
        self.end = end
        self.excerpt = "" if start is None else _excerpt(query, start, max(end, start + 1))

    def within(self, query: str, start: int, end: int) -> Self:
        """Returns the error with its place; the error itself if it has one."""
        return self if self.start is not None else type(self)(self.message, query, start, end)


def _excerpt(query: str, start: int, end: int) -> str:
    first = max(0, start - _SHOWN_BEFORE)
    last = min(len(query), max(start, min(end, start + _SHOWN_BEFORE)) + _SHOWN_AFTER)
    before, part, after = (
        visible(piece) for piece in (query[first:start], query[start : min(end, last)], query[min(end, last) : last])
    )
    before = f"…{before}" if first else before
    after = f"{after}…" if last < len(query) else after
    carets = "^" * max(1, cell_len(part.rstrip()))
    return f"{before}{part}{after}\n{' ' * cell_len(before)}{carets}"


@dataclass(frozen=True, slots=True)
class Named:
    """A part: the post names the entity of this key, any type if `type` is None; `asked` is the user's spelling."""

    key: str
    type: EntityType | None = None
    asked: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NameWords:
    """A part: one name of the post holds these words side by side, of any type of entity if `kind` is None.

    With `prefix`, the last word is only the beginning of one. `asked` is the user's spelling.
    """

    words: tuple[str, ...]
    kind: NameKind | None = None
    prefix: bool = False
    asked: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A part: a property of the post has exactly this folded value, or begins with it (`prefix`)."""

    name: FieldName
    value: str
    prefix: bool = False


Leaf = Phrase | Named | NameWords | Field


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A part: at least one of the choices holds."""

    choices: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """A part: all of its parts hold."""

    parts: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Without:
    """A part: the part within does not hold."""

    part: "Part"


Part = Leaf | AnyOf | AllOf | Without


class Placed(NamedTuple):
    """A part and the characters of the query that say it."""

    part: Part
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as parts that all must hold.

    Attributes:
        clauses: the parts.
        since: the earliest time of a post, None for any.
        until: the time before which a post must lie, None for any.
        small: the words in small letters that would be operators in capitals.
        text: the text that was read; the places below are places in it.
        leaves: the leaves of all parts, in order.
        placed: the clauses with their places, in order.
        times: the places of `since:` and `until:`.
    """

    clauses: tuple[Part, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    small: tuple[str, ...] = field(default=(), compare=False)
    text: str = field(default="", compare=False)
    leaves: tuple[Placed, ...] = field(default=(), compare=False)
    placed: tuple[Placed, ...] = field(default=(), compare=False)
    times: tuple[tuple[int, int], ...] = field(default=(), compare=False)
