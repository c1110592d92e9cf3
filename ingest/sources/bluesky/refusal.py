"""Why a Jetstream server refused a connection before it began: the name and the message of its answer.

A WebSocket client is told only the status. The same request without the wish for a WebSocket is refused with the same
words, for a server looks at what is asked for first.
"""

import asyncio
import json
import re
from dataclasses import dataclass

import aiohttp
from yarl import URL

from ingest.sources.bluesky.opened import one_line

_BAD_REQUEST = 400
_ANSWER_BYTES = 4096
_SECONDS = 5.0
_FLOOR = re.compile(r"floor ([1-9][0-9]{0,14})\b")


@dataclass(frozen=True, slots=True)
class Refusal:
    """`name` is the server's word for it (`CursorTooOld`), empty where it has none; `message` is one line."""

    name: str = ""
    message: str = ""

    @property
    def floor(self) -> int | None:
        """The number of the oldest event that the server still has, where it says so."""
        found = _FLOOR.search(self.message) if self.name == "CursorTooOld" else None
        return int(found[1]) if found else None

    def __str__(self) -> str:
        said = ": ".join(one for one in (self.name, self.message) if one)
        return f" ({said})" if said else ""


async def refusal_of(session: aiohttp.ClientSession, refused: aiohttp.WSServerHandshakeError) -> Refusal:
    """What the server says beside the status 400; nothing where it says nothing in time, or refuses by another."""
    if refused.status != _BAD_REQUEST:
        return Refusal()
    try:
        async with asyncio.timeout(_SECONDS), session.get(_http(refused.request_info.real_url)) as response:
            return (
                read_refusal(await response.content.read(_ANSWER_BYTES))
                if response.status == _BAD_REQUEST
                else Refusal()
            )
    except (aiohttp.ClientError, OSError, ValueError):
        return Refusal()


def _http(url: URL) -> URL:
    return url.with_scheme({"ws": "http", "wss": "https"}.get(url.scheme, url.scheme))


def read_refusal(body: bytes) -> Refusal:
    """The refusal that an answer holds: an error as JSON, or plain text."""
    text = body.decode(errors="replace")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return Refusal(message=one_line(text))
    if not isinstance(answer, dict):
        return Refusal(message=one_line(text))
    return Refusal(one_line(answer.get("error")), one_line(answer.get("message")))
