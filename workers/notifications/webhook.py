"""Webhooks: one signed POST to a checked address, and what its answer means.

Headers of a request:

    Idempotency-Key         the notification's key: the same when it is sent again
    Tagstream-Event         `event.detected` or `count.reached`
    Tagstream-Timestamp     when it was sent, in seconds since 1970
    Tagstream-Signature     `v1=` and the HMAC-SHA256, in hexadecimal, of `<timestamp>.<body>` under the shared secret

A receiver compares the signature, refuses timestamps that are minutes old, and passes over keys that it knows. No
redirect is followed, the answer's body is not read, and the address is resolved once and checked, as a photo's is.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import ssl
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from urllib.parse import urlsplit

import httpcore
import httpx

from tagstream.errors import BadSettings, TagstreamError
from tagstream.media_reasons import PhotoRefused
from tagstream.network.address import Endpoint
from tagstream.network.pinned import PinnedBackend, Resolve, SystemResolver
from workers.notifications.outbox import Notification

_MAX_ANSWER_BYTES = 64 * 1024
# The answers by which a receiver says that this message, and not the moment, is wrong.
_REFUSALS = frozenset({400, 405, 406, 410, 413, 415, 422})


class NotDelivered(TagstreamError):
    """A receiver did not take a notification. `refused`: it took offence at this one; others may fare better."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """Returns the value of the header `Tagstream-Signature`."""
    return "v1=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


class WebhookSender:
    """Sends notifications to one address. No message of its errors shows more of the address than its host.

    Raises:
        BadSettings: the address is none.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        timeout_seconds: float,
        allowed: Collection[Endpoint] = (),
        resolve: Resolve | None = None,
        ssl_context: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = _read_url(url)
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._resolve = resolve or SystemResolver(threads=2)
        self._ssl_context = ssl_context or httpx.create_ssl_context()
        self._now = now
        self.host = urlsplit(url).hostname or ""

    async def check(self) -> None:
        """Resolves the name of the receiver, and sends nothing. Called at the start.

        Raises:
            BadSettings: no message could ever be sent to this address.
            NotDelivered: none could be sent at this moment.
        """
        url, backend = self._url, self._backend()
        try:
            backend.check_port(url.host, _port(url))
            with suppress(ValueError):  # a name
                backend.check_addresses(url.host, _port(url), [ipaddress.ip_address(url.host)])
        except PhotoRefused as refusal:
            raise BadSettings(
                f"a webhook is never sent there: {refusal}; webhook_allowed lists exceptions"
            ) from refusal
        try:
            await backend.checked_addresses(url.host, _port(url))
        except PhotoRefused as refusal:
            raise NotDelivered(f"{refusal}; webhook_allowed lists exceptions") from refusal

    async def send(self, notification: Notification) -> None:
        """Returns when the receiver has taken the notification.

        Raises:
            NotDelivered: it has not, or its address may not be connected to.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await self._post(notification)
        except TimeoutError:
            raise NotDelivered(f"{self.host} did not answer within {self._timeout_seconds:g} s") from None
        except PhotoRefused as refusal:
            raise NotDelivered(f"{refusal}; webhook_allowed lists exceptions") from refusal
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise NotDelivered(f"{self.host}: {type(error).__name__}") from error
        if not 200 <= status < 300:
            raise NotDelivered(f"{self.host} answered {status}", refused=status in _REFUSALS)

    async def _post(self, notification: Notification) -> int:
        url, body, backend = self._url, notification.body.encode(), self._backend()
        origin = httpcore.Origin(url.raw_scheme, url.raw_host, _port(url))
        connection = httpcore.AsyncHTTPConnection(origin, self._ssl_context, network_backend=backend)
        try:
            response = await connection.handle_async_request(self._request(url, notification, body))
            await response.aclose()
            return response.status
        finally:
            try:
                await connection.aclose()
            finally:
                await backend.close()

    def _backend(self) -> PinnedBackend:
        return PinnedBackend(self._resolve, self._allowed, _MAX_ANSWER_BYTES)

    def _request(self, url: httpx.URL, notification: Notification, body: bytes) -> httpcore.Request:
        timestamp = int(self._now())
        return httpcore.Request(
            "POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[
                (b"Host", url.netloc),
                (b"User-Agent", b"tagstream"),
                (b"Content-Type", b"application/json"),
                (b"Content-Length", b"%d" % len(body)),
                (b"Connection", b"close"),
                (b"Idempotency-Key", notification.key.encode()),
                (b"Tagstream-Event", notification.kind.encode()),
                (b"Tagstream-Timestamp", b"%d" % timestamp),
                (b"Tagstream-Signature", signature(self._secret, timestamp, body).encode()),
            ],
            content=body,
        )


def _read_url(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadSettings(f"the address of a webhook is none: {error}") from error


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
