"""Fair sharing of slots by cost: the name that has used most time waits longest, and no name waits for another's work.

The seconds that a name (a host) spent in slots are counted. A free slot goes to the waiting name that spent least. A
name that comes, or comes back, starts level with the others: time that it did not use is not saved up. Names cost
nothing to invent, so all names that are hardly known are counted together: however many they are, they get no more
slots than one known name. Knows nothing of the work in a slot.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MAX_NAMES = 4096
# A name that had so many slots is counted for itself.
SLOTS_TO_BE_KNOWN = 8


class QueueFull(Exception):
    """Too many wait for a slot already."""


@dataclass(slots=True)
class _Share:
    """The use that one name made of the slots. `spent` are its own seconds; `users` counts the slots that it waits for
    or holds.
    """

    spent: float
    slots: int = 0
    users: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)

    @property
    def known(self) -> bool:
        return self.slots >= SLOTS_TO_BE_KNOWN


class FairShare:
    """A number of slots. `max_waiting` bounds how many may wait for one; each name may be half of them."""

    def __init__(
        self, slots: int, *, max_waiting: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = slots
        self._max_waiting = max_waiting
        self._clock = clock
        self._level = 0.0
        self._waiting = 0
        self._unknown_spent = 0.0
        self._unknown_users = 0
        self._shares: OrderedDict[str, _Share] = OrderedDict()

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[None]:
        """Waits for a slot and holds it as long as the context lasts; its time is counted for the name.

        Raises:
            QueueFull: too many wait already.
        """
        share = self._share(name)
        was_unknown = not share.known
        if was_unknown and not self._unknown_users:
            self._unknown_spent = max(self._unknown_spent, self._level)
        share.users += 1
        self._unknown_users += was_unknown
        try:
            await self._wait(share)
            began = self._clock()
            try:
                yield
            finally:
                self._charge(share, self._clock() - began)
                self._grant_next()
        finally:
            share.users -= 1
            self._unknown_users -= was_unknown

    async def _wait(self, share: _Share) -> None:
        if self._free:
            self._free -= 1
            self._level = max(self._level, self._rank(share))
            return
        most = self._max_waiting
        if most is not None and (self._waiting >= most or len(share.waiting) >= max(1, most // 2)):
            raise QueueFull
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(granted)
        self._waiting += 1
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self._grant_next()  # the slot was granted, and nobody would take it
            elif granted in share.waiting:
                share.waiting.remove(granted)
                self._waiting -= 1
            raise

    def _charge(self, share: _Share, took: float) -> None:
        share.spent += took
        if not share.known:
            self._unknown_spent += took
        share.slots += 1

    def _rank(self, share: _Share) -> float:
        """Returns the seconds by which the name is compared: those of all unknown names, unless its own are more."""
        return share.spent if share.known else max(share.spent, self._unknown_spent)

    def _grant_next(self) -> None:
        """Grants a free slot to the waiting name with the lowest rank; among unknown names, to the one that itself
        spent least.

        A waiter that was cancelled in this pass of the event loop still stands in the queue, and is skipped.
        """
        while waiting := [share for share in self._shares.values() if share.waiting]:
            least = min(waiting, key=lambda share: (self._rank(share), share.spent))
            granted = least.waiting.popleft()
            self._waiting -= 1
            if not granted.done():
                self._level = max(self._level, self._rank(least))
                granted.set_result(None)
                return
        self._free += 1

    def _share(self, name: str) -> _Share:
        share = self._shares.get(name)
        if share is None:
            self._forget_idle()
            share = self._shares[name] = _Share(self._level)
        elif not share.users:
            share.spent = max(share.spent, self._level)
        self._shares.move_to_end(name)
        return share

    def _forget_idle(self) -> None:
        """Keeps the number of names bounded, for posts choose them. Names in use stay; among the others, known ones
        stay longest.
        """
        if len(self._shares) >= MAX_NAMES:
            idle = [name for name, share in self._shares.items() if not share.users]
            unknown = (name for name in idle if not self._shares[name].known)
            oldest = next(unknown, next(iter(idle), None))
            if oldest is not None:
                del self._shares[oldest]
