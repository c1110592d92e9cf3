"""A Mastodon server on loopback: its streams by both transports, its timelines, its description of itself.

It behaves as docs.joinmastodon.org says: ids made of a clock, `min_id` pages forward from an id and is given newest
first, a stream begins with what happens after it was opened, `:)` and then `:thump` are its signs of life, a WebSocket
is pinged. Every status that leaves it is checked against the published fields of its entity, in `check_status`.

So that the script of `ScriptedServer` finds something to give on a stream that cannot be resumed, each connection
begins where the client's own past ends: of what it has not seen the first `MISSED` events happened while nobody
listened, the others happen one by one, once it has read the timeline (`overlapping`: while it reads it).
"""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import WSMsgType, web
from network_server import ENDLESS_PIECE_BYTES, Connection, Fault, Refuse, ScriptedServer

MISSED = 2
STEP_MILLISECONDS = 60_000
FIRST = datetime(2024, 3, 4, 10, 0, tzinfo=UTC)
TOKEN = "a-token-of-the-tests"


def snowflake(number: int) -> str:
    """The id of the status with that number, made of the moment at which it was written."""
    moment = FIRST + timedelta(milliseconds=number * STEP_MILLISECONDS)
    return str((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) << 16)


def random_id(number: int) -> str:
    """The id of that status on a server whose ids are UUIDs, which say nothing of their order."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835 + 1) % 2**128, version=4))


def sorted_id(number: int) -> str:
    """The same where ids are ULIDs."""
    return f"01HQXW5P7R{'ABCDEFGHJK'[number // 100 % 10]}ZQFPQC0VY{number:05}X"


def number_of(identifier: str) -> int:
    """Of the last status that was written when the clock made that id."""
    begin = int(snowflake(0))
    return (int(identifier) - begin) // (STEP_MILLISECONDS << 16)


def make_status(number: int, **fields: Any) -> dict[str, Any]:
    """A status as a server renders it, with these fields of it changed."""
    identifier = snowflake(number)
    moment = FIRST + timedelta(milliseconds=number * STEP_MILLISECONDS)
    return {
        "id": identifier,
        "created_at": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://social.example/users/ann/statuses/{identifier}",
        "url": f"https://social.example/@ann/{identifier}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None,
        "content": f"<p>Post number {number} from Lisbon</p>",
        "reblog": None,
        "account": {
            "id": "109334860508022726",
            "username": "ann",
            "acct": "ann",
            "display_name": "Ann",
            "url": "https://social.example/@ann",
        },
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
    } | fields


_NULLABLE_TEXT = (str, type(None))
_STATUS_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "uri": str,
    "created_at": str,
    "account": dict,
    "content": str,
    "visibility": str,
    "sensitive": bool,
    "spoiler_text": str,
    "media_attachments": list,
    "mentions": list,
    "tags": list,
    "emojis": list,
    "reblogs_count": int,
    "favourites_count": int,
    "replies_count": int,
    "url": _NULLABLE_TEXT,
    "in_reply_to_id": _NULLABLE_TEXT,
    "in_reply_to_account_id": _NULLABLE_TEXT,
    "reblog": (dict, type(None)),
    "poll": (dict, type(None)),
    "card": (dict, type(None)),
    "language": _NULLABLE_TEXT,
    "edited_at": _NULLABLE_TEXT,
}


def check_status(status: dict[str, Any]) -> None:
    """That a status has the fields of docs.joinmastodon.org/entities/Status, each of its type."""
    for name, kinds in _STATUS_FIELDS.items():
        assert name in status, f"a status lacks {name}"
        assert isinstance(status[name], kinds), f"{name} of a status is {status[name]!r}"
    assert status["visibility"] in ("public", "unlisted", "private", "direct")
    assert status["created_at"].endswith("Z")
    assert {"id", "username", "acct", "url"} <= status["account"].keys()
    assert isinstance(status["account"]["id"], str)
    for attachment in status["media_attachments"]:
        assert attachment["type"] in ("unknown", "image", "gifv", "video", "audio")
        assert {"id", "url", "preview_url", "remote_url", "meta", "description", "blurhash"} <= attachment.keys()
    for tag in status["tags"]:
        assert isinstance(tag["name"], str)
        assert tag["url"].startswith("http")


class MastodonServer(ScriptedServer):
    """`statuses` holds those that are not as `make_status` makes them; `asked` and `paths` note the requests,
    `pongs` counts the answers to pings.

    `live` are the events (name, payload) that a stream begins with, `live_error` what a WebSocket says before them.
    `missed`: how many events happen between two connections; `rewound`: how many before its cursor a client begins.
    `answers` are given, one a request, instead of pages; `rate` are headers of every page. `ignores_min_id`: it gives
    its newest page whatever is asked. `streaming` is what it announces, `{port}` in it its own. `name` makes the ids of
    statuses and accounts; of those that are no numbers the server alone knows the order, and `forgotten` ones nobody.
    """

    def __init__(self, overlapping: bool = False, rewound: int = 0) -> None:
        super().__init__()
        self.statuses: dict[int, dict[str, Any]] = {}
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[web.Response] = []
        self.rate: dict[str, str] = {}
        self.ignores_min_id = False
        self.pongs = 0
        self.missed = MISSED
        self.checks_token = True
        self.live_error: dict[str, Any] | None = None
        self.streaming: str | None = "ws://127.0.0.1:{port}"
        self.port = 0
        self.live: list[tuple[str, str]] = []
        self.distributed = 0
        self.name: Callable[[int], str] = snowflake
        self.links = True
        self.forgotten: set[str] = set()
        self._overlapping = overlapping
        self._rewound = rewound
        self._asked = asyncio.Event()
        self._read = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/api/v2/instance", self._instance)
        application.router.add_get("/api/v1/timelines/public", self._timeline)
        application.router.add_get("/api/v1/timelines/tag/{tag}", self._timeline)
        application.router.add_get("/api/v1/streaming", self._stream_websocket)
        for path in ("public", "public/local", "hashtag"):
            application.router.add_get(f"/api/v1/streaming/{path}", self._stream_events)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def source(self) -> str:
        return f"mastodon:127.0.0.1-{self.port}"

    def event_id(self, number: int) -> str:
        return f"{self.source}:{self.name(number)}"

    def status(self, number: int) -> dict[str, Any]:
        status = self.statuses.get(number) or make_status(number)
        if self.name is not snowflake:
            answered = self.name(number - 1) if number % 3 == 1 else None
            account = {**status["account"], "id": self.name(10_000)}
            status = {**status, "id": self.name(number), "in_reply_to_id": answered, "account": account}
        check_status(status)
        return status

    def _number_of(self, identifier: str) -> int | None:
        """Of the status with that id; None if there is none."""
        if self.name is snowflake:
            return number_of(identifier)
        known = (number for number in range(self.published) if self.name(number) == identifier)
        return None if identifier in self.forgotten else next(known, None)

    def authorised(self, request: web.Request) -> bool:
        return not self.checks_token or request.headers.get("Authorization") == f"Bearer {TOKEN}"

    async def _instance(self, _: web.Request) -> web.Response:
        streaming = self.streaming.format(port=self.port) if self.streaming else None
        return web.json_response({"domain": "127.0.0.1", "configuration": {"urls": {"streaming": streaming}}})

    async def _timeline(self, request: web.Request) -> web.Response:
        assert self.authorised(request)
        self.asked.append(dict(request.query))
        self.paths.append(request.path)
        if self.answers:
            return self.answers.pop(0)
        limit = min(int(request.query.get("limit", "20")), 40)
        after = request.query.get("min_id")
        place = None if after is None else self._number_of(after)
        if after is not None and place is None and not self.ignores_min_id:
            return web.json_response({"error": "Record not found"}, status=404)
        if not self._asked.is_set():
            self._asked.set()
            known = 0 if place is None else max(-1, place + self._rewound) + 1
            self.distributed = min(self.published, known + self.missed)
        page = self._page(after, place, limit)
        if not page or after is None:
            self._read.set()
        link = f'<{self.base}{request.path}?limit={limit}&min_id={page[-1]["id"]}>; rel="prev"' if page else ""
        return web.json_response(page[::-1], headers=self.rate | ({"Link": link} if page and self.links else {}))

    def _page(self, after: str | None, place: int | None, limit: int) -> list[dict[str, Any]]:
        """Statuses in the server's order, oldest first."""
        visible = [self.status(number) for number in range(self.distributed)]
        if self.name is not snowflake:
            return visible[-limit:] if place is None or self.ignores_min_id else visible[place + 1 :][:limit]
        visible.sort(key=lambda one: int(one["id"]))
        if after is None or self.ignores_min_id:
            return visible[-limit:]
        return [status for status in visible if int(status["id"]) > int(after)][:limit]

    def _begin(self) -> Fault | None:
        fault = self.attempt()
        if not isinstance(fault, Refuse):
            self._asked.clear()
            self._read.clear()
        return fault

    async def _play_on(self, connection: Connection, fault: Fault | None) -> None:
        self.open_connections += 1
        try:
            await (self._asked if self._overlapping else self._read).wait()
        finally:
            self.open_connections -= 1
        await self.play(connection, self.distributed, fault)

    def happened(self, number: int) -> str:
        self.distributed = max(self.distributed, number + 1)
        return json.dumps(self.status(number))

    async def _stream_events(self, request: web.Request) -> web.StreamResponse:
        assert self.authorised(request)
        self.paths.append(request.path_qs)
        fault = self._begin()
        if isinstance(fault, Refuse):
            return _refusal(fault)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b":)\n")
        for name, payload in self.live:
            await response.write(f"event: {name}\ndata: {payload}\n\n".encode())
        await self._play_on(_EventStream(self, request, response), fault)
        return response

    async def _stream_websocket(self, request: web.Request) -> web.StreamResponse:
        assert self.authorised(request)
        self.paths.append(request.path_qs)
        fault = self._begin()
        if isinstance(fault, Refuse):
            return _refusal(fault)
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        listening = asyncio.create_task(self._listen(socket))
        playing = asyncio.create_task(self._play_websocket(request, socket, fault))
        try:
            await asyncio.wait({listening, playing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, playing):
                task.cancel()
            await asyncio.gather(listening, playing, return_exceptions=True)
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        while (message := await socket.receive()).type not in _ENDS:
            self.pongs += message.type is WSMsgType.PONG

    async def _play_websocket(self, request: web.Request, socket: web.WebSocketResponse, fault: Fault | None) -> None:
        if self.live_error is not None:
            await socket.send_str(json.dumps(self.live_error))
        for name, payload in self.live:
            await socket.send_str(json.dumps({"stream": ["public"], "event": name, "payload": payload}))
        await self._play_on(_FrameStream(self, request, socket), fault)


def _refusal(fault: Refuse) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return web.json_response({"error": "refused"}, status=fault.status, headers=headers)


_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


def _abort(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


class _EventStream:
    def __init__(self, server: MastodonServer, request: web.Request, response: web.StreamResponse) -> None:
        self._server, self._request, self._response = server, request, response
        self._begun = False

    async def send(self, number: int) -> None:
        await self._response.write(f"event: update\ndata: {self._server.happened(number)}\n\n".encode())

    async def heartbeat(self) -> None:
        await self._response.write(b":thump\n")

    async def stall(self) -> None:
        await asyncio.Event().wait()

    async def garbage(self) -> None:
        await self._response.write(b"event: update\ndata: {nothing of a status\xff\n\n")

    async def half(self, number: int) -> None:
        frame = f"event: update\ndata: {self._server.happened(number)}\n\n".encode()
        await self._response.write(frame[: len(frame) // 2])

    async def endless(self) -> None:
        piece = b"x" * ENDLESS_PIECE_BYTES
        await self._response.write(piece if self._begun else b"event: update\ndata: " + piece)
        self._begun = True

    async def reset(self) -> None:
        _abort(self._request)


class _FrameStream:
    def __init__(self, server: MastodonServer, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._server, self._request, self._socket = server, request, socket
        self._begun = False

    def _frame(self, number: int) -> str:
        return json.dumps({"stream": ["public"], "event": "update", "payload": self._server.happened(number)})

    async def send(self, number: int) -> None:
        await self._socket.send_str(self._frame(number))

    async def heartbeat(self) -> None:
        await self._socket.ping()

    async def stall(self) -> None:
        await asyncio.Event().wait()

    async def garbage(self) -> None:
        await self._socket.send_str("{nothing of a frame")

    async def half(self, number: int) -> None:
        body = self._frame(number).encode()
        await self._raw(bytes([0x81, 126]) + len(body).to_bytes(2) + body[: len(body) // 2])

    async def endless(self) -> None:
        # A text message in fragments, none of which is the last.
        await self._raw(bytes([0x00 if self._begun else 0x01, 127]) + ENDLESS_PIECE_BYTES.to_bytes(8))
        self._begun = True
        await self._raw(b"x" * ENDLESS_PIECE_BYTES)

    async def reset(self) -> None:
        _abort(self._request)

    async def _raw(self, data: bytes) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        transport.write(data)
        # Room for the other end to read and to hang up.
        await asyncio.sleep(0)
        while transport.get_write_buffer_size() > 4 * ENDLESS_PIECE_BYTES:
            await asyncio.sleep(0.005)
            if transport.is_closing():
                raise ConnectionResetError
