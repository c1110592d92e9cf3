"""The sweep that carries deletions and erasures on to the dead letters of the broker.

::

    posts.dead ─▶ every letter ─▶ index.write ─▶ refused: its post or its author is gone ─▶ a null on posts.dead

The index alone knows what was deleted: its registry outlasts the posts, and refuses a letter that a deletion or an
erasure covers, whichever came first. So nothing here keeps state, any number may run at once or be killed, and
the next sweep finds what this one did not. Keeps invariant 4 for dead letters.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from search.index import EntityIndex
from tagstream.posts import DeadLetter

_OFFERED_AT_ONCE = 64


class SweptDeadLetters(Protocol):
    """The two methods of a broker's dead letters that a sweep needs."""

    def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]: ...

    async def drop(self, origins: Sequence[str]) -> None: ...


async def sweep_dead_letters(letters: SweptDeadLetters, index: EntityIndex) -> int:
    """Ends the letters that the index refuses; returns how many. Waits while the broker is away.

    Raises:
        IndexUnavailable: the index does not answer.
        Fatal: from either.
    """
    offered = await _offer(letters, index)
    await index.refresh()
    kept = {letter.origin async for letter in index.dead_letters()}
    refused = [origin for origin in offered if origin not in kept]
    await letters.drop(refused)
    # A letter that was requeued meanwhile must not come back into the index by our offer.
    present = {letter.origin async for letter in letters.dead_letters()}
    await index.drop_dead_letters([origin for origin in offered if origin not in present])
    return len(refused)


async def keep_swept(
    letters: SweptDeadLetters,
    index: EntityIndex,
    every_seconds: float,
    *,
    is_due: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    """Sweeps for ever, about every so many seconds, if `is_due` says so at that time.

    A failure is told and left to the next sweep: a worker does not end for a letter.
    """
    while True:
        await asyncio.sleep(every_seconds * random.uniform(0.9, 1.1))
        if not is_due():
            continue
        try:
            dropped = await sweep_dead_letters(letters, index)
        except Exception as error:  # whatever it is: the worker's own work does not depend on it
            say(f"dead letters were not swept, the next attempt comes by itself: {error!r}")
        else:
            if dropped:
                say(f"{dropped:,} dead letters of deleted posts were dropped")


async def _offer(letters: SweptDeadLetters, index: EntityIndex) -> list[str]:
    origins: list[str] = []
    some: list[DeadLetter] = []
    async for letter in letters.dead_letters():
        origins.append(letter.origin)
        some.append(letter)
        if len(some) == _OFFERED_AT_ONCE:
            await index.write(some)
            some = []
    if some:
        await index.write(some)
    return origins
