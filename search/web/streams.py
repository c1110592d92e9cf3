"""Streams of new posts as server-sent events: each is a question that is asked again every second.

A browser that reconnects goes on at the position that it names (`Last-Event-ID`). An index that is away is waited for.
The number of open streams is bounded, because each holds the ids that it has sent.
"""

import asyncio
import json
import re
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from search.index import EntityIndex, Query
from tagstream.errors import BadSettings, Retryable
from tagstream.posts import TaggedPost

MAX_STREAMS = 64
STREAMS_OF_A_CLIENT = 8
_PAUSE_SECONDS = 1.0
_KEEP_ALIVE_LOOKS = 15
_KNOWN_IDS = 20_000
_POSTS_A_LOOK = 50
# Those of server-sent events alone: a text may hold U+2028, which Python takes for an end too.
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


class TooManyStreams(Exception):
    """As many streams are open as the server keeps, of one client or of all."""


class Streams:
    """The open streams of a server."""

    def __init__(self, index: EntityIndex, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._index = index
        self._pause_seconds = pause_seconds
        self._open: Counter[str] = Counter()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Ends every stream, for the end of the server."""
        self._stopped.set()

    async def answer(
        self, client: str, query: Query, after: str | None, render: Callable[[TaggedPost], str]
    ) -> StreamingResponse:
        """Opens a stream of a client, which is open until the answer ends.

        Raises:
            BadSettings: the text is no query.
            TooManyStreams: no further stream can be opened.
        """
        # Counted before anything is awaited: others that begin meanwhile find it there.
        if self._open.total() >= MAX_STREAMS or self._open[client] >= STREAMS_OF_A_CLIENT:
            raise TooManyStreams
        self._open[client] += 1
        leave = partial(self._leave, client)
        try:
            position = await self.begin(query, after)
        except BaseException:
            leave()
            raise
        return _StreamAnswer(self.posts(query, position, render), leave)

    def _leave(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]

    async def begin(self, query: Query, after: str | None) -> str:
        """Checks the query and returns the position at which its stream begins.

        Raises:
            BadSettings: the text is no query.
        """
        if after is not None:
            try:
                return (await self._index.arrivals(replace(query, size=1), after)).next and after
            except BadSettings:  # a position of another index: begin where this one is
                pass
        return (await self._index.arrivals(query)).next

    async def posts(self, query: Query, position: str, render: Callable[[TaggedPost], str]) -> AsyncIterator[str]:
        """Yields the new posts as server-sent events, until the reader goes or the server ends."""
        known: OrderedDict[str, None] = OrderedDict()
        silent = 0
        yield f"retry: 2000\nid: {position}\n\n"
        while not self._stopped.is_set():
            try:
                answer = await self._index.arrivals(replace(query, size=_POSTS_A_LOOK), position, known)
            except Retryable:
                yield ": the index is away\n\n"
                await self._pause(5 * self._pause_seconds)
                continue
            position = answer.next
            for post in answer.posts:
                if post.id not in known:
                    yield _event("post", render(post), position)
            known.update(dict.fromkeys(answer.ids))
            while len(known) > _KNOWN_IDS:
                known.popitem(last=False)
            silent = 0 if answer.posts else silent + 1
            if silent % _KEEP_ALIVE_LOOKS == 1:
                yield ": nothing new\n\n"
            if not answer.more:
                await self._pause(self._pause_seconds)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return


class _StreamAnswer(StreamingResponse):
    """The answer that sends a stream; `leave` is called at its end, also if it never began."""

    def __init__(self, events: AsyncIterator[str], leave: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def as_json(post: TaggedPost) -> str:
    """Returns a post as one line of JSON."""
    return json.dumps(post.model_dump(mode="json"), ensure_ascii=False)


def _event(name: str, data: str, position: str) -> str:
    lines = "".join(f"data: {line}\n" for line in _LINE_ENDS.split(data))
    return f"event: {name}\nid: {position}\n{lines}\n"
