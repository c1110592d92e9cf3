"""The newest minute of the feed, told where nothing is found: an archive's times are not those of this machine."""

from datetime import datetime, timedelta

from search.index import EntityIndex
from tagstream.cli.console import note

LIVE = timedelta(minutes=30)
"""The most by which the newest minute of a feed may lie behind the machine's clock for the feed to be live."""


async def note_newest_minute(index: EntityIndex, now: datetime) -> None:
    """Says which minute of the feed is the newest, and that relative times count from another clock if they do."""
    span = await index.feed_span()
    if span is None:
        note("the index has no posts")
        return
    newest = span.until - timedelta(minutes=1)
    if is_live(span.until, now):
        note(f"the newest minute of the feed is {newest:%Y-%m-%d %H:%M} UTC")
        return
    note(
        f"the feed reaches from {span.since:%Y-%m-%d %H:%M} to its newest minute, {newest:%Y-%m-%d %H:%M} (UTC); times "
        "such as 2h or yesterday count from this machine's clock: name dates"
    )


def is_live(newest: datetime, now: datetime) -> bool:
    """Returns whether a feed whose newest minute this is goes on now."""
    return now - newest <= LIVE
