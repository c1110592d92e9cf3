"""Limits on how many photos are fetched at a time: in all, from one host (half of them), and from a host that cools
down.

A host cools down while it asks to be left alone (429 or 503), and after it was too slow several times in a row. So one
bad host cannot take the slots of the others. Owns these counts; knows nothing of HTTP.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tagstream.media_reasons import PhotoReason, PhotoRefused

SLOW_IN_A_ROW = 3
SLOW_SECONDS = 30.0
LONGEST_COOL_DOWN_SECONDS = 900.0
MAX_HOSTS = 4096


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore
    cooling_until: float = 0.0
    slow: int = 0
    users: int = 0


class HostLimiter:
    """The slots of all hosts. `patience_seconds`: how long a fetch waits for one."""

    def __init__(self, concurrency: int, patience_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._all = asyncio.Semaphore(concurrency)
        self._per_host = max(1, concurrency // 2)
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[None]:
        """Waits for a slot at this host, and holds it as long as the context lasts.

        Raises:
            PhotoRefused: the host cools down, or no slot came up in time.
        """
        host = self._host(name)
        self._refuse_cooling(name, host)
        host.users += 1
        try:
            await self._wait(name, host)
            try:
                self._refuse_cooling(name, host)
                yield
            finally:
                self._all.release()
                host.slots.release()
        finally:
            host.users -= 1

    def cool_down(self, name: str, seconds: float) -> None:
        """Leaves the host alone for so many seconds."""
        self._host(name).cooling_until = self._clock() + min(max(seconds, 0.0), LONGEST_COOL_DOWN_SECONDS)

    def was_slow(self, name: str) -> None:
        """Notes that the host did not answer in time."""
        host = self._host(name)
        host.slow += 1
        if host.slow >= SLOW_IN_A_ROW:
            host.slow = 0
            self.cool_down(name, SLOW_SECONDS)

    def answered(self, name: str) -> None:
        """Notes that the host answered, whatever the answer was."""
        self._host(name).slow = 0

    async def _wait(self, name: str, host: _Host) -> None:
        """Takes the host's slot first: fetches that wait for one host must not hold slots that others could use."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await host.slots.acquire()
                try:
                    await self._all.acquire()
                except BaseException:
                    host.slots.release()
                    raise
        except TimeoutError as error:
            raise PhotoRefused(PhotoReason.LATE, f"{name}: no slot within {self._patience_seconds:g} s") from error

    def _refuse_cooling(self, name: str, host: _Host) -> None:
        if host.cooling_until > self._clock():
            raise PhotoRefused(
                PhotoReason.HOST_BUSY, f"{name} is left alone for {host.cooling_until - self._clock():.0f} s more"
            )

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(asyncio.Semaphore(self._per_host))
            self._forget_idle()
        self._hosts.move_to_end(name)
        return host

    def _forget_idle(self) -> None:
        """Keeps the number of hosts bounded, for posts choose their names. Hosts in use are kept."""
        if len(self._hosts) > MAX_HOSTS:
            oldest = next((name for name, host in self._hosts.items() if not host.users), None)
            if oldest is not None:
                del self._hosts[oldest]
