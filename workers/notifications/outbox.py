"""The outbox: notifications that their receivers have not yet taken, in memory and as bytes for the index. Pure.

Of an event it holds the id alone: what is told of it is made when it is sent, of the posts that are there then.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Self

from tagstream.errors import CorruptState

EVENT_DETECTED, COUNT_REACHED = "event.detected", "count.reached"
"""The kinds of notifications."""

MAX_WAITING = 500
"""The most notifications that wait for one receiver; of more the oldest go, and are counted."""

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one receiver.

    Attributes:
        receiver: which address it goes to: a hash, so that no token of an address is stored.
        key: the same whenever the same thing is told, by which a receiver knows a repeat.
        kind: `EVENT_DETECTED` or `COUNT_REACHED`.
        body: JSON; empty until it is made, when it is sent.
    """

    receiver: str
    key: str
    kind: str
    body: str = ""


def event_key(event_id: str) -> str:
    """Returns the key of the notification of an event."""
    return f"event:{event_id}"


def event_of(notification: Notification) -> str:
    """Returns the id of the event that a notification tells of."""
    return notification.key.partition(":")[2]


def receiver_of(url: str) -> str:
    """Returns the name of a receiver in the outbox."""
    return blake2b(url.encode(), digest_size=8).hexdigest()


class Outbox:
    """Notifications by receiver, oldest first. `dropped` counts those that found no room, since this was made."""

    def __init__(self, waiting: Iterable[Notification] = ()) -> None:
        self.dropped = 0
        self._waiting: dict[tuple[str, str], Notification] = {(one.receiver, one.key): one for one in waiting}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, notification: Notification) -> None:
        """Adds a notification; one that waits under the same key already is left as it is."""
        self._waiting.setdefault((notification.receiver, notification.key), notification)
        waiting = self.waiting_for(notification.receiver)
        for oldest in waiting[: max(0, len(waiting) - MAX_WAITING)]:
            self.remove(oldest)
            self.dropped += 1

    def remove(self, notification: Notification) -> None:
        """Removes a notification that was taken, or never will be."""
        self._waiting.pop((notification.receiver, notification.key), None)

    def waiting_for(self, receiver: str) -> list[Notification]:
        """Returns what waits for a receiver, oldest first."""
        return [one for one in self._waiting.values() if one.receiver == receiver]

    def encoded(self) -> bytes:
        """Returns all notifications as bytes."""
        return json.dumps([_VERSION, [asdict(one) for one in self._waiting.values()]], ensure_ascii=False).encode()

    @classmethod
    def decoded(cls, stored: bytes | None) -> Self:
        """Returns the outbox that was stored; an empty one for None.

        Raises:
            CorruptState: it is no outbox of this version.
        """
        if not stored:
            return cls()
        try:
            version, waiting = json.loads(stored)
            if version != _VERSION:
                raise ValueError(f"version {version}")
            return cls(Notification(**one) for one in waiting)
        except (ValueError, TypeError) as error:
            raise CorruptState(
                f"the stored notifications cannot be read ({error}); `tagstream events --rebuild` begins anew"
            ) from error
