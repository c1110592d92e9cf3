"""What can happen on the network. Each event has a position of its own in the order in which things happened."""

from dataclasses import dataclass

from ingest.sources.simulate.world import Person
from ingest.sources.simulate.writing import Name


@dataclass(frozen=True, slots=True)
class PostPhoto:
    """DrawnPicture `number` of the pool (None: it cannot be fetched), as this post describes it."""

    number: int | None
    alt: str | None


@dataclass(frozen=True, slots=True)
class PostPublished:
    """A post as its author left it: new (revision 0), edited, or created again after a deletion.

    `id` is native; `text` raw, lone surrogates and all; `names` where the names stand in it (empty for a hostile
    text, of which nothing is known: `known` is False then). `content` and `fate` say what the feed means by it.
    """

    position: int
    id: str
    author: Person | None
    created_at_ms: int
    revision: int
    text: str
    names: tuple[Name, ...]
    known: bool
    lang: str | None
    photos: tuple[PostPhoto, ...]
    reply_to: str | None
    content: str
    fate: str


@dataclass(frozen=True, slots=True)
class PostRemoved:
    """A post is deleted: up to a revision, or for ever."""

    position: int
    id: str
    revision: int | None


@dataclass(frozen=True, slots=True)
class AccountClosed:
    """An account is closed: all of its posts so far are gone. It may be opened again."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class AccountSuspended:
    """An account is suspended: nobody sees its posts, neither those so far nor those to come."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class AccountRestored:
    """An account is suspended no longer: its posts are seen again."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class Garbage:
    """The network hands out bytes that are no post."""

    position: int
    body: bytes


NetworkEvent = PostPublished | PostRemoved | AccountClosed | AccountSuspended | AccountRestored | Garbage
