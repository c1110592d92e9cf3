"""The loop of the commands that show what comes in: they ask again and again, and outlast an index that is away.

::

    open ─▶ begin ─▶ look ─▶ look ─▶ …          every half second, until Ctrl-C
      │                └ away? said once, then asked again, with growing pauses; the same place is gone on from
      │                └ another file under the name? opened, and begun with
      └ not there? said once, and waited for; all that it then holds is new
"""

import asyncio
import os
from collections.abc import Awaitable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import click

from search.index import EntityIndex
from search.open import open_index
from tagstream.cli.console import note
from tagstream.errors import AbsentIndex, Retryable, UnreadableInput
from tagstream.settings import Settings

LOOK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0

T = TypeVar("T")


class Follower(Protocol):
    """A question that is asked again and again."""

    async def begin(self, index: EntityIndex, *, is_new: bool) -> None:
        """Notes what is there, unless the index `is_new`: then everything in it came since the command was called.

        Called with the index, and again if another one takes its place.
        """
        ...

    async def look(self, index: EntityIndex) -> None:
        """Shows what is new since the last call. After an error the next call shows what this one had to."""
        ...


def refuse_with_follow(following: bool, given: Mapping[str, bool]) -> None:
    """Refuses what `--follow`, which shows what is new from now on, cannot obey.

    Raises:
        UsageError: the command follows, and one of the options is given.
    """
    refused = [option for option, is_given in given.items() if is_given]
    if following and refused:
        raise click.UsageError(f"--follow shows everything that is new from now on: leave {', '.join(refused)} out")


async def follow(settings: Settings, follower: Follower, stop: asyncio.Event) -> None:
    """Follows the index of the settings until `stop` is set. One that is not there, or goes away, is waited for.

    Raises:
        TagstreamError: the index cannot be opened at the start, or is damaged.
    """
    place = _Place(settings)
    begun, pause, away = False, LOOK_SECONDS, False
    is_new = await _open_when_there(place, stop)
    try:
        while not stop.is_set():
            try:
                if await place.is_another():
                    begun = False
                work = follower.look(place.index) if begun else follower.begin(place.index, is_new=is_new)
                await unless_stopped(work, stop)
                begun, is_new = True, False
                if away:
                    note("the index answers again")
                pause, away = LOOK_SECONDS, False
            except (Retryable, _Away, UnreadableInput) as error:
                if not away:
                    note(f"{error} Waiting for it")
                away, pause = True, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await _pause(stop, pause)
    finally:
        await place.close()


async def _open_when_there(place: "_Place", stop: asyncio.Event) -> bool:
    """Opens the index as soon as it is there, or `stop` is set; returns whether it was made meanwhile."""
    said = ""
    while not stop.is_set():
        try:
            await unless_stopped(place.open(), stop)
            break
        except UnreadableInput as error:  # one that is half made cannot be read either
            if not said and not isinstance(error, AbsentIndex):
                raise
            if str(error) != said:
                said = str(error)
                note(f"{said} Waiting for it")
            await _pause(stop, LOOK_SECONDS)
    return bool(said)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class _Away(Exception):
    """The file of the index is not there at the moment."""


class _Place:
    """The open index, and the file that it is, if it is one: another may come to stand in its place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index: EntityIndex | None = None
        self._file: tuple[int, int] | None = None

    @property
    def index(self) -> EntityIndex:
        """The index, which is open."""
        assert self._index is not None
        return self._index

    async def open(self) -> None:
        """Opens the index."""
        found = self._look()
        self._index = await open_index(self._settings.index, create=False, settings=self._settings)
        self._file = found

    async def is_another(self) -> bool:
        """Opens the index again if its file was away; returns whether another file is in its place.

        Raises:
            _Away: there is no file.
            UnreadableInput: the file is none that can be read yet.
        """
        before, found = self._file, self._look()
        if found is None and self._settings.index.startswith("sqlite:"):
            await self.close()
            raise _Away(f"The index {self._settings.index} is gone.")
        if self._index is not None and found == before:
            return False
        await self.close()
        await self.open()
        return found != before

    async def close(self) -> None:
        """Closes the index."""
        if self._index is not None:
            closed, self._index = self._index, None
            await closed.close()

    def _look(self) -> tuple[int, int] | None:
        """Returns what tells the file of the index from another of its name; None without a file."""
        kind, _, path = self._settings.index.partition(":")
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
