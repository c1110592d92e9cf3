"""Bluesky keeps the contract of a network source, against a Jetstream server of our own; and its own promises."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from bluesky_world import START_US, TICK_US
from jetstream_server import SECOND, JetstreamServer
from network_contract import (
    LARGEST_FRAME_BYTES,
    PATIENCE_SECONDS,
    QUICK,
    SILENCE_SECONDS,
    NetworkContract,
    identity,
    read,
    read_ids,
    until,
)
from network_server import Drop, Heartbeats, Refuse, ScriptedServer, Stall
from websocket_peer import BINARY, TEXT, frame_head

from ingest.sources.bluesky.compression import FrameDecompressor, read_dictionary
from ingest.sources.bluesky.connection import JetstreamLimits
from ingest.sources.bluesky.cursor import RECENT_MARKS
from ingest.sources.bluesky.frame import FrameReader
from ingest.sources.bluesky.opened import MalformedFrame
from ingest.sources.bluesky.options import read_options
from ingest.sources.bluesky.source import BlueskySource
from ingest.sources.network.source import USER_AGENT, FeedUnavailable, NetworkSource
from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from tagstream.posts import DeadLetter, Post
from tagstream.source import Received

LIMITS = JetstreamLimits(connect_seconds=5.0, silence_seconds=SILENCE_SECONDS, largest_frame_bytes=LARGEST_FRAME_BYTES)


def source_of(server: JetstreamServer, query: str = "quiet=1", **more: object) -> BlueskySource:
    settings: dict[str, object] = {"limits": LIMITS, "reconnecting": QUICK} | more
    return BlueskySource(read_options(f"bluesky:{server.url}?{query}"), **settings)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(source: BlueskySource, cursor: str | None = None) -> AsyncIterator[BlueskySource]:
    await source.open(cursor)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield source
    finally:
        await source.close()


@asynccontextmanager
async def running(**more: object) -> AsyncIterator[JetstreamServer]:
    server = JetstreamServer(**more)  # type: ignore[arg-type]
    await server.start()
    yield server
    await server.stop()
    assert server.world.failures == []


@pytest.fixture
async def server() -> AsyncIterator[JetstreamServer]:
    async with running() as server:
        yield server


@pytest.fixture(scope="module")
def dictionary() -> bytes:
    samples = [
        json.dumps({"did": f"did:plc:{n}", "kind": "commit", "text": f"{n * n} words"}).encode() for n in range(999)
    ]
    return zstandard.train_dictionary(4096, samples).as_bytes()


def cursor_before_all(server: JetstreamServer) -> str:
    return f"{START_US}@127.0.0.1:{server.port}"


class TestBluesky(NetworkContract):
    """A server of today, which numbers its events."""

    overlap = RECENT_MARKS

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, JetstreamServer)
        return source_of(server)


class TestBlueskyFirstGeneration(TestBluesky):
    """A server that knows times alone. Its events are a second apart, and a resume goes back two and an event."""

    overlap = 4

    @pytest.fixture
    async def server(self) -> AsyncIterator[JetstreamServer]:
        async with running(numbered=False) as server:
            yield server


class TestBlueskyCompressed(TestBluesky):
    """The same with zstd, whose frames are binary."""

    @pytest.fixture
    async def server(self, dictionary: bytes) -> AsyncIterator[JetstreamServer]:
        async with running(dictionary=dictionary) as server:
            yield server

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, JetstreamServer)
        assert server.dictionary is not None
        return source_of(server, dictionary=server.dictionary)


def second_source_of(server: JetstreamServer, query: str = "quiet=1") -> BlueskySource:
    return BlueskySource(read_options(f"bluesky:{server.url}/xrpc/{SECOND}?{query}"), limits=LIMITS, reconnecting=QUICK)


class TestBlueskySecondGeneration(TestBlueskyCompressed):
    """The second generation's form, with the dictionary that the server hands out."""

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, JetstreamServer)
        return second_source_of(server)


async def test_a_second_generation_server_is_asked_in_its_own_words(dictionary: bytes) -> None:
    async with running(dictionary=dictionary) as server:
        account = server.world.accounts[0]
        server.world.write_post(account)
        server.world.set_status(account, False, "deactivated")
        server.world.rename(account, "ada.example.org")
        await server.follow()
        async with opened(second_source_of(server, f"dids={account.did}"), cursor_before_all(server)) as source:
            events = [one.event for one in await read(source, 10)]
            while len(events) < 2:
                events += [one.event for one in await read(source, 10)]
        assert server.targets == [
            {
                "collections": ["app.bsky.feed.post"],
                "maxMessageSizeBytes": [str(LARGEST_FRAME_BYTES)],
                "dids": [account.did],
                "cursor": [str(START_US - 2 * TICK_US)],
                "zstdDictionary": [str(zstandard.ZstdCompressionDict(dictionary).dict_id())],
            }
        ]
    first = FrameReader()
    assert events == [first.read(json.dumps(event).encode()).event for event in server.log[:2]]


async def test_servers_of_both_generations_take_turns(dictionary: bytes) -> None:
    async with running(dictionary=dictionary) as server:
        expected = await server.publish(20)
        server.faults.extend([Drop(8), Refuse(503), Drop(12), Refuse(503)])
        options = read_options(f"bluesky:{server.url}/xrpc/{SECOND},{server.url}?quiet=1")
        source = BlueskySource(options, limits=LIMITS, reconnecting=QUICK)
        async with opened(source, cursor_before_all(server)):
            ids = await read_ids(source, 20)
    assert list(dict.fromkeys(ids)) == expected
    assert ["zstdDictionary" in target for target in server.targets] == [True, False, True]
    assert [peer.deflates for peer in server.peers] == [False, True, False]


async def test_a_second_generation_server_without_a_dictionary_is_read_uncompressed(server: JetstreamServer) -> None:
    expected = await server.publish(3)
    async with opened(second_source_of(server), cursor_before_all(server)) as source:
        assert await read_ids(source, 3) == expected
    assert "zstdDictionary" not in server.targets[0]


async def test_it_names_itself_and_asks_for_posts_only(server: JetstreamServer) -> None:
    await server.publish(2)
    async with opened(source_of(server), cursor_before_all(server)) as source:
        await read_ids(source, 2)
    assert server.targets == [
        {
            "wantedCollections": ["app.bsky.feed.post"],
            "maxMessageSizeBytes": [str(LARGEST_FRAME_BYTES)],
            "cursor": [str(START_US - 2 * TICK_US)],
        }
    ]
    assert server.user_agents == [USER_AGENT]


async def test_deflate_is_offered_unless_compression_is_off(server: JetstreamServer) -> None:
    await server.publish(3)
    for query, deflates in (("quiet=1", True), ("quiet=1&compress=0", False)):
        async with opened(source_of(server, query), cursor_before_all(server)) as source:
            assert len(await read_ids(source, 3)) == 3
        assert server.peers[-1].deflates is deflates


async def test_without_a_cursor_it_begins_at_the_live_end(server: JetstreamServer) -> None:
    await server.publish(5)
    async with opened(source_of(server)) as source:
        reader = asyncio.create_task(read_ids(source, 2))
        await until(lambda: server.open_connections == 1)
        expected = await server.publish(2)
        assert await reader == expected


async def test_another_server_goes_on_fifteen_seconds_before(server: JetstreamServer) -> None:
    """The second server dates the same events five seconds earlier; nothing is lost in changing over to it."""
    async with running(world=server.world, clock_us=-5 * TICK_US) as second:
        expected = await server.publish(30)
        await second.follow()
        server.faults.extend([Drop(20), Refuse(503)])
        options = read_options(f"bluesky:{server.url},{second.url}?quiet=1")
        source = BlueskySource(options, limits=LIMITS, reconnecting=QUICK)
        async with opened(source, cursor_before_all(server)):
            ids = await read_ids(source, 30)
        assert list(dict.fromkeys(ids)) == expected
        assert ids.count(expected[19]) == 2
        assert second.targets[0]["cursor"] == [str(START_US + (19 - 15) * TICK_US)]


async def test_a_server_that_is_down_is_passed_over(server: JetstreamServer) -> None:
    async with running() as gone:
        pass
    expected = await server.publish(3)
    options = read_options(f"bluesky:{gone.url},{server.url}?quiet=1")
    source = BlueskySource(options, limits=LIMITS, reconnecting=QUICK)
    async with opened(source, f"{START_US}@elsewhere"):
        assert await read_ids(source, 3) == expected


async def test_it_begins_at_the_server_of_its_cursor(server: JetstreamServer) -> None:
    async with running(world=server.world) as second:
        await second.publish(3)
        options = read_options(f"bluesky:{server.url},{second.url}?quiet=1")
        source = BlueskySource(options, limits=LIMITS, reconnecting=QUICK)
        async with opened(source, cursor_before_all(second)):
            await read_ids(source, 3)
        assert server.attempts == []


async def test_one_server_of_several_that_refuses_for_good_is_passed_over(server: JetstreamServer) -> None:
    async with running() as refusing:
        refusing.faults.append(Refuse(403))
        expected = await server.publish(2)
        options = read_options(f"bluesky:{refusing.url},{server.url}?quiet=1")
        source = BlueskySource(options, limits=LIMITS, reconnecting=QUICK)
        async with opened(source, cursor_before_all(server)):
            source._server_index = 0
            assert await read_ids(source, 2) == expected


async def test_a_refusal_by_a_server_that_had_us_before_is_waited_for(server: JetstreamServer) -> None:
    """A proxy says 404 while what is behind it is started again."""
    server.faults.extend([Drop(after=1), Refuse(404)])
    expected = await server.publish(3)
    async with opened(source_of(server), cursor_before_all(server)) as source:
        assert list(dict.fromkeys(await read_ids(source, 3))) == expected
    assert len(server.attempts) == 3


async def test_an_address_that_is_no_jetstream_server_is_fatal(server: JetstreamServer) -> None:
    source = BlueskySource(read_options(f"bluesky:{server.url}/elsewhere"), limits=LIMITS, reconnecting=QUICK)
    async with opened(source):
        with pytest.raises(BadSettings, match=r"127\.0\.0\.1:\d+ refuses with status 404"):
            await source.next_batch(1)


async def test_on_the_whole_network_pings_without_posts_are_death(server: JetstreamServer) -> None:
    server.faults.append(Heartbeats(3))
    expected = await server.publish(10)
    async with opened(source_of(server, ""), cursor_before_all(server)) as source:
        ids = await read_ids(source, 10)
    assert list(dict.fromkeys(ids)) == expected
    assert len(server.attempts) == 2


async def test_a_quiet_connection_lives_by_the_pings_it_sends(server: JetstreamServer) -> None:
    """The server says nothing by itself for half a minute; it answers when asked."""
    server.heartbeats = False
    async with opened(source_of(server)) as source:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3 * SILENCE_SECONDS):
                await source.next_batch(1)
        assert server.peers[0].pings >= 2
    assert len(server.attempts) == 1


async def test_accounts_follow_in_a_message_where_an_address_is_too_short(server: JetstreamServer) -> None:
    wanted = server.world.accounts[0]
    others = [f"did:plc:{number:024d}" for number in range(60)]
    for _ in range(3):
        server.world.write_post(wanted)
        server.world.write_post(server.world.accounts[1])
    await server.follow()
    query = f"dids={','.join([wanted.did, *others])}"
    async with opened(source_of(server, query), cursor_before_all(server)) as source:
        ids = await read_ids(source, 3)
    assert [one.partition("/")[0] for one in ids] == [f"bluesky:{wanted.did}"] * 3
    assert "wantedDids" not in server.targets[0]
    assert server.messages[0]["payload"]["wantedDids"] == [wanted.did, *others]


async def test_few_accounts_are_named_in_the_address(server: JetstreamServer) -> None:
    wanted = server.world.accounts[0]
    server.world.write_post(server.world.accounts[1])
    server.world.write_post(wanted)
    await server.follow()
    async with opened(source_of(server, f"dids={wanted.did}"), cursor_before_all(server)) as source:
        (received,) = await read(source, 10)
    assert identity(received) == server.event_id(1)
    assert server.targets[0]["wantedDids"] == [wanted.did]


async def test_a_gap_in_what_the_server_kept_is_counted(server: JetstreamServer) -> None:
    await server.publish(2)
    server.world.now_us += 48 * 3600 * TICK_US
    await server.publish(2)
    async with opened(source_of(server, ""), cursor_before_all(server)) as source:
        await read_ids(source, 2)
        assert source.gaps == 1
    async with opened(source_of(server, "quiet=1"), cursor_before_all(server)) as source:
        await read_ids(source, 2)
        assert source.gaps == 0


async def raw_client(server: JetstreamServer, source: BlueskySource) -> asyncio.Task[list[Received]]:
    reader = asyncio.create_task(read(source, 1))
    await until(lambda: bool(server.peers))
    return reader


HALF_A_CHARACTER = (
    b'{"did":"did:plc:eygmaihciaxprqvxpfvl6flk","time_us":1714560000000000,"kind":"commit","commit":{"rev":'
    b'"3l3qo2vutsw2b","operation":"create","collection":"app.bsky.feed.post","rkey":"a\\ud800b"}}'
)
FRAMES: dict[str, Callable[[bytes], list[bytes]]] = {
    "not UTF-8": lambda good: [frame_head(TEXT, 2) + b"\xff\xfe", good],
    "half a character": lambda good: [frame_head(TEXT, len(HALF_A_CHARACTER)) + HALF_A_CHARACTER, good],
    "an empty frame": lambda good: [frame_head(TEXT, 0), good],
    "binary, though nothing compressed was asked for": lambda good: [frame_head(BINARY, 3) + b"abc", good],
}


@pytest.mark.parametrize("what", list(FRAMES))
async def test_a_frame_that_cannot_be_read_is_a_letter_and_the_connection_stays(
    server: JetstreamServer, what: str
) -> None:
    (expected,) = await server.publish(1)
    good = json.dumps(server.log[0]).encode()
    async with opened(source_of(server)) as source:
        reader = await raw_client(server, source)
        for piece in FRAMES[what](frame_head(TEXT, len(good)) + good):
            await server.peers[0].raw(piece)
        (letter,) = await reader
        assert isinstance(letter.event, DeadLetter)
        (received,) = await read(source, 1)
        assert identity(received) == expected
    assert len(server.attempts) == 1


@pytest.mark.parametrize(
    "sent",
    [
        frame_head(TEXT, 2**40) + b"x",
        frame_head(TEXT, 2**63 - 1) + b"x",
        frame_head(TEXT, LARGEST_FRAME_BYTES + 1),
        b"\x83\x00",
        b"\x80\x00",
        b"\xf1\x00",
        b"\x09\x00",
        b"\x88\x01\x00",
        b"\x88\x02\x00\x01",
        b"HTTP/1.1 200 OK\r\n\r\n",
        bytes(range(256)) * 64,
    ],
    ids=lambda sent: sent[:6].hex(),
)
async def test_what_breaks_the_protocol_ends_the_connection_and_no_more(server: JetstreamServer, sent: bytes) -> None:
    expected = await server.publish(5)
    async with opened(source_of(server)) as source:
        reader = asyncio.create_task(source.next_batch(1))
        await until(lambda: bool(server.peers))
        await server.peers[0].raw(sent)
        (given,) = await asyncio.gather(reader, return_exceptions=True)
        if isinstance(given, list):
            assert [one.event.cause for one in given] == ["frame_too_large"]
        else:
            assert isinstance(given, FeedUnavailable)
    async with opened(source_of(server), cursor_before_all(server)) as source:
        assert await read_ids(source, 5) == expected


async def test_a_frame_that_is_too_large_whenever_it_comes_is_left_behind(server: JetstreamServer) -> None:
    """A server that sends what it was told not to would otherwise hold the feed for ever."""
    await server.publish(3)
    server.log[1]["commit"]["record"]["text"] = "x" * LARGEST_FRAME_BYTES
    server.unchecked.add(1)
    server.honours_largest = False
    await server.publish(12)
    async with opened(source_of(server), cursor_before_all(server)) as source:
        received = []
        while not received or identity(received[-1]) != server.event_id(14):
            received += await read(source, 50)
        assert source.gaps >= 1
    assert server.event_id(1) not in [identity(one) for one in received]
    letters = [one.event for one in received if isinstance(one.event, DeadLetter)]
    assert {letter.cause for letter in letters} == {"frame_too_large"}
    assert 3 <= len(server.attempts) < 8


def bomb(dictionary: bytes, size: int) -> bytes:
    data = zstandard.ZstdCompressionDict(dictionary)
    compressor = zstandard.ZstdCompressor(dict_data=data, write_content_size=False).compressobj()
    return b"".join([*(compressor.compress(b"0" * 2**20) for _ in range(size // 2**20)), compressor.flush()])


async def test_a_bomb_is_a_letter_and_the_stream_goes_on(dictionary: bytes) -> None:
    """400 MB in some kB, that claims no size; then one that claims four gigabytes."""
    async with running(dictionary=dictionary) as server:
        (expected,) = await server.publish(1)
        small = bomb(dictionary, 400 * 2**20)
        assert len(small) < LARGEST_FRAME_BYTES
        claiming = b"\x28\xb5\x2f\xfd\xa0" + (2**32 - 1).to_bytes(4, "little") + b"\x01\x00\x00"
        async with opened(source_of(server, dictionary=dictionary)) as source:
            reader = await raw_client(server, source)
            letters = []
            for sent in (small, claiming):
                await server.peers[0].send(sent, BINARY)
                letters += await reader
                reader = asyncio.create_task(read(source, 1))
            await server.peers[0].send(server.compress(json.dumps(server.log[0]).encode()), BINARY)
            assert identity((await reader)[0]) == expected
        causes = [one.event.cause for one in letters if isinstance(one.event, DeadLetter)]
        assert causes == ["frame_too_large", "bad_compression"]


def test_a_bomb_is_never_in_memory(dictionary: bytes) -> None:
    body = bomb(dictionary, 64 * 2**20)
    decompressor = FrameDecompressor(dictionary, LARGEST_FRAME_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedFrame, match="decompressed"):
            decompressor.decompress(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_FRAME_BYTES


async def test_a_deflated_bomb_is_refused(server: JetstreamServer) -> None:
    expected = await server.publish(2)
    # It takes the fake server a while to make it, in which nothing else is done.
    patient = replace(LIMITS, silence_seconds=PATIENCE_SECONDS)
    async with opened(source_of(server, limits=patient)) as source:
        reader = await raw_client(server, source)
        await server.peers[0].send(b"0" * (64 * 2**20))
        (letter,) = await reader
        assert isinstance(letter.event, DeadLetter)
        assert letter.event.cause == "frame_too_large"
        with pytest.raises(FeedUnavailable, match="larger than may be"):
            await source.next_batch(1)
    async with opened(source_of(server), cursor_before_all(server)) as source:
        assert await read_ids(source, 2) == expected


def test_a_frame_that_was_cut_short_is_refused(dictionary: bytes) -> None:
    content = bytes(range(256)) * 4
    body = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(dictionary)).compress(content)
    decompressor = FrameDecompressor(dictionary, LARGEST_FRAME_BYTES)
    assert decompressor.decompress(body) == content
    for length in range(len(body)):
        with pytest.raises(MalformedFrame):
            decompressor.decompress(body[:length])


async def test_a_server_whose_dictionary_is_broken_is_read_uncompressed(dictionary: bytes) -> None:
    async with running(dictionary=dictionary) as server:
        server.dictionary = dictionary[:8] + b"junk" * 100
        expected = await server.publish(3)
        async with opened(second_source_of(server), cursor_before_all(server)) as source:
            assert await read_ids(source, 3) == expected


async def test_a_retired_dictionary_is_fatal_and_says_which_is_needed(dictionary: bytes) -> None:
    other = zstandard.train_dictionary(4096, [bytes([n % 256]) * n for n in range(500, 1500)]).as_bytes()
    async with running(dictionary=other) as server:
        await server.publish(1)
        async with opened(source_of(server, dictionary=dictionary), cursor_before_all(server)) as source:
            with pytest.raises(BadSettings, match="bluesky_zstd_dictionary"):
                await source.next_batch(1)


def test_a_dictionary_that_is_none_is_refused(tmp_path: Path, dictionary: bytes) -> None:
    path = tmp_path / "dictionary"
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_dictionary(path)
    path.write_bytes(b"no dictionary")
    with pytest.raises(BadSettings, match="no zstd dictionary"):
        read_dictionary(path)
    path.write_bytes(dictionary[:8] + b"junk" * 100)
    with pytest.raises(BadSettings, match="no zstd dictionary"):
        read_dictionary(path)
    path.write_bytes(dictionary)
    assert read_dictionary(path) == dictionary


@pytest.mark.parametrize("cursor", ["5", "x@y", "5@", "-5@host", "٣@host", "9" * 30 + "@host", "@host"])
async def test_a_cursor_that_is_none_of_ours_is_refused(server: JetstreamServer, cursor: str) -> None:
    with pytest.raises(CorruptState, match="saved cursor"):
        await source_of(server).open(cursor)


async def test_a_stalled_handshake_is_given_up() -> None:
    held: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    options = read_options(f"bluesky:ws://127.0.0.1:{port}")
    source = BlueskySource(options, limits=replace(LIMITS, connect_seconds=0.2), reconnecting=QUICK)
    async with opened(source):
        with pytest.raises(FeedUnavailable, match="no answer in time"):
            await source.next_batch(1)
    listener.close()
    for writer in held:
        writer.close()


async def test_a_handle_that_was_heard_of_is_on_later_posts(server: JetstreamServer) -> None:
    account = server.world.accounts[0]
    server.world.write_post(account)
    server.world.rename(account, "Someone.Example.ORG")
    server.world.write_post(account)
    await server.follow()
    async with opened(source_of(server), cursor_before_all(server)) as source:
        posts = [one.event for one in await read(source, 10)]
        while len(posts) < 2:
            posts += [one.event for one in await read(source, 10)]
    handles = [post.author.handle for post in posts if isinstance(post, Post) and post.author]
    assert handles == [None, "someone.example.org"]


async def test_stalled_while_quiet_is_noticed(server: JetstreamServer) -> None:
    server.faults.append(Stall(0))
    async with opened(source_of(server)) as source:
        with pytest.raises(FeedUnavailable, match=r"gave nothing for 0\.6 s"):
            await source.next_batch(1)
