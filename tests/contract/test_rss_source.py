"""The contract of a source behind a network, as a source that polls can keep it, on a server of feeds on loopback.

The scenarios have the numbers of `network_contract.py`. There is no connection that lasts, so 3 and 5 are about one
answer, 8 about a poll in progress; 11 is about feeds that are all refused.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from network_contract import PATIENCE_SECONDS, PROMPTLY_SECONDS, QUICK, identity, read, until
from rss_server import Answer, FeedServer, body, dropped, endless, item, packed, rss, stalled, status

from ingest.sandbox.child import SandboxLimits
from ingest.sources.network.source import FeedUnavailable
from ingest.sources.rss.document import Document
from ingest.sources.rss.feeds import parse_feeds
from ingest.sources.rss.fetch import FeedFetchLimits
from ingest.sources.rss.reader import UnreadableFeed, read_feed
from ingest.sources.rss.reading import FeedReaders, NotRead
from ingest.sources.rss.source import Polling, RssSource
from tagstream.errors import BadSettings, CorruptState
from tagstream.network.address import Endpoint
from tagstream.posts import DeadLetter, Post
from tagstream.source import Received

POLLING = Polling(every_seconds=0.05, longest_seconds=0.2, longest_failing_seconds=0.2, chance=lambda: 0.0)
LIMITS = FeedFetchLimits(connect_seconds=2.0, silence_seconds=0.5, total_seconds=1.0, body_bytes=256 * 1024)
NOW = datetime(2024, 3, 5, 12, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    server = FeedServer()
    await server.start()
    yield server
    await server.stop()


class InThisProcess(FeedReaders):
    """Reads feeds without a sandbox, which takes a second to start; its tests stand in test_rss_reading.py."""

    async def read(self, body: bytes, content_type: str, address: str) -> Document:
        try:
            return replace(read_feed(body, content_type), address=address)
        except UnreadableFeed as error:
            raise NotRead("no_feed", str(error)) from error


@asynccontextmanager
async def reading(
    server: FeedServer,
    *paths: str,
    cursor: str | None = None,
    polling: Polling = POLLING,
    readers: FeedReaders | None = None,
    allowed: Collection[Endpoint] = (),
) -> AsyncIterator[RssSource]:
    """A source that reads these feeds; nothing of it is left afterwards."""
    feeds = parse_feeds(",".join(server.address(path) for path in paths or ("/a",)))
    source = RssSource(
        feeds,
        reconnecting=QUICK,
        polling=polling,
        limits=LIMITS,
        readers=readers or InThisProcess(),
        allowed=allowed,
        now=lambda: NOW,
    )
    await source.open(cursor)
    try:
        yield source
    finally:
        async with asyncio.timeout(PROMPTLY_SECONDS):
            await source.close()
        await until(lambda: server.open == 0)


async def read_count(source: RssSource, count: int) -> list[Received]:
    received: list[Received] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(received) < count:
            received += await read(source, count - len(received))
    return received


def ids(server: FeedServer, *numbers: int) -> list[str]:
    return [f"rss:127.0.0.1-{server.port}:https://news.example/{number}" for number in numbers]


async def test_1_entries_come_oldest_first_and_new_ones_once(server: FeedServer) -> None:
    server.feeds["/a"] = rss(item(2), item(1), item(0))
    async with reading(server) as source:
        received = await read_count(source, 3)
        server.feeds["/a"] = rss(item(4), item(3), item(2))
        received += await read_count(source, 2)
        polls = len(server.asked)
        await until(lambda: len(server.asked) >= polls + 3)
        assert source.queued == 0
    assert [identity(one) for one in received] == ids(server, 0, 1, 2, 3, 4)


async def test_1b_a_feed_that_did_not_change_is_not_sent_again(server: FeedServer) -> None:
    server.feeds["/a"] = rss(item(0))
    async with reading(server) as source:
        await read_count(source, 1)
        await until(lambda: len(server.asked) >= 3)
    first, *later = server.asked
    assert "If-None-Match" not in first.headers
    assert all(one.headers["If-None-Match"] for one in later)
    assert first.headers["User-Agent"].startswith("tagstream/")


async def test_2_resume_from_any_cursor_loses_nothing(server: FeedServer) -> None:
    server.feeds["/a"], server.feeds["/b"] = rss(item(2), item(1), item(0)), rss(item(9), item(8))
    async with reading(server, "/a", "/b") as source:
        received = await read_count(source, 5)
    server.feeds["/a"] = rss(item(3), item(2), item(1), item(0))
    for place, one in enumerate(received):
        seen = {identity(earlier) for earlier in received[: place + 1]}
        async with reading(server, "/a", "/b", cursor=one.cursor) as source, asyncio.timeout(PATIENCE_SECONDS):
            while seen != set(ids(server, 0, 1, 2, 3, 8, 9)):
                seen |= {identity(again) for again in await read(source, 10)}


async def test_2b_from_the_last_cursor_nothing_comes_twice(server: FeedServer) -> None:
    server.feeds["/a"] = rss(item(1), item(0))
    async with reading(server) as source:
        received = await read_count(source, 2)
    for tag in ('"the same"', '"another"'):
        server.headers["ETag"] = tag
        polls = len(server.asked)
        async with reading(server, cursor=received[-1].cursor) as source:
            reader = asyncio.create_task(source.next_batch(10))
            await until(lambda polls=polls: len(server.asked) >= polls + 4)  # type: ignore[misc]
            assert not reader.done()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def test_2c_an_update_is_read_again_and_is_newer(server: FeedServer) -> None:
    updated = '<updated xmlns="http://www.w3.org/2005/Atom">2024-03-05T08:00:00Z</updated>'
    server.feeds["/a"] = rss(item(0))
    async with reading(server) as source:
        (first,) = await read_count(source, 1)
        server.feeds["/a"] = rss(item(0, updated))
        (second,) = await read_count(source, 1)
    assert isinstance(first.event, Post)
    assert isinstance(second.event, Post)
    assert (first.event.id, first.event.revision) == (second.event.id, 0)
    assert second.event.revision == int(datetime(2024, 3, 5, 8, tzinfo=UTC).timestamp()) * 1_000_000
    assert second.event.created_at == first.event.created_at


async def test_2e_what_lay_in_the_buffer_when_a_connection_ended_is_given_again(server: FeedServer) -> None:
    server.feeds["/a"], server.feeds["/b"] = rss(item(0)), rss(item(1))
    async with reading(server, "/a", "/b") as source, asyncio.timeout(PATIENCE_SECONDS):
        first_connection = source.connect(None)
        first = await anext(first_connection)
        # A feed is asked again only after its last answer was buffered.
        await until(lambda: len(server.polls("/a")) >= 2 and len(server.polls("/b")) >= 2)
        await first_connection.aclose()
        async with aclosing(source.connect(first.cursor)) as second_connection:
            second = await anext(second_connection)
    assert {identity(first), identity(second)} == set(ids(server, 0, 1))


async def test_2d_a_cursor_that_is_none_of_ours_is_refused(server: FeedServer) -> None:
    async with reading(server, cursor='{"version": 1, "feeds": {"x": 7}}') as source:
        with pytest.raises(CorruptState):
            await source.next_batch(1)


@pytest.mark.parametrize("fault", [dropped, stalled, endless, status(500), status(404), body(b"")])
async def test_3_5_7_a_bad_answer_is_asked_for_again(server: FeedServer, fault: Answer) -> None:
    server.feeds["/a"] = rss(item(0))
    server.scripts["/a"].extend([fault, fault])
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(FeedUnavailable):  # an empty answer is a dead letter before that
            await _only_letters(source)
        while identity((await read(source, 1))[0]) != ids(server, 0)[0]:
            pass
    assert len(server.asked) >= 3
    assert server.asked[2].moment - server.asked[1].moment >= 2 * POLLING.every_seconds * 0.9


@pytest.mark.parametrize("code", [429, 503])
async def test_4_retry_after_is_kept_to(server: FeedServer, code: int) -> None:
    server.feeds["/a"] = rss(item(0))
    server.scripts["/a"].append(status(code, Retry_After="1"))
    polling = Polling(every_seconds=0.05, chance=lambda: 0.0)
    async with reading(server, polling=polling) as source, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(FeedUnavailable) as refused:
            await source.next_batch(10)
        await read_count(source, 1)
    assert refused.value.retry_after_seconds == 1.0
    assert server.asked[1].moment - server.asked[0].moment >= 0.99


async def test_4b_a_feed_is_asked_as_rarely_as_it_wishes(server: FeedServer) -> None:
    server.headers["Cache-Control"] = "public, max-age=600"
    server.feeds["/a"], server.feeds["/b"] = rss(item(0)), rss(item(1))
    polling = Polling(every_seconds=0.05, longest_seconds=0.4, chance=lambda: 0.0)
    async with reading(server, polling=polling) as source:
        await read_count(source, 1)
        await until(lambda: len(server.asked) >= 2)
    assert server.asked[1].moment - server.asked[0].moment >= 0.39


@pytest.mark.parametrize("garbage", [b"<html><body>Sign in</body></html>", b"\x00\xff", b"{}", b"<nothing/>" * 300])
async def test_6_what_is_no_feed_is_one_dead_letter(server: FeedServer, garbage: bytes) -> None:
    server.feeds["/a"], server.feeds["/b"] = garbage, rss(item(0))
    letters = []
    for _ in range(2):
        async with reading(server, "/a", "/b") as source:
            received = await read_count(source, 2)
            polls = len(server.polls("/a"))
            await until(lambda polls=polls: len(server.polls("/a")) >= polls + 2)  # type: ignore[misc]
            assert source.queued == 0
            assert source.counts()["no_feed"] >= 2
        letters += [one.event for one in received if isinstance(one.event, DeadLetter)]
        assert ids(server, 0)[0] in [identity(one) for one in received]
    assert len(letters) == 2
    assert letters[0] == letters[1]
    assert letters[0].body == garbage


async def test_6b_one_bad_feed_stops_no_other(server: FeedServer) -> None:
    server.feeds["/b"] = rss(item(0))
    server.scripts["/a"].extend([stalled] * 50)
    async with reading(server, "/a", "/b", "/gone") as source, asyncio.timeout(PATIENCE_SECONDS):
        (received,) = await source.next_batch(5)
        server.feeds["/b"] = rss(item(1), item(0))
        (more,) = await source.next_batch(5)
    assert [identity(received), identity(more)] == ids(server, 0, 1)


@pytest.mark.parametrize("unpacked", [b"\0" * 100_000_000, rss(*(item(one) for one in range(600)), "x" * 300_000)])
async def test_7_a_bomb_is_refused_in_bounded_memory(server: FeedServer, unpacked: bytes) -> None:
    server.scripts["/a"].append(packed(unpacked))
    server.feeds["/a"] = rss(item(0))
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        tracemalloc.start()
        try:
            with pytest.raises(FeedUnavailable, match="bytes"):
                await source.next_batch(1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20 * LIMITS.body_bytes
        assert identity((await read(source, 1))[0]) == ids(server, 0)[0]


async def test_7b_a_packed_feed_is_read(server: FeedServer) -> None:
    server.scripts["/a"].append(packed(rss(item(0))))
    async with reading(server) as source:
        assert [identity(one) for one in await read_count(source, 1)] == ids(server, 0)


@pytest.mark.parametrize("fault", [None, stalled, endless, status(503, Retry_After="60")])
async def test_8_close_is_prompt_in_every_state(server: FeedServer, fault: Answer | None) -> None:
    if fault is not None:
        server.scripts["/a"].extend([fault] * 5)
    server.feeds["/a"] = rss(item(0))
    async with reading(server) as source:
        reader = asyncio.create_task(_read_quietly(source))
        await until(lambda: bool(server.asked))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(PROMPTLY_SECONDS):
            await source.close()
            await source.close()
            await reader


async def test_9_a_cancelled_read_loses_nothing(server: FeedServer) -> None:
    found: list[str] = []
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        for round_ in range(30):
            server.feeds["/a"] = rss(*(item(number) for number in range(round_, -1, -1)))
            reader = asyncio.create_task(source.next_batch(1))
            for _ in range(round_ % 7):
                await asyncio.sleep(0.01)
            reader.cancel()
            (result,) = await asyncio.gather(reader, return_exceptions=True)
            if not isinstance(result, BaseException):
                found += [identity(one) for one in result]
        while len(found) < 30:
            found += [identity(one) for one in await read(source, 50)]
    assert found == ids(server, *range(30))


async def test_11_feeds_that_are_all_refused_are_fatal(server: FeedServer) -> None:
    server.scripts["/a"].extend([status(403)] * 9)
    server.scripts["/b"].extend([status(410)] * 9)
    async with reading(server, "/a", "/b") as source, asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(2):
            with pytest.raises(BadSettings, match="answers 4"):
                await source.next_batch(10)


async def test_11b_a_feed_that_was_read_before_may_refuse_for_a_while(server: FeedServer) -> None:
    server.feeds["/a"] = rss(item(0))
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        await read_count(source, 1)
        server.scripts["/a"].append(status(403))
        with pytest.raises(FeedUnavailable, match="answers 403"):
            await source.next_batch(1)
        server.feeds["/a"] = rss(item(1), item(0))
        assert [identity(one) for one in await read_count(source, 1)] == ids(server, 1)


async def test_12_where_nobody_listens_it_waits(server: FeedServer) -> None:
    await server.stop()
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(3):
            with pytest.raises(FeedUnavailable):
                await source.next_batch(10)


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("file:///etc/passwd", "no address of the web"),
        ("http://user:password@127.0.0.1:{port}/b", "no address of the web"),
        ("ftp://127.0.0.1/b", "no address of the web"),
        ("/a", "more than 5 redirects"),
    ],
)
async def test_a_redirect_that_leads_nowhere_good_is_a_failure(server: FeedServer, location: str, problem: str) -> None:
    server.feeds["/b"] = rss(item(0))
    server.scripts["/a"].extend([status(302, Location=location.format(port=server.port))] * 6)
    async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(FeedUnavailable, match=problem):
            await source.next_batch(1)
    assert not server.polls("/b")


async def test_a_redirect_is_followed_and_the_feed_keeps_its_ids(server: FeedServer) -> None:
    server.feeds["/b"] = rss(item(0))
    server.scripts["/a"].append(status(301, Location="/b", Set_Cookie="session=1"))
    async with reading(server) as source:
        assert [identity(one) for one in await read_count(source, 1)] == ids(server, 0)
    assert "Cookie" not in server.polls("/b")[0].headers


@pytest.mark.parametrize("at", ["http://127.0.0.1:{other}/b", "http://localhost:{other}/b", "http://[::1]/b"])
async def test_a_redirect_to_a_private_address_is_not_followed_nor_kept(server: FeedServer, at: str) -> None:
    other = FeedServer()
    await other.start()
    other.feeds["/b"] = rss(item(0))
    server.scripts["/a"].extend([status(302, Location=at.format(other=other.port))] * 5)
    try:
        async with reading(server) as source, asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(FeedUnavailable, match="leads where no feed is fetched from"):
                await source.next_batch(1)
            assert source.counts()["refused_address"] >= 1
            assert source.queued == 0
        assert not other.asked
        allowed = [(IPv4Address("127.0.0.1"), other.port)]
        if "127.0.0.1" in at:
            async with reading(server, allowed=allowed) as source:
                assert len(await read_count(source, 1)) == 1
    finally:
        await other.stop()


async def test_nobody_else_chooses_what_is_asked_of_a_private_server_that_was_named(server: FeedServer) -> None:
    other = FeedServer()
    await other.start()
    back = server.address("/secret")
    server.feeds["/secret"] = rss(item(0))
    server.scripts["/a"].append(status(302, Location=other.address("/away")))
    other.scripts["/away"].append(status(302, Location=back))
    allowed = [(IPv4Address("127.0.0.1"), other.port)]
    try:
        async with reading(server, allowed=allowed) as source, asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(FeedUnavailable, match=r"not public|only the ports"):
                await source.next_batch(1)
        assert other.asked
        assert not server.polls("/secret")
    finally:
        await other.stop()


async def test_one_id_in_two_feeds_of_a_host_is_two_posts(server: FeedServer) -> None:
    numbered = item(0).replace("<guid>https://news.example/0</guid>", "<guid>101</guid>")
    server.feeds["/city"], server.feeds["/sport"] = rss(numbered), rss(numbered.replace("Title 0", "Sport"))
    async with reading(server, "/city", "/sport") as source:
        received = await read_count(source, 2)
    assert len({identity(one) for one in received}) == 2
    assert all(isinstance(one.event, Post) and one.event.id.endswith("/101") for one in received)


async def test_a_live_blog_gives_each_story_once_whatever_is_added_or_falls_out(server: FeedServer) -> None:
    def story(number: int) -> str:
        return (
            item(number)
            .replace(f"<guid>https://news.example/{number}</guid>", "")
            .replace(f"<link>https://news.example/{number}</link>", "<link>https://news.example/live</link>")
        )

    def show(*numbers: int) -> None:
        server.feeds["/a"] = rss(*(story(number) for number in numbers))

    show(1, 0)
    async with reading(server) as source:
        received = await read_count(source, 2)
        for numbers in ((2, 1, 0), (3, 2)):
            show(*numbers)
            received += await read_count(source, 1)
        show(3)
        polls = len(server.asked)
        await until(lambda: len(server.asked) >= polls + 3)
        assert source.queued == 0
    show(4, 3)
    async with reading(server, cursor=received[-1].cursor) as source:
        received += await read_count(source, 1)
    assert len({identity(one) for one in received}) == 5


async def test_doubles_without_id_and_date_come_once_each_whichever_stays(server: FeedServer) -> None:
    def double(words: str) -> str:
        return (
            f"<item><link>https://news.example/live</link><title>Live</title><description>{words}</description></item>"
        )

    server.feeds["/a"] = rss(double("one"), double("two"))
    async with reading(server) as source:
        received = await read_count(source, 2)
        server.feeds["/a"] = rss(double("one"))
        polls = len(server.asked)
        await until(lambda: len(server.asked) >= polls + 3)
        assert source.queued == 0
    server.feeds["/a"] = rss(double("three"), double("two"))
    async with reading(server, cursor=received[-1].cursor) as source:
        received += await read_count(source, 1)
    assert len({identity(one) for one in received}) == 3


async def test_an_old_feed_whose_dates_cannot_be_read_is_not_new(server: FeedServer) -> None:
    def unreadable(number: int) -> str:
        return item(number).replace("Mon, 04 Mar 2024", "ke la 4, khwezi")

    server.feeds["/a"] = rss(unreadable(5), item(3), unreadable(2), item(1))
    server.feeds["/b"] = rss(unreadable(9), unreadable(8))
    async with reading(server, "/a", "/b") as source:
        received = await read_count(source, 6)
        counts = source.counts()
    written = {identity(one): one.event.created_at for one in received if isinstance(one.event, Post)}
    assert counts["undated"] == 4
    assert max(written.values()) < datetime(2024, 3, 4, 11, tzinfo=UTC)
    order = sorted(written, key=written.__getitem__)
    assert order == ids(server, 8, 9, 1, 2, 3, 5)


async def test_a_zone_that_is_named_by_a_place_is_known_where_no_file_can_be_read(server: FeedServer) -> None:
    zones = ("Pacific/Auckland", "Europe/Nowhere")
    server.feeds["/a"] = rss(*(item(number).replace("+0000", zone) for number, zone in enumerate(zones, 1)))
    async with reading(server) as source:
        received = await read_count(source, 2)
        assert source.counts()["undated"] == 1
    written = {identity(one): one.event.created_at for one in received if isinstance(one.event, Post)}
    assert datetime(2024, 3, 3, 21, 1, tzinfo=UTC) in written.values()


async def test_a_feed_without_dates_is_as_old_as_its_server_says(server: FeedServer) -> None:
    server.feeds["/a"] = rss("<item><title>One</title></item>")
    server.headers["Last-Modified"] = "Mon, 04 Mar 2024 10:00:00 GMT"
    async with reading(server) as source:
        (received,) = await read_count(source, 1)
    assert isinstance(received.event, Post)
    assert received.event.created_at.replace(microsecond=0) == datetime(2024, 3, 4, 10, tzinfo=UTC)


async def test_of_a_feed_with_too_many_entries_the_newest_come_and_the_rest_is_counted(server: FeedServer) -> None:
    short = [f"<item><guid>https://news.example/{n}</guid><title>{n}</title></item>" for n in range(1003)]
    server.feeds["/a"] = rss(*short)
    async with reading(server) as source:
        received = await read_count(source, 1000)
        assert source.counts()["left_out"] == 3
    assert identity(received[-1]) == ids(server, 0)[0]


async def test_a_feed_that_costs_too_much_is_one_dead_letter_and_the_others_go_on(server: FeedServer) -> None:
    server.feeds["/a"], server.feeds["/b"] = rss("<item>" * 40_000), rss(item(0))
    # The costly document takes about 0.3 s and the other 0.2 ms, so a machine several times as fast or as slow serves.
    readers = FeedReaders(SandboxLimits(memory_bytes=768 * 1024 * 1024, processor_seconds=0.05))
    async with reading(server, "/a", "/b", readers=readers) as source:
        received = await read_count(source, 2)
        server.feeds["/b"] = rss(item(1), item(0))
        received += await read_count(source, 1)
        assert source.counts()["too_slow"] >= 1
    letters = [one.event for one in received if isinstance(one.event, DeadLetter)]
    assert [(one.cause, one.size) for one in letters] == [("too_slow", len(server.feeds["/a"]))]
    assert [identity(one) for one in received if isinstance(one.event, Post)] == ids(server, 0, 1)


async def _only_letters(source: RssSource) -> None:
    while True:
        assert all(isinstance(one.event, DeadLetter) for one in await source.next_batch(1))


async def _read_quietly(source: RssSource) -> None:
    while True:
        try:
            if not await source.next_batch(10):
                return
        except FeedUnavailable:
            pass
