"""Against a server as it is today a Bluesky feed gets back to its live end: what it is asked, and what it is told.

Such a server numbers its events, answers a time with the start of its active segment, may give its numbers to other
events after a crash, and drops whoever does not answer its pings or take its data in time.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from bluesky_world import START_US, TICK_US
from jetstream_server import SECOND, JetstreamServer
from network_contract import LARGEST_FRAME_BYTES, PATIENCE_SECONDS, QUICK, SILENCE_SECONDS, identity, read, until
from network_server import Drop, Refuse, Stall

from ingest.sources.bluesky.connection import JetstreamLimits
from ingest.sources.bluesky.cursor import RECENT_MARKS, read_cursor
from ingest.sources.bluesky.options import read_options
from ingest.sources.bluesky.source import BlueskySource
from ingest.sources.network.source import QUEUED_EVENTS, FeedUnavailable
from tagstream.posts import Erasure, Post
from tagstream.source import Received

LIMITS = JetstreamLimits(connect_seconds=5.0, silence_seconds=SILENCE_SECONDS, largest_frame_bytes=LARGEST_FRAME_BYTES)
FORMS = pytest.mark.parametrize("path", ["/subscribe", f"/xrpc/{SECOND}"])


def source_of(
    server: JetstreamServer, path: str = "/subscribe", query: str = "quiet=1", **limits: float
) -> BlueskySource:
    options = read_options(f"bluesky:{server.url}{path}?{query}")
    return BlueskySource(options, limits=replace(LIMITS, **limits), reconnecting=QUICK)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(source: BlueskySource, cursor: str | None = None) -> AsyncIterator[BlueskySource]:
    await source.open(cursor)
    try:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            yield source
    finally:
        await source.close()


@pytest.fixture
async def server() -> AsyncIterator[JetstreamServer]:
    server = JetstreamServer()
    await server.start()
    yield server
    await server.stop()
    assert server.world.failures == []


async def read_to(source: BlueskySource, last: str) -> list[Received]:
    """All that comes up to the post with that id."""
    received: list[Received] = []
    while not received or identity(received[-1]) != last:
        received += await read(source, 20)
    return received


async def publish_many(server: JetstreamServer, count: int) -> list[str]:
    """Publishes a few at a time, so that the server goes on pinging meanwhile."""
    ids: list[str] = []
    while len(ids) < count:
        ids += await server.publish(min(50, count - len(ids)))
        await asyncio.sleep(0)
    return ids


async def place_after(server: JetstreamServer, path: str, count: int) -> tuple[str, list[str]]:
    """The cursor after that many new posts, of which some stand in the active segment, and their ids."""
    async with opened(source_of(server, path)) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        ids = await server.publish(count)
        received = [*(await reader), *(await read_to(source, ids[-1]) if count > 1 else [])]
    await until(lambda: server.open_connections == 0)
    server.targets.clear()
    return received[-1].cursor, ids


@FORMS
async def test_it_goes_on_by_number_some_events_before_the_last(server: JetstreamServer, path: str) -> None:
    await server.publish(500)
    server.sealed = 100
    cursor, before = await place_after(server, path, 40)
    expected = await server.publish(30)
    async with opened(source_of(server, path), cursor) as source:
        ids = [identity(one) for one in await read_to(source, expected[-1])]
    assert ids == [*before[-RECENT_MARKS:], *expected]
    assert server.targets[0]["cursor"] == [str(540 - RECENT_MARKS + 1)]
    assert source.gaps == 0


@FORMS
async def test_a_dropped_connection_starts_no_segment_over(server: JetstreamServer, path: str) -> None:
    await server.publish(500)
    server.sealed = 100
    async with opened(source_of(server, path)) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        expected = await server.publish(1)
        received = list(await reader)
        server.faults.extend([Drop(20 + RECENT_MARKS)] * 3)
        server.peers[0].reset()
        expected += await server.publish(100)
        received += await read_to(source, expected[-1])
        ids = [identity(one) for one in received]
    assert list(dict.fromkeys(ids)) == expected
    assert len(ids) <= len(expected) + 4 * RECENT_MARKS
    assert source.counts()["passed_over_earlier"] == 0


@FORMS
async def test_after_a_silence_nothing_is_given_that_nobody_asked_for(server: JetstreamServer, path: str) -> None:
    """It began at the live end, without a cursor; the server fell silent after its first post, and was asked again."""
    before = await server.publish(500)
    server.sealed = 100
    server.faults.extend([Stall(1), Stall(0)])
    async with opened(source_of(server, path)) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        expected = await server.publish(10)
        received = [*(await reader), *(await read_to(source, expected[-1]))]
    ids = [identity(one) for one in received]
    assert list(dict.fromkeys(ids)) == expected
    assert not set(ids) & set(before)
    assert len(server.attempts) == 3


@FORMS
async def test_a_cursor_of_an_earlier_version_goes_on_by_time_and_nothing_older_is_given(
    server: JetstreamServer, path: str
) -> None:
    """The server answers with its whole active segment; what is saved then has numbers."""
    everything = await server.publish(300)
    server.sealed = 100
    async with opened(source_of(server, path), f"{START_US + 250 * TICK_US}@127.0.0.1:{server.port}") as source:
        received = await read_to(source, everything[-1])
    assert [identity(one) for one in received] == everything[247:]
    assert server.targets[0]["cursor"] == [str(START_US + 248 * TICK_US)]
    assert source.counts()["passed_over_earlier"] == 147
    place = read_cursor(received[-1].cursor)
    assert place is not None
    assert place.newest == 300
    assert source.gaps == 0


@FORMS
@pytest.mark.parametrize("wrong_seconds", [-1, 0, 7200, 2 * 365 * 86_400])
async def test_whatever_our_own_clock_says_no_post_is_passed_over_for_ever(
    server: JetstreamServer, path: str, wrong_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is behind by that much, or by decades."""
    everything = await server.publish(300)
    server.sealed = 100
    behind_us = START_US if wrong_seconds < 0 else wrong_seconds * TICK_US
    monkeypatch.setattr(time, "time_ns", lambda: (START_US + 300 * TICK_US - behind_us) * 1000)
    async with opened(source_of(server, path), f"{START_US + 250 * TICK_US}@127.0.0.1:{server.port}") as source:
        received = await read_to(source, everything[-1])
        expected = await server.publish(5)
        received += await read_to(source, expected[-1])
    assert [identity(one) for one in received][-58:] == [*everything[247:], *expected]
    assert source.gaps == 0


@FORMS
async def test_what_was_passed_over_is_not_read_again_when_the_connection_drops(
    server: JetstreamServer, path: str
) -> None:
    everything = await server.publish(300)
    server.sealed = 100
    server.faults.extend([Drop(60), Refuse(503), Drop(60)])
    async with opened(source_of(server, path), f"{START_US + 250 * TICK_US}@127.0.0.1:{server.port}") as source:
        received = await read_to(source, everything[-1])
    assert [identity(one) for one in received] == everything[247:]
    asked = [int(target["cursor"][0]) for target in server.targets]
    assert asked == [START_US + 248 * TICK_US, 160 - RECENT_MARKS + 1, 220 - 2 * RECENT_MARKS + 1]
    assert source.gaps == 0


@FORMS
@pytest.mark.parametrize("lost", [3, 20])
async def test_numbers_that_were_given_anew_lose_nothing(server: JetstreamServer, path: str, lost: int) -> None:
    """The server crashed, and what it had not written yet has other numbers now; more than we remember, or less."""
    await server.publish(500)
    server.sealed = 100
    cursor, before = await place_after(server, path, 40)
    server.crash(lost)
    expected = await server.publish(30)
    async with opened(source_of(server, path), cursor) as source:
        ids = [identity(one) for one in await read_to(source, expected[-1])]
    assert [one for one in dict.fromkeys(ids) if one in expected] == expected
    assert set(ids) <= {*before, *expected}
    assert source.gaps == 0


@FORMS
async def test_a_server_that_was_built_anew_is_asked_by_time(server: JetstreamServer, path: str) -> None:
    """Its few events have small numbers, so a number of ours is in its future: it would go on live, silently."""
    await server.publish(500)
    cursor, _ = await place_after(server, path, 40)
    del server.log[:480]
    server.log[:] = [event | {"cursor": number} for number, event in enumerate(server.log, start=1)]
    server.published = len(server.log)
    async with opened(source_of(server, path), cursor) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        expected = await server.publish(30)
        ids = [identity(one) for one in [*(await reader), *(await read_to(source, expected[-1]))]]
    assert [one for one in dict.fromkeys(ids) if one in expected] == expected
    assert len(server.targets) == 2


async def test_another_servers_numbers_mean_nothing(server: JetstreamServer) -> None:
    await server.publish(50)
    cursor, before = await place_after(server, "/subscribe", 40)
    expected = await server.publish(30)
    elsewhere = cursor.replace(f":{server.port}", ":9")
    async with opened(source_of(server), elsewhere) as source:
        ids = [identity(one) for one in await read_to(source, expected[-1])]
    assert ids[-30:] == expected
    assert server.targets[0]["cursor"] == [str(server.log[88]["time_us"] - 15 * TICK_US)]
    assert set(ids) <= {*before, *expected}


@FORMS
async def test_pings_are_answered_while_the_pipeline_stands_still(server: JetstreamServer, path: str) -> None:
    server.ping_seconds, server.patience_seconds = 0.1, 2.0
    async with opened(source_of(server, path)) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        expected = await publish_many(server, QUEUED_EVENTS + 2000)
        received = list(await reader)
        await asyncio.sleep(3 * server.patience_seconds)
        assert server.peers[0].pongs > 3
        received += await read_to(source, expected[-1])
    assert [identity(one) for one in received] == expected
    assert server.dropped == 0
    assert len(server.attempts) == 1


@FORMS
async def test_a_pipeline_that_falls_behind_comes_back_by_number(server: JetstreamServer, path: str) -> None:
    """What is read ahead is bounded: the connection is ended on purpose, and nothing is lost or read over again."""
    server.ping_seconds, server.patience_seconds = 0.1, 2.0
    async with opened(source_of(server, path, buffered_frames=500)) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        expected = await publish_many(server, QUEUED_EVENTS + 3000)
        received = list(await reader)
        await until(lambda: server.open_connections == 0)
        received += await read_to(source, expected[-1])
        ids = [identity(one) for one in received]
    assert list(dict.fromkeys(ids)) == expected
    assert server.dropped == 0
    behind = source.counts()["behind"]
    assert behind >= 1
    assert len(server.attempts) == 1 + behind
    assert len(ids) <= len(expected) + behind * RECENT_MARKS


async def test_what_is_too_old_for_the_server_is_a_gap_that_names_its_oldest(server: JetstreamServer) -> None:
    path = f"/xrpc/{SECOND}"
    await server.publish(50)
    cursor, _ = await place_after(server, path, 20)
    await server.publish(100)
    server.floor = 120
    expected = [server.event_id(number) for number in range(120, 170)]
    async with opened(source_of(server, path), cursor) as source:
        with pytest.raises(
            FeedUnavailable, match="no longer keeps what came next: it goes on with its oldest, number 121"
        ):
            await source.next_batch(1)
        ids = [identity(one) for one in await read_to(source, expected[-1])]
    assert ids == expected
    assert source.gaps == 1


async def test_a_server_that_began_later_than_asked_says_so_and_it_is_a_gap(server: JetstreamServer) -> None:
    everything = await server.publish(200)
    server.sealed, server.floor = 150, 100
    async with opened(source_of(server, f"/xrpc/{SECOND}"), f"{START_US + TICK_US}@127.0.0.1:{server.port}") as source:
        assert [identity(one) for one in await read_to(source, everything[-1])] == everything[100:]
    assert source.gaps == 1
    assert source.counts()["passed_over_notice"] == 1


async def test_what_a_server_says_at_the_end_is_told(server: JetstreamServer) -> None:
    async with opened(source_of(server, f"/xrpc/{SECOND}")) as source:
        reader = asyncio.create_task(source.next_batch(1))
        await until(lambda: server.open_connections == 1)
        error = {"$type": "error", "error": "ConsumerTooSlow", "message": "reading below\x1b[2J the floor rate"}
        await server.peers[0].send(json.dumps(error).encode())
        with pytest.raises(FeedUnavailable, match=r"ConsumerTooSlow: reading below \[2J the floor rate"):
            await reader


async def test_a_refusal_is_shown_in_the_servers_words(server: JetstreamServer) -> None:
    server.floor = 10
    await server.publish(20)
    source = source_of(server, f"/xrpc/{SECOND}", "quiet=1")
    server.faults.append(Refuse(503))
    async with opened(source, f"{START_US}@127.0.0.1:{server.port}"):
        with pytest.raises(FeedUnavailable, match="status 503"):
            await source.next_batch(1)


@FORMS
async def test_an_imported_date_moves_no_cursor(server: JetstreamServer, path: str) -> None:
    """The server's operator brought dates along from elsewhere: a live edit says that it is years old, or to come."""
    years = 3 * 365 * 24 * 3600 * TICK_US
    async with opened(source_of(server, path, "")) as source:
        reader = asyncio.create_task(read(source, 1))
        await until(lambda: server.open_connections == 1)
        first = await server.publish(20)
        received = [*(await reader), *(await read_to(source, first[-1]))]
        for shift in (-years, 20 * years, -years):
            server.world.now_us += shift
            server.world.write_post()
            server.world.now_us -= shift
        await server.follow()
        strange = [server.event_id(number) for number in range(20, 23)]
        received += await read_to(source, strange[-1])
        more = await server.publish(5)
        received += await read_to(source, more[-1])
    assert [identity(one) for one in received] == [*first, *strange, *more]
    times = [place.time_us for one in received if (place := read_cursor(one.cursor)) is not None]
    assert times == sorted(times)
    assert times[0] > START_US
    assert times[-1] < START_US + 60 * TICK_US
    positions = [one.event.position for one in received if isinstance(one.event, Post)]
    assert min(positions) > START_US, "an edit stands when it was seen, not when the post was first"
    async with opened(source_of(server, path, ""), received[-1].cursor) as again:
        expected = await server.publish(3)
        await read_to(again, expected[-1])
    assert again.gaps == source.gaps == 0


async def test_a_sync_voids_what_an_account_wrote_before_and_what_follows_counts(server: JetstreamServer) -> None:
    account = server.world.accounts[0]
    kept, gone = server.world.write_post(account), server.world.write_post(account)
    server.world.sync(account, silently_deleted=[gone])
    await server.follow()
    async with opened(source_of(server, f"/xrpc/{SECOND}"), f"{START_US}@127.0.0.1:{server.port}") as source:
        events = [one.event for one in await read(source, 10)]
        while len(events) < 4:
            events += [one.event for one in await read(source, 10)]
    first, second, erasure, again = events
    assert isinstance(first, Post)
    assert isinstance(second, Post)
    assert isinstance(again, Post)
    assert isinstance(erasure, Erasure)
    assert again.id == first.id == f"bluesky:{account.did}/{kept}"
    assert max(first.position, second.position) <= erasure.position < again.position
    assert again.revision > first.revision
