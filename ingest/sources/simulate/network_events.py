"""The events of the network. Each has a position of its own, which rises in the order in which they happened."""

from dataclasses import dataclass

from ingest.sources.simulate.world import Person
from ingest.sources.simulate.writing import Name


@dataclass(frozen=True, slots=True)
class PostPhoto:
    """Image `number` of the pool (None: it cannot be fetched), as this post describes it."""

    number: int | None
    alt: str | None


@dataclass(frozen=True, slots=True)
class PostPublished:
    """A post as its author left it: new (revision 0), edited, or created again after a deletion.

    `id` is native. `text` is raw, lone surrogates and all. `names` are the names in it; a hostile text has none, and
    then `known` is False, because nobody says which names it holds. `content` and `fate` say what the feed means by the
    post.
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
    """The deletion of a post: up to a revision, or for ever."""

    position: int
    id: str
    revision: int | None


@dataclass(frozen=True, slots=True)
class AccountClosed:
    """The closing of an account: all of its posts so far are gone. It may be opened again."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class AccountSuspended:
    """The suspension of an account: nobody sees its posts, neither earlier nor later ones."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class AccountRestored:
    """The end of a suspension: the account's posts are seen again."""

    position: int
    author: Person


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes from the network that are no post."""

    position: int
    body: bytes


NetworkEvent = PostPublished | PostRemoved | AccountClosed | AccountSuspended | AccountRestored | Garbage
