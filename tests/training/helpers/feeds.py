"""Small feeds with known events, for tests of the measurement of events."""

from datetime import UTC, datetime, timedelta
from random import Random

from training.events.feed import Feed, FeedPost, KnownEvent

START = datetime(2024, 1, 1, tzinfo=UTC)
_EVERYDAY = (
    "coffee", "monday", "homework", "rain", "lunch", "movie", "guitar", "holiday", "puppy", "gym", "pizza", "traffic",
    "birthday", "exam", "garden", "novel", "laundry", "playlist", "sneakers", "weekend", "breakfast", "podcast",
)  # fmt: skip
_WORDS = tuple(first + second for first in _EVERYDAY for second in _EVERYDAY)  # posts that share one are rare
_FIRE = ("smoke", "warehouse", "firefighters", "Rotterdam", "harbour", "flames", "evacuated", "#harbourfire")


def feed_of(events):
    """A feed of two days with forty posts; `events`: name → (minute of the onset, numbers of its posts)."""
    posts = tuple(FeedPost(f"p{number}", f"post {number}", START, f"a{number}") for number in range(40))
    known = tuple(
        KnownEvent(name, START + timedelta(minutes=minute), START, tuple(f"p{number}" for number in numbers))
        for name, (minute, numbers) in events.items()
    )
    return Feed("small", 2, posts, known)


def feed_with_a_fire(seed=1):
    """Two days of everyday posts, one every two minutes, with a fire on the second day.

    Besides, on the second day: one account that repeats itself, and a text that many accounts post.
    """
    chance = Random(seed)
    drafts = [
        (START + timedelta(minutes=minute), f"w{chance.randrange(400)}", " ".join(chance.sample(_WORDS, 5)), False)
        for minute in range(0, 2880, 2)
    ]
    begin = START + timedelta(hours=30)
    for number in range(90):
        text = " ".join([*chance.sample(_FIRE, 4), *chance.sample(_WORDS, 1)])
        drafts.append((begin + timedelta(seconds=30 * number), f"f{number}", text, True))
    for number in range(90):
        text = f"discount trainers outlet Birmingham {number}"
        drafts.append((begin + timedelta(hours=4, seconds=20 * number), "bot", text, False))
        copied = begin + timedelta(hours=8, seconds=20 * number)
        drafts.append((copied, f"c{number}", "listen to Zandra Lightfoot", False))
    drafts.sort()
    posts = tuple(FeedPost(f"p{number}", text, when, who) for number, (when, who, text, _) in enumerate(drafts))
    mine = [post for post, draft in zip(posts, drafts, strict=True) if draft[3]]
    return Feed(
        "fire", 2, posts, (KnownEvent("fire", mine[9].created_at, mine[-1].created_at, tuple(one.id for one in mine)),)
    )
