"""Webhooks to a real server on this machine: what is sent, what is refused, and what is tried again."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from search.detection.event_timeline import ClosedMinute
from search.index import Bucket, Page, Query
from search.limits import MAX_BUCKETS
from search.open import open_index
from search.testing.posts import tagged
from tagstream.detections import DetectedEvent, EventSubject, EvidencePost
from tagstream.errors import BadSettings, IndexUnavailable, UnreadableInput
from tagstream.network.address import parse_endpoints
from tagstream.posts import TaggedPost
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings
from tagstream.settings.detection import SavedQuery
from workers.notifications.alerts import AlertWatch
from workers.notifications.notifier import OUTBOX, Notifier, open_notifier, webhook_secret
from workers.notifications.outbox import MAX_WAITING, Notification, Outbox, receiver_of
from workers.notifications.webhook import NotDelivered, WebhookSender, signature

SECRET = b"a secret of sixteen letters"
MINUTE = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Receiver:
    """A server that keeps the requests it gets, and answers what it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.silent = False
        self.port = 0
        self.served: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=hidden"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await self.answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers | {"line": lines[0]}, body))
        if self.silent:
            await reader.read()  # until the client leaves
            return
        status = self.statuses.pop(0) if self.statuses else 204
        location = "Location: http://127.0.0.1:1/\r\n" if status == 302 else ""
        writer.write(f"HTTP/1.1 {status} x\r\n{location}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def serving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        if receiver.served:
            await asyncio.wait(receiver.served, timeout=10)


def sender(url: str, *allowed: str, timeout_seconds: float = 5.0, **options: Any) -> WebhookSender:
    return WebhookSender(url, SECRET, timeout_seconds=timeout_seconds, allowed=parse_endpoints(allowed), **options)


def notification(key: str = "event:1", receiver: str = "r", body: str = '{"a": "ö"}') -> Notification:
    return Notification(receiver, key, "event.detected", body)


def event(identifier: str, minute: datetime = MINUTE) -> DetectedEvent:
    subject = EventSubject(type="LOC", key="boston", text="Boston", posts=9, authors=9)
    return DetectedEvent(
        id=identifier,
        minute=minute,
        names=("Boston",),
        detected_at=MINUTE,
        started_at=MINUTE,
        peak_at=MINUTE,
        subjects=(subject,),
        authors=9,
        posts=9,
        score=8.0,
        evidence=(EvidencePost(post_id="jsonl:1", minute=minute, trending=("boston",)),),
        typical="jsonl:1",
    )


class CountingIndex:
    """An index with so many posts in each minute, counted from `MINUTE`."""

    def __init__(self, posts: dict[int, int]) -> None:
        self.posts = {MINUTE + minute * timedelta(minutes=1): count for minute, count in posts.items()}
        self.asked = 0
        self.is_fresh = False

    async def refresh(self) -> None:
        self.is_fresh = True

    async def post_counts(
        self, _: Query, *, since: datetime, until: datetime, bucket_seconds: int, with_authors: bool = True
    ) -> list[Bucket]:
        del with_authors
        self.asked += 1
        if not self.is_fresh:
            return [Bucket(since, 0, 0)] * -((since - until) // timedelta(seconds=bucket_seconds))
        step = timedelta(seconds=bucket_seconds)
        count = -((since - until) // step)
        assert 1 <= count <= MAX_BUCKETS
        starts = [since + number * step for number in range(count)]
        return [
            Bucket(start, sum(posts for at, posts in self.posts.items() if start <= at < start + step), 0)
            for start in starts
        ]


class Index:
    """The part of an index that a notifier asks: posts, how many a query finds, events, and what was stored."""

    def __init__(self) -> None:
        self.total = 0
        self.texts: dict[str, str] = {}
        self.withdrawn: set[str] = set()
        self.is_away = False
        self.stored: dict[str, bytes] = {}
        self.asked: list[Query] = []

    async def search(self, query: Query) -> Page:
        if query.text == '"':
            raise BadSettings("no query")
        self.asked.append(query)
        return Page((), self.total, None)

    async def detector_state(self, name: str) -> bytes | None:
        return self.stored.get(name)

    async def get(self, post_id: str) -> TaggedPost | None:
        return tagged("1", self.texts[post_id]) if post_id in self.texts else None

    async def event(self, identifier: str) -> DetectedEvent | None:
        if self.is_away:
            raise IndexUnavailable("away, says a test")
        return None if identifier in self.withdrawn else event(identifier)


async def test_a_request_is_signed_and_carries_its_key() -> None:
    async with serving() as receiver:
        await sender(receiver.url, f"127.0.0.1:{receiver.port}", now=lambda: 1_700_000_000.9).send(notification())
    headers, body = receiver.requests[0]
    assert headers["line"] == "POST /hook?token=hidden HTTP/1.1"
    assert json.loads(body) == {"a": "ö"}
    assert headers["idempotency-key"] == "event:1"
    assert headers["tagstream-event"] == "event.detected"
    assert headers["tagstream-timestamp"] == "1700000000"
    expected = hmac.new(SECRET, b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["tagstream-signature"] == f"v1={expected}" == signature(SECRET, 1_700_000_000, body)


async def test_a_private_address_is_refused_and_nothing_is_sent() -> None:
    async with serving() as receiver:
        with pytest.raises(NotDelivered, match="webhook_allowed"):
            await sender(receiver.url, "127.0.0.1:1").send(notification())
        assert receiver.requests == []


async def test_a_name_that_means_a_private_address_is_refused() -> None:
    async def resolve(_: str, __: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    with pytest.raises(NotDelivered, match=r"10\.0\.0\.7, which is not public"):
        await sender("http://desk.example.org/", resolve=resolve).send(notification())


@pytest.mark.parametrize(("status", "refused"), [(302, False), (401, False), (500, False), (400, True), (413, True)])
async def test_any_answer_but_2xx_is_no_delivery_and_no_redirect_is_followed(status: int, refused: bool) -> None:
    async with serving() as receiver:
        receiver.statuses = [status]
        with pytest.raises(NotDelivered, match=str(status)) as caught:
            await sender(receiver.url, f"127.0.0.1:{receiver.port}").send(notification())
        assert caught.value.refused is refused
        assert "hidden" not in str(caught.value)
        assert len(receiver.requests) == 1


async def test_a_receiver_that_says_nothing_costs_its_time_and_no_more() -> None:
    async with serving() as receiver:
        receiver.silent = True
        with pytest.raises(NotDelivered, match="did not answer within"):
            await sender(receiver.url, f"127.0.0.1:{receiver.port}", timeout_seconds=0.2).send(notification())


def test_an_outbox_is_bounded_and_drops_the_oldest_of_one_receiver_alone() -> None:
    outbox = Outbox([notification("other", "b")])
    for number in range(MAX_WAITING + 3):
        outbox.add(notification(f"event:{number}", "a"))
    outbox.add(notification(f"event:{MAX_WAITING}", "a"))  # a repeat
    assert [one.key for one in outbox.waiting_for("a")] == [f"event:{number + 3}" for number in range(MAX_WAITING)]
    assert [one.key for one in outbox.waiting_for("b")] == ["other"]
    assert outbox.dropped == 3
    assert Outbox.decoded(outbox.encoded()).waiting_for("a") == outbox.waiting_for("a")


def notifier(index: Any, *senders: WebhookSender, outbox: Outbox | None = None, alerts: Any = ()) -> Notifier:
    named = {receiver_of(str(one._url)): one for one in senders}
    back_off = BackOff(0.01, 0.02)
    return Notifier(index, named, list(named), AlertWatch(alerts), outbox or Outbox(), back_off=back_off)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what another task does
            await asyncio.sleep(0.01)


async def test_a_new_event_is_told_once_stored_and_a_receiver_that_fails_is_tried_again() -> None:
    async with serving() as receiver:
        receiver.statuses = [500, 503]
        told = notifier(Index(), sender(receiver.url, f"127.0.0.1:{receiver.port}"))
        await told.note([ClosedMinute(MINUTE, (), [event("e"), event("old", MINUTE + timedelta(minutes=3))])])
        running = asyncio.create_task(told.run())
        await asyncio.sleep(0.1)
        assert receiver.requests == []  # it is not yet durable
        assert told.waiting == 1
        told.stored()
        await until(lambda: told.sent == 1)
        running.cancel()
        await asyncio.wait([running])
    assert [headers["idempotency-key"] for headers, _ in receiver.requests] == ["event:e"] * 3
    assert json.loads(receiver.requests[0][1])["event"]["title"] == "Boston"
    assert told.waiting == 0


async def test_what_is_told_of_an_event_is_made_when_it_is_sent_of_the_posts_that_are_there() -> None:
    index = Index()
    index.texts["jsonl:1"] = "words that are deleted"
    async with serving() as receiver:
        told = notifier(index, sender(receiver.url, f"127.0.0.1:{receiver.port}"))
        await told.note([ClosedMinute(MINUTE, (), [event("gone"), event("e")])])
        stored = told.state()[OUTBOX]
        assert b"words" not in stored
        assert b"Boston" not in stored
        told.stored()
        index.texts["jsonl:1"] = "words of Boston"
        index.withdrawn.add("gone")
        index.is_away = True
        running = asyncio.create_task(told.run())
        await asyncio.sleep(0.1)
        assert (receiver.requests, told.waiting) == ([], 2)
        index.is_away = False
        await until(lambda: told.waiting == 0)
        running.cancel()
        await asyncio.wait([running])
    assert [headers["idempotency-key"] for headers, _ in receiver.requests] == ["event:e"]
    assert json.loads(receiver.requests[0][1])["event"]["title"] == "Boston: words of Boston"
    assert (told.sent, told.dropped) == (1, 0)


async def test_a_dead_receiver_keeps_no_other_waiting() -> None:
    async with serving() as dead, serving() as living:
        dead.silent = True
        told = notifier(
            Index(),
            sender(dead.url, f"127.0.0.1:{dead.port}", timeout_seconds=30),
            sender(living.url, f"127.0.0.1:{living.port}"),
        )
        for number in range(3):
            await told.note([ClosedMinute(MINUTE, (), [event(f"e{number}")])])
            told.stored()
        running = asyncio.create_task(told.run())
        await until(lambda: told.sent == 3)
        running.cancel()
        await asyncio.wait([running])
    assert len(dead.requests) == 1
    assert told.waiting == 3


async def test_what_a_receiver_refuses_lets_others_pass_and_is_given_up() -> None:
    async with serving() as receiver:
        receiver.statuses = [400, 204, *[400] * 20]
        told = notifier(Index(), sender(receiver.url, f"127.0.0.1:{receiver.port}"))
        await told.note([ClosedMinute(MINUTE, (), [event("bad"), event("good")])])
        told.stored()
        running = asyncio.create_task(told.run())
        await until(lambda: told.dropped == 1)
        running.cancel()
        await asyncio.wait([running])
    assert [headers["idempotency-key"] for headers, _ in receiver.requests][:2] == ["event:bad", "event:good"]
    assert told.waiting == 0


async def test_what_a_receiver_always_fails_at_lets_others_pass_and_is_kept() -> None:
    async with serving() as receiver:
        receiver.statuses = [500, 204, 204, *[500] * 20]
        told = notifier(Index(), sender(receiver.url, f"127.0.0.1:{receiver.port}"))
        await told.note([ClosedMinute(MINUTE, (), [event("bad"), event("good"), event("fine")])])
        told.stored()
        running = asyncio.create_task(told.run())
        await until(lambda: told.failures >= 3)
        running.cancel()
        await asyncio.wait([running])
    keys = [headers["idempotency-key"] for headers, _ in receiver.requests]
    assert keys[:4] == ["event:bad", "event:good", "event:fine", "event:bad"]
    assert (told.sent, told.waiting, told.dropped) == (2, 1, 0)


async def test_a_new_message_does_not_wait_for_the_pause_of_one_that_failed() -> None:
    async with serving() as receiver:
        receiver.statuses = [500, 500]
        told = notifier(Index(), sender(receiver.url, f"127.0.0.1:{receiver.port}"))
        told._back_off = PauseOfHours(0.01)
        await told.note([ClosedMinute(MINUTE, (), [event("bad")])])
        told.stored()
        running = asyncio.create_task(told.run())
        await until(lambda: told.failures == 2)
        await told.note([ClosedMinute(MINUTE, (), [event("new")])])
        told.stored()
        await until(lambda: told.sent == 1)
        running.cancel()
        await asyncio.wait([running])
    keys = [headers["idempotency-key"] for headers, _ in receiver.requests]
    assert keys == ["event:bad", "event:bad", "event:new"]
    assert told.waiting == 1


class PauseOfHours(BackOff):
    """A back-off whose second wait is of hours."""

    def full(self, failures: int) -> float:
        return self.first_seconds if failures == 1 else 9_999.0


async def test_what_was_not_sent_is_sent_after_a_restart_with_the_same_key() -> None:
    index = Index()
    async with serving() as receiver:
        settings = Settings.model_validate(
            {
                "webhook_urls": [receiver.url],
                "webhook_secret": SECRET.decode(),
                "webhook_allowed": [f"127.0.0.1:{receiver.port}"],
            }
        )
        first = await open_notifier(index, settings)  # type: ignore[arg-type]
        assert first is not None
        await first.note([ClosedMinute(MINUTE, (), [event("e")])])
        index.stored = first.state()  # and then it is killed
        assert b"hidden" not in index.stored[OUTBOX]
        second = await open_notifier(index, settings)  # type: ignore[arg-type]
        assert second is not None
        running = asyncio.create_task(second.run())
        await until(lambda: second.sent == 1)
        running.cancel()
        await asyncio.wait([running])
    assert receiver.requests[0][0]["idempotency-key"] == "event:e"


async def test_a_saved_query_is_told_when_it_reaches_its_count_and_again_after_it_was_below() -> None:
    # Of each minute: the hour that ends with it has 4, 5, 9, 9 … posts, and less when those of the beginning leave it.
    posts = {-5: 4, 1: 1, 2: 4, 70: 6}
    index, query = CountingIndex(posts), SavedQuery(query="flood", count=5, per="1h")
    watch = AlertWatch([query])
    found = []
    for passed in range(80):
        minute = MINUTE + passed * timedelta(minutes=1)
        found += await watch.look(index, minute, minute)  # type: ignore[arg-type]
        watch = AlertWatch([query], watch.encoded())  # it is restarted at every minute
    assert [(one.posts, one.until) for one in found] == [
        (5, MINUTE + timedelta(minutes=2)),
        (6, MINUTE + timedelta(minutes=71)),
    ]
    assert found[0].since == found[0].until - timedelta(hours=1)
    assert len({one.key for one in found}) == 2


async def test_posts_are_counted_that_are_seen_only_after_a_refresh() -> None:
    index, watch = CountingIndex({0: 9}), AlertWatch([SavedQuery(query="flood", count=9, per="1m")])
    (found,) = await watch.look(index, MINUTE, MINUTE)  # type: ignore[arg-type]
    assert found.posts == 9
    index.is_fresh = False
    assert await AlertWatch([]).look(index, MINUTE, MINUTE) == []  # type: ignore[arg-type]
    assert not index.is_fresh


@pytest.mark.parametrize("days", [1, 30])
async def test_a_count_that_is_reached_between_two_looks_is_told(days: int) -> None:
    index, query = CountingIndex({100: 20, 102: 20}), SavedQuery(query="flood", count=15, per="30m")
    watch = AlertWatch([query])
    assert await watch.look(index, MINUTE, MINUTE) == []  # type: ignore[arg-type]
    late = MINUTE + timedelta(days=days)
    found = await watch.look(index, late, late)  # type: ignore[arg-type]
    assert [(one.posts, one.until) for one in found] == [(20, MINUTE + timedelta(minutes=101))]
    assert await watch.look(index, late, late) == []  # type: ignore[arg-type]


async def test_a_feed_may_be_of_any_year_and_leave_out_as_many() -> None:
    index, query = CountingIndex({7: 9}), SavedQuery(query="flood", count=9, per="1h")
    watch = AlertWatch([query])
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert await watch.look(index, first, first) == []  # type: ignore[arg-type]
    (found,) = await watch.look(index, MINUTE, MINUTE + timedelta(minutes=7))  # type: ignore[arg-type]
    assert found.posts == 9
    assert index.asked <= 5


async def test_every_window_of_a_long_time_is_counted() -> None:
    """A batch of an archive closes months at once: what its minutes reached in the middle is told as well."""
    peaks = [at * 30 * 24 * 60 for at in range(1, 13)]  # a month lies between them
    posts = dict.fromkeys(range(1, 525_000, 500), 1) | {peak + passed: 3 for peak in peaks for passed in (0, 7)}
    index, query = CountingIndex(posts), SavedQuery(query="flood", count=6, per="30m")
    watch = AlertWatch([query])
    await watch.look(index, MINUTE, MINUTE)  # type: ignore[arg-type]
    late = MINUTE + timedelta(days=365)
    found = await watch.look(index, late, late)  # type: ignore[arg-type]
    assert [one.until for one in found] == [MINUTE + timedelta(minutes=peak + 8) for peak in peaks]
    assert index.asked < 60


async def test_a_feed_of_before_an_index_can_count_ends_no_run(tmp_path: Path) -> None:
    index = await open_index(f"sqlite:{tmp_path / 'posts.db'}")
    watch = AlertWatch([SavedQuery(query="flood", count=9, per="7d")])
    try:
        for year in (1, 1848, 1970, 2109, 9999):
            minute = datetime(year, 1, 1, tzinfo=UTC)
            assert await watch.look(index, minute, minute) == []
    finally:
        await index.close()


async def test_a_window_of_days_moves_by_the_hour_to_the_last_minute() -> None:
    index, query = CountingIndex({7: 9}), SavedQuery(query="flood", count=9, per="7d")
    watch = AlertWatch([query])
    last = MINUTE + timedelta(minutes=7)
    (found,) = await watch.look(index, MINUTE, last)  # type: ignore[arg-type]
    assert found.until == last + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"webhook_urls": ["https://a.example/"]}, "webhooks are signed"),
        ({"webhook_urls": ["https://a.example/"], "webhook_secret": "short"}, "could be guessed"),
        ({"alerts": [{"query": "a", "count": 1, "per": "1h"}]}, "nobody is told"),
        (
            {
                "webhook_urls": ["https://a.example/"],
                "webhook_secret": "x" * 16,
                "alerts": [{"query": '"', "count": 1, "per": "1h"}],
            },
            "alerts: the query",
        ),
    ],
)
async def test_settings_that_make_no_sense_are_refused_at_the_start(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        await open_notifier(Index(), Settings.model_validate(given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://10.0.0.7/hook?token=hidden", r"10\.0\.0\.7:80 is 10\.0\.0\.7, which is not public; webhook_allowed"),
        ("http://[::1]:8080/hidden", "only the ports 80 and 443"),
        ("https://desk.example:8443/hidden", "desk.example:8443: only the ports 80 and 443"),
        ("https://desk\x7f.example/hidden", "is none"),
        ("https://-.\u0378.example/hidden", "is none"),
    ],
)
async def test_an_address_that_nothing_is_ever_sent_to_is_refused_at_the_start(url: str, message: str) -> None:
    for given in (
        {"webhook_urls": [url]},
        {"alerts": [{"query": "a", "count": 1, "per": "1h", "url": url}]},
    ):
        settings = Settings.model_validate({**given, "webhook_secret": "x" * 16, "webhook_allowed": ["10.0.0.8:80"]})
        with pytest.raises(BadSettings, match=message) as caught:
            await open_notifier(Index(), settings)  # type: ignore[arg-type]
        assert "hidden" not in str(caught.value)


async def test_a_name_that_means_a_private_address_is_said_once_at_the_start() -> None:
    told: list[str] = []
    given = {"webhook_urls": ["http://localhost/hidden"], "webhook_secret": "x" * 16}
    assert await open_notifier(Index(), Settings.model_validate(given), told.append) is not None  # type: ignore[arg-type]
    (line,) = told
    assert "localhost cannot be delivered now" in line
    assert "webhook_allowed" in line
    assert "hidden" not in line
    allowed = ["127.0.0.1:80", "[::1]:80"]
    await open_notifier(Index(), Settings.model_validate({**given, "webhook_allowed": allowed}), told.append)  # type: ignore[arg-type]
    assert len(told) == 1


async def test_without_webhooks_there_is_no_notifier() -> None:
    assert await open_notifier(Index(), Settings()) is None  # type: ignore[arg-type]


def test_the_secret_is_read_from_a_file_and_no_message_shows_it(tmp_path: Any) -> None:
    file = tmp_path / "secret"
    file.write_text("  sixteen letters or more\n")
    settings = Settings.model_validate({"webhook_secret_file": file})
    assert webhook_secret(settings) == b"sixteen letters or more"
    with pytest.raises(UnreadableInput, match="webhook_secret_file"):
        webhook_secret(Settings.model_validate({"webhook_secret_file": tmp_path / "absent"}))
    assert "sixteen letters" not in repr(Settings.model_validate({"webhook_secret": "sixteen letters"}))
