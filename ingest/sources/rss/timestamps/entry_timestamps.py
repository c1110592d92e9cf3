"""When the entries of a feed were written, also those whose date is missing or cannot be read. Pure.

Such an entry is never new because of that. It stands where the feed has it: just before its neighbour that is newer,
else just after the one that is older; or on the day in its address (`/2024/05/02/`). In a feed without any date all
stand at the feed's own (or its server's Last-Modified), if that is an hour old. What is left is as old as the first
time it was seen, if the feed was read before and it was not there; else nothing is known, and it counts as of 1970.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

from ingest.sources.rss.document import Document, FeedEntry

OLD_SECONDS = 3600
_DAY_IN_ADDRESS = re.compile(r"/((?:19|20)[0-9]{2})[/-]([0-9]{1,2})[/-]([0-9]{1,2})(?![0-9])")


def own_moment(entry: FeedEntry) -> int | None:
    """When the entry itself says that it was written."""
    return entry.published if entry.published is not None else entry.updated


def moments(document: Document, now: datetime, read_before: bool) -> list[int]:
    """Of each entry when it was written, in milliseconds since 1970; those that the feed orders stay in its order."""
    said = [_said(entry, now) for entry in document.entries]
    if None not in said:
        return [moment for moment in said if moment is not None]
    if all(moment is None for moment in said):
        base = _of_the_feed(document, now, read_before)
        return [base + len(said) - place for place in range(len(said))]
    if _is_oldest_first(said):
        return _placed(said[::-1])[::-1]
    return _placed(said)


def _said(entry: FeedEntry, now: datetime) -> int | None:
    moment = own_moment(entry)
    if moment is not None:
        return moment * 1000
    found = _DAY_IN_ADDRESS.search(entry.link)
    try:
        day = date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None
    if day is None or day >= now.date():
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _of_the_feed(document: Document, now: datetime, read_before: bool) -> int:
    seconds = int(now.timestamp())
    if document.published is not None and document.published < seconds - OLD_SECONDS:
        return document.published * 1000
    return seconds * 1000 if read_before else 0


def _is_oldest_first(said: Sequence[int | None]) -> bool:
    dated = [moment for moment in said if moment is not None]
    steps = [(later > earlier) - (later < earlier) for earlier, later in pairwise(dated)]
    return sum(steps) > 0


def _placed(said: Sequence[int | None]) -> list[int]:
    """The newest first: each that says nothing a millisecond before the one above it, but not before the one below."""
    below: list[int | None] = [None] * len(said)
    following: int | None = None
    for place in reversed(range(len(said))):
        below[place] = following
        following = said[place] if said[place] is not None else following
    placed: list[int] = []
    leading = next(place for place, moment in enumerate(said) if moment is not None)
    for place, moment in enumerate(said):
        older = below[place]
        if moment is not None:
            placed.append(moment)
        elif place < leading:
            placed.append((older or 0) + leading - place)
        else:
            placed.append(max(placed[-1] - 1, min(placed[-1], older if older is not None else placed[-1] - 1)))
    return placed
