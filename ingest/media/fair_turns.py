"""Turns that are shared fairly by what they cost: whoever has taken most waits longest, and nobody waits for his like.

Each name (a host) has an account of the seconds that its turns took. A free turn goes to the waiting name with the
least on its account. One that comes, or comes back, starts level with the others: what it did not take is not saved
up. Knows nothing of what is done in a turn.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MAX_NAMES = 4096


class NoRoom(Exception):
    """As many wait as may."""


@dataclass(slots=True)
class _Account:
    spent: float
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)
    holding: int = 0


class FairTurns:
    """So many turns at a time. `max_waiting`: how many may wait for one, of each name at most half of them."""

    def __init__(
        self, turns: int, *, max_waiting: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = turns
        self._max_waiting = max_waiting
        self._clock = clock
        self._level = 0.0
        self._waiting = 0
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """A turn, as long as the context; what it takes stands on the name's account.

        Raises:
            NoRoom: too many wait already.
        """
        account = self._account(name)
        await self._wait(account)
        account.holding += 1
        began = self._clock()
        try:
            yield
        finally:
            account.holding -= 1
            account.spent += self._clock() - began
            self._pass_on()

    async def _wait(self, account: _Account) -> None:
        if self._free:
            self._free -= 1
            return
        most = self._max_waiting
        if most is not None and (self._waiting >= most or len(account.waiting) >= max(1, most // 2)):
            raise NoRoom
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        account.waiting.append(place)
        self._waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._pass_on()  # it had been given a turn, which nobody would take
            elif place in account.waiting:
                account.waiting.remove(place)
                self._waiting -= 1
            raise

    def _pass_on(self) -> None:
        """Gives a turn that has become free to whoever has taken least.

        One that was cancelled in this very pass of the loop still stands there, and is left out.
        """
        while waiting := [account for account in self._accounts.values() if account.waiting]:
            least = min(waiting, key=lambda account: account.spent)
            place = least.waiting.popleft()
            self._waiting -= 1
            if not place.done():
                self._level = max(self._level, least.spent)
                place.set_result(None)
                return
        self._free += 1

    def _account(self, name: str) -> _Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(self._level)
            self._forget_old()
        elif not account.waiting and not account.holding:
            account.spent = max(account.spent, self._level)
        self._accounts.move_to_end(name)
        return account

    def _forget_old(self) -> None:
        """Names are whatever posts say, so they are bounded; those in use are kept."""
        if len(self._accounts) > MAX_NAMES:
            idle = (name for name, one in self._accounts.items() if not one.waiting and not one.holding)
            oldest = next(idle, None)
            if oldest is not None:
                del self._accounts[oldest]
