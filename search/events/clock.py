"""The clock of the feed: the newest minute that most of its latest authors have reached.

An archive is years old and a hostile account may date its posts as it likes, so neither the clock of the machine nor
the newest post says how late it is in a feed. The latest `VOTERS` distinct authors vote, each with the minute of their
latest post; a minute is reached when more than half of them have written in it or later, and one that is `FAR` ahead
when all have; all, too, while there are fewer, but `AUTHORS` at least. So it takes as many accounts with a wrong date
as there are honest ones at a time to move it, and twice as many to move it far. A feed that has one author or two, as
a newspaper's, is known by its first `VOTED_POSTS` posts. The clock never goes back, and posts of before it do not vote:
old posts among new ones hold nothing up. Nor does an author who fell silent: a vote counts for the `VOTED_POSTS` posts
after it.
"""

from datetime import datetime
from typing import Any, Self

from search.events.minutes import HOUR, to_minute, to_number
from search.events.snapshots import pack, unpack

AUTHORS = 3
VOTERS = 15
"""More would be safer, and later by as many posts where a feed is slow."""

VOTED_POSTS = 60
FAR = 6 * HOUR
"""What a few accounts with a wrong date can cost: posts of so long are late. A gap in a slow feed is often shorter."""

_KIND, _VERSION = "feed clock", 3


class FeedClock:
    """The newest minute of a feed; see the module."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._votes: dict[int | str, tuple[int, int]] = {}  # author -> minute, number of the post; the latest last
        self._posts = 0

    @property
    def newest(self) -> datetime | None:
        """The newest minute that most of the latest authors have reached; None before there are enough."""
        return None if self._newest is None else to_minute(self._newest)

    def note(self, author: int | None, minute: datetime, post_id: str) -> None:
        """Notes a post; one without an author is its own author. Posts of the past change nothing."""
        number = to_number(minute)
        if self._newest is not None and number < self._newest:
            return
        name = post_id if author is None else author
        votes = self._votes
        votes.pop(name, None)
        self._posts += 1
        votes[name] = number, self._posts
        oldest = next(iter(votes))
        if len(votes) > VOTERS or votes[oldest][1] <= self._posts - VOTED_POSTS:
            del votes[oldest]  # at most one post, the oldest, gets too old with a new one
            self._advance()
        elif self._newest is None or number > self._newest:
            self._advance()

    def _advance(self) -> None:
        """Moves to the newest minute that enough authors have reached, if there is one."""
        voters = len(self._votes)
        if voters < AUTHORS and self._posts < VOTED_POSTS:
            return
        minutes = sorted((minute for minute, _ in self._votes.values()), reverse=True)
        # Among the first few authors of a feed a few with a wrong date are already most.
        reached = minutes[-1 if voters < VOTERS else voters // 2]
        if self._newest is None:
            self._newest = reached
        elif reached - self._newest > FAR:
            self._newest = max(self._newest, minutes[-1])
        else:
            self._newest = max(self._newest, reached)

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        return pack(_KIND, _VERSION, [self._newest, self._posts, [[name, *vote] for name, vote in self._votes.items()]])

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the clock of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a clock.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        newest, posts, votes = state
        clock = cls()
        clock._newest = None if newest is None else int(newest)
        clock._posts = int(posts)
        clock._votes = {name: (int(number), int(post)) for name, number, post in votes}
        return clock
