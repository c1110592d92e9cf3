"""A feed of days with known events in it, and what is known of them.

::

    one day an event:   everyday tweets at a day's rhythm
                      + the event's tweets, in their order and rhythm, squeezed so that nine tenths lie within `hours`
                      + noise that must not become an event (training/events/noise.py)

The recipe is that of the scorer's feeds: authors by a long-tailed draw, another author for each tweet of an event while
there are enough, the onset of an event its tenth post. Everything random follows from the seed.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tagstream.errors import UnreadableInput
from training.events.corpora import RealEvent, Tweet
from training.events.noise import NoisePost

START = datetime(2024, 1, 1, tzinfo=UTC)
SOURCE = "events"
_DAY = timedelta(days=1)
_ONSET_POST = 9
_AUTHORS = 8_000
_RANK_OFFSET = 10
_JITTER_MS = 20_000


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """The recipe of a feed.

    Attributes:
        hours: from the first tweet of an event to the last of its first nine tenths.
        a_day: everyday tweets a day.
        event_posts: the most tweets of an event.
        together: the events share a day, and start within the same hour.
        noise: the kinds of noise, as `training.events.noise.NOISE` names them.
    """

    seed: int = 7
    hours: float = 6.0
    a_day: int = 4_000
    event_posts: int = 1_500
    together: bool = False
    noise: tuple[str, ...] = ("one_account", "one_text")


@dataclass(frozen=True, slots=True)
class FeedPost:
    """A post of a feed. `id` is without its source."""

    id: str
    text: str
    created_at: datetime
    author: str


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event of a feed: `onset` is the time of its tenth post."""

    name: str
    onset: datetime
    end: datetime
    posts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """The posts of a feed, oldest first, and the events that are known to be in it."""

    name: str
    days: int
    posts: tuple[FeedPost, ...]
    events: tuple[KnownEvent, ...] = field(repr=False)


@dataclass(slots=True)
class _Draft:
    created_at: datetime
    text: str
    author: str
    event: str | None = None


def build_feed(
    name: str, plan: FeedPlan, events: Sequence[RealEvent], background: Iterable[str], noise: Iterable[NoisePost]
) -> Feed:
    """Builds a feed. `noise` is what must not become an event; its times are offsets from the feed's start."""
    chance = Random(plan.seed)
    authors = [f"a{number}" for number in range(_AUTHORS)]
    days = (1 if plan.together else len(events)) + 1
    drafts = list(_everyday(plan, list(background), authors, days, chance))
    hour = chance.randrange(3, 12)
    for number, event in enumerate(events):
        day = 0 if plan.together else number
        start = START + day * _DAY + timedelta(hours=hour, milliseconds=chance.randrange(3_600_000))
        drafts += _squeezed(plan, event, start, authors, chance)
        hour = hour if plan.together else chance.randrange(3, 12)
    drafts += (_Draft(START + post.offset, post.text, post.author) for post in noise)
    drafts.sort(key=lambda draft: (draft.created_at, draft.author, draft.text))
    posts = tuple(
        FeedPost(f"p{number}", draft.text, draft.created_at, draft.author) for number, draft in enumerate(drafts)
    )
    return Feed(name, days, posts, tuple(_known(event.name, drafts, posts) for event in events))


def _squeezed(
    plan: FeedPlan, event: RealEvent, start: datetime, authors: Sequence[str], chance: Random
) -> Iterator[_Draft]:
    """Yields the event's posts from `start` on, for at most a day."""
    tweets: Sequence[Tweet] = event.tweets
    if len(tweets) > plan.event_posts:
        tweets = [tweets[number] for number in sorted(chance.sample(range(len(tweets)), plan.event_posts))]
    first = tweets[0].milliseconds
    ninetieth = tweets[(len(tweets) - 1) * 9 // 10].milliseconds
    squeeze = plan.hours * 3_600_000 / max(1, ninetieth - first)
    writers = chance.sample(authors, min(len(authors), len(tweets)))
    for number, tweet in enumerate(tweets):
        offset = timedelta(milliseconds=int((tweet.milliseconds - first) * squeeze) + chance.randrange(_JITTER_MS))
        if offset < _DAY:
            yield _Draft(start + offset, tweet.text, writers[number % len(writers)], event.name)


def _everyday(
    plan: FeedPlan, background: list[str], authors: Sequence[str], days: int, chance: Random
) -> Iterator[_Draft]:
    """Yields everyday tweets: few at night, most in the afternoon, some authors far more often than others."""
    chance.shuffle(background)
    wanted = min(len(background), plan.a_day * days)
    weights = [1 / (rank + _RANK_OFFSET) for rank in range(len(authors))]
    writers = chance.choices(authors, weights, k=wanted)
    for number in range(wanted):
        day = number * days // wanted
        offset = timedelta(milliseconds=int(_hour_of_day(chance) * 3_600_000))
        yield _Draft(START + day * _DAY + offset, background[number], writers[number])


def _hour_of_day(chance: Random) -> float:
    while True:
        hour = chance.uniform(0, 24)
        if chance.random() <= 0.6 + 0.4 * math.sin((hour - 8) / 24 * math.tau):
            return hour


def _known(name: str, drafts: Sequence[_Draft], posts: Sequence[FeedPost]) -> KnownEvent:
    mine = [post for draft, post in zip(drafts, posts, strict=True) if draft.event == name]
    onset = mine[min(_ONSET_POST, len(mine) - 1)].created_at
    return KnownEvent(name, onset, mine[-1].created_at, tuple(post.id for post in mine))


def write_feed(feed: Feed, folder: Path) -> None:
    """Writes `feed.jsonl`, which `tagstream run --source jsonl:` reads, and `gold.json`, which the score reads."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "feed.jsonl").open("w", encoding="utf-8") as lines:
        for post in feed.posts:
            fields = {"id": post.id, "source": SOURCE, "text": post.text, "created_at": post.created_at.isoformat()}
            lines.write(json.dumps(fields | {"author": {"id": post.author}}, ensure_ascii=False) + "\n")
    events = [
        {"name": one.name, "onset": one.onset.isoformat(), "end": one.end.isoformat(), "posts": list(one.posts)}
        for one in feed.events
    ]
    (folder / "gold.json").write_text(json.dumps({"days": feed.days, "events": events}), encoding="utf-8")


def read_feed(folder: Path) -> Feed:
    """Reads a feed that `write_feed`, or another builder of the same two files, wrote.

    Raises:
        UnreadableInput: a file is missing or is not what it should be.
    """
    try:
        with (folder / "feed.jsonl").open(encoding="utf-8") as lines:
            posts = tuple(_post(json.loads(line)) for line in lines if line.strip())
        gold = json.loads((folder / "gold.json").read_text(encoding="utf-8"))
        events = tuple(
            KnownEvent(
                one["name"],
                datetime.fromisoformat(one["onset"]),
                datetime.fromisoformat(one["end"]),
                tuple(one["posts"]),
            )
            for one in gold["events"]
        )
        return Feed(folder.name, gold["days"], posts, events)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(f"{folder}: no feed.jsonl and gold.json of a feed with known events: {error}") from error


def _post(fields: dict[str, Any]) -> FeedPost:
    identifier = str(fields["id"]).removeprefix(f"{SOURCE}:")
    created_at = datetime.fromisoformat(fields["created_at"])
    return FeedPost(identifier, fields["text"], created_at, fields["author"]["id"])
