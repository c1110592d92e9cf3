"""The contract of a source behind a network, kept by Mastodon over both transports, and what is Mastodon's alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from mastodon_server import (
    MISSED,
    STEP_MILLISECONDS,
    TOKEN,
    MastodonServer,
    make_status,
    random_id,
    snowflake,
    sorted_id,
)
from network_contract import (
    LARGEST_FRAME_BYTES,
    PATIENCE_SECONDS,
    QUICK,
    SILENCE_SECONDS,
    NetworkContract,
    client_sockets,
    read,
    read_ids,
    until,
)
from network_server import Drop, Heartbeats, Refuse, ScriptedServer, first_occurrences
from pydantic import SecretStr

from ingest.sources.mastodon.api import MastodonLimits
from ingest.sources.mastodon.feed import parse_feed
from ingest.sources.mastodon.source import Backfilling, MastodonSource
from ingest.sources.mastodon.status import PassedOverStatus
from ingest.sources.network.source import FeedUnavailable, NetworkSource
from tagstream.errors import BadSettings, CorruptState
from tagstream.posts import DeadLetter, Deletion, Post
from tagstream.source import Received

LIMITS = MastodonLimits(connect_seconds=2.0, silence_seconds=SILENCE_SECONDS, event_bytes=LARGEST_FRAME_BYTES)
REWOUND_EVENTS = 2
AT_ONCE = Backfilling(settle_seconds=0.0, rewind_seconds=0.0)


class MastodonContract(NetworkContract):
    overlap = REWOUND_EVENTS
    transport = ""

    @pytest.fixture
    async def server(self) -> AsyncIterator[MastodonServer]:
        server = MastodonServer(rewound=REWOUND_EVENTS)
        await server.start()
        yield server
        await server.stop()

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, MastodonServer)
        return MastodonSource(
            parse_feed(f"{server.base}?transport={self.transport}"),
            SecretStr(TOKEN),
            reconnecting=QUICK,
            limits=LIMITS,
            backfilling=Backfilling(settle_seconds=0.0, rewind_seconds=REWOUND_EVENTS * STEP_MILLISECONDS / 1000),
        )

    async def test_3c_an_accepting_server_that_drops_at_once_is_not_hammered(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.extend([Drop(0)] * 5)
        # Each connection reads from the timeline what was missed before it, whether or not the stream then drops.
        count = 6 * MISSED + 2
        await server.publish(count)
        async with self.reading(server, begin) as source:
            await read_ids(source, count)
        assert len(server.attempts) == 6
        assert server.attempts[-1] - server.attempts[0] >= 0.9 * (0.02 + 0.04 + 3 * 0.08)

    async def test_5b_a_heartbeat_is_life(self, server: ScriptedServer) -> None:
        begin = await self.begin(server)
        server.faults.append(Heartbeats(3))
        await server.publish(10)
        async with self.reading(server, begin) as source:
            # The event of the cursor again (by the rewind), those that were missed, and three of the stream.
            again = min(1, self.overlap)
            ids = await read_ids(source, again + MISSED + 3)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3 * SILENCE_SECONDS):
                    await source.next_batch(100)
            server.resume.set()
            ids += await read_ids(source, 10 - MISSED - 3)
        assert isinstance(server, MastodonServer)
        assert (server.pongs > 0) == (self.transport == "websocket"), "a server ends a WebSocket that answers no ping"
        assert ids == [server.event_id(number) for number in range(1 - again, 11)]
        assert len(server.attempts) == 1


class TestMastodonByEventStream(MastodonContract):
    transport = "sse"


class TestMastodonByWebSocket(MastodonContract):
    transport = "websocket"


class OtherServers(MastodonContract):
    """Servers that speak the protocol and have ids of another kind: none can be rewound, or compared."""

    overlap = 0
    transport = "websocket"
    name: Callable[[int], str]
    links = True

    @pytest.fixture
    async def server(self) -> AsyncIterator[MastodonServer]:
        server = MastodonServer()
        server.name, server.links = type(self).name, self.links
        await server.start()
        yield server
        await server.stop()


class TestServersWithRandomIds(OtherServers):
    name = staticmethod(random_id)


class TestServersWithSortedIdsAndWithoutLinks(OtherServers):
    name = staticmethod(sorted_id)
    links = False


@pytest.fixture(params=["sse", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server() -> AsyncIterator[MastodonServer]:
    server = MastodonServer()
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def reading(
    server: MastodonServer,
    options: str = "",
    cursor: str | None = None,
    token: str | None = TOKEN,
    backfilling: Backfilling = AT_ONCE,
    limits: MastodonLimits = LIMITS,
) -> AsyncIterator[MastodonSource]:
    source = MastodonSource(
        parse_feed(f"{server.base}?{options}" if options else server.base),
        SecretStr(token) if token else None,
        reconnecting=QUICK,
        limits=limits,
        backfilling=backfilling,
    )
    await source.open(cursor)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield source
    finally:
        await source.close()


async def test_without_a_cursor_it_begins_with_the_newest_page(server: MastodonServer) -> None:
    expected = await server.publish(2)
    async with reading(server) as source:
        assert await read_ids(source, 2) == expected
    assert "min_id" not in server.asked[0]


async def test_edits_and_deletions_are_streamed(server: MastodonServer, transport: str) -> None:
    edited = make_status(0, content="<p>Edited</p>", edited_at="2024-03-04T12:00:00.000Z")
    server.live = [
        ("status.update", json.dumps(edited)),
        ("delete", snowflake(0)),
        ("filters_changed", "undefined"),
        ("update", json.dumps(make_status(3, visibility="unlisted"))),
        ("update", json.dumps(make_status(4, reblog=make_status(1)))),
        ("announcement.delete", "7"),
        ("update", json.dumps(make_status(5))),
    ]
    async with reading(server, f"transport={transport}") as source:
        received: list[Received] = []
        while len(received) < 3:
            received += await read(source, 10)
        passed_over = dict(source.passed_over)
    post, deletion, last = (one.event for one in received)
    assert isinstance(post, Post)
    assert (post.text, post.revision) == ("Edited", 1_709_553_600_000_000)
    assert deletion == Deletion(id=server.event_id(0), source=server.source)
    assert isinstance(last, Post)
    assert [one.cursor for one in received] == [snowflake(0), snowflake(0), snowflake(5)]
    assert passed_over == {PassedOverStatus.OTHER_EVENT: 2, PassedOverStatus.NOT_PUBLIC: 1, PassedOverStatus.REBLOG: 1}


async def test_many_pages_are_read_oldest_first_while_the_stream_goes_on(transport: str) -> None:
    server = MastodonServer(overlapping=True)
    server.missed = 95
    await server.start()
    try:
        expected = await server.publish(100)
        async with reading(server, f"transport={transport}", snowflake(-1)) as source:
            ids = await read_ids(source, 100)
            assert source.gaps == 0
    finally:
        await server.stop()
    assert first_occurrences(ids) == expected
    assert {one["limit"] for one in server.asked} == {"40"}


async def test_a_status_that_came_late_is_found_by_the_rewind(server: MastodonServer) -> None:
    late = make_status(50, id=str(int(snowflake(9)) - 30_000 * 2**16 + 5))
    server.statuses[50] = late
    server.missed = 99
    await server.publish(51)
    async with reading(server, cursor=snowflake(9), backfilling=Backfilling(0.0, rewind_seconds=60.0)) as source:
        ids = await read_ids(source, 42)
    assert f"{server.source}:{late['id']}" in ids


async def test_a_late_status_on_the_stream_does_not_move_the_cursor_back(server: MastodonServer) -> None:
    server.live = [("update", json.dumps(make_status(number))) for number in (5, 3, 6)]
    async with reading(server) as source:
        received: list[Received] = []
        while len(received) < 3:
            received += await read(source, 10)
    assert [one.cursor for one in received] == [snowflake(5), snowflake(5), snowflake(6)]


async def test_what_the_server_cannot_give_again_is_a_counted_gap(server: MastodonServer) -> None:
    server.missed = 200
    await server.publish(200)
    async with reading(server, cursor=snowflake(-1), backfilling=Backfilling(0.0, 0.0, pages=2)) as source:
        ids = await read_ids(source, 80)
        await until(lambda: source.gaps == 1)
    assert ids == [server.event_id(number) for number in range(80)]


async def test_a_server_that_ignores_min_id_is_not_asked_for_ever(server: MastodonServer) -> None:
    server.ignores_min_id = True
    server.missed = 99
    await server.publish(45)
    async with reading(server, cursor=snowflake(2)) as source:
        await read_ids(source, 40)
        await until(lambda: source.gaps == 1)
    assert len(server.asked) == 2


async def test_a_page_that_is_too_large_is_asked_for_in_parts(server: MastodonServer) -> None:
    for number in range(8):
        server.statuses[number] = make_status(number, content=f"<p>{'long ' * 2000}</p>")
    server.missed = 99
    expected = await server.publish(8)
    limits = replace(LIMITS, page_bytes=35_000)
    async with reading(server, cursor=snowflake(-1), limits=limits) as source:
        assert await read_ids(source, 8) == expected
        assert source.gaps == 0
    assert "2" in [one["limit"] for one in server.asked]


async def test_a_status_that_is_too_large_even_alone_is_a_gap(server: MastodonServer) -> None:
    server.statuses[0] = make_status(0, content="x" * 50_000)
    server.missed = 99
    await server.publish(1)
    async with reading(server, cursor=snowflake(-1), limits=replace(LIMITS, page_bytes=35_000)) as source:
        reader = asyncio.create_task(source.next_batch(1))
        await until(lambda: source.gaps == 1)
        reader.cancel()


async def test_rate_limits_are_kept_to(server: MastodonServer) -> None:
    reset = datetime.now(UTC) + timedelta(seconds=0.7)
    server.rate = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset.isoformat().replace("+00:00", "Z")}
    server.missed = 99
    await server.publish(1)
    async with reading(server, cursor=snowflake(-1)) as source:
        await read_ids(source, 1)
    assert datetime.now(UTC) >= reset


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=429, headers={"Retry-After": "0.2"}),
        lambda: web.Response(status=502),
        lambda: web.Response(body=b"[{"),
        lambda: web.Response(body=b'{"error": "not a list"}'),
        lambda: web.Response(body=b"[" * 100_000),
        lambda: web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_a_timeline_that_fails_is_asked_again_and_nothing_is_lost(
    server: MastodonServer, answer: Callable[[], web.Response]
) -> None:
    server.missed = 99
    expected = await server.publish(3)
    server.answers = [answer()]
    async with reading(server, cursor=snowflake(-1)) as source:
        with pytest.raises(FeedUnavailable):
            await source.next_batch(1)
        assert await read_ids(source, 3) == expected


async def test_garbage_in_a_timeline_is_a_dead_letter(server: MastodonServer) -> None:
    server.answers = [web.json_response([7, None, {"id": "1"}, make_status(0), {"id": snowflake(0), "content": 3}])]
    async with reading(server, cursor=snowflake(-1)) as source:
        events = []
        while len(events) < 5:
            events += [one.event for one in await read(source, 10)]
    letters = [one for one in events if isinstance(one, DeadLetter)]
    assert len(letters) == 4
    assert len({one.origin for one in letters}) == 4
    assert letters[-1].post_id == server.event_id(0)


async def test_a_hashtag_that_nobody_used_yet_is_no_error(server: MastodonServer, transport: str) -> None:
    server.answers = [web.json_response({"error": "Record not found"}, status=404)] * 2
    server.live = [("update", json.dumps(make_status(5)))]
    async with reading(server, f"stream=hashtag&tag=Lisbon&transport={transport}", snowflake(0)) as source:
        assert await read_ids(source, 1) == [server.event_id(5)]
    assert any("tag=Lisbon" in path for path in server.paths)
    assert "/api/v1/timelines/tag/Lisbon" in server.paths


async def test_local_posts_have_paths_of_their_own(server: MastodonServer) -> None:
    await server.publish(1)
    async with reading(server, "stream=public:local") as source:
        await read_ids(source, 1)
    assert "/api/v1/streaming/public/local" in server.paths
    assert server.asked[0]["local"] == "true"


async def test_streams_elsewhere_must_be_allowed(server: MastodonServer) -> None:
    server.streaming = "wss://collector.example"
    async with reading(server) as source:
        with pytest.raises(BadSettings, match=r"streaming=collector\.example"):
            await source.next_batch(1)
    assert server.attempts == []


@pytest.mark.parametrize(
    "announced", [None, "ftp://x", "wss://user:password@127.0.0.1", "wss://[", "wss://127.0.0.1/x"]
)
async def test_an_announcement_that_makes_no_sense_is_passed_over(
    server: MastodonServer, announced: str | None
) -> None:
    server.streaming = announced
    await server.publish(1)
    async with reading(server) as source:
        await read_ids(source, 1)


async def test_a_missing_token_is_told_what_to_do_and_a_wrong_one_is_not_shown(
    server: MastodonServer, transport: str
) -> None:
    for token in (None, "a-secret"):
        server.faults.append(Refuse(401))
        server.checks_token = False
        async with reading(server, f"transport={transport}", token=token) as source:
            with pytest.raises(BadSettings, match="TAGSTREAM_MASTODON_TOKEN") as refused:
                await source.next_batch(1)
        assert "a-secret" not in str(refused.value)


async def test_a_place_that_is_none_of_ours_is_corrupt(server: MastodonServer) -> None:
    async with reading(server, cursor="../admin x") as source:
        with pytest.raises(CorruptState):
            await source.next_batch(1)


async def test_a_refused_subscription_is_told(server: MastodonServer) -> None:
    server.live_error = {"error": "Error: Access token does not have the required scopes", "status": 403}
    async with reading(server, "transport=websocket") as source:
        with pytest.raises(BadSettings):
            await source.next_batch(1)


async def test_a_spare_connection_is_given_back_long_before_the_client_library_would(server: MastodonServer) -> None:
    await server.publish(1)
    async with reading(server, "transport=websocket") as source:
        await read_ids(source, 1)
        # aiohttp keeps one for 15 s at the least where it is not told otherwise.
        async with asyncio.timeout(10):
            await until(lambda: client_sockets(server.port) == 1)


# --- ids of other kinds --------------------------------------------------------------------------------------------


@pytest.fixture(params=[random_id, sorted_id], ids=["random", "sorted"])
def other_server(request: pytest.FixtureRequest, server: MastodonServer) -> MastodonServer:
    server.name = request.param
    server.missed = 99
    return server


async def test_posts_replies_accounts_edits_and_deletions_of_any_ids(other_server: MastodonServer) -> None:
    server = other_server
    edited = {**server.status(1), "content": "<p>Edited</p>", "edited_at": "2024-03-04T12:00:00.000Z"}
    server.live = [("status.update", json.dumps(edited)), ("delete", server.name(2))]
    await server.publish(3)
    async with reading(server) as source:
        received: list[Received] = []
        while len(received) < 5:
            received += await read(source, 10)
    posts = [one.event for one in received if isinstance(one.event, Post)]
    assert [one.id for one in posts] == [server.event_id(number) for number in (0, 1, 2, 1)]
    assert posts[1].reply_to == server.event_id(0)
    assert all(one.author is not None and one.author.id == server.name(10_000) for one in posts)
    assert (posts[3].text, posts[3].revision) == ("Edited", 1_709_553_600_000_000)
    assert received[-1].event == Deletion(id=server.event_id(2), source=server.source)
    assert received[-1].cursor == server.name(2), "an edit of an old status is no new place"


@pytest.mark.parametrize("links", [True, False])
async def test_pages_follow_one_another_by_ids_that_nobody_can_compare(
    other_server: MastodonServer, links: bool
) -> None:
    server = other_server
    server.links = links
    expected = await server.publish(95)
    async with reading(server, cursor=server.name(2)) as source:
        assert await read_ids(source, 92) == expected[3:]
        await until(lambda: len(server.asked) == 4)
        assert source.gaps == 0
    assert [one.get("min_id") for one in server.asked] == [server.name(number) for number in (2, 42, 82, 94)]


async def test_a_place_that_the_server_has_forgotten_is_a_gap(other_server: MastodonServer) -> None:
    server = other_server
    server.forgotten = {server.name(2)}
    expected = await server.publish(50)
    async with reading(server, cursor=server.name(2)) as source:
        assert await read_ids(source, 40) == expected[10:]
        await until(lambda: source.gaps == 1)


@pytest.mark.parametrize(("published", "gaps"), [(45, 1), (30, 0)])
async def test_a_server_that_gives_its_newest_page_whatever_is_asked(
    other_server: MastodonServer, published: int, gaps: int
) -> None:
    server = other_server
    server.ignores_min_id = True
    expected = await server.publish(published)
    async with reading(server, cursor=server.name(2)) as source:
        assert (await read_ids(source, min(published, 40)))[-1] == expected[-1]
        await until(lambda: len(server.asked) == 1 + gaps)
        await until(lambda: source.gaps == gaps)
