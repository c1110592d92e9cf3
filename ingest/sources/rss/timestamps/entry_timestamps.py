"""The timestamps of a feed's entries, also of those whose date is missing or cannot be read. Pure.

An entry without a date is never new because of that. It stands where the feed has it: just before its newer neighbour,
else just after the older one; or on the day in its address (`/2024/05/02/`). In a feed without any date all entries
stand at the date of the feed (or of its server's Last-Modified), if that is an hour old. Any other entry is as old as
the first time it was seen, if the feed was read before and did not hold it; else nothing is known, and it counts as of
1970.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

from ingest.sources.rss.document import Document, FeedEntry

OLD_SECONDS = 3600
_DAY_IN_ADDRESS = re.compile(r"/((?:19|20)[0-9]{2})[/-]([0-9]{1,2})[/-]([0-9]{1,2})(?![0-9])")


def own_timestamp(entry: FeedEntry) -> int | None:
    """Returns when the entry itself says that it was written."""
    return entry.published if entry.published is not None else entry.updated


def timestamps_of(document: Document, now: datetime, read_before: bool) -> list[int]:
    """Returns when each entry was written, in milliseconds since 1970; entries that the feed orders keep its order."""
    stated = [_stated(entry, now) for entry in document.entries]
    if None not in stated:
        return [timestamp for timestamp in stated if timestamp is not None]
    if all(timestamp is None for timestamp in stated):
        base = _of_the_feed(document, now, read_before)
        return [base + len(stated) - index for index in range(len(stated))]
    if _is_oldest_first(stated):
        return _placed(stated[::-1])[::-1]
    return _placed(stated)


def _stated(entry: FeedEntry, now: datetime) -> int | None:
    timestamp = own_timestamp(entry)
    if timestamp is not None:
        return timestamp * 1000
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


def _is_oldest_first(stated: Sequence[int | None]) -> bool:
    dated = [timestamp for timestamp in stated if timestamp is not None]
    steps = [(later > earlier) - (later < earlier) for earlier, later in pairwise(dated)]
    return sum(steps) > 0


def _placed(stated: Sequence[int | None]) -> list[int]:
    """Dates the entries, newest first.

    An entry without a date lies a millisecond before the one above it, but not before the one below it.
    """
    below: list[int | None] = [None] * len(stated)
    following: int | None = None
    for index in reversed(range(len(stated))):
        below[index] = following
        following = stated[index] if stated[index] is not None else following
    placed: list[int] = []
    leading = next(index for index, timestamp in enumerate(stated) if timestamp is not None)
    for index, timestamp in enumerate(stated):
        older = below[index]
        if timestamp is not None:
            placed.append(timestamp)
        elif index < leading:
            placed.append((older or 0) + leading - index)
        else:
            placed.append(max(placed[-1] - 1, min(placed[-1], older if older is not None else placed[-1] - 1)))
    return placed
