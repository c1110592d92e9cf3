"""The source that a specification names: `jsonl:posts.jsonl` is the scheme `jsonl` with the argument `posts.jsonl`.

::

    SCHEME:ARGUMENT ─┬▶ a scheme of ours         its opener, imported only now
                     └▶ a scheme of a plug-in    the entry point of an installed package (tagstream/plugins.py)

    opener(argument, settings) ─▶ Source

Openers of ours and of plug-ins are called alike. Ours stand in a table and not among the entry points, so that they are
found in a checkout that was never installed, and no package can take their names.
"""

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import PurePath

from tagstream.errors import BadSettings
from tagstream.plugins import PluginKind, find_plugin, installed_plugins
from tagstream.settings import Settings
from tagstream.source import SOURCE_MEMBERS, Source

STANDARD_INPUT = "-"
# Named and not imported: a file should not wait for an HTTP client.
OPENERS = {
    "bluesky": "ingest.sources.bluesky.source:open_bluesky",
    "csv": "ingest.sources.jsonl.opening:open_csv",
    "jsonl": "ingest.sources.jsonl.opening:open_jsonl",
    "mastodon": "ingest.sources.mastodon.source:open_mastodon",
    "rss": "ingest.sources.rss.source:open_rss",
    "simulate": "ingest.sources.simulate.source:open_simulated",
    "x": "ingest.sources.x.options:open_x",
}
_WITHOUT_ARGUMENT = frozenset({"bluesky", "simulate", "x"})
_SCHEME_OF_SUFFIX = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ".js", ".zip"), "jsonl"),
}
_COMPRESSED = frozenset({".gz", ".zst", ".bz2", ".xz"})
_FORMS = (
    "bluesky:[URL,…][?lang=en&dids=did:…&quiet=1&compress=0], "
    "jsonl:PATH (JSON lines or arrays, archives, recordings, tables; plain or compressed; a folder of these), "
    "jsonl:- or - (standard input), csv:PATH[?text=COLUMN&created_at=COLUMN&delimiter=tab], "
    "mastodon:HOST[?stream=public|public:local|hashtag&tag=TAG&transport=websocket], rss:URL[,URL…] or rss:@FILE, "
    "x:[URL][?backfill_minutes=N&compliance=1], simulate:SEED[?posts=N]"
)


def open_source(spec: str, settings: Settings | None = None) -> Source:
    """Returns the source that a specification names; the source reads nothing before its own `open`.

    `settings` hold what a network needs and no command line should show, such as tokens; the defaults where None.

    Raises:
        BadSettings: no source has this scheme, the argument makes no sense, or the plug-in with this scheme is broken.
        UnreadableInput: a file that the argument names cannot be read.
    """
    scheme, _, argument = spec.partition(":") if spec != STANDARD_INPUT else ("jsonl", ":", STANDARD_INPUT)
    settings = settings or Settings()
    if scheme in OPENERS and (argument or scheme in _WITHOUT_ARGUMENT):
        opener: Callable[[str, Settings], Source] = EntryPoint(scheme, OPENERS[scheme], PluginKind.SOURCE.group).load()
        return opener(argument, settings)
    plugin = find_plugin(PluginKind.SOURCE, scheme)
    if plugin is None:
        if (kind := _kind_of_file(spec)) is not None:
            raise BadSettings(f"{spec!r} names no source: did you mean {kind}:{spec}?")
        raise BadSettings(f"{spec!r} names no source; there are {_all_forms()}")
    opener = plugin.load()
    with plugin.blamed():
        source: Source = opener(argument, settings)
    plugin.require(source, SOURCE_MEMBERS)
    return source


def _kind_of_file(spec: str) -> str | None:
    """Returns the scheme of a specification that is the path of a file or folder and lacks one."""
    is_there = os.path.exists(spec)
    if ":" in spec and not is_there:
        return None
    suffixes = [suffix.lower() for suffix in PurePath(spec).suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _SCHEME_OF_SUFFIX.get(suffixes[-1] if suffixes else "", "jsonl" if is_there else None)


def _all_forms() -> str:
    """The forms of our own specifications, then the schemes of installed plug-ins."""
    plugins = installed_plugins(PluginKind.SOURCE)
    return ", ".join([_FORMS, *(f"{plugin.name}: ({plugin.package})" for plugin in plugins)])
