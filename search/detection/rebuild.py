"""A rebuild: the posts of an index replayed through the detectors, at full speed, by the feed's clock."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from search.detection.chain import DetectionChain
from search.detection.event_timeline import ClosedMinute, detections
from search.detection.journal import NONE_IS_MISSING, POSTS_ARE_MISSING, stored_snapshot
from search.index import EntityIndex, Indexable
from tagstream.detections import PostMentions

_POSTS_AT_ONCE = 500
_DETECTIONS_AT_ONCE = 500

KEPT_STATES = ("notifications", "alerts")
"""The states that are not of the detectors: what is promised to receivers."""

Progress = Callable[[int, datetime | None], None]
"""Told now and then: the posts so far, and the newest minute that the feed has reached."""


async def rebuild(index: EntityIndex, progress: Progress | None = None) -> int:
    """Makes all trends and events of an index anew from its posts; returns how many posts there were.

    The trends and events that are there are removed first. Notifications that wait stay. A rebuild that is cut off
    leaves those of the beginning, and `tagstream run` says so; the next one begins anew. Nothing is notified.
    `tagstream run` goes on from its end.

    Raises:
        IndexUnavailable: the index does not answer; rebuild again.
        Fatal: from the index.
    """
    stored = {name: await index.detector_state(name) for name in KEPT_STATES}
    await index.clear_detections()
    kept = {name: state for name, state in stored.items() if state is not None}
    await index.write_detections((), (), {**kept, **POSTS_ARE_MISSING})
    chain = DetectionChain()
    closed: list[ClosedMinute] = []
    waiting: list[Indexable] = []
    posts = 0

    def mentions_of(one: Indexable) -> PostMentions:
        return chain.mentions_of(one.post, one.observed_at)

    async def take(some: Sequence[Indexable]) -> None:
        nonlocal closed, posts
        closed += await asyncio.to_thread(lambda: chain.take(map(mentions_of, some)))
        posts += len(some)
        if sum(len(one.trends) + len(one.events) for one in closed) >= _DETECTIONS_AT_ONCE:
            closed = await _store(index, closed)
        if progress is not None:
            progress(posts, chain.newest)

    async for post in index.posts_by_time():
        waiting.append(post)
        if len(waiting) == _POSTS_AT_ONCE:
            await take(waiting)
            waiting = []
    await take(waiting)
    await _store(index, closed + await asyncio.to_thread(chain.finish))
    snapshot = await asyncio.to_thread(chain.snapshot)
    await index.write_detections((), (), {**stored_snapshot(0, snapshot), **NONE_IS_MISSING})
    await index.refresh()
    return posts


async def _store(index: EntityIndex, closed: Sequence[ClosedMinute]) -> list[ClosedMinute]:
    trends, events = detections(closed)
    await index.write_detections(trends, events)
    return []
