"""Opening of an index by its specification, such as `sqlite:posts.db` or `elasticsearch:http://127.0.0.1:9200`."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from search.index import EntityIndex
from tagstream.errors import BadSettings
from tagstream.plugins import Plugin, PluginKind, find_plugin
from tagstream.settings import Settings, load_settings

_EXAMPLES = "Write sqlite:PATH, for example sqlite:posts.db, or elasticsearch:URL, for example elasticsearch:http://127.0.0.1:9200/tagstream."

_MEMBERS = tuple(name for name, member in vars(EntityIndex).items() if callable(member) and not name.startswith("_"))

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


async def open_index(spec: str, *, create: bool = True, settings: Settings | None = None) -> EntityIndex:
    """Opens the index that `spec` names, a built-in kind or one of a plug-in.

    Args:
        spec: the kind of index and its address, with a colon between.
        create: opens the index to write, and makes one where there is none.
        settings: the use of a server (deadlines, credentials, copies); by default those of the environment.

    Raises:
        BadSettings: the specification names no kind of index that there is.
        IndexUnavailable: another process writes to it.
        ServiceUnavailable: its server does not answer.
        Fatal: it cannot be opened, is something else, or is newer than this program.
    """
    kind, colon, rest = spec.partition(":")
    if kind == "sqlite" and rest == ":memory:":
        raise BadSettings(
            "sqlite::memory: is no index: it is kept in a file, for other commands to read and to outlive this one. "
            "Name a file, for example sqlite:/tmp/posts.db."
        )
    if kind == "sqlite" and _ADDRESS.match(rest):
        raise BadSettings(f"sqlite: takes the path of a file, and not the address of a server. {_EXAMPLES}")
    # Each kind is imported here: a command that asks one index does not pay for loading the others.
    if kind == "sqlite" and rest:
        from search.sqlite.index import SqliteIndex

        return await SqliteIndex.open(rest, create=create)
    if kind == "elasticsearch" and rest:
        from search.elastic.index import ElasticIndex

        return await ElasticIndex.open(rest, settings or load_settings(os.environ), create=create)
    if kind in ("sqlite", "elasticsearch"):
        raise BadSettings(f"The index {spec!r} names no {'file' if kind == 'sqlite' else 'server'}. {_EXAMPLES}")
    if colon and (plugin := find_plugin(PluginKind.INDEX, kind)) is not None:
        return await _of_plugin(plugin, rest, settings or load_settings(os.environ), create=create)
    # What stands before the colon only: the rest may hold a password.
    said = spec.rpartition("@")[2][:80]
    problem = f"There is no index of kind {kind[:80]!r}" if colon else f"The index {said!r} has no kind"
    raise BadSettings(f"{problem}. {_EXAMPLES}")


async def _of_plugin(plugin: Plugin, address: str, settings: Settings, *, create: bool) -> EntityIndex:
    opener = plugin.load()
    with plugin.blamed():
        index: EntityIndex = await opener(address, settings, create=create)
    plugin.require(index, _MEMBERS)
    return index


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
