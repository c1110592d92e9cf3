"""The result of reading a document of a feed: events, or the name of a valid document that gives none. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from tagstream.posts import Event


class PassedOverDocument(StrEnum):
    """The closed list of valid documents that give no event."""

    # What X says of a stream, of an account, or of an answer without posts.
    LIMIT = "limit"
    SCRUB_GEO = "scrub_geo"
    STATUS_WITHHELD = "status_withheld"
    USER_WITHHELD = "user_withheld"
    DISCONNECT = "disconnect"
    WARNING = "warning"
    FRIENDS = "friends"
    USER_EVENT = "user_event"
    COMPLIANCE = "compliance"
    INFO = "info"
    ERRORS = "errors"
    EMPTY_PAGE = "empty_page"
    USERS = "users"
    # What a dump of ours says of itself, or of posts that it holds.
    DUMP = "dump"
    # What others say.
    REBLOG = "reblog"
    NOT_PUBLIC = "not_public"
    OTHER_RECORD = "other_record"
    # `null`, or a list of nothing.
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class DocumentOrigin:
    """The origin of a document: the `origin` of its dead letter, its position, and its source where it names none."""

    origin: str
    position: int
    source: str


@dataclass(frozen=True, slots=True)
class DocumentEvents:
    """The events of a document. `supersedes` is the origin of a dead letter that its event replaces."""

    events: tuple[Event, ...] = ()
    passed_over: tuple[PassedOverDocument, ...] = ()
    supersedes: str | None = None
