"""Stored posts and dead letters, the same for every kind of index, and the number that orders posts by time.

A post's *number* is its time: milliseconds since 1970 shifted by `TIME_SHIFT` bits, then the bit `IMPLAUSIBLE_TIME` if
the post claims a time later than we saw it. The bits below are free for an index that counts the posts of one
millisecond.
"""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from search.limits import MAX_MOMENT
from tagstream.codec import describe
from tagstream.errors import CorruptState, RejectedDocument
from tagstream.posts import DeadLetter, TaggedPost, clean_text, from_epoch_milliseconds, to_epoch_milliseconds

TIME_SHIFT = 20
IMPLAUSIBLE_TIME = 1 << 19

# A clock that is a little ahead is common and moves nothing; a date further ahead says nothing about the time.
TOLERATED_AHEAD = timedelta(minutes=5)


def post_number(created_at: datetime, observed_at: datetime) -> int:
    """Returns the post's time, min(created_at, observed_at), as the lowest number of that time."""
    created_at, observed_at = with_zone(created_at), with_zone(observed_at)
    milliseconds = min(max(to_epoch_milliseconds(min(created_at, observed_at)), 1), MAX_MOMENT)
    implausible = IMPLAUSIBLE_TIME if created_at - observed_at > TOLERATED_AHEAD else 0
    return milliseconds << TIME_SHIFT | implausible


def time_of_number(number: int) -> datetime:
    """Returns the time that the number tells."""
    return from_epoch_milliseconds(number >> TIME_SHIFT)


def first_of_its_time(number: int) -> int:
    """Returns the lowest number of the same time: the number without the count of posts in that millisecond."""
    return number & -IMPLAUSIBLE_TIME


def with_zone(timestamp: datetime) -> datetime:
    """Returns the timestamp; a timestamp without a zone is taken as UTC."""
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def post_json(post: TaggedPost) -> str:
    """Returns the post as every index stores it.

    Raises:
        RejectedDocument: the post holds what JSON cannot express.
    """
    try:
        return post.model_dump_json()
    except PydanticSerializationError as error:
        raise RejectedDocument(f"Post {post.id!r} cannot be written as JSON: {error}.") from error


def read_document(document: str | bytes) -> TaggedPost:
    """Returns the post that a stored document holds.

    Raises:
        CorruptState: the document is not a tagged post.
    """
    try:
        return TaggedPost.model_validate_json(document)
    except ValidationError as error:
        raise CorruptState(
            f"A stored document is not a tagged post: {describe(error)}. Restore the index from a dump."
        ) from error


def clean_letter(letter: DeadLetter) -> DeadLetter:
    """Returns the dead letter without lone surrogates, which no store takes.

    So no dead letter is ever refused for its content.
    """
    texts = {name: value for name, value in letter if isinstance(value, str) and not value.isascii()}
    return letter.model_copy(update={name: clean_text(value) for name, value in texts.items()}) if texts else letter
