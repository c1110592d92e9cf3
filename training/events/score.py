"""The score of detected events against the known events of a feed.

A detected event is *of* a known one if at least half of its evidence are posts of that one; it is *false* if it is of
none. A known event is *found in time* if the first event that is of it was detected at most 15 minutes after its onset.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from training.events.feed import Feed

IN_TIME = timedelta(minutes=15)
MAX_FALSE_A_DAY = 1.0
_SHARE_OF_ONE_EVENT = 0.5


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event as a detector tells it: the form that `tagstream events --json` prints, as far as it is scored."""

    id: str
    title: str
    detected_at: datetime
    started_at: datetime
    ended_at: datetime | None
    authors: int
    posts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """The match of detected events with the known ones.

    Attributes:
        fragments: detected events of each known one that was found, on average.
        purity: the share of the evidence that belongs to the known event, on average over events that are not false.
    """

    events: int
    found: int
    found_in_time: int
    median_delay_minutes: float | None
    fragments: float | None
    purity: float | None
    false: int
    false_a_day: float
    missed: tuple[str, ...] = ()
    false_titles: tuple[str, ...] = field(default=(), repr=False)

    @property
    def merit(self) -> tuple[bool, int, float, int]:
        """The order by which parameters are chosen, the best highest.

        At most one false event a day, then the most events in time, the fewest fragments, the fewest false events.
        """
        return self.false_a_day <= MAX_FALSE_A_DAY, self.found_in_time, -(self.fragments or 0.0), -self.false


def score(feed: Feed, detected: Iterable[FoundEvent], within: timedelta = IN_TIME) -> Score:
    """Scores the detected events."""
    owners = {post: event.name for event in feed.events for post in event.posts}
    delays: dict[str, list[timedelta]] = {event.name: [] for event in feed.events}
    onsets = {event.name: event.onset for event in feed.events}
    false, shares = [], []
    for event in detected:
        owner, share = _owner(event.posts, owners)
        if owner is None or share < _SHARE_OF_ONE_EVENT:
            false.append(event.title)
            continue
        shares.append(share)
        delays[owner].append(event.detected_at - onsets[owner])
    first = sorted(min(found) for found in delays.values() if found)
    return Score(
        events=len(feed.events),
        found=len(first),
        found_in_time=sum(delay <= within for delay in first),
        median_delay_minutes=round(first[len(first) // 2] / timedelta(minutes=1), 1) if first else None,
        fragments=round(len(shares) / len(first), 2) if first else None,
        purity=round(sum(shares) / len(shares), 3) if shares else None,
        false=len(false),
        false_a_day=round(len(false) / feed.days, 2),
        missed=tuple(sorted(name for name, found in delays.items() if not found)),
        false_titles=tuple(false),
    )


def _owner(posts: Sequence[str], owners: dict[str, str]) -> tuple[str | None, float]:
    """Returns the known event that most of the posts belong to, and their share of all of them."""
    counted = Counter(owner for post in posts if (owner := owners.get(post.split(":", 1)[-1])) is not None)
    if not counted:
        return None, 0.0
    owner, count = counted.most_common(1)[0]
    return owner, count / len(posts)
