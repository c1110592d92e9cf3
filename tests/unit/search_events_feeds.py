"""Small feeds for the detectors' tests."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from search.events.events import EventDetector
from search.events.trends import TrendDetector
from tagstream.detections import MAX_SHINGLES, DetectedEvent, PostMentions, Subject, SubjectType

START = datetime(2024, 1, 1, tzinfo=UTC)


def hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest())


def subject(name: str) -> Subject:
    """`#tag` is a hashtag, `Name` a place, `word` a word."""
    kind: SubjectType = "HASHTAG" if name.startswith("#") else "LOC" if name[0].isupper() else "WORD"
    return Subject(type=kind, key=name.lstrip("#").lower(), text=name)


def mention(
    post_id: str, minutes: float, names: Iterable[str], author: str | None = None, text: str | None = None
) -> PostMentions:
    """A post that many minutes after the start; its text is its own unless given."""
    words = (text or f"{post_id} a b c d e f g h").split()
    if text is None:
        words = [f"{word} of {post_id}" for word in words]
    return PostMentions(
        post_id=f"test:{post_id}",
        author=hashed(author or f"author of {post_id}"),
        minute=(START + timedelta(minutes=minutes)).replace(second=0),
        shingles=tuple(sorted({hashed(word) for word in words})[:MAX_SHINGLES]),
        subjects=tuple(subject(name) for name in dict.fromkeys(names)),
    )


def everyday(hours: float, *, first: float = 0, a_minute: int = 3, seed: int = 1) -> Iterator[PostMentions]:
    """Posts of many authors about many things, evenly."""
    chance = random.Random(seed)
    for minute in range(int(first * 60), int((first + hours) * 60)):
        for number in range(a_minute):
            words = [f"word{int(chance.paretovariate(0.6))}" for _ in range(5)]
            yield mention(f"d{seed}m{minute}n{number}", minute, words)


def burst(
    name: str, first: float, minutes: int, names: Iterable[str], *, a_minute: int = 3, seed: int = 2, share: float = 0.7
) -> Iterator[PostMentions]:
    """Posts of distinct authors, each of which mentions about `share` of the names."""
    chance = random.Random(f"{name}{seed}")
    names = list(names)
    for minute in range(minutes):
        for number in range(a_minute):
            mentioned = [one for one in names if chance.random() < share] or names[:1]
            yield mention(f"{name}{minute}n{number}", first * 60 + minute, [*mentioned, f"own{number}x{minute}"])


def replay(
    posts: Iterable[PostMentions], trends: TrendDetector | None = None, events: EventDetector | None = None
) -> dict[str, DetectedEvent]:
    """The newest state of every event of a feed, by id."""
    trends = trends or TrendDetector()
    events = events or EventDetector()
    newest: dict[str, DetectedEvent] = {}
    by_minute: dict[datetime, list[PostMentions]] = {}
    for post in posts:
        by_minute.setdefault(post.minute, []).append(post)
    for minute in sorted(by_minute):
        trends.add(by_minute[minute])
        for closed, states in trends.close(minute):
            for event in events.close(closed, states):
                newest[event.id] = event
    return newest
