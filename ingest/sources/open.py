"""From what the user names (`jsonl:posts.jsonl`) to the source that reads it."""

import re

from ingest.sources.jsonl.source import STANDARD_INPUT, JsonlSource
from ingest.sources.simulate.source import DEFAULT_POSTS, SimulatedSource
from tagstream.errors import BadSettings
from tagstream.plugins import Plugin, PluginKind, find_plugin, installed_plugins
from tagstream.settings import Settings
from tagstream.source import Source

KINDS = (
    "bluesky:[URL,…][?lang=en&dids=did:…&quiet=1&compress=0], "
    "jsonl:PATH (JSON lines or arrays, archives, recordings; plain or compressed), jsonl:- or - (standard input), "
    "mastodon:HOST[?stream=public|public:local|hashtag&tag=TAG&transport=websocket], rss:URL[,URL…] or rss:@FILE, "
    "x:[URL][?backfill_minutes=N&compliance=1], simulate:SEED[?posts=N]"
)

SOURCE_MEMBERS = ("name", "open", "next_batch", "close", "counts")


def open_source(spec: str, settings: Settings | None = None) -> Source:
    """The source a specification names; it reads nothing before its own `open`.

    `settings` hold what a network needs and no command line should show: the defaults, where there are none.

    Raises:
        BadSettings: there is no such kind of source, or its argument makes no sense.
    """
    kind, _, argument = spec.partition(":")
    if spec == STANDARD_INPUT:
        return _jsonl(STANDARD_INPUT, settings or Settings())
    if kind == "jsonl" and argument:
        return _jsonl(argument, settings or Settings())
    if kind == "simulate":
        return _simulated(spec, argument)
    if kind == "x":
        return _x(spec, settings or Settings())
    if kind == "bluesky":
        return _bluesky(spec, settings or Settings())
    if kind == "mastodon" and argument:
        return _mastodon(argument, settings or Settings())
    if kind == "rss" and argument:
        return _rss(argument, settings or Settings())
    if (plugin := find_plugin(PluginKind.SOURCE, kind)) is not None:
        return _of_plugin(plugin, argument, settings or Settings())
    raise BadSettings(f"{spec!r} names no source; there are {_kinds()}")


def _of_plugin(plugin: Plugin, argument: str, settings: Settings) -> Source:
    opener = plugin.load()
    with plugin.blamed():
        source: Source = opener(argument, settings)
    plugin.require(source, SOURCE_MEMBERS)
    return source


def _kinds() -> str:
    """The kinds of sources, those of plug-ins too."""
    return ", ".join(
        [KINDS, *(f"{plugin.name}: ({plugin.package})" for plugin in installed_plugins(PluginKind.SOURCE))]
    )


def _simulated(spec: str, argument: str) -> SimulatedSource:
    parts = re.fullmatch(r"([0-9]{1,20})(?:\?posts=([0-9]{1,20}))?", argument)
    if parts is None:
        raise BadSettings(f"{spec!r} is not simulate:SEED or simulate:SEED?posts=N, with whole numbers from 0")
    return SimulatedSource(int(parts[1]), DEFAULT_POSTS if parts[2] is None else int(parts[2]))


def _jsonl(path: str, settings: Settings) -> JsonlSource:
    return JsonlSource(path, settings.max_line_bytes)


def _x(spec: str, settings: Settings) -> Source:
    # What a network needs is loaded only for it: a file should not wait for an HTTP client.
    from ingest.sources.x.options import open_x

    return open_x(spec, settings)


def _bluesky(spec: str, settings: Settings) -> Source:
    from ingest.sources.bluesky.source import open_bluesky

    return open_bluesky(spec, settings)


def _mastodon(argument: str, settings: Settings) -> Source:
    from ingest.sources.mastodon.source import open_mastodon

    return open_mastodon(argument, settings)


def _rss(argument: str, settings: Settings) -> Source:
    from ingest.sources.rss.source import open_rss

    return open_rss(argument, settings)
