"""The past of a trend that the detector stored: the authors of the windows before, which are counted when asked."""

from collections.abc import Sequence
from datetime import timedelta

from search.index import Bucket, EntityIndex, Query
from tagstream.detections import TrendState
from tagstream.posts import ENTITY_TYPES
from tagstream.text.terminal_text import visible

_WINDOWS = 25


async def trend_series(index: EntityIndex, state: TrendState) -> Sequence[Bucket]:
    """Returns the posts and authors of the trend's own window, the last, and of those before it, oldest first."""
    until = state.minute + timedelta(minutes=1)
    width = state.window_minutes * 60
    since = until - timedelta(seconds=width * _WINDOWS)
    if state.type in ENTITY_TYPES:
        return await index.counts(state.key, state.type, since=since, until=until, bucket_seconds=width)
    wanted = visible(state.key).replace('"', " ")
    query = Query(f'hashtag:"{wanted}"' if state.type == "HASHTAG" else f'"{wanted}"')
    return await index.post_counts(query, since=since, until=until, bucket_seconds=width)
