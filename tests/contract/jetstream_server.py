"""A Jetstream server on loopback, from the documents of github.com/bluesky-social/jetstream.

Query: `wantedCollections` (exact, or `prefix.*`), `wantedDids`, `maxMessageSizeBytes`, `cursor`, `compress`,
`requireHello`. A cursor is in microseconds and inclusive; none, or one of the future, is the live end; one older than
the look-back begins at the oldest event. Accounts and identities pass the filter of collections. Compression is either
zstd with the server's dictionary (binary frames) or permessage-deflate; asking for both is refused.

`/xrpc/network.bsky.jetstream.subscribeEvents` is the second generation's form of the same: `collections`, `dids`,
`zstdDictionary` by its id, which `getZstdDictionary` gives; each event wrapped in a message; no deflate.

Every event is checked against the lexicons before it is sent.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import zstandard
from atproto_lexicon import check_frame
from bluesky_world import START_US, World
from network_server import ENDLESS_PIECE_BYTES, Fault, Refuse, ScriptedServer
from websocket_peer import BINARY, CONTINUATION, PING, TEXT, WebSocketPeer, frame_head

MAX_WANTED_DIDS = 10_000
MAX_WANTED_COLLECTIONS = 100
SECOND = "network.bsky.jetstream.subscribeEvents"
DICTIONARY = "network.bsky.jetstream.getZstdDictionary"
LOOKBACK_US = 36 * 3600 * 1_000_000


class Filter:
    """What one client wants."""

    def __init__(self, collections: list[str], dids: list[str], largest: int) -> None:
        if len(set(dids)) > MAX_WANTED_DIDS or len(collections) > MAX_WANTED_COLLECTIONS:
            raise ValueError("too many")
        self.collections, self.dids, self.largest = collections, frozenset(dids), max(largest, 0)

    def wants(self, event: Mapping[str, Any], size: int) -> bool:
        if (self.dids and event["did"] not in self.dids) or (self.largest and size > self.largest):
            return False
        if event["kind"] != "commit" or not self.collections:
            return True
        collection = event["commit"]["collection"]
        return any(
            collection.startswith(one[:-1]) if one.endswith(".*") else collection == one for one in self.collections
        )


class JetstreamConnection:
    """One client that is being served."""

    def __init__(
        self, server: "JetstreamServer", peer: WebSocketPeer, wanted: Filter, *, zstd: bool, second: bool
    ) -> None:
        self._server = server
        self._peer = peer
        self._zstd = zstd
        self._second = second
        self.wanted = wanted

    async def send(self, number: int) -> None:
        event = self._server.log[number]
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=number % 2 == 0).encode()
        if number not in self._server.unchecked:
            check_frame(body)
        if self.wanted.wants(event, len(body) if self._server.honours_largest else 0):
            self._server.sent.append(number)
            await self._send(json.dumps(wrapped(event, number)).encode() if self._second else body)

    async def _send(self, body: bytes) -> None:
        if self._zstd:
            await self._peer.send(self._server.compress(body), BINARY)
        else:
            await self._peer.send(body, TEXT)

    async def heartbeat(self) -> None:
        if self._server.heartbeats:
            await self._peer.frame(PING, b"")

    async def garbage(self) -> None:
        await self._send(b'{"did": "did:plc:\xff\xfe')

    async def half(self, number: int) -> None:
        body = json.dumps(self._server.log[number]).encode()
        await self._peer.raw(frame_head(TEXT, len(body)) + body[: len(body) // 2])

    async def endless(self) -> None:
        """A message in fragments, of which none is the last."""
        kind = CONTINUATION if self._server.endless_bytes else TEXT
        await self._peer.frame(kind, b"x" * ENDLESS_PIECE_BYTES, final=False)

    async def stall(self) -> None:
        self._peer.answers_pings = False

    async def reset(self) -> None:
        self._peer.reset()


class JetstreamServer(ScriptedServer):
    """Serves the log of a world, dated by a clock of its own.

    `dictionary`: what it compresses with. `heartbeats`: whether it pings by itself. `honours_largest`: whether it keeps
    to the size that a client wants. `unchecked`: the events that are meant to break the lexicon. `targets`: what the
    clients asked for. `messages`: what they said.
    """

    def __init__(self, world: World | None = None, *, clock_us: int = 0, dictionary: bytes | None = None) -> None:
        super().__init__()
        self.world = world or World()
        self.log: list[dict[str, Any]] = []
        self.unchecked: set[int] = set()
        self.sent: list[int] = []
        self.targets: list[dict[str, list[str]]] = []
        self.user_agents: list[str] = []
        self.messages: list[Mapping[str, Any]] = []
        self.peers: list[WebSocketPeer] = []
        self.port = 0
        self._clock_us = clock_us
        self.dictionary = dictionary
        self.heartbeats = True
        self.honours_largest = True
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listens, on the same port if it did before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def event_id(self, number: int) -> str:
        event = self.log[number]
        return f"bluesky:{event['did']}/{event['commit']['rkey']}"

    async def publish(self, count: int) -> list[str]:
        first = len(self.log)
        for _ in range(count):
            self.world.write_post()
        await self.follow()
        return [self.event_id(number) for number in range(first, len(self.log))]

    async def follow(self) -> None:
        """Takes over what happened in the world, and gives it to every client."""
        new = self.world.events[len(self.log) :]
        self.log += [event | {"time_us": event["time_us"] + self._clock_us} for event in new]
        await self.grow(len(new))

    def compress(self, body: bytes) -> bytes:
        assert self.dictionary is not None
        return zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(self.dictionary)).compress(body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = WebSocketPeer(reader, writer)
        try:
            await peer.read_request()
            await self._answer(peer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, peer: WebSocketPeer) -> None:
        path, query = peer.target.path, parse_qs(peer.target.query)
        if path == f"/xrpc/{DICTIONARY}":
            content = self.dictionary or b""
            await peer.refuse(200 if content else 404, {"Content-Type": "application/octet-stream"}, content)
            return
        fault = self.attempt()
        if isinstance(fault, Refuse):
            await peer.refuse(fault.status, {} if fault.retry_after is None else {"Retry-After": fault.retry_after})
            return
        self.targets.append(query)
        self.user_agents.append(peer.headers.get("user-agent", ""))
        second = path == f"/xrpc/{SECOND}"
        zstd = query.get("compress") == ["true"] or "zstd" in peer.headers.get("socket-encoding", "")
        offers_deflate = "permessage-deflate" in peer.headers.get("sec-websocket-extensions", "")
        try:
            if second:
                zstd, query = self._second_generation(query, refused=zstd)
            wanted = read_filter(query)
            first = self._first(query.get("cursor", [""])[0])
        except ValueError as error:
            await peer.refuse(400, {}, str(error).encode())
            return
        if path not in ("/subscribe", f"/xrpc/{SECOND}") or (zstd and offers_deflate and not second):
            await peer.refuse(400 if path == "/subscribe" else 404, {})
            return
        await peer.accept(deflate=not zstd and not second)
        self.peers.append(peer)
        connection = JetstreamConnection(self, peer, wanted, zstd=zstd, second=second)
        listening = asyncio.create_task(peer.listen())
        playing = asyncio.create_task(self._stream(connection, peer, query, first, fault))
        try:
            await asyncio.wait({listening, playing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (listening, playing):
                one.cancel()
            results = await asyncio.gather(listening, playing, return_exceptions=True)
            self.world.failures += [one for one in results if isinstance(one, AssertionError)]

    def _second_generation(self, query: dict[str, list[str]], *, refused: bool) -> tuple[bool, dict[str, list[str]]]:
        """Whether a client of the second generation wants zstd, and its query with the names of the first."""
        if refused or set(query) & {"wantedDids", "wantedCollections", "requireHello"}:
            raise ValueError("InvalidRequest")
        named = query.get("zstdDictionary")
        if named is not None and (
            self.dictionary is None or int(named[0]) != zstandard.ZstdCompressionDict(self.dictionary).dict_id()
        ):
            raise ValueError("UnknownZstdDictionary")
        names = {"collections": "wantedCollections", "dids": "wantedDids"}
        return named is not None, {names.get(name, name): values for name, values in query.items()}

    async def _stream(
        self,
        connection: JetstreamConnection,
        peer: WebSocketPeer,
        query: dict[str, list[str]],
        first: int,
        fault: Fault | None,
    ) -> None:
        if query.get("requireHello") == ["true"]:
            message = json.loads(await peer.messages.get())
            self.messages.append(message)
            assert message["type"] == "options_update"
            payload = message["payload"]
            connection.wanted = Filter(
                payload["wantedCollections"], payload["wantedDids"], payload.get("maxMessageSizeBytes", 0)
            )
        await self.play(connection, first, fault)

    def _first(self, cursor: str) -> int:
        """The place in the log of the first event at or after the cursor."""
        if not cursor:
            return len(self.log)
        asked = int(cursor)
        if asked < 0:
            raise ValueError("negative cursor")
        newest = self.log[-1]["time_us"] if self.log else START_US
        if asked > newest:
            return len(self.log)
        floor = max(asked, newest - LOOKBACK_US)
        return next(number for number, event in enumerate(self.log) if event["time_us"] >= floor)


def wrapped(event: Mapping[str, Any], number: int) -> dict[str, Any]:
    """An event as the second generation gives it: a message, whose commits lie flat in it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["time_us"])
    kind, time = event["kind"], moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    body = event["commit"] if kind == "commit" else {kind: event[kind]}
    payload = {"$type": f"{SECOND}#{kind}", "seq": number + 1, "did": event["did"], "time": time, "witnessedAt": time}
    return {"$type": "message", "payload": payload | body}


def read_filter(query: Mapping[str, list[str]]) -> Filter:
    """The filter of a query; a size that cannot be read is no limit.

    Raises:
        ValueError: it asks for more than a server gives.
    """
    size = query.get("maxMessageSizeBytes", ["0"])[0]
    return Filter(
        query.get("wantedCollections", []), query.get("wantedDids", []), int(size) if size.lstrip("-").isdigit() else 0
    )
