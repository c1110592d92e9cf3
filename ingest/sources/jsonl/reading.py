"""What a document of a feed gives: events, or the name of what it was that gives none. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from tagstream.posts import Event


class PassedOverDocument(StrEnum):
    """What is right and gives no event: all the reasons there are."""

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
    """Where a document stands: the origin of its dead letter, its place in its feed, and whose ids are meant where it
    does not say."""

    origin: str
    position: int
    source: str


@dataclass(frozen=True, slots=True)
class DocumentEvents:
    """`supersedes`: the origin of the dead letter that the event replaces."""

    events: tuple[Event, ...] = ()
    passed_over: tuple[PassedOverDocument, ...] = ()
    supersedes: str | None = None
