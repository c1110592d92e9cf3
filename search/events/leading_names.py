"""The names of an event: the spellings of its leading subjects."""

from collections.abc import Sequence

from search.events.same_letters import letters_of
from tagstream.detections import EventSubject

MAX_NAMES = 3


def names_of(subjects: Sequence[EventSubject]) -> tuple[str, ...]:
    """Returns the spellings of the leading subjects: names and hashtags first, each key once."""
    ranked = sorted(subjects, key=lambda one: (one.type == "WORD", -one.authors))
    by_key: dict[str, str] = {}
    for one in ranked:
        by_key.setdefault(letters_of(one.key), one.text)
    return tuple(by_key.values())[:MAX_NAMES]
