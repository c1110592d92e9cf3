"""The feed of a Mastodon server: from `HOST?stream=…` to the addresses that are requested. Pure.

`stream` is `public` (all public posts that the server knows), `public:local` (those of its own people) or `hashtag`
with `tag`; `transport` is `sse` or `websocket`; `streaming` names the host of the streams, where that is not beneath
the server's own.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tagstream.errors import BadSettings

FORM = "mastodon:HOST[?stream=public|public:local|hashtag&tag=TAG&transport=sse|websocket&streaming=HOST]"
_OPTIONS = ("stream", "tag", "transport", "streaming")
_STREAMS = {"public": "/public", "public:local": "/public/local", "hashtag": "/hashtag"}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?")

Transport = Literal["sse", "websocket"]


@dataclass(frozen=True, slots=True)
class MastodonFeed:
    """A timeline of a server. `base` and `streaming` are origins, without a slash at their end.

    Its ids stand under `source`, its cursor is kept under `name`.
    """

    base: str
    source: str
    name: str
    stream: str
    tag: str | None
    transport: Transport
    streaming: str | None

    def stream_address(self, origin: str) -> str:
        """Returns the address of the stream on the host that serves streams."""
        if self.transport == "websocket":
            query = {"stream": self.stream} | ({"tag": self.tag} if self.tag else {})
            return f"ws{origin.removeprefix('http')}/api/v1/streaming?{urlencode(query)}"
        query = {"tag": self.tag} if self.tag else {}
        return f"{origin}/api/v1/streaming{_STREAMS[self.stream]}{f'?{urlencode(query)}' if query else ''}"

    def timeline_address(self, limit: int, after: str | None) -> str:
        """Returns the address of a page of the same timeline: the `limit` statuses next after that id; the newest for
        None.
        """
        query = {"limit": str(limit)} | ({"min_id": after} if after else {})
        if self.stream == "public:local":
            query["local"] = "true"
        path = f"tag/{quote(self.tag, safe='')}" if self.tag else "public"
        return f"{self.base}/api/v1/timelines/{path}?{urlencode(query)}"

    def streaming_origin(self, announced: object) -> str:
        """Returns the origin of the streams, from what the server announces (a `wss` address, or nothing of the kind).

        Raises:
            BadSettings: it is not beneath the server's own host. The user must name it, because the token goes there.
        """
        if self.streaming is not None:
            return self.streaming
        if not isinstance(announced, str) or not announced.startswith(("wss://", "ws://")):
            return self.base
        try:
            origin, host = _origin(f"http{announced.removeprefix('ws')}".rstrip("/"), "")
        except BadSettings:
            return self.base
        own = urlsplit(self.base).hostname
        if host != own and not host.endswith(f".{own}"):
            raise BadSettings(
                f"{self.name}: the server says that its streams are at {host}, which is not beneath {own}. "
                f"If that is right, allow it by the option streaming={host}"
            )
        return origin


def parse_feed(argument: str) -> MastodonFeed:
    """Reads the feed of a specification, without its `mastodon:`.

    Raises:
        BadSettings: the specification names no feed.
    """
    address, _, query = argument.partition("?")
    options = _options(query)
    base, host = _origin(address, argument)
    port = urlsplit(base).port
    source = f"mastodon:{host}" if port is None else f"mastodon:{host}-{port}"
    stream, transport = options.get("stream", "public"), options.get("transport", "sse")
    tag = options.get("tag", "").removeprefix("#") or None
    if stream not in _STREAMS or transport not in ("sse", "websocket"):
        raise BadSettings(f"mastodon:{argument}: there is no such stream or transport, the form is {FORM}")
    if (stream == "hashtag") != (tag is not None):
        raise BadSettings(f"mastodon:{argument}: stream=hashtag needs tag=TAG, and the other streams have none")
    named = f"?{urlencode({'stream': stream} | ({'tag': tag.casefold()} if tag else {}))}" if stream != "public" else ""
    return MastodonFeed(
        base=base,
        source=source,
        name=source + named,
        stream=stream,
        tag=tag,
        transport="websocket" if transport == "websocket" else "sse",
        streaming=_origin(options["streaming"], argument)[0] if "streaming" in options else None,
    )


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=8) if query else []
    except ValueError as error:
        raise BadSettings(f"the options {query!r} cannot be read, the form is {FORM}") from error
    options = dict(pairs)
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown or len(options) != len(pairs):
        what = f"there is no option {unknown[0]!r}" if unknown else "an option stands there twice"
        raise BadSettings(f"?{query}: {what}, the form is {FORM}")
    return options


def _origin(address: str, argument: str) -> tuple[str, str]:
    """Returns scheme, host and port of an address, and its host; `https` where no scheme is named."""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host, port = (parts.hostname or "").encode("idna").decode().lower(), parts.port
    except ValueError as error:
        raise BadSettings(f"mastodon:{argument}: {address!r} is no address of a server") from error
    if parts.username is not None or parts.password is not None:
        raise BadSettings("an address with a user or a password is not taken: give the token by its setting")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or len(host) > 100:
        raise BadSettings(f"mastodon:{argument}: {address!r} is no address of a server, the form is {FORM}")
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        raise BadSettings(f"mastodon:{argument}: name the host alone, without a path: {FORM}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise BadSettings(f"mastodon:{argument}: the token would travel unencrypted to {host}: use https")
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else ""), host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
