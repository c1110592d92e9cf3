"""Handles of Bluesky's accounts are asked for beside the feed, of one address, politely, and nothing waits for them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from urllib.parse import parse_qs

import pytest
from network_contract import until
from websocket_peer import WebSocketPeer

from ingest.sources.bluesky.directory import ACCOUNTS_A_REQUEST, Directory
from ingest.sources.bluesky.handles import Handles
from ingest.sources.bluesky.options import PUBLIC_SERVERS
from ingest.sources.open import open_source
from tagstream.errors import BadSettings
from tagstream.settings import Settings


class DirectoryServer:
    """Answers `getProfiles` from `handles`; `answers` are given first, as they are."""

    def __init__(self) -> None:
        self.handles: dict[str, str] = {}
        self.answers: list[tuple[int, Mapping[str, str], bytes]] = []
        self.asked: list[list[str]] = []
        self.moments: list[float] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = WebSocketPeer(reader, writer)
        try:
            await peer.read_request()
            await self._answer(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, peer: WebSocketPeer) -> None:
        assert peer.target.path == "/xrpc/app.bsky.actor.getProfiles"
        accounts = parse_qs(peer.target.query)["actors"]
        self.asked.append(accounts)
        self.moments.append(asyncio.get_running_loop().time())
        profiles = [{"did": one, "handle": self.handles[one]} for one in accounts if one in self.handles]
        answer = (200, {}, json.dumps({"profiles": profiles}).encode())
        status, headers, body = self.answers.pop(0) if self.answers else answer
        await peer.refuse(status, headers, body)


@pytest.fixture
async def server() -> AsyncIterator[DirectoryServer]:
    server = DirectoryServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def handles(server: DirectoryServer) -> AsyncIterator[Handles]:
    handles = Handles()
    directory = Directory(server.url, handles, seconds_between=0.01, first_pause_seconds=0.2, longest_pause_seconds=1.0)
    asking = asyncio.create_task(directory.ask_for_ever())
    yield handles
    asking.cancel()
    await asyncio.wait({asking})


def did(number: int) -> str:
    return f"did:plc:{number:024d}"


async def test_what_is_not_known_is_learnt_for_the_next_post(server: DirectoryServer, handles: Handles) -> None:
    server.handles[did(1)] = "Ada.Example.org"
    assert handles.of(did(1)) is None
    await until(lambda: handles.of(did(1)) == "ada.example.org")
    assert server.asked == [[did(1)]]


async def test_25_are_asked_for_at_a_time_the_newest_first(server: DirectoryServer, handles: Handles) -> None:
    server.handles = {did(number): f"a{number}.example.org" for number in range(60)}
    for number in range(60):
        handles.of(did(number))
    await until(lambda: not handles.wanted)
    assert [len(asked) for asked in server.asked] == [ACCOUNTS_A_REQUEST, ACCOUNTS_A_REQUEST, 10]
    assert server.asked[0][0] == did(59)


async def test_an_account_without_a_handle_is_asked_for_once(server: DirectoryServer, handles: Handles) -> None:
    server.handles[did(2)] = "handle.invalid"
    for _ in range(3):
        assert handles.of(did(1)) is handles.of(did(2)) is None
        await until(lambda: not handles.wanted)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (503, {}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[" * 100_000),
        (200, {}, b"1" * 5000),
        (200, {}, b'"' + b"x" * 3 * 2**20 + b'"'),
        (302, {"Location": "http://127.0.0.1:9/"}, b""),
    ],
    ids=["away", "no JSON", "deep", "digits", "large", "elsewhere"],
)
async def test_a_directory_that_fails_is_left_alone_for_a_while(
    server: DirectoryServer, handles: Handles, answer: tuple[int, Mapping[str, str], bytes]
) -> None:
    server.answers = [answer, answer]
    server.handles[did(1)] = "ada.example.org"
    handles.of(did(1))
    await until(lambda: handles.of(did(1)) is not None)
    first, second, third = server.moments
    assert second - first >= 0.19
    assert third - second >= 0.39


@pytest.mark.parametrize(
    "profiles", [None, {}, [5], [{"did": 5}], [{"did": did(7), "handle": "x.org"}], [{"did": did(1), "handle": [1]}]]
)
async def test_no_answer_whatever_raises(server: DirectoryServer, handles: Handles, profiles: object) -> None:
    server.answers = [(200, {}, json.dumps({"profiles": profiles}).encode())]
    handles.of(did(1))
    await until(lambda: not handles.wanted)
    assert handles.of(did(1)) is None
    assert handles.of(did(7)) is None


class Choosy(DirectoryServer):
    """Refuses every request that names one of `bad`."""

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self.bad = set(bad)

    async def _answer(self, peer: WebSocketPeer) -> None:
        if self.bad & set(parse_qs(peer.target.query)["actors"]):
            self.answers = [(400, {}, b'{"error":"InvalidRequest"}')]
        await super()._answer(peer)


@asynccontextmanager
async def asking(server: DirectoryServer) -> AsyncIterator[Handles]:
    await server.start()
    handles = Handles()
    directory = Directory(server.url, handles, seconds_between=0.0, first_pause_seconds=0.5, longest_pause_seconds=60.0)
    task = asyncio.create_task(directory.ask_for_ever())
    try:
        yield handles
    finally:
        task.cancel()
        await asyncio.wait({task})
        await server.stop()


@pytest.mark.parametrize("bad", [0, 13, 24])
async def test_an_account_that_is_refused_keeps_no_other_from_its_handle(bad: int) -> None:
    server = Choosy(did(bad))
    server.handles = {did(number): f"a{number}.example.org" for number in range(25)}
    async with asking(server) as handles:
        for number in range(25):
            handles.of(did(number))
        await until(lambda: not handles.wanted)
        known = {number for number in range(25) if handles.of(did(number)) is not None}
    assert known == set(range(25)) - {bad}
    assert len(server.asked) < 20


async def test_a_directory_that_refuses_everything_is_left_alone() -> None:
    server = Choosy(*map(did, range(100)))
    async with asking(server) as handles:
        for number in range(100):
            handles.of(did(number))
        await until(lambda: len(server.asked) >= 9)
    assert [len(asked) for asked in server.asked] == [25, 12, 6, 3, 1, 1, 1, 1, 1]
    pauses = [later - earlier for earlier, later in pairwise(server.moments)]
    assert pauses[6] >= 0.49, "the third account in a row that is refused is a failure"
    assert pauses[7] >= 0.98


def test_an_identifier_that_is_too_long_to_be_asked_for_is_not() -> None:
    handles = Handles()
    handles.want(10)
    assert handles.of(f"did:web:{'a' * 249}") is None
    assert not handles.wanted
    handles.of(f"did:web:{'a' * 248}")
    assert len(handles.wanted) == 1


async def test_what_the_network_said_meanwhile_stays(server: DirectoryServer, handles: Handles) -> None:
    server.handles[did(1)] = "old.example.org"
    handles.of(did(1))
    handles.learn(did(1), "new.example.org")
    await asyncio.sleep(0.1)
    assert handles.of(did(1)) == "new.example.org"
    assert server.asked == []


def test_what_is_remembered_and_wanted_is_bounded() -> None:
    handles = Handles(most=2)
    handles.want(3)
    for number in range(10):
        handles.of(did(number))
    assert list(handles.wanted) == [did(7), did(8), did(9)]
    handles.learn(did(0), "a.org")
    handles.learn(did(1), "b.org")
    assert handles.of(did(0)) == "a.org"
    handles.learn(did(2), "c.org")
    assert handles.of(did(1)) is None, "the one that was used last stays"
    assert handles.of(did(0)) == "a.org"


@pytest.mark.parametrize(
    ("spec", "values", "asked"),
    [
        ("bluesky:", {}, True),
        ("bluesky:", {"bluesky_directory": ""}, False),
        ("bluesky:ws://127.0.0.1:9", {}, False),
        ("bluesky:ws://127.0.0.1:9", {"bluesky_directory": "http://127.0.0.1:9"}, True),
        (f"bluesky:{PUBLIC_SERVERS[0]}", {}, False),
    ],
)
def test_nobody_is_told_of_a_network_of_ones_own(spec: str, values: dict[str, str], asked: bool) -> None:
    source = open_source(spec, Settings.model_validate(values))
    assert (source._directory is not None) is asked  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["ftp://example.org", "https://a:b@example.org", "https://example.org/path?x=1"])
def test_a_directory_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises((BadSettings, ValueError)):
        Settings.model_validate({"bluesky_directory": address})
