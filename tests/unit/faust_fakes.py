"""A stream and a consumer without Faust: messages of one or more partitions, generations that change on demand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Message:
    topic: str = "posts"
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"jsonl:a"
    value: bytes | None = b""
    headers: Any = ()
    timestamp: float | None = 1.5
    generation_id: int = 1

    @property
    def tp(self) -> tuple[str, int]:
        return self.topic, self.partition


@dataclass
class Event:
    message: Message


@dataclass
class FakeConsumer:
    """Counts what is finished, of the generation that it is in."""

    generation: int = 1
    offsets: list[int] = field(default_factory=list)

    def is_current(self, message: Message) -> bool:
        return message.generation_id == self.generation

    def finished(self, message: Message) -> None:
        self.offsets.append(message.offset)


class FakeStream:
    """What an agent is given. `close` ends it, as Faust does at a shutdown."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.pulled = 0

    def noack(self) -> "FakeStream":
        return self

    def put(self, *messages: Message) -> None:
        for message in messages:
            self._queue.put_nowait(Event(message))

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            self.pulled += 1
            yield event


def messages(count: int, *, first: int = 0, **fields: Any) -> list[Message]:
    return [Message(offset=first + number, **fields) for number in range(count)]


class FakeThread:
    """The thread of a consumer that commits, or does not."""

    def __init__(self, assigned: set[tuple[str, int]]) -> None:
        self.assigned = assigned
        self.commits: list[Mapping[tuple[str, int], int]] = []
        self.works = True

    def assignment(self) -> set[tuple[str, int]]:
        return self.assigned

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> bool:
        self.commits.append(dict(offsets))
        return self.works
