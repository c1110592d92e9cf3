"""Opening of an index by its specification: `sqlite:posts.db` is the kind `sqlite` with the address `posts.db`.

::

    KIND:ADDRESS ─┬▶ a kind of ours         its opener, imported only now
                  └▶ a kind of a plug-in    the entry point of an installed package (tagstream/plugins.py)

    await opener(address, settings, create=True or False) ─▶ EntityIndex

Openers of ours and of plug-ins are called alike. Ours stand in a table and not among the entry points, so that they are
found in a checkout that was never installed, and no package can take their names.
"""

import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Protocol

from search.index import EntityIndex
from tagstream.errors import BadSettings
from tagstream.plugins import PluginKind, find_plugin
from tagstream.settings import Settings, load_settings

OPENERS = {
    "elasticsearch": "search.elastic.index:open_elasticsearch",
    "sqlite": "search.sqlite.index:open_sqlite",
}
_ADDRESSED = {"elasticsearch": "server", "sqlite": "file"}
_EXAMPLES = "Write sqlite:PATH, for example sqlite:posts.db, or elasticsearch:URL, for example elasticsearch:http://127.0.0.1:9200/tagstream."
_MEMBERS = tuple(name for name, member in vars(EntityIndex).items() if callable(member) and not name.startswith("_"))


class IndexOpener(Protocol):
    """The function that opens a kind of index, of ours or of a plug-in."""

    def __call__(self, address: str, settings: Settings, *, create: bool) -> Awaitable[EntityIndex]:
        """Opens the index at the address; with `create` to write, and makes it if it is not there."""
        ...


async def open_index(spec: str, *, create: bool = True, settings: Settings | None = None) -> EntityIndex:
    """Opens the index that a specification names.

    Args:
        spec: the kind of index and its address, with a colon between.
        create: opens the index to write, and makes one where there is none.
        settings: the use of a server (deadlines, credentials, copies); by default those of the environment.

    Raises:
        BadSettings: no index is of this kind, the address makes no sense, or the plug-in of this kind is broken.
        IndexUnavailable: another process writes to the index.
        ServiceUnavailable: the server of the index does not answer.
        Fatal: the index cannot be opened, is something else, or is newer than this program.
    """
    kind, colon, address = spec.partition(":")
    settings = settings or load_settings(os.environ)
    if kind in OPENERS:
        if not address:
            raise BadSettings(f"The index {spec!r} names no {_ADDRESSED[kind]}. {_EXAMPLES}")
        opener: IndexOpener = EntryPoint(kind, OPENERS[kind], PluginKind.INDEX.group).load()
        return await opener(address, settings, create=create)
    plugin = find_plugin(PluginKind.INDEX, kind) if colon else None
    if plugin is None:
        # Only the text before the colon, or after an @, is shown: the rest may hold a password.
        problem = (
            f"There is no index of kind {kind[:80]!r}"
            if colon
            else f"The index {spec.rpartition('@')[2][:80]!r} has no kind"
        )
        raise BadSettings(f"{problem}. {_EXAMPLES}")
    opener = plugin.load()
    with plugin.blamed():
        index: EntityIndex = await opener(address, settings, create=create)
    plugin.require(index, _MEMBERS)
    return index


def is_absent_file(spec: str) -> bool:
    """Whether the specification names an index in a file, and the file is not there yet."""
    kind, _, path = spec.partition(":")
    return kind == "sqlite" and bool(path) and not os.path.lexists(path)


@asynccontextmanager
async def opened_index(settings: Settings, *, create: bool = False) -> AsyncIterator[EntityIndex]:
    """Opens the index that the settings name, and closes it afterwards. Only `create` makes one that is not there.

    Raises:
        BadSettings: the settings name no index.
        UnreadableInput: the index is not there, or not readable.
    """
    index = await open_index(settings.index, create=create, settings=settings)
    try:
        yield index
    finally:
        await index.close()
