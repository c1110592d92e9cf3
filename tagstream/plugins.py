"""Plug-ins: sources, indexes and captioners that other installed packages offer by entry points.

::

    [project.entry-points."tagstream.sources"]
    example = "my_package.source:open_source"          --source example:ARGUMENT

    kind        entry-point group        called as                                              returns
    source      tagstream.sources        opener(argument, settings)                             tagstream.source.Source
    index       tagstream.indexes        await opener(address, settings, create=True or False)  search.index.EntityIndex
    captioner   tagstream.captioners     opener(argument, settings)                             Captioner

The name of an entry point is what stands before the colon of a specification. The names of tagstream's own kinds stay
tagstream's. Nothing of a plug-in is imported before a specification names it, so that one broken package harms only
the command that asks for it. `tagstream plugins` loads them all, and says which ones fail.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, TypeVar

from tagstream.errors import BadSettings, Fatal, TagstreamError

_LONGEST_REASON = 500
_UNKNOWN = "unknown"
_NEEDS = "__tagstream_needs__"

Opener = TypeVar("Opener", bound=Callable[..., Any])


class PluginKind(StrEnum):
    """The kinds of plug-ins, by what they add."""

    SOURCE = "source"
    INDEX = "index"
    CAPTIONER = "captioner"

    @property
    def group(self) -> str:
        """The group of entry points: `tagstream.sources`."""
        return f"tagstream.{'indexes' if self is PluginKind.INDEX else f'{self}s'}"


# The kinds that tagstream brings itself. A plug-in of such a name is never asked.
BUILT_IN = {
    PluginKind.SOURCE: frozenset({"bluesky", "csv", "jsonl", "mastodon", "rss", "simulate", "x"}),
    PluginKind.INDEX: frozenset({"elasticsearch", "sqlite"}),
    PluginKind.CAPTIONER: frozenset({"hub"}),
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point of one installed package."""

    kind: PluginKind
    name: str
    package: str
    version: str
    entry_point: EntryPoint = field(repr=False)

    def __str__(self) -> str:
        return f"the {self.kind} plug-in {self.name!r} of {self.package} {self.version}"

    def load(self) -> Callable[..., Any]:
        """Imports the plug-in; returns the function that opens what it offers.

        What the import prints goes to standard error, because standard output carries answers alone.

        Raises:
            BadSettings: the import fails, or gives something that cannot be called.
        """
        try:
            with redirect_stdout(sys.stderr):
                opener = self.entry_point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the import runs code of others, which may even call sys.exit
            raise BadSettings(f"{self} cannot be loaded: {_reason(error)}; repair or remove that package") from error
        if not callable(opener):
            raise BadSettings(
                f"{self} is {type(opener).__name__}, which cannot be called: docs/how-to/add-a-source.md says how"
            )
        loaded: Callable[..., Any] = opener
        return loaded

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turns an error of the plug-in's own code into one that names the plug-in.

        Raises:
            Fatal: something other than an error of tagstream's tree was raised inside, or the process was to exit.
        """
        try:
            yield
        except TagstreamError:
            raise
        except (Exception, SystemExit) as error:  # code of others may even call sys.exit
            raise Fatal(f"{self} failed: {_reason(error)} (--debug shows where)") from error

    def require(self, offered: object, members: Sequence[str]) -> None:
        """Checks that what the plug-in opened has these members.

        Raises:
            BadSettings: one is missing.
        """
        missing = [member for member in members if not hasattr(offered, member)]
        if missing:
            raise BadSettings(f"{self} gave {type(offered).__name__}, which lacks {', '.join(missing)}")


def installed_plugins(kind: PluginKind | None = None) -> list[Plugin]:
    """The plug-ins of that kind, or of every kind, in order of kind, name and package; none of them is imported."""
    found = []
    for one_kind in PluginKind if kind is None else (kind,):
        offered = [_plugin(one_kind, entry_point) for entry_point in entry_points(group=one_kind.group)]
        found += sorted(offered, key=lambda plugin: (plugin.name, plugin.package))
    return found


def _plugin(kind: PluginKind, entry_point: EntryPoint) -> Plugin:
    distribution = entry_point.dist
    package = distribution.metadata["Name"] if distribution else None
    version = distribution.metadata["Version"] if distribution else None
    return Plugin(kind, entry_point.name, package or _UNKNOWN, version or _UNKNOWN, entry_point)


def find_plugin(kind: PluginKind, name: str) -> Plugin | None:
    """The plug-in of that kind and name; None where no package offers one.

    Raises:
        BadSettings: several packages offer one, and nothing says which is meant.
    """
    if name in BUILT_IN[kind]:
        return None
    found = [plugin for plugin in installed_plugins(kind) if plugin.name == name]
    if len(found) > 1:
        packages = ", ".join(plugin.package for plugin in found)
        raise BadSettings(f"several packages offer the {kind} {name!r}: {packages}; remove all but one of them")
    return found[0] if found else None


def needs(modules: Mapping[str, str]) -> Callable[[Opener], Opener]:
    """Declares the modules that an opener imports only when it is called, each with what to install for it.

    `tagstream plugins` says which of them are not installed, without importing any.
    """

    def declare(opener: Opener) -> Opener:
        opener.__dict__[_NEEDS] = dict(modules)
        return opener

    return declare


def plugin_fault(plugin: Plugin) -> str | None:
    """Says why the plug-in cannot be used; None where it can. Imports it, but none of the modules that it `needs`."""
    if plugin.name in BUILT_IN[plugin.kind]:
        return f"never used: tagstream has its own {plugin.kind} of that name"
    try:
        find_plugin(plugin.kind, plugin.name)
        opener = plugin.load()
    except BadSettings as error:
        return str(error)
    for module, requirement in getattr(opener, _NEEDS, {}).items():
        if not _is_installed(module):
            return f"{plugin} needs {requirement}; there is no {module}"
    return None


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # its package is missing; or it is imported, and has no specification
        return sys.modules.get(module) is not None


def _reason(error: BaseException) -> str:
    message = " ".join(str(error).split())[:_LONGEST_REASON]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
