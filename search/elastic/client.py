"""The client of Elasticsearch: deadlines, few retries, and what each of its errors means to us.

Owns the one table from the client library's exceptions to ours. A request is tried again only where that may help
(429, 5xx, no answer), at most `ATTEMPTS` times and only while the retry budget lasts: retries of everybody at once are
what keeps an overloaded server down. After that it is `IndexUnavailable`, and the stage runner waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import elastic_transport
import elasticsearch
from elasticsearch import AsyncElasticsearch

from search.elastic.address import Address
from tagstream.errors import BadSettings, CorruptState, Fatal, IndexUnavailable, RejectedDocument, TagstreamError
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings

ATTEMPTS = 4
PATIENCE_SECONDS = 60
_BACK_OFF = BackOff(first_seconds=0.1, longest_seconds=2.0, jitter=1.0)
_OVERLOADED = frozenset({408, 429})

T = TypeVar("T")


class RetryBudget:
    """A token bucket: a retry costs one token, a success gives `refill` back, never above `capacity`."""

    def __init__(self, capacity: float = 20.0, refill: float = 0.1) -> None:
        self._capacity = capacity
        self._refill = refill
        self._tokens = capacity

    def succeed(self) -> None:
        """Notes a request that succeeded."""
        self._tokens = min(self._capacity, self._tokens + self._refill)

    def take(self) -> bool:
        """Takes one retry from the budget; returns whether there was one."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def error_type(error: object) -> str:
    """Returns the server's name for an error: the `type` in the body of an answer or of a bulk item."""
    if isinstance(error, Mapping):
        error = error.get("error", error)
    return str(error.get("type", "")) if isinstance(error, Mapping) else ""


def _unavailable(error: Exception, where: str) -> TagstreamError:
    return IndexUnavailable(f"Elasticsearch at {where} does not answer: {error}. Is it running there?")


def _refused(error: Exception, where: str) -> TagstreamError:
    if isinstance(error, elasticsearch.ApiError) and error_type(error.body) == "cluster_block_exception":
        return IndexUnavailable(f"Elasticsearch at {where} blocks the index: {error}. Check its disk space.")
    return BadSettings(f"Elasticsearch at {where} refuses our credentials: {error}. Check user, password or API key.")


def _not_elasticsearch(error: Exception, where: str) -> TagstreamError:
    return BadSettings(f"What answers at {where} is no Elasticsearch that this client may use: {error}. Check the URL.")


def _missing(error: Exception, where: str) -> TagstreamError:
    if isinstance(error, elasticsearch.ApiError) and error_type(error.body) == "index_not_found_exception":
        return CorruptState(f"Elasticsearch at {where} lacks an index of ours: {error}. Restore it from a snapshot.")
    return IndexUnavailable(f"Elasticsearch at {where} has forgotten what it was asked for: {error}. Asking again.")


def _answered(error: Exception, where: str) -> TagstreamError:
    status = error.meta.status if isinstance(error, elastic_transport.ApiError) else 0
    if status >= 500 or status in _OVERLOADED:
        return IndexUnavailable(f"Elasticsearch at {where} is overloaded or not ready: {error}. Trying again.")
    if status == 413:
        return RejectedDocument(
            f"Elasticsearch at {where} takes no request as large: raise its http.max_content_length."
        )
    return Fatal(f"Elasticsearch at {where} refuses a request of ours: {error}. Is its version 9.1 or newer?")


# Every exception of the client, by its exact class; a test lists the library's, so that a new one fails it.
ERRORS: dict[type[Exception], Callable[[Exception, str], TagstreamError]] = {
    elastic_transport.TransportError: _unavailable,
    elastic_transport.SniffingError: _unavailable,
    elastic_transport.SerializationError: _unavailable,
    elastic_transport.ConnectionError: _unavailable,
    elastic_transport.ConnectionTimeout: _unavailable,
    elastic_transport.TlsError: _unavailable,
    elastic_transport.ApiError: _answered,
    elasticsearch.ApiError: _answered,
    elasticsearch.BadRequestError: _answered,
    elasticsearch.ConflictError: _unavailable,
    elasticsearch.NotFoundError: _missing,
    elasticsearch.AuthenticationException: _refused,
    elasticsearch.AuthorizationException: _refused,
    elasticsearch.UnsupportedProductError: _not_elasticsearch,
}


def translate(error: Exception, where: str) -> TagstreamError | None:
    """Returns our error for an error of the client; None for a mistake in this program, which goes on as it is."""
    meaning = ERRORS.get(type(error))
    return None if meaning is None else meaning(error, where)


class ElasticClient:
    """One connection pool to one server. `close` it once."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self.address = address
        self.names = address.names
        self.timeout_seconds = settings.elasticsearch_timeout_seconds
        self.budget = RetryBudget()
        self._closed = False
        options: dict[str, Any] = {}
        if settings.elasticsearch_api_key is not None:
            options["api_key"] = settings.elasticsearch_api_key.get_secret_value()
        elif address.user is not None:
            options["basic_auth"] = (address.user, address.password or "")
        if address.url.startswith("https:") and settings.elasticsearch_certificates is not None:
            options["ca_certs"] = str(settings.elasticsearch_certificates)
        # The client's own retries know no budget, and sniffing would leave the address we were given.
        self.raw = AsyncElasticsearch(address.url, request_timeout=self.timeout_seconds, max_retries=0, **options)
        # To make an index takes a busy server long, and is asked for rarely.
        self.patient = self.raw.options(request_timeout=max(self.timeout_seconds, PATIENCE_SECONDS))

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Sends a request, which may be sent again, and returns the answer.

        Raises:
            IndexUnavailable: every attempt got no answer, or the answer "later".
            Fatal: the server cannot be used as it is.
        """
        for attempt in range(ATTEMPTS):
            if self._closed:  # a request after that would open connections that nobody closes
                raise IndexUnavailable(f"The index {self.address} is closed in this process. Open it again.")
            try:
                answer = await request()
            except tuple(ERRORS) as error:
                ours = translate(error, str(self.address))
                if ours is None:
                    raise
                if not isinstance(ours, IndexUnavailable) or attempt + 1 == ATTEMPTS or not self.budget.take():
                    raise ours from error
            else:
                self.budget.succeed()
                return answer
            await pause(attempt)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        """Closes the connections."""
        self._closed = True
        await self.raw.close()


async def pause(attempt: int) -> None:
    """Waits before a request is repeated; `attempt` counts the failed ones before this, from 0."""
    await asyncio.sleep(_BACK_OFF.delay(attempt + 1))
