"""Feeds of mentions with a planted burst, late posts, repeats, edits and deletions; the same for the same seed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tagstream.detections import PostMentions, Subject

START = datetime(2024, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BURST_AT, MINUTES = 135, 190
BURST = ("boston", "explosion")


def mentions(number: int, minute: datetime, author: int, keys: tuple[str, ...], revision: int = 0) -> PostMentions:
    return PostMentions(
        post_id=f"jsonl:{number}",
        revision=revision,
        author=author,
        minute=minute,
        shingles=(number,),
        subjects=tuple(Subject(type="LOC" if key == "boston" else "WORD", key=key, text=key) for key in keys),
    )


def feed(seed: int, *, minutes: int = MINUTES, a_minute: int = 12) -> Iterator[PostMentions | str]:
    """Posts and deletions (ids) in the order in which they come; from `BURST_AT` on, two subjects rise together."""
    chance = random.Random(seed)
    number = 0
    told: list[PostMentions] = []
    for passed in range(minutes):
        minute = START + passed * MINUTE
        burst = 8 if BURST_AT <= passed < BURST_AT + 25 else 0
        for index in range(a_minute + burst):
            number += 1
            keys = BURST if index >= a_minute else tuple(chance.sample([f"word{one}" for one in range(60)], 3))
            late = chance.choice((0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 9))
            item = mentions(number, minute - late * MINUTE, chance.randrange(4000), keys)
            told.append(item)
            yield item
            odd = chance.random()
            if odd < 0.03:
                yield chance.choice(told)  # a repeat
            elif odd < 0.06:
                edited = chance.choice(told[-40:])
                yield edited.model_copy(update={"revision": edited.revision + 1, "subjects": edited.subjects[:1]})
            elif odd < 0.10:
                yield chance.choice(told[-200:]).post_id
