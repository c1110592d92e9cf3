"""What joins the stages of a chain in one process: a bounded link, so that a slow stage slows the one before it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

from workers.pipeline.runner import Delivery

Value = TypeVar("Value")


class Link(Generic[Value]):
    """Room for one group of deliveries between two stages."""

    def __init__(self) -> None:
        self._groups: asyncio.Queue[Sequence[Delivery[Value]]] = asyncio.Queue(1)

    async def put(self, deliveries: Sequence[Delivery[Value]]) -> None:
        """Hands over a group; waits while the one before it has not been taken. An empty group is the end."""
        await self._groups.put(deliveries)

    async def deliveries(self) -> AsyncIterator[Sequence[Delivery[Value]]]:
        """The groups, until the end."""
        while group := await self._groups.get():
            yield group
