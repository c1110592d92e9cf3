"""The streams of X against a server that speaks its API: rules, back-filling, gaps, refusals, compliance."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from x_server import (
    COMPLIANCE,
    RULES,
    STREAM,
    STREAM_HEAD,
    TOKEN,
    Chunks,
    Request,
    RuleBook,
    answer,
    frame,
    problem_in,
    read_request,
    snowflake,
)

from ingest.sources.network.source import FeedUnavailable, Reconnecting
from ingest.sources.open import open_source
from ingest.sources.x.rules import TAG
from ingest.sources.x.source import XSource
from tagstream.errors import BadSettings, CorruptState, Fatal
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Event, Post, to_epoch_milliseconds
from tagstream.settings import Settings, load_settings
from tagstream.source import Received

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOW_MS = to_epoch_milliseconds(NOW)
ID = snowflake(NOW_MS - 1000)
QUICK = Reconnecting(first_seconds=0.01, longest_seconds=0.02, chance=lambda: 1.0)

Serve = Callable[[Request, Chunks], Awaitable[None]]


class FakeX:
    """X on loopback: `serve` plays a stream once it is open; `refusals` are the answers to the next ones instead."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.book = RuleBook()
        self.refusals: list[bytes] = []
        self.streams: list[Request] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await read_request(reader):
                writer.write(await self._answer(request, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with suppress(ConnectionError):
                writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bytes:
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return answer(401, {"title": "Unauthorized", "detail": "Unauthorized", "status": 401})
        if request.path == RULES:
            return self.book.handle(request)
        assert request.path in (STREAM, *COMPLIANCE), request.path
        if problem := problem_in(request.path, request.query):
            return answer(400, {"errors": [{"message": problem}], "title": "Invalid Request", "detail": problem})
        self.streams.append(request)
        if self.refusals:
            return self.refusals.pop(0)
        writer.write(STREAM_HEAD)
        await self.serve(request, Chunks(writer))
        return b""


def says(*documents: object) -> Serve:
    """The filtered stream says this once, and the others nothing; all stay open."""

    async def serve(request: Request, chunks: Chunks) -> None:
        for document in documents if request.path == STREAM else ():
            if isinstance(document, bytes):
                await chunks.write(document)
            else:
                await chunks.say(document)
        while True:
            await chunks.heartbeat()
            await asyncio.sleep(0.05)

    return serve


@asynccontextmanager
async def reading(
    serve: Serve, cursor: str | None = None, book: RuleBook | None = None, **options: Any
) -> AsyncIterator[tuple[XSource, FakeX]]:
    server = FakeX(serve)
    server.book = book or server.book
    await server.start()
    options = {"rules": ("rain",), "silence_seconds": 2.0, "now": lambda: NOW, **options}
    source = XSource(TOKEN, base=f"http://127.0.0.1:{server.port}", reconnecting=QUICK, **options)
    await source.open(cursor)
    try:
        yield source, server
    finally:
        await source.close()
        await server.stop()


async def take(source: XSource, count: int) -> list[Received]:
    """The next events; attempts that failed are gone over."""
    found: list[Received] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            with suppress(FeedUnavailable):
                found += await source.next_batch(count - len(found))
    return found


async def failure(source: XSource) -> Exception:
    """What the next call raises."""
    async with asyncio.timeout(20):
        try:
            given = await source.next_batch(10)
        except (FeedUnavailable, Fatal) as error:
            return error
    raise AssertionError(f"it gave {given}")


# --- rules ---------------------------------------------------------------------------------------------------------


async def test_rules_with_our_tag_become_those_that_are_named_and_no_others() -> None:
    book = RuleBook()
    book.add("kept", TAG)
    book.add("outdated", TAG)
    foreign = book.add("theirs", "another")
    untagged = book.add("rain")
    async with reading(says(frame(ID)), book=book, rules=("kept", "new", " new ", "rain")) as (source, _):
        await take(source, 1)
    by_value = {one["value"]: one.get("tag") for one in book.rules.values()}
    assert by_value == {"kept": TAG, "new": TAG, "theirs": "another", "rain": None}
    assert {foreign, untagged} <= book.rules.keys()
    # The new ones are there before the old ones go.
    assert [list(one) for one in book.requests if isinstance(one, dict)] == [["add"], ["delete"]]


async def test_rules_that_are_right_are_not_touched() -> None:
    book = RuleBook()
    book.add("rain", TAG)
    async with reading(says(frame(ID)), book=book) as (source, _):
        await take(source, 1)
    assert book.requests == []


async def test_without_rules_of_ours_those_of_the_app_are_left() -> None:
    book = RuleBook()
    book.add("old", TAG)
    async with reading(says(frame(ID)), book=book, rules=()) as (source, _):
        await take(source, 1)
    assert book.requests == []
    async with reading(says(frame(ID)), rules=()) as (source, _):
        assert "x_rules" in str(await failure(source))


async def test_a_rule_that_x_refuses_is_the_users_to_cure() -> None:
    book = RuleBook()
    book.refused["rain ("] = "missing closing parenthesis"
    async with reading(says(), book=book, rules=("rain (",)) as (source, server):
        for _ in range(2):
            error = await failure(source)
            assert isinstance(error, BadSettings)
            assert "rain (" in str(error)
            assert "missing closing parenthesis" in str(error)
        assert server.streams == []


async def test_rules_that_no_tier_takes_are_refused_before() -> None:
    with pytest.raises(BadSettings, match="characters"):
        XSource(TOKEN, rules=("x" * 3000,))
    with pytest.raises(BadSettings, match="1,001 rules"):
        XSource(TOKEN, rules=[str(number) for number in range(1001)])


# --- what comes ----------------------------------------------------------------------------------------------------


async def test_a_post_and_what_was_asked_for_it() -> None:
    document = frame(
        ID, "🌧️ over #Lisbon &amp; Porto", entities={"hashtags": [{"start": 8, "end": 15, "tag": "Lisbon"}]}
    )
    async with reading(says(b"\r\n", document, {**document, "errors": [{"title": "Not Found Error"}]})) as (
        source,
        server,
    ):
        first, second = await take(source, 2)
    assert first.event == second.event
    post = first.event
    assert isinstance(post, Post)
    assert (post.id, post.source, post.position) == (f"x:{ID}", "x", ID)
    assert post.author is not None
    assert post.author.handle == "ann"
    assert post.text == "🌧️ over #Lisbon &amp; Porto"
    assert [(one.text, one.start) for one in post.hashtags] == [("Lisbon", 8)]
    assert first.cursor == str(NOW_MS - 1000)
    asked = dict(server.streams[0].query)
    assert {"author_id", "attachments.media_keys", "referenced_tweets.id"} <= set(asked["expansions"].split(","))
    assert "alt_text" in asked["media.fields"].split(",")
    assert "note_tweet" in asked["tweet.fields"].split(",")
    assert "backfill_minutes" not in asked


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"nonsense", "invalid_json"),
        (b"\xff\xfe", "invalid_utf8"),
        (b"[]", "not_an_object"),
        (b"{}", "bad_id"),
        (b'{"matching_rules": []}', "bad_id"),
        (b'{"data": []}', "bad_field"),
        (b'{"data": {"id": "abc", "text": "x"}}', "bad_id"),
        (json.dumps(frame(ID, created_at="yesterday")).encode(), "bad_created_at"),
        (b'{"data": ' + b"[" * 50_000 + b"}", "invalid_json"),
        (b'{"data": {"id": "' + b"9" * 2_000_000 + b'"}}', "line_too_long"),
    ],
)
async def test_garbage_is_a_letter_of_one_origin_and_the_stream_goes_on(line: bytes, cause: str) -> None:
    async with reading(says(line + b"\r\n", line + b"\r\n", frame(ID))) as (source, server):
        first, second, post = await take(source, 3)
    assert isinstance(first.event, DeadLetter)
    assert first.event == second.event
    assert first.event.cause == cause
    assert first.event.source == "x"
    assert isinstance(post.event, Post)
    assert len(server.streams) == 1


async def test_the_letter_of_a_post_names_it_so_that_deletions_reach_it() -> None:
    async with reading(says(frame(ID, created_at="yesterday"))) as (source, _):
        (one,) = await take(source, 1)
    assert isinstance(one.event, DeadLetter)
    assert (one.event.post_id, one.event.author, one.event.position) == (f"x:{ID}", "2244994945", ID)


@pytest.mark.parametrize(
    "problem",
    [
        {"errors": [{"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"}]},
        {"title": "operational-disconnect", "connection_issue": "TooManyConnections", "detail": "Too many."},
        {"errors": "\x1b[31m"},
    ],
)
async def test_a_disconnect_that_x_announces_is_said_and_outlived(problem: dict[str, Any]) -> None:
    async with reading(says(frame(ID), problem, frame(ID + 1))) as (source, server):
        await take(source, 1)
        error = await failure(source)
        assert isinstance(error, FeedUnavailable)
        assert "\x1b" not in str(error)
        await take(source, 1)
        assert len(server.streams) == 2


# --- refusals ------------------------------------------------------------------------------------------------------


async def test_a_wrong_token_is_fatal_and_not_shown() -> None:
    async with reading(says()) as (_, server):
        source = XSource("SECRETsecretSECRET", base=f"http://127.0.0.1:{server.port}", rules=("rain",))
        await source.open(None)
        error = await failure(source)
        await source.close()
    assert isinstance(error, BadSettings)
    assert "x_bearer_token" in str(error)
    assert "SECRET" not in str(error)
    assert "SECRET" not in repr(source)


@pytest.mark.parametrize("status", [302, 400, 402, 404, 410, 422])
async def test_what_would_be_refused_for_ever_is_fatal(status: int) -> None:
    async with reading(says()) as (source, server):
        server.refusals.append(answer(status, {"detail": "It \x1b[31mcannot\n be."}, location="http://127.0.0.1:1/"))
        error = await failure(source)
    assert isinstance(error, BadSettings)
    assert f"with {status} (It  [31mcannot  be.)" in str(error)
    assert len(server.streams) == 1


@pytest.mark.parametrize("body", [b"x" * 200_000, b"[" * 50_000, b"null", b'{"errors": [5]}', b'{"detail": {}}', b""])
async def test_hostile_refusals(body: bytes) -> None:
    async with reading(says(frame(ID))) as (source, server):
        server.refusals.append(answer(503, body))
        error = await failure(source)
        assert isinstance(error, FeedUnavailable)
        assert len(str(error)) < 400
        await take(source, 1)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"x_rate_limit_reset": "in 500 s"}, 300.0, 500.0),
        ({"x_rate_limit_reset": "5"}, 0.0, 0.0),
        ({"x_rate_limit_reset": "soon"}, 60.0, 60.0),
        ({"retry_after": "7", "x_rate_limit_reset": "5"}, 7.0, 7.0),
        ({}, 60.0, 60.0),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(headers: dict[str, str], least: float, most: float) -> None:
    moment = str(int(datetime.now(UTC).timestamp()) + 500)
    headers = {name: value.replace("in 500 s", moment) for name, value in headers.items()}
    async with reading(says()) as (source, server):
        server.refusals.append(answer(429, {"title": "Too Many Requests"}, **headers))
        error = await failure(source)
    assert isinstance(error, FeedUnavailable)
    assert error.retry_after_seconds is not None
    assert least <= error.retry_after_seconds <= most


@pytest.mark.parametrize("body", [b"no json", b"[]", b"[" * 50_000, b"x" * 5_000_000])
async def test_rules_that_cannot_be_read_are_asked_for_again(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading(says(frame(ID))) as (source, server):
        right = server.book.handle
        answers = [answer(200, body)]
        monkeypatch.setattr(server.book, "handle", lambda request: answers.pop() if answers else right(request))
        assert isinstance(await failure(source), FeedUnavailable)
        await take(source, 1)


async def test_a_server_that_answers_in_drops_is_given_up() -> None:
    async def drip(_: Request, chunks: Chunks) -> None:
        while True:
            await chunks.write(b" ")
            await asyncio.sleep(0.02)

    async with reading(drip, silence_seconds=0.1) as (source, _):
        error = await failure(source)
    assert isinstance(error, FeedUnavailable)
    assert "without an end" in str(error)


# --- resuming ------------------------------------------------------------------------------------------------------


def minutes_asked(request: Request) -> str | None:
    return dict(request.query).get("backfill_minutes")


@pytest.mark.parametrize(
    ("away", "backfill_minutes", "asked", "gaps"),
    [
        (timedelta(seconds=1), 5, "2", 0),
        (timedelta(seconds=61), 5, "3", 0),
        (timedelta(minutes=4, seconds=59), 5, "5", 0),
        (timedelta(minutes=5), 5, "5", 0),
        (timedelta(minutes=5, seconds=1), 5, "5", 1),
        (timedelta(days=2), 5, "5", 1),
        (timedelta(seconds=30), 1, "1", 0),
        (timedelta(seconds=90), 1, "1", 1),
        (timedelta(seconds=1), 0, None, 1),
        (timedelta(days=-1), 5, "1", 0),
    ],
)
async def test_a_restart_asks_for_what_it_missed_and_counts_what_is_lost(
    away: timedelta, backfill_minutes: int, asked: str | None, gaps: int
) -> None:
    cursor = str(to_epoch_milliseconds(NOW - away))
    async with reading(says(frame(ID)), cursor, backfill_minutes=backfill_minutes) as (source, server):
        await take(source, 1)
        assert minutes_asked(server.streams[0]) == asked
        assert source.gaps == gaps


async def test_a_quiet_stream_with_heartbeats_misses_nothing() -> None:
    """An hour without posts, with heartbeats, then a short break: that is no gap."""
    clock = [1000.0]
    turns = 0

    async def serve(_: Request, chunks: Chunks) -> None:
        nonlocal turns
        turns += 1
        await chunks.say(frame(ID + turns))
        if turns == 1:
            await asyncio.sleep(0.05)
            clock[0] += 3600.0
            await chunks.heartbeat()
            await asyncio.sleep(0.05)
            await chunks.end()
            return
        await asyncio.sleep(60)

    async with reading(serve, backfill_minutes=5, clock=lambda: clock[0]) as (source, server):
        await take(source, 2)
        assert source.gaps == 0
        assert [minutes_asked(one) for one in server.streams] == [None, "1"]


async def test_an_outage_that_is_longer_than_the_backfill_is_one_gap() -> None:
    clock = [1000.0]

    async def serve(_: Request, chunks: Chunks) -> None:
        await chunks.say(frame(ID))
        await asyncio.sleep(0.05)
        await chunks.end()

    async with reading(serve, backfill_minutes=2, clock=lambda: clock[0]) as (source, server):
        await take(source, 1)
        server.refusals = [answer(503, {})] * 3
        clock[0] += 121.0
        await take(source, 1)
        assert source.gaps == 1
        assert [minutes_asked(one) for one in server.streams][1:5] == ["2"] * 4


async def test_a_post_from_the_future_does_not_hide_an_outage() -> None:
    future = snowflake(NOW_MS + 10**9)
    async with reading(says(frame(future), frame(ID))) as (source, _):
        received = await take(source, 2)
    assert [one.cursor for one in received] == [str(NOW_MS), str(NOW_MS)]


async def test_the_cursor_never_goes_back() -> None:
    ids = [snowflake(NOW_MS - back) for back in (5000, 9000, 1000, 8000)]
    async with reading(says(*map(frame, ids))) as (source, _):
        received = await take(source, 4)
    assert [int(one.cursor) - NOW_MS for one in received] == [-5000, -5000, -1000, -1000]


@pytest.mark.parametrize("cursor", ["", "x", "-5", "1.5", "9" * 15, "9" * 30, "٣"])
async def test_a_cursor_that_is_not_ours(cursor: str) -> None:
    with pytest.raises(CorruptState):
        await XSource(TOKEN).open(cursor)


# --- compliance ----------------------------------------------------------------------------------------------------

AT = "2024-05-01T11:59:59.500Z"
PLACE = snowflake(NOW_MS - 500, 2**22 - 1)
TWEET = {"tweet": {"id": "601430178305220608", "author_id": "3198576760"}, "event_at": AT}
USER = {"user": {"id": "3198576760"}, "event_at": AT}
DELETED = Deletion(id="x:601430178305220608", source="x", position=PLACE)
ERASED = Erasure(source="x", author="3198576760", position=PLACE)
SUSPENDED = AccountStatus(source="x", author="3198576760", hidden=True, position=PLACE)


def complies(events: list[dict[str, Any]]) -> Serve:
    """The events of posts in the second partition, those of users in the third; then a post in the main stream."""

    async def serve(request: Request, chunks: Chunks) -> None:
        partition = dict(request.query).get("partition")
        for event in events:
            about_users = next(iter(event)).startswith("user_") or "user" in next(iter(event.values()))
            if (request.path, partition) == ((COMPLIANCE[1], "3") if about_users else (COMPLIANCE[0], "2")):
                await chunks.say({"data": event})
        if request.path == STREAM:
            await asyncio.sleep(0.1)
            await chunks.say(frame(ID))
        while True:
            await chunks.heartbeat()
            await asyncio.sleep(0.05)

    return serve


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"delete": TWEET}, DELETED),
        ({"delete": {**TWEET, "quote_tweet_id": "5"}}, DELETED),
        ({"drop": TWEET}, DELETED),
        ({"undrop": TWEET}, None),
        ({"withheld": {**TWEET, "withheld_in_countries": ["DE", "TR"]}}, None),
        ({"withheld": {**TWEET, "withheld_in_countries": ["XX"]}}, DELETED),
        (
            {
                "tweet_edit": {
                    "tweet": {"id": "6"},
                    "initial_tweet_id": "5",
                    "edit_tweet_ids": ["5", "6"],
                    "event_at": AT,
                }
            },
            None,
        ),
        ({"user_delete": USER}, ERASED),
        ({"user_undelete": USER}, None),
        ({"user_protect": USER}, ERASED),
        ({"user_unprotect": USER}, None),
        ({"user_suspend": USER}, SUSPENDED),
        ({"user_unsuspend": USER}, SUSPENDED.model_copy(update={"hidden": False})),
        ({"user_withheld": {**USER, "withheld_in_countries": ["DE"]}}, None),
        ({"user_withheld": {**USER, "withheld_in_countries": ["XY"]}}, SUSPENDED),
        ({"user_profile_modification": {**USER, "profile_field": "name", "new_value": "Bo"}}, None),
        ({"scrub_geo": {**USER, "up_to_tweet_id": "5"}}, None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_compliance_events_mean(event: dict[str, Any], expected: Event | None) -> None:
    async with reading(complies([event]), compliance=True) as (source, server):
        received = await take(source, 1 if expected is None else 2)
        assert source.counts()["passed_over_compliance"] == (expected is None)
    events = [one.event for one in received]
    assert isinstance(events[-1], Post)
    assert events[:-1] == ([] if expected is None else [expected])
    opened = sorted((one.path, dict(one.query).get("partition", "")) for one in server.streams)
    assert opened == sorted([(STREAM, ""), *((path, part) for path in COMPLIANCE for part in "1234")])


def test_an_erasure_reaches_the_posts_of_its_millisecond_and_none_after() -> None:
    assert snowflake(NOW_MS - 500, 5) <= PLACE
    assert snowflake(NOW_MS - 499) > PLACE


@pytest.mark.parametrize(
    "event",
    [
        {"delete": {"event_at": AT}},
        {"delete": {**TWEET, "event_at": "later"}},
        {"delete": TWEET, "drop": TWEET},
        {},
        {"abduct": TWEET},
        {"user_delete": {"user": {"id": "a5"}, "event_at": AT}},
    ],
)
async def test_a_compliance_event_that_makes_no_sense_is_a_letter(event: dict[str, Any]) -> None:
    async def serve(request: Request, chunks: Chunks) -> None:
        if request.path == COMPLIANCE[0] and dict(request.query)["partition"] == "1":
            await chunks.say({"data": event})
        await asyncio.sleep(60)

    async with reading(serve, compliance=True) as (source, _):
        (one,) = await take(source, 1)
    assert isinstance(one.event, DeadLetter)


async def test_the_end_of_one_stream_is_the_end_of_all_and_all_come_back() -> None:
    turns = 0

    async def serve(request: Request, chunks: Chunks) -> None:
        nonlocal turns
        if request.path == COMPLIANCE[1] and dict(request.query)["partition"] == "4":
            turns += 1
            if turns == 1:
                await chunks.end()
                return
        if request.path == STREAM and turns:
            await chunks.say(frame(ID))
        await asyncio.sleep(60)

    async with reading(serve, compliance=True, backfill_minutes=3) as (source, server):
        assert COMPLIANCE[1] in str(await failure(source))
        await take(source, 1)
        assert len(server.streams) == 18
        assert source.gaps == 0
    assert not [task for task in asyncio.all_tasks() if "_forward" in repr(task)]


async def test_a_tier_without_compliance_is_told_what_to_leave_out() -> None:
    async with reading(says(), compliance=True) as (source, server):
        server.refusals = [answer(403, {"title": "Client Forbidden", "detail": "Enterprise only."})] * 9
        error = await failure(source)
    assert isinstance(error, BadSettings)
    assert "Enterprise only." in str(error)
    assert "leave out backfill_minutes and compliance" in str(error)


# --- specifications ------------------------------------------------------------------------------------------------

SETTINGS = Settings(x_bearer_token=SecretStr(TOKEN), x_rules=("rain",))


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("x", "x:"),
        ("x:", "x:"),
        ("x:?backfill_minutes=5&compliance=1", "x:"),
        ("x:https://api.x.com", "x:"),
        ("x:https://api.x.com/", "x:"),
        ("x:http://127.0.0.1:8080", "x:http://127.0.0.1:8080"),
        ("x:http://[::1]:8080?rules=a%20b&rules=c", "x:http://[::1]:8080"),
        ("x:http://localhost:1", "x:http://localhost:1"),
    ],
)
def test_specifications_of_x(spec: str, name: str) -> None:
    assert open_source(spec, SETTINGS).name == name


@pytest.mark.parametrize(
    "spec",
    [
        *("x:api.x.com", "x:ftp://api.x.com", "x:http://api.x.com", "x:https://", "x:https://u:p@api.x.com"),
        *("x:https://api.x.com/2/tweets", "x:https://api.x.com:99999", "x:https://[::1", "x:http://10.0.0.1:80"),
        *(
            "x:?backfill_minutes=6",
            "x:?backfill_minutes=x",
            "x:?backfill_minutes=-1",
            "x:?backfill_minutes=1&backfill_minutes=2",
        ),
        *("x:?compliance=yes", "x:?compliance=2", "x:?rule=a", "x:?backfill_minutes=", "x:?backfill_minutes=٣"),
    ],
)
def test_specifications_of_x_that_make_no_sense(spec: str) -> None:
    with pytest.raises(BadSettings):
        open_source(spec, SETTINGS)


@pytest.mark.parametrize("token", [None, "", "  ", "two words", "line\nbreak", "naïve"])
def test_tokens_that_cannot_be_sent(token: str | None) -> None:
    settings = Settings(x_bearer_token=None if token is None else SecretStr(token))
    with pytest.raises(BadSettings, match="x_bearer_token") as refusal:
        open_source("x:", settings)
    assert not token or token not in str(refusal.value) or not token.strip()


def test_rules_of_the_environment_are_parted_by_semicolons() -> None:
    settings = load_settings(
        {"TAGSTREAM_X_RULES": '(quake, flood) lang:en; "a, b" ;', "TAGSTREAM_X_BEARER_TOKEN": TOKEN}
    )
    assert settings.x_rules == ("(quake, flood) lang:en", '"a, b"')
    assert TOKEN not in repr(settings)
