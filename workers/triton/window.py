"""The window of requests to a server: narrower when answers come too late, wider again as they come in time.

Additive increase and multiplicative decrease, as TCP does it (Chiu and Jain 1989). Without it a server that is a little
too slow answers nothing at all: all requests miss their deadline together, are asked again together, and the work that
was done for them is thrown away each time. The room of the server is shared by workers that know nothing of each other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tagstream.errors import ModelUnavailable

# The smallest share of a full request: of 1,024 tokens no more than one post.
_LEAST = 1 / 32
# So many answers to each request of the window make it one request wider, or more than double a share below one.
_ANSWERS_A_STEP = 4


class RequestWindow:
    """A window of at most `most` requests at a time, used on one event loop.

    `width` is the number of requests; below 1 it is one request at a time, with that share of a full one's rows.
    """

    def __init__(self, most: int) -> None:
        self.width = float(most)
        self._most = most
        self._running = 0
        self._narrowed = 0
        self._changed = asyncio.Condition()

    @property
    def share(self) -> float:
        """The share of a full request that one request may have, in (0, 1]."""
        return min(1.0, self.width)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Waits for room for one more request; learns from its end whether the server keeps up.

        `ModelUnavailable` narrows the window, once for all requests that were on their way together; an answer widens
        it; a refusal leaves it as it is.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._running < max(1, int(self.width)))
            self._running += 1
        narrowed = self._narrowed
        try:
            yield
        except ModelUnavailable:
            if narrowed == self._narrowed:
                self._narrowed += 1
                self.width = max(_LEAST, self.width / 2)
            raise
        else:
            self.width = min(self._most, self.width + min(self.width, 1 / self.width) / _ANSWERS_A_STEP)
        finally:
            self._running -= 1
            async with self._changed:
                self._changed.notify_all()
