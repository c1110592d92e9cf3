"""Turns that are shared fairly by what they cost: whoever has taken most waits longest, and nobody waits for his like.

Each name (a host) has an account of the seconds that its turns took. A free turn goes to the waiting name with the
least on its account. One that comes, or comes back, starts level with the others: what it did not take is not saved
up. Names cost nothing, so all that are hardly known share one account: as many as there are of them, they have no more
turns than one that is known. Knows nothing of what is done in a turn.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MAX_NAMES = 4096
# After so many turns a name has an account of its own.
SLOTS_TO_BE_KNOWN = 8


class QueueFull(Exception):
    """As many wait as may."""


@dataclass(slots=True)
class _Name:
    """`spent`: its own account. `users`: how many turns it waits for or holds."""

    spent: float
    turns: int = 0
    users: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)

    @property
    def known(self) -> bool:
        return self.turns >= SLOTS_TO_BE_KNOWN


class FairShare:
    """So many turns at a time. `max_waiting`: how many may wait for one, of each name at most half of them."""

    def __init__(
        self, turns: int, *, max_waiting: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = turns
        self._max_waiting = max_waiting
        self._clock = clock
        self._level = 0.0
        self._waiting = 0
        self._unknown_spent = 0.0
        self._unknown_users = 0
        self._names: OrderedDict[str, _Name] = OrderedDict()

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[None]:
        """A turn, as long as the context; what it takes stands on the name's account.

        Raises:
            QueueFull: too many wait already.
        """
        one = self._name(name)
        was_unknown = not one.known
        if was_unknown and not self._unknown_users:
            self._unknown_spent = max(self._unknown_spent, self._level)
        one.users += 1
        self._unknown_users += was_unknown
        try:
            await self._wait(one)
            began = self._clock()
            try:
                yield
            finally:
                self._charge(one, self._clock() - began)
                self._pass_on()
        finally:
            one.users -= 1
            self._unknown_users -= was_unknown

    async def _wait(self, one: _Name) -> None:
        if self._free:
            self._free -= 1
            self._level = max(self._level, self._rank(one))
            return
        most = self._max_waiting
        if most is not None and (self._waiting >= most or len(one.waiting) >= max(1, most // 2)):
            raise QueueFull
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        one.waiting.append(place)
        self._waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._pass_on()  # it had been given a turn, which nobody would take
            elif place in one.waiting:
                one.waiting.remove(place)
                self._waiting -= 1
            raise

    def _charge(self, one: _Name, took: float) -> None:
        one.spent += took
        if not one.known:
            self._unknown_spent += took
        one.turns += 1

    def _rank(self, one: _Name) -> float:
        """The account that it goes by: that of all unknown ones, unless its own is higher."""
        return one.spent if one.known else max(one.spent, self._unknown_spent)

    def _pass_on(self) -> None:
        """Gives a turn that has become free to whoever has taken least; of those on the one account, by their own.

        One that was cancelled in this very pass of the loop still stands there, and is left out.
        """
        while waiting := [one for one in self._names.values() if one.waiting]:
            least = min(waiting, key=lambda one: (self._rank(one), one.spent))
            place = least.waiting.popleft()
            self._waiting -= 1
            if not place.done():
                self._level = max(self._level, self._rank(least))
                place.set_result(None)
                return
        self._free += 1

    def _name(self, name: str) -> _Name:
        one = self._names.get(name)
        if one is None:
            self._forget_old()
            one = self._names[name] = _Name(self._level)
        elif not one.users:
            one.spent = max(one.spent, self._level)
        self._names.move_to_end(name)
        return one

    def _forget_old(self) -> None:
        """Names are whatever posts say, so they are bounded; those in use are kept, and those known longest."""
        if len(self._names) >= MAX_NAMES:
            idle = [name for name, one in self._names.items() if not one.users]
            unknown = (name for name in idle if not self._names[name].known)
            oldest = next(unknown, next(iter(idle), None))
            if oldest is not None:
                del self._names[oldest]
