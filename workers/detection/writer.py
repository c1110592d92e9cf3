"""The writer of what detectors say: closed minutes go to the index together with what is to be told of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from search.detection.event_timeline import ClosedMinute, detections
from search.index import EntityIndex
from workers.notifications.notifier import Notifier
from workers.pipeline.retry import RetryGate

# How long the outbox gathers what receivers have taken before it is stored again.
_GATHER_SECONDS = 1.0


class DetectionWriter:
    """A writer to the index, one call at a time. While the index is away a call waits (invariant 7)."""

    def __init__(self, index: EntityIndex, notifier: Notifier | None = None, gate: RetryGate | None = None) -> None:
        self.gate = gate or RetryGate()
        self.trends = 0
        self.events = 0
        self._index = index
        self.notifier = notifier
        self._one_at_a_time = asyncio.Lock()

    async def write(
        self, minutes: Sequence[ClosedMinute], state: Callable[[], Mapping[str, bytes]] | None = None
    ) -> None:
        """Stores closed minutes, what is to be told of them, and the given state; durable on return.

        Raises:
            Fatal: from the index.
        """
        await self.gate.run(lambda: self.attempt(minutes, state))

    async def attempt(
        self, minutes: Sequence[ClosedMinute], state: Callable[[], Mapping[str, bytes]] | None = None
    ) -> None:
        """Does what `write` does, once.

        Raises:
            IndexUnavailable: the index does not answer; the same call again makes it whole.
            Fatal: from the index.
        """
        trends, events = detections(minutes)
        notifier = self.notifier
        async with self._one_at_a_time:
            if notifier is not None:
                await notifier.note(minutes)
            stored = {**(state() if state else {}), **(notifier.state() if notifier else {})}
            if trends or events or stored:
                await self._index.write_detections(trends, events, stored)
            if notifier is not None:
                notifier.stored()
        self.trends += len(trends)
        self.events += len(events)

    async def notify(self) -> None:
        """Sends notifications and stores what was taken, until it is cancelled."""
        if self.notifier is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.notifier.run())
            tasks.create_task(self._store_taken(self.notifier))

    async def _store_taken(self, notifier: Notifier) -> None:
        while True:
            await notifier.taken()
            await asyncio.sleep(_GATHER_SECONDS)
            await self.write(())
