"""How a Jetstream server is asked, in the two forms there are. Pure.

First generation   `…/subscribe`: filters may follow in a message; compressed with a dictionary that is a file
Second generation  `…/network.bsky.jetstream.subscribeEvents`: everything is in the address; the server hands out the
                   dictionary, and each event is wrapped in a message (`unwrapped` makes the first form of it)

Newer servers speak both. Documents: the README of github.com/bluesky-social/jetstream, and its lexicons
`network.bsky.jetstream.subscribeEvents` and `getZstdDictionary`.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ingest.sources.bluesky.identifiers import microseconds_of
from ingest.sources.bluesky.names import POSTS
from ingest.sources.bluesky.options import BlueskyOptions

SECOND_GENERATION = "network.bsky.jetstream.subscribeEvents"
_DICTIONARY = "network.bsky.jetstream.getZstdDictionary"
# More accounts than this do not fit into an address of the first generation: they follow in a message.
ACCOUNTS_IN_ADDRESS = 50


def is_second_generation(url: str) -> bool:
    return urlsplit(url).path.endswith(f"/{SECOND_GENERATION}")


def says_hello(url: str, options: BlueskyOptions) -> bool:
    """Whether what is wanted follows in a message."""
    return len(options.accounts) > ACCOUNTS_IN_ADDRESS and not is_second_generation(url)


def address(
    url: str, options: BlueskyOptions, largest_bytes: int, *, cursor: int | None, dictionary: int | None
) -> str:
    """The address to connect to, with all that is asked for; `dictionary` is the id of that to compress with."""
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
    """The message that names what is wanted."""
    payload = {
        "wantedCollections": [POSTS],
        "wantedDids": options.accounts,
        "maxMessageSizeBytes": largest_bytes,
    }
    return json.dumps({"type": "options_update", "payload": payload})


def dictionary_address(url: str) -> str:
    """Where a server of the second generation hands out its dictionary."""
    parts = urlsplit(url)
    path = f"{parts.path.rpartition('/')[0]}/{_DICTIONARY}"
    return parts._replace(scheme="https" if parts.scheme == "wss" else "http", path=path, query="").geturl()


def unwrapped(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event of the second generation in the form of the first; what is none as it is."""
    payload = message.get("payload")
    if message.get("$type") == "error":
        return {"kind": "error", "error": {"name": message.get("error"), "message": message.get("message")}}
    if message.get("$type") != "message" or not isinstance(payload, dict):
        return message
    kind = str(payload.get("$type")).rpartition("#")[2]
    if kind == "info":
        return {"kind": kind, kind: payload}
    body = payload if kind == "commit" else payload.get(kind)
    moment = microseconds_of(payload.get("time"))
    return {"did": payload.get("did"), "kind": kind, kind: body, "time_us": moment, "cursor": payload.get("seq")}
