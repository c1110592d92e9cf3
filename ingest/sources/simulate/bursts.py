"""Planted events: for some minutes, many authors write about the same few names."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.sources.simulate import clock
from ingest.sources.simulate.random import Random
from ingest.sources.simulate.vocabulary import Noun, nouns, topics

# The number of names of each kind that all posts of an event share.
_SHARED: Mapping[str, Mapping[str, int]] = {
    "earthquake": {"city": 1, "country": 1, "agency": 1},
    "final": {"team": 2, "athlete": 1, "city": 1},
    "concert": {"musician": 1, "band": 1, "place": 1, "city": 1, "song": 1},
    "launch": {"company": 1, "product": 1, "city": 1, "paper": 1},
    "storm": {"region": 1, "city": 1, "agency": 1, "company": 1},
    "visit": {"politician": 1, "city": 1, "place": 1, "agency": 1},
}


@dataclass(frozen=True, slots=True)
class Burst:
    """One planted event: its kind, the names that its posts draw from, and its times (milliseconds since 1970)."""

    kind: str
    nouns: Mapping[str, tuple[Noun, ...]]
    start_ms: int
    end_ms: int

    def draw_time_ms(self, random: Random) -> int:
        """Draws when a post is written: sooner rather than later, because an event is newest at its beginning."""
        return self.start_ms + int((self.end_ms - self.start_ms) * random.share() ** 1.5)


def plan_burst(random: Random, seed: int, chapter: int) -> Burst | None:
    """Draws the planted event of a chapter; every fourth chapter has none.

    The kinds take turns, in an order of the seed's own: two events of one kind within a few hours may be one event.
    """
    if chapter % 4 == 2:
        return None
    kinds = list(topics("event"))
    Random(f"{seed}/kinds").shuffle(kinds)
    kind = kinds[(chapter - (chapter + 1) // 4) % len(kinds)]
    shared = {}
    for noun_kind, count in _SHARED[kind].items():
        choice = list(nouns()[noun_kind])
        random.shuffle(choice)
        shared[noun_kind] = tuple(choice[:count])
    start = clock.time_ms(chapter, 0.3 + 0.4 * random.share())
    end = min(start + random.between(12, 40) * 60_000, clock.time_ms(chapter, 0.95))
    return Burst(kind, shared, start, end)
