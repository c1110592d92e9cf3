"""The options of `bluesky:` (servers, accounts, languages, transport), and the request that they make of a server.
Pure.

`bluesky:` reads the public servers; `bluesky:ws://HOST:PORT,wss://HOST` those named, in turn, at `/subscribe` where the
address has no path; one may also end in `/xrpc/network.bsky.jetstream.subscribeEvents`. Behind a `?`, joined by `&`:

    lang=en,und     only posts in these languages; `und` are those that name none
    dids=did:…,…    only these accounts, at most 10,000
    quiet=1         a network on which nothing may happen for minutes: a ping is a sign of life (with `dids` always)
    compress=0      uncompressed

Servers are asked in one of two forms; newer servers speak both:

    first generation   `…/subscribe`: filters may follow in a message; compressed with a dictionary that is a file
    second generation  `…/network.bsky.jetstream.subscribeEvents`: everything is in the address; the server hands out a
                       dictionary, and wraps each event in a message (`opened.py` unwraps it)

Documents: the README of github.com/bluesky-social/jetstream, and its lexicons `network.bsky.jetstream.subscribeEvents`
and `getZstdDictionary`.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

from ingest.sources.bluesky.identifiers import POSTS, did_of
from tagstream.errors import BadSettings

PUBLIC_SERVERS = (
    "wss://jetstream1.us-east.bsky.network/subscribe",
    "wss://jetstream2.us-east.bsky.network/subscribe",
    "wss://jetstream1.us-west.bsky.network/subscribe",
    "wss://jetstream2.us-west.bsky.network/subscribe",
)
MAX_ACCOUNTS = 10_000
_LANGUAGE = re.compile(r"[a-z]{2,8}")
SECOND_GENERATION = "network.bsky.jetstream.subscribeEvents"
_DICTIONARY = "network.bsky.jetstream.getZstdDictionary"
# More accounts than this do not fit into an address of the first generation: they follow in a message.
ACCOUNTS_IN_ADDRESS = 50


@dataclass(frozen=True, slots=True)
class BlueskyOptions:
    """The options. `servers` are addresses to take in turn; `accounts` and `languages` mean all if empty."""

    servers: tuple[str, ...] = PUBLIC_SERVERS
    languages: frozenset[str] = frozenset()
    accounts: tuple[str, ...] = ()
    quiet: bool = False
    compress: bool = True

    @property
    def name(self) -> str:
        """The name under which the cursor is kept: the same for the same posts, however they are carried."""
        servers = "" if self.servers == PUBLIC_SERVERS else ",".join(self.servers)
        filters = []
        if self.languages:
            filters.append(f"lang={','.join(sorted(self.languages))}")
        if self.accounts:
            # Ten thousand accounts would make a name of 400 kB.
            filters.append(f"dids=sha256-{hashlib.sha256(','.join(sorted(self.accounts)).encode()).hexdigest()[:16]}")
        return f"bluesky:{servers}{'?' if filters else ''}{'&'.join(filters)}"


def read_options(spec: str) -> BlueskyOptions:
    """Reads the options of a specification `bluesky:…`.

    Raises:
        BadSettings: it cannot be understood; the message says which part.
    """
    addresses, _, query = spec.partition(":")[2].partition("?")
    values = dict.fromkeys(("lang", "dids", "quiet", "compress"), "")
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in values:
            _refuse(spec, f"{key!r} is no option; there are {', '.join(values)}")
        if values[key]:
            _refuse(spec, f"{key!r} stands twice")
        if not value:
            _refuse(spec, f"{key!r} has no value")
        values[key] = value
    accounts = _accounts(spec, values["dids"])
    return BlueskyOptions(
        servers=tuple(_server(spec, address) for address in addresses.split(",")) if addresses else PUBLIC_SERVERS,
        languages=_languages(spec, values["lang"]),
        accounts=accounts,
        quiet=bool(accounts) or _switch(spec, "quiet", values["quiet"], default=False),
        compress=_switch(spec, "compress", values["compress"], default=True),
    )


def _server(spec: str, address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        _refuse(spec, f"{address!r} is no address")
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        _refuse(spec, f"{address!r} is no address of a WebSocket as wss://example.org")
    if parts.username is not None or parts.password is not None:
        _refuse(spec, "a Jetstream server takes no user and password: leave them out of the address")
    if parts.fragment or port == 0:
        _refuse(spec, f"{address!r} is no address")
    return parts._replace(path=parts.path.rstrip("/") or "/subscribe").geturl()


def _languages(spec: str, value: str) -> frozenset[str]:
    languages = [name.strip() for name in value.split(",")] if value else []
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            _refuse(spec, f"{language!r} is no language as en or und")
    return frozenset(languages)


def _accounts(spec: str, value: str) -> tuple[str, ...]:
    accounts = tuple(dict.fromkeys(name.strip() for name in value.split(","))) if value else ()
    for account in accounts:
        if did_of(account) is None:
            _refuse(spec, f"{account!r} is no identifier of an account as did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    if len(accounts) > MAX_ACCOUNTS:
        _refuse(spec, f"it names {len(accounts):,} accounts, a Jetstream server takes {MAX_ACCOUNTS:,}")
    return accounts


def _switch(spec: str, key: str, value: str, *, default: bool) -> bool:
    if value not in ("", "0", "1"):
        _refuse(spec, f"{key} is {value!r}, it may be 0 or 1")
    return value == "1" if value else default


def _refuse(spec: str, reason: str) -> NoReturn:
    # A password that was written into an address by mistake must not appear on a screen or in a log.
    shown = re.sub(r"//[^/?]*@", "//…@", spec)
    shown = shown if len(shown) <= 100 else f"{shown[:99]}…"
    raise BadSettings(f"{shown!r} cannot be read from: {reason}")


def is_second_generation(url: str) -> bool:
    """Says whether the address is of the second generation."""
    return urlsplit(url).path.endswith(f"/{SECOND_GENERATION}")


def says_hello(url: str, options: BlueskyOptions) -> bool:
    """Says whether the filters follow in a message."""
    return len(options.accounts) > ACCOUNTS_IN_ADDRESS and not is_second_generation(url)


def address(
    url: str, options: BlueskyOptions, largest_bytes: int, *, cursor: int | None, dictionary: int | None
) -> str:
    """Returns the address to connect to, with the whole request; `dictionary` is the id of the one to compress with."""
    second = is_second_generation(url)
    query = [("collections" if second else "wantedCollections", POSTS), ("maxMessageSizeBytes", str(largest_bytes))]
    if says_hello(url, options):
        query.append(("requireHello", "true"))
    else:
        query += [("dids" if second else "wantedDids", account) for account in options.accounts]
    if cursor is not None:
        query.append(("cursor", str(cursor)))
    if dictionary is not None:
        query.append(("zstdDictionary", str(dictionary)) if second else ("compress", "true"))
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def hello(options: BlueskyOptions, largest_bytes: int) -> str:
    """Returns the message with the filters."""
    payload = {
        "wantedCollections": [POSTS],
        "wantedDids": options.accounts,
        "maxMessageSizeBytes": largest_bytes,
    }
    return json.dumps({"type": "options_update", "payload": payload})


def dictionary_address(url: str) -> str:
    """Returns the address where a server of the second generation hands out its dictionary."""
    parts = urlsplit(url)
    path = f"{parts.path.rpartition('/')[0]}/{_DICTIONARY}"
    return parts._replace(scheme="https" if parts.scheme == "wss" else "http", path=path, query="").geturl()
