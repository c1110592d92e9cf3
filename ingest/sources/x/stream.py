"""The HTTP of X's API v2: one request at a time, its answer or its stream of lines, and the meaning of a refusal.

Owns limits and timeouts: no answer and no line is held in memory that is longer than its limit, and a stream that sends
no byte for `silence_seconds` is dead (a heartbeat, which is a blank line, comes every 20 s). Redirects are not
followed: the token goes only to the address it was given for. Knows nothing of posts.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import httpx

from ingest.sources.network.source import USER_AGENT, FeedUnavailable, retry_after_seconds
from tagstream.errors import BadSettings, Fatal
from tagstream.posts import clean_text

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024
MAX_FRAME_BYTES = 1024 * 1024
# A frame that is too long is skipped so far before the connection is given up.
SKIPPED_FRAMES = 4
# A frame that comes in drops may take so many times the silence that counts as death.
SLOWEST_FRAME = 4


class XConnection:
    """Requests to one address with one token.

    `rate_limited_seconds` is how long to stay away where a 429 does not say.

    Raises (from every method):
        FeedUnavailable: X does not answer, is overloaded, or limits us for now.
        BadSettings: X refuses the token or the request, or the address is none of its API.
    """

    def __init__(
        self,
        base: str,
        token: str,
        *,
        connect_seconds: float,
        silence_seconds: float,
        rate_limited_seconds: float,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._base = base
        self._headers = {
            "Authorization": f"Bearer {token}",
            "User-Agent": USER_AGENT,
            # A compressed frame could be larger than its limit sees.
            "Accept-Encoding": "identity",
        }
        self._timeout = httpx.Timeout(silence_seconds, connect=connect_seconds)
        self._silence_seconds = silence_seconds
        self._answer_seconds = connect_seconds + silence_seconds
        self._rate_limited_seconds = rate_limited_seconds
        self._max_frame_bytes = max_frame_bytes
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Ends every open connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def request(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        """Returns the JSON object that answers; an answer that is none counts as no answer."""
        content = None if body is None else json.dumps(body).encode()
        async with (
            self._answer(method, path, content=content, headers={"Content-Type": "application/json"}) as response,
            _within(path, self._answer_seconds),
        ):
            answer = await _bounded(response, MAX_ANSWER_BYTES)
        try:
            value = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise FeedUnavailable(f"X answered {path} with something that is not JSON") from error
        if not isinstance(value, dict):
            raise FeedUnavailable(f"X answered {path} with something that is not an object")
        return value

    async def lines(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Yields the lines of a stream; an empty one for each sign of life, the first as soon as the stream is open.

        A line that is too long is given as its beginning, `max_frame_bytes` and one; the stream ends if it goes on.
        """
        async with self._answer("GET", path, params=dict(parameters)) as response:
            yield b""
            frames = _Frames(self._max_frame_bytes)
            clock = asyncio.get_running_loop().time
            ended = clock()
            async for piece in response.aiter_raw():
                lines = frames.feed(piece)
                for line in lines or (b"",):
                    yield line
                if b"\n" in piece:
                    ended = clock()
                if frames.endless or clock() - ended > SLOWEST_FRAME * self._silence_seconds:
                    raise FeedUnavailable(
                        f"X sends a frame without an end, {frames.held:,} bytes so far: connecting anew"
                    )
        raise FeedUnavailable(f"X ended the stream {path}")

    @asynccontextmanager
    async def _answer(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """Yields the answer, whose body is still to be read; maps every failure of the connection to one of ours."""
        if self._client is None:
            secure = self._base.startswith("https:")
            # A proxy of the environment is for what is outside; and without TLS its certificates need no loading.
            self._client = httpx.AsyncClient(
                base_url=self._base,
                headers=self._headers,
                timeout=self._timeout,
                trust_env=secure,
                verify=secure,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        try:
            async with _within(path, self._answer_seconds):
                response = await self._client.send(self._client.build_request(method, path, **request), stream=True)
            try:
                if not response.is_success:
                    async with _within(path, self._answer_seconds):
                        await self._refuse(response)
                yield response
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise _unavailable(path, error) from error

    async def _refuse(self, response: httpx.Response) -> NoReturn:
        status = response.status_code
        said = _reason(await _bounded(response, MAX_REFUSAL_BYTES))
        what = f"X refuses {response.request.url.path} with {status}{said}"
        if status == 401:
            raise BadSettings(f"{what}: the setting x_bearer_token is not a valid bearer token of an app")
        if status == 403:
            raise BadSettings(
                f"{what}: the app of this token has no access to it. Filtered streams need a paid tier; back-filling "
                "and the compliance streams need Enterprise access: leave out backfill_minutes and compliance"
            )
        if status == 429:
            raise FeedUnavailable(what, self._wait(response))
        if status >= 500 or status == 408:
            raise FeedUnavailable(what, retry_after_seconds(response.headers.get("retry-after")))
        raise BadSettings(f"{what}: see the address and the rules of the source x")

    def _wait(self, response: httpx.Response) -> float:
        asked = retry_after_seconds(response.headers.get("retry-after"))
        if asked is not None:
            return asked
        reset = response.headers.get("x-rate-limit-reset", "")
        if re.fullmatch(r"[0-9]{1,12}", reset):
            return max(0.0, int(reset) - datetime.now(UTC).timestamp())
        return self._rate_limited_seconds


class _Frames:
    """Splits pieces into lines, and bounds the bytes that are held of one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._kept = 0
        self.held = 0

    @property
    def endless(self) -> bool:
        return self.held > SKIPPED_FRAMES * self._max_bytes

    def feed(self, piece: bytes) -> list[bytes]:
        *ended, rest = piece.split(b"\n")
        lines = []
        for part in ended:
            self._hold(part)
            line = b"".join(self._pieces)
            if line.strip():
                lines.append(line)
            self._pieces, self._kept, self.held = [], 0, 0
        self._hold(rest)
        if self.endless:
            lines.append(b"".join(self._pieces))
        return lines

    def _hold(self, part: bytes) -> None:
        self.held += len(part)
        part = part[: self._max_bytes + 1 - self._kept]
        if part:
            self._pieces.append(part)
            self._kept += len(part)


@asynccontextmanager
async def _within(path: str, seconds: float) -> AsyncIterator[None]:
    """Ends an answer that comes in drops, each of which would be in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise FeedUnavailable(f"X does not answer {path} within {seconds:g} s") from error


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    pieces, size = [], 0
    async for piece in response.aiter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise FeedUnavailable(f"X answered {response.request.url.path} with more than {limit:,} bytes")
    return b"".join(pieces)


def _unavailable(path: str, error: httpx.HTTPError) -> FeedUnavailable | Fatal:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return BadSettings(f"the address or the token of the source x cannot be used: {type(error).__name__}")
    if isinstance(error, httpx.ReadTimeout):
        return FeedUnavailable(f"X fell silent on {path}")
    return FeedUnavailable(f"X does not answer {path}: {type(error).__name__}: {clean_text(str(error))[:200]}")


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _reason(body: bytes) -> str:
    """Returns X's reason for a refusal in a few words; it is hostile, as everything from outside."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    problem = value if isinstance(value, dict) else {}
    errors = problem.get("errors")
    if "detail" not in problem and isinstance(errors, list) and errors and isinstance(errors[0], dict):
        problem = errors[0]
    said = problem.get("detail") or problem.get("message") or problem.get("title")
    return f" ({_UNPRINTABLE.sub(' ', clean_text(said))[:200]})" if isinstance(said, str) else ""
