"""A Jetstream server on loopback, from the documents of github.com/bluesky-social/jetstream.

Query: `wantedCollections` (exact, or `prefix.*`), `wantedDids`, `maxMessageSizeBytes`, `cursor`, `compress`,
`requireHello`. None, or a cursor of the future, is the live end. Accounts and identities pass the filter of
collections. Compression is either zstd with the server's dictionary (binary frames) or permessage-deflate; asking for
both is refused.

`/xrpc/network.bsky.jetstream.subscribeEvents` is the second generation's form of the same: `collections`, `dids`,
`zstdDictionary` by its id, which `getZstdDictionary` gives; each event wrapped in a message; no deflate; `#sync` and
what follows it only here.

Cursors are inclusive. A server of today (`numbered`) gives each event a number, and takes a cursor below 10^15 for
one; one that is larger is a time, and one that is newer than its sealed segments is answered with *the start of the
active segment*, however old that is. A server of the first generation (`numbered=False`) knows times alone, and gives
exactly what is not older. What is older than the look-back begins at the oldest event; a number that is, is refused by
the second form. It pings, and drops a client that has not answered within its patience, or that takes no data: whatever
stands in the buffers then is lost with the connection.

Every event is checked against the lexicons before it is sent.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
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
FIRST_TIME = 10**15


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
        if event["kind"] == "sync" and not self._second:
            return
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=number % 2 == 0).encode()
        if number not in self._server.unchecked:
            check_frame(body)
        if self.wanted.wants(event, len(body) if self._server.honours_largest else 0):
            self._server.sent.append(number)
            await self._send(json.dumps(wrapped(event, number)).encode() if self._second else body)

    async def info(self, name: str, message: str) -> None:
        payload = {"$type": f"{SECOND}#info", "name": name, "message": message}
        await self._send(json.dumps({"$type": "message", "payload": payload}).encode())

    async def _send(self, body: bytes) -> None:
        async with self._patiently():
            if self._zstd:
                await self._peer.send(self._server.compress(body), BINARY)
            else:
                await self._peer.send(body, TEXT)

    async def ping_for_ever(self) -> None:
        """Pings now and then; returns when an answer did not come in time."""
        while True:
            await asyncio.sleep(self._server.ping_seconds)
            async with self._patiently():
                pongs = self._peer.pongs
                await self._peer.frame(PING, b"")
                while self._peer.pongs == pongs:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    @asynccontextmanager
    async def _patiently(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._server.patience_seconds):
                yield
        except TimeoutError:
            self._server.dropped += 1
            self._peer.reset()
            raise ConnectionResetError("the client does not read") from None

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

    `dictionary`: what it compresses with. `heartbeats`: whether it pings by itself while nothing happens.
    `ping_seconds` and `patience_seconds`: how often it pings for an answer, and how long it waits for that, or for a
    client to take data. `sealed`: how many events lie in sealed segments. `floor`: the first event that it still has.
    `honours_largest`: whether it keeps to the size that a client wants. `unchecked`: the events that are meant to break
    the lexicon. `targets`: what the clients asked for. `messages`: what they said. `dropped`: how many did not read.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        clock_us: int = 0,
        dictionary: bytes | None = None,
        numbered: bool = True,
    ) -> None:
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
        self.ping_seconds = 30.0
        self.patience_seconds = 5.0
        self.numbered = numbered
        self.sealed = 0
        self.floor = 0
        self.dropped = 0
        self._followed = 0
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
        new = self.world.events[self._followed :]
        self._followed += len(new)
        for event in new:
            self._append(event | {"time_us": event["time_us"] + self._clock_us})
        await self.grow(len(new))

    def _append(self, event: dict[str, Any]) -> None:
        numbers = {"cursor": len(self.log) + 1} if self.numbered else {}
        self.log.append(event | numbers)

    def crash(self, lost: int) -> None:
        """Ends and forgets the newest events; it has them of the network again, each under the next number."""
        forgotten = self.log[len(self.log) - lost :]
        del self.log[len(self.log) - lost :]
        author = self.world.accounts[0]
        self._append(self.world.unseen_like(author) | {"time_us": forgotten[0]["time_us"]})
        for event in forgotten:
            self._append(event)
        self.published = len(self.log)

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
        fault = self.attempt() if "upgrade" in peer.headers else None
        if isinstance(fault, Refuse):
            await peer.refuse(fault.status, {} if fault.retry_after is None else {"Retry-After": fault.retry_after})
            return
        if "upgrade" in peer.headers:
            self.targets.append(query)
        self.user_agents.append(peer.headers.get("user-agent", ""))
        second = path == f"/xrpc/{SECOND}"
        zstd = query.get("compress") == ["true"] or "zstd" in peer.headers.get("socket-encoding", "")
        offers_deflate = "permessage-deflate" in peer.headers.get("sec-websocket-extensions", "")
        try:
            if second:
                zstd, query = self._second_generation(query, refused=zstd)
            wanted = read_filter(query)
            first, outdated = self._first(query.get("cursor", [""])[0], second=second)
        except ValueError as error:
            await peer.refuse(400, {}, str(error).encode())
            return
        if path not in ("/subscribe", f"/xrpc/{SECOND}") or (zstd and offers_deflate and not second):
            await peer.refuse(400 if path == "/subscribe" else 404, {})
            return
        await peer.accept(deflate=not zstd and not second)
        self.peers.append(peer)
        connection = JetstreamConnection(self, peer, wanted, zstd=zstd, second=second)
        if outdated and second:
            await connection.info("OutdatedCursor", f"requested timestamp cursor below floor; starting at {first + 1}")
        tasks = [
            asyncio.create_task(peer.listen()),
            asyncio.create_task(self._stream(connection, peer, query, first, fault)),
            asyncio.create_task(connection.ping_for_ever()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in tasks:
                one.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
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

    def _first(self, cursor: str, *, second: bool) -> tuple[int, bool]:
        """The place in the log where a cursor begins, and whether that is later than was asked for."""
        if not cursor:
            return len(self.log), False
        asked = int(cursor)
        if asked < 0:
            raise ValueError(refusal("InvalidRequest", f"negative value {asked}"))
        if self.numbered and asked < FIRST_TIME:
            return self._first_by_number(asked, second=second), False
        newest = self.log[-1]["time_us"] if self.log else START_US
        if asked > newest:
            return len(self.log), False
        oldest = max(self.floor, self._oldest_within(newest - LOOKBACK_US))
        if self.numbered and (not self.sealed or asked > self.log[self.sealed - 1]["time_us"]):
            return max(self.sealed, oldest), False
        first = next(number for number, event in enumerate(self.log) if event["time_us"] >= asked)
        return max(first, oldest), first < oldest

    def _first_by_number(self, asked: int, *, second: bool) -> int:
        first = max(asked, 1) - 1
        if first >= len(self.log):
            return len(self.log)
        if first < self.floor and second:
            floor = self.floor + 1
            raise ValueError(refusal("CursorTooOld", f"cursor {asked} below lookback floor {floor}; re-backfill"))
        return max(first, self.floor)

    def _oldest_within(self, time_us: int) -> int:
        return next((number for number, event in enumerate(self.log) if event["time_us"] >= time_us), len(self.log))


def refusal(name: str, message: str) -> str:
    """The answer to a client that is not had, as the servers write it."""
    return json.dumps({"error": name, "message": f"subscribe: {message}"})


def wrapped(event: Mapping[str, Any], number: int) -> dict[str, Any]:
    """An event as the second generation gives it: a message, whose commits lie flat in it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["time_us"])
    kind, time = event["kind"], moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    body = event["commit"] if kind == "commit" else {kind: event[kind]}
    payload = {"$type": f"{SECOND}#{kind}", "seq": number + 1, "did": event["did"], "time": time}
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
