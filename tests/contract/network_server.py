"""A server that does as a script tells it: the fake end of every network source's contract.

A network's own fake server subclasses `ScriptedServer`, speaks its protocol, and implements `Connection` for one
client; `play` then gives the events of the log in order and commits the fault that the script holds for this
connection. Knows nothing of any protocol, and nothing of the sources.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

HEARTBEAT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Refuse:
    """The connection is refused by this status; `retry_after` is the header's value."""

    status: int = 503
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """After that many events the connection is reset."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """After that many events no byte comes any more, heartbeats neither; the connection stays open."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """After that many events only heartbeats come, until `resume` of the server is set."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Garbage:
    """After that many events comes something that nobody can read, then the other events."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class HalfFrame:
    """After that many events comes the first half of an event, and the connection ends."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Endless:
    """After that many events begins an event that never ends, for as long as the client listens."""

    after: int = 0


Fault = Refuse | Drop | Stall | Heartbeats | Garbage | HalfFrame | Endless

ENDLESS_PIECE_BYTES = 64 * 1024


class Connection(Protocol):
    """One client of a fake server. Every method raises `ConnectionError` once the client is gone."""

    async def send(self, number: int) -> None:
        """Gives the event with that place in the log, from 0."""

    async def heartbeat(self) -> None:
        """Gives a sign of life that is no event; nothing where the protocol has none."""

    async def garbage(self) -> None:
        """Gives a whole frame that is nothing of the protocol."""

    async def half(self, number: int) -> None:
        """Gives the beginning of an event, and nothing after it."""

    async def endless(self) -> None:
        """Gives the next 64 KiB of an event that has no end; the first call begins it."""

    async def stall(self) -> None:
        """From now on no sign of life comes, not even an answer to a ping; the connection stays open."""

    async def reset(self) -> None:
        """Ends the connection without a word."""


class ScriptedServer(ABC):
    """The log of a network, and what goes wrong with the connections to it.

    `faults` holds what happens on each of the next connections (attempts that are refused count too); without one
    the server behaves. `attempts` are the loop's times of all attempts to connect. `port` is where it listens.
    """

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.attempts: list[float] = []
        self.open_connections = 0
        self.port = 0
        self.endless_bytes = 0
        self.resume = asyncio.Event()
        self.published = 0
        self._grown = asyncio.Condition()

    @abstractmethod
    async def start(self) -> None:
        """Listens on a free port of loopback."""

    @abstractmethod
    async def stop(self) -> None:
        """Ends every connection and frees the port."""

    @abstractmethod
    def event_id(self, number: int) -> str:
        """The id of the post that a source makes of that event."""

    async def publish(self, count: int) -> list[str]:
        """The network gets that many more posts; returns their ids in order."""
        first = self.published
        await self.grow(count)
        return [self.event_id(number) for number in range(first, self.published)]

    async def grow(self, count: int) -> None:
        """Says that the log has that many more events."""
        async with self._grown:
            self.published += count
            self._grown.notify_all()

    def attempt(self) -> Fault | None:
        """Notes an attempt to connect; returns what is to go wrong with it."""
        self.attempts.append(asyncio.get_running_loop().time())
        return self.faults.popleft() if self.faults else None

    async def play(self, connection: Connection, first: int, fault: Fault | None) -> None:
        """Gives the events from `first` on, for ever, with this fault; returns when the client is gone."""
        self.open_connections += 1
        try:
            await self._play(connection, first, fault)
        except ConnectionError:
            pass
        finally:
            self.open_connections -= 1

    async def _play(self, connection: Connection, first: int, fault: Fault | None) -> None:
        number = first
        while True:
            if fault is not None and not isinstance(fault, Refuse) and number - first == fault.after:
                if not await self._commit(fault, connection, number):
                    return
                fault = None
            await self._await_event(connection, number)
            await connection.send(number)
            number += 1

    async def _await_event(self, connection: Connection, number: int) -> None:
        while number >= self.published:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS), self._grown:
                    await self._grown.wait()
            except TimeoutError:
                await connection.heartbeat()

    async def _commit(self, fault: Fault, connection: Connection, number: int) -> bool:
        """Does the fault; returns whether the connection goes on."""
        match fault:
            case Drop():
                await connection.reset()
                return False
            case Stall():
                await connection.stall()
                await asyncio.Event().wait()
            case Heartbeats():
                while not self.resume.is_set():
                    await connection.heartbeat()
                    await asyncio.sleep(HEARTBEAT_SECONDS)
            case Garbage():
                await connection.garbage()
            case HalfFrame():
                await self._await_event(connection, number)
                await connection.half(number)
                await connection.reset()
                return False
            case Endless():
                while True:
                    await connection.endless()
                    self.endless_bytes += ENDLESS_PIECE_BYTES
        return True


def first_occurrences(ids: Sequence[str]) -> list[str]:
    """The ids without repetitions, in order."""
    return list(dict.fromkeys(ids))
