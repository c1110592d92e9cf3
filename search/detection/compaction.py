"""The words of removed posts, taken out of everything an index keeps: its posts, trends, events, and the detectors.

Snapshots and the journal hold words of posts that the detectors still need; a run takes a deleted post out of them as
its feed goes on. Where the feed has ended they rest, so this does it: called by `tagstream compact`, while no run
writes to the index.
"""

import asyncio

from search.detection.chain import DetectionChain
from search.detection.journal import SNAPSHOT, read_snapshot, stored_journal, stored_snapshot
from search.index import Compacted, EntityIndex
from tagstream.errors import IndexUnavailable


async def compact(index: EntityIndex) -> Compacted:
    """Removes every trace of removed posts from an index, as far as the store can do so at once.

    Raises:
        IndexUnavailable: a run writes to the index, or somebody reads what was removed; call again later.
        CorruptState: the detectors' state cannot be read.
    """
    await _compact_detectors(index)
    return await index.compact()


async def _compact_detectors(index: EntityIndex) -> None:
    """Stores the detectors' state without the posts that are gone, as they would be without their deletion's minute."""
    # Before anything is read: so the index is ours, where one writer has it, and no run goes on from what is replaced.
    await index.write_detections((), (), {})
    before = await index.detector_state(SNAPSHOT)
    number, state = 0, dict[str, bytes]()
    if before is not None:
        number, snapshot = await asyncio.to_thread(read_snapshot, before)
        chain = await asyncio.to_thread(DetectionChain.restore, snapshot)
        ids = chain.ids()
        await asyncio.to_thread(chain.purge, ids.difference(await index.kept(ids)))
        state |= await asyncio.to_thread(lambda: stored_snapshot(number, chain.snapshot()))
    state |= await stored_journal(index, number)
    if await index.detector_state(SNAPSHOT) != before:
        raise IndexUnavailable(
            "A run writes to the index: it takes deleted posts out by itself. End it, and try again."
        )
    if state:
        await index.write_detections((), (), state)
