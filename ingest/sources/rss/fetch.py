"""The fetching of one feed over HTTP: conditional, within limits, and polite.

Owns the meaning of an answer for polling. A body is counted while it is unpacked, so that a small one that unpacks to
gigabytes is refused before it is in memory. Redirects are followed as `ingest/sources/network/untrusted_client.py`
allows, at most `MAX_REDIRECTS` of them, and never to an address with a user or a password. Nothing of one answer
(cookies) goes with the next request. Knows nothing of the content of a feed.
"""

import asyncio
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx

from ingest.sources.network.source import USER_AGENT, retry_after_seconds
from ingest.sources.network.untrusted_client import AddressRefused, UntrustedClient, is_same_origin
from tagstream.network.address import Endpoint

MAX_REDIRECTS = 5
MAX_VALIDATOR_LENGTH = 512
HEADER_BYTES = 256 * 1024
_ACCEPTED = "application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, */*;q=0.5"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FeedFetchLimits:
    """The limits on one feed. `total_seconds` bounds a server that sends a byte now and then."""

    connect_seconds: float = 15.0
    silence_seconds: float = 30.0
    total_seconds: float = 60.0
    body_bytes: int = 5 * 1024 * 1024


class FetchOutcome(StrEnum):
    """The closed list of the meanings of an answer."""

    MODIFIED = "modified"
    NOT_MODIFIED = "not_modified"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FeedResponse:
    """An answer. The next request sends its `validators`; `age_seconds` is how long it holds by its headers.

    `message` says what went wrong, `refused_address` whether the server sent us to an address that may not be fetched.
    `content_type` and `address` (after redirects) are those of the body.
    """

    outcome: FetchOutcome
    body: bytes = b""
    content_type: str = ""
    address: str = ""
    validators: tuple[str | None, str | None] = (None, None)
    age_seconds: float | None = None
    retry_after_seconds: float | None = None
    message: str = ""
    refused_address: bool = False


def make_client(limits: FeedFetchLimits, allowed: Collection[Endpoint] = ()) -> UntrustedClient:
    """Returns a client for `fetch`; the caller closes it."""
    return UntrustedClient(
        {"User-Agent": USER_AGENT, "Accept": _ACCEPTED, "Accept-Encoding": "gzip, deflate"},
        httpx.Timeout(limits.silence_seconds, connect=limits.connect_seconds),
        limits.body_bytes + HEADER_BYTES,
        allowed=allowed,
    )


async def fetch(
    client: UntrustedClient, address: str, validators: tuple[str | None, str | None], limits: FeedFetchLimits
) -> FeedResponse:
    """Fetches the feed, or says why there is none; never raises for anything that a server does."""
    try:
        async with asyncio.timeout(limits.total_seconds):
            return await _follow(client, address, validators, limits)
    except AddressRefused as error:
        what = f"it leads where no feed is fetched from: {error}; if it is right, name that address itself"
        return FeedResponse(FetchOutcome.FAILED, message=what[:400], refused_address=True)
    except TimeoutError:
        return FeedResponse(FetchOutcome.FAILED, message=f"no whole answer within {limits.total_seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return FeedResponse(FetchOutcome.FAILED, message=f"{type(error).__name__}: {error}"[:300])


async def _follow(
    client: UntrustedClient, named: str, validators: tuple[str | None, str | None], limits: FeedFetchLimits
) -> FeedResponse:
    names = ("If-None-Match", "If-Modified-Since")
    headers = {name: value for name, value in zip(names, validators, strict=True) if value is not None}
    address, at_the_named = named, True
    for _ in range(MAX_REDIRECTS + 1):
        # Once elsewhere it counts as elsewhere: nobody else may choose what is requested of a private server.
        at_the_named = at_the_named and is_same_origin(address, named)
        async with client.stream(address, headers, named=at_the_named) as response:
            if response.status_code not in _REDIRECTS:
                return await _read(response, limits)
            target = httpx.URL(address).join(response.headers.get("Location", ""))
            if target.scheme not in ("http", "https") or not target.host or target.userinfo:
                return FeedResponse(
                    FetchOutcome.FAILED, message=f"it redirects to what is no address of the web ({target.scheme}:)"
                )
            address = str(target)
    return FeedResponse(FetchOutcome.FAILED, message=f"more than {MAX_REDIRECTS} redirects")


async def _read(response: httpx.Response, limits: FeedFetchLimits) -> FeedResponse:
    status, headers = response.status_code, response.headers
    age = _age_seconds(headers)
    if status == 304:
        return FeedResponse(FetchOutcome.NOT_MODIFIED, age_seconds=age)
    if status in (401, 403, 410):
        return FeedResponse(FetchOutcome.REFUSED, message=f"it answers {status}")
    if status != 200:
        asked = retry_after_seconds(headers.get("Retry-After"))
        return FeedResponse(FetchOutcome.FAILED, message=f"it answers {status}", retry_after_seconds=asked)
    body = await _body(response, limits.body_bytes)
    if body is None:
        return FeedResponse(
            FetchOutcome.FAILED, message=f"it has more than {limits.body_bytes:,} bytes, or cannot be unpacked"
        )
    return FeedResponse(
        FetchOutcome.MODIFIED,
        body=body,
        content_type=headers.get("Content-Type", "")[:200],
        address=str(response.url),
        validators=(_validator(headers.get("ETag")), _validator(headers.get("Last-Modified"))),
        age_seconds=age,
    )


async def _body(response: httpx.Response, max_bytes: int) -> bytes | None:
    """Returns the unpacked body; None if it is over the limit or packed in a way that was not asked for."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        return None
    unpacker = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = bytearray()
    async for piece in response.aiter_raw():
        try:
            body += piece if unpacker is None else unpacker.decompress(piece, max_bytes + 1 - len(body))
        except zlib.error:
            return None
        if len(body) > max_bytes:
            return None
    if unpacker is not None and not unpacker.eof:
        return None
    return bytes(body)


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_VALIDATOR_LENGTH and value.isascii() and value.isprintable() else None


def _age_seconds(headers: Mapping[str, str]) -> float | None:
    found = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})", headers.get("Cache-Control", ""), re.IGNORECASE)
    return float(found[1]) if found else None
