"""The loop of the commands that show what comes in: they ask again and again, and outlast an index that is away.

::

    open ─▶ begin ─▶ look ─▶ look ─▶ …          every half second, until Ctrl-C
                       └ away? said once, then asked again, with growing pauses; the same place is gone on from
                       └ another file under the name? opened, and begun with
"""

import asyncio
import os
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from search.index import EntityIndex
from search.open import open_index
from tagstream.cli.console import note
from tagstream.errors import Fatal, Retryable
from tagstream.settings import Settings

LOOK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0

T = TypeVar("T")


class Follower(Protocol):
    """A question that is asked again and again."""

    async def begin(self, index: EntityIndex) -> None:
        """Notes what is there. Called with the index, and again if another one takes its place."""
        ...

    async def look(self, index: EntityIndex) -> None:
        """Shows what is new since the last call. After an error the next call shows what this one had to."""
        ...


async def follow(settings: Settings, follower: Follower, stop: asyncio.Event) -> None:
    """Follows the index of the settings until `stop` is set.

    Raises:
        TagstreamError: the index cannot be opened at the start, or is damaged. One that goes away later is waited for.
    """
    spec = settings.index
    identity = _identity(spec)
    index: EntityIndex | None = await open_index(spec, create=False, settings=settings)
    begun, pause, away = False, LOOK_SECONDS, False
    try:
        while not stop.is_set():
            try:
                if index is None or _identity(spec) != identity:
                    index, begun, identity = await _reopened(index, settings), False, _identity(spec)
                if not begun:
                    await unless_stopped(follower.begin(index), stop)
                    begun = not stop.is_set()
                else:
                    await unless_stopped(follower.look(index), stop)
                if away:
                    note("the index answers again")
                pause, away = LOOK_SECONDS, False
            except (Retryable, _Away, Fatal) as error:
                if isinstance(error, Fatal) and not away and _identity(spec) == identity:
                    raise
                if not away:
                    note(f"{error} Waiting for it")
                away, pause = True, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    finally:
        if index is not None:
            await index.close()


class _Away(Exception):
    """The file of the index is not there at the moment."""


async def _reopened(index: EntityIndex | None, settings: Settings) -> EntityIndex:
    """Opens the index again, of which another file has taken the place.

    Raises:
        _Away: no file has.
    """
    if _identity(settings.index) is None:
        raise _Away(f"The index {settings.index} is gone.")
    opened = await open_index(settings.index, create=False, settings=settings)
    if index is not None:
        await index.close()
    return opened


def _identity(spec: str) -> tuple[int, int] | None:
    """Returns what tells the file of the index from another of its name; None without a file."""
    kind, _, path = spec.partition(":")
    if kind != "sqlite":
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """Returns what the work returns, or None as soon as `stop` is set: the work is then cancelled."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        await _ended(task)
        await _ended(stopped)


async def _ended(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await _awaited(task)


async def _awaited(task: Awaitable[Any]) -> None:
    await task
