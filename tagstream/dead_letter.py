"""The builder of dead letters: what could not be processed, with its cause, its identity and its original bytes.

::

    bytes that could not be read ─▶ dead_letter ─────┐
    an event that failed later ──▶ dead_letter_of ───┴▶ DeadLetter: every text cleaned and cut, 64 KiB of the body

Pure. Whatever the input holds, its dead letter can be stored and sent: the contract (`tagstream/posts.py`) cuts each
field instead of refusing it.
"""

import hashlib

from tagstream.bounds import DEAD_LETTER_BODY_BYTES
from tagstream.codec import readable
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Event, Post


def dead_letter(
    *,
    origin: str,
    source: str,
    cause: str,
    message: str,
    body: bytes,
    size: int | None = None,
    sha256: str | None = None,
    post_id: str | None = None,
    author: str | None = None,
    position: int = 0,
) -> DeadLetter:
    """Returns the dead letter of `body`, of which it keeps the first 64 KiB.

    `size` and `sha256` are those of the whole, where `body` is only its beginning. `post_id` and `author` are given
    where they could be read, so that deletions and erasures reach the letter.
    """
    return DeadLetter(
        origin=origin,
        source=source,
        cause=cause,
        message=message,
        body=body[:DEAD_LETTER_BODY_BYTES],
        size=len(body) if size is None else size,
        sha256=hashlib.sha256(body).hexdigest() if sha256 is None else sha256,
        post_id=post_id,
        author=author,
        position=position,
    )


def dead_letter_of(event: Event, *, origin: str, cause: str, message: str, body: bytes | None = None) -> DeadLetter:
    """Returns the dead letter of an event that had been read.

    Its body is `body`, the bytes that the event was read from, or else the event as JSON without its pictures, which
    reads back as that event.
    """
    return dead_letter(
        origin=origin,
        source=event.source,
        cause=cause,
        message=message,
        body=_as_json(event) if body is None else body,
        post_id=event.id if isinstance(event, Post | Deletion) else None,
        author=_author_of(event),
        position=event.position,
    )


def _as_json(event: Event) -> bytes:
    if isinstance(event, DeadLetter):
        return event.body
    if isinstance(event, Post):  # with pictures little else would fit
        event = event.model_copy(update={"media": tuple(media.without_bytes() for media in event.media)})
    return readable(event)


def _author_of(event: Event) -> str | None:
    if isinstance(event, Post):
        return event.author.id if event.author else None
    return event.author if isinstance(event, Erasure | AccountStatus | DeadLetter) else None
