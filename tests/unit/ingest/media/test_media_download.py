"""Fetching a photo from servers that mean no good. Nothing but the allowed endpoint is ever connected to."""

import asyncio
import gzip
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime

import httpcore
import pytest
from media_server import HostileServer, answer, drawn, endless, raw, redirect

from ingest.media import host_limiter
from ingest.media.download import MAX_REDIRECTS, TRANSPORT_REASONS, Downloader, DownloadLimits, retry_after_seconds
from ingest.sources.network.source import USER_AGENT
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.network.pinned import SystemResolver

PHOTO = drawn()
QUICK = {"total_seconds": 0.6, "stall_seconds": 0.3, "connect_seconds": 0.3}


@pytest.fixture(autouse=True)
def attempts(monkeypatch):
    """Every connection that was tried, as (address, port); none may leave the loopback, or this fails."""
    tried = []
    connect = httpcore.AnyIOBackend.connect_tcp

    async def watched(self, host, port, *arguments):
        tried.append((host, port))
        assert ipaddress.ip_address(host).is_loopback, "an address that no test allows"
        return await connect(self, host, port, *arguments)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", watched)
    return tried


@pytest.fixture
async def server():
    async with HostileServer() as one:
        one.answers["/photo.jpg"] = answer(PHOTO)
        yield one


@pytest.fixture
async def fetchers():
    """Makes fetchers that may reach the given servers; closes them."""
    made = []

    def make(*servers, **options):
        limits = {"max_bytes": 100_000, "total_seconds": 20.0, "stall_seconds": 10.0, "connect_seconds": 10.0}
        for name in list(options):
            if name in DownloadLimits.__dataclass_fields__:
                limits[name] = options.pop(name)
        options.setdefault("resolve", numeric)
        fetcher = Downloader(DownloadLimits(**limits), allowed={one.endpoint for one in servers}, **options)
        made.append(fetcher)
        return fetcher

    yield make
    for fetcher in made:
        await fetcher.close()


async def numeric(host, port):
    """The system's resolver, which reads numbers in all their forms, without asking any name server."""
    found = socket.getaddrinfo("127.0.0.1" if host == "localhost" else host, port, flags=socket.AI_NUMERICHOST)
    return [address[4][0] for address in found]


async def fetched(fetcher, url):
    async with fetcher.fetch(url) as photo:
        return photo


async def refused(fetcher, url):
    """The reason for which it is refused."""
    with pytest.raises(PhotoRefused) as refusal:
        await fetched(fetcher, url)
    return refusal.value.reason


def resolving(**addresses):
    """A resolver that knows these names; a list of lists is used up, one at each call."""
    calls = []

    async def resolve(host, _port):
        calls.append(host)
        known = addresses[host.split(".")[0]]
        return known.pop(0) if known and isinstance(known[0], list) else known

    resolve.calls = calls
    return resolve


async def test_a_photo_comes_with_its_hash_and_what_it_is(server, fetchers) -> None:
    photo = await fetched(fetchers(server), server.url())
    assert photo.content == PHOTO
    assert photo.format == "JPEG"
    assert len(photo.sha256) == 64
    headers = server.requests[0].headers
    assert headers.keys() == {"host", "user-agent", "accept", "accept-encoding"}
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["user-agent"] == USER_AGENT
    assert headers["accept-encoding"] == "identity"


async def test_no_proxy_of_the_environment_is_used(server, fetchers, monkeypatch, attempts) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await fetched(fetchers(server), server.url())
    assert attempts == [("127.0.0.1", server.port)]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a.jpg",
        "http://",
        "http:///a.jpg",
        "http://[::1",
        "http://a\r\nX: y.example/",
        "http://a.example/" + "x" * 5000,
        "http://xn--/",
    ],
)
async def test_nonsense_is_no_url(url, server, fetchers, attempts) -> None:
    assert await refused(fetchers(server), url) is PhotoReason.BAD_URL
    assert attempts == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/a.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "gopher://127.0.0.1:80/_",
        "http://user:password@127.0.0.1/",
        "http://8.8.8.8@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:22/",
        "http://8.8.8.8:6379/",
        "http://" + "a" * 64 + ".example/",
    ],
)
async def test_other_schemes_ports_and_credentials_are_refused_asked_for_or_redirected_to(
    url, server, fetchers, attempts
) -> None:
    fetcher = fetchers(server)
    assert await refused(fetcher, url) is PhotoReason.BAD_URL
    server.answers["/away.jpg"] = redirect(url)
    assert await refused(fetcher, server.url("/away.jpg")) is PhotoReason.BAD_URL
    assert attempts == [("127.0.0.1", server.port)]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://localhost/",
        "http://0/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://①②⑦.0.0.1/",
        "http://10.0.0.1/",
        "http://10.0.0.1\\@8.8.8.8/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://100.64.0.1/",
        "http://203.0.113.7/",
    ],
)
async def test_private_addresses_in_any_form_are_refused_asked_for_or_redirected_to(
    url, server, fetchers, attempts
) -> None:
    fetcher = fetchers(server)
    expected = {PhotoReason.REFUSED_ADDRESS, PhotoReason.BAD_URL}
    assert await refused(fetcher, url) in expected
    server.answers["/away.jpg"] = redirect(url)
    assert await refused(fetcher, server.url("/away.jpg")) in expected
    assert attempts == [("127.0.0.1", server.port)]


@pytest.mark.parametrize("location", ["http://[::1", "http://a b/", "http://127.0.0.1:port/", "//user@10.0.0.1/", "\t"])
async def test_a_redirect_to_nonsense_is_refused(location, server, fetchers, attempts) -> None:
    server.answers["/away.jpg"] = redirect(location)
    assert not (await refused(fetchers(server), server.url("/away.jpg"))).can_pass
    assert set(attempts) == {("127.0.0.1", server.port)}


async def test_a_name_with_one_private_address_is_refused_whole(server, fetchers, attempts) -> None:
    fetcher = fetchers(server, resolve=resolving(mixed=["127.0.0.1", "10.0.0.1"]))
    assert await refused(fetcher, server.url(host="mixed.test")) is PhotoReason.REFUSED_ADDRESS
    assert attempts == []


async def test_the_address_that_was_checked_is_the_one_connected_to(server, fetchers, attempts) -> None:
    """A name that answers differently the second time: 127.0.0.2 has a server at the same port, and is not allowed."""
    server.answers["/photo.jpg"] = answer(PHOTO, headers=["Connection: close"])
    async with HostileServer(host="127.0.0.2", port=server.port) as inner:
        inner.answers["/photo.jpg"] = answer(PHOTO)
        resolve = resolving(rebound=[["127.0.0.1"], ["127.0.0.2"]])
        fetcher = fetchers(server, resolve=resolve)
        await fetched(fetcher, server.url(host="rebound.test"))
        assert resolve.calls == ["rebound.test"]
        assert attempts == [("127.0.0.1", server.port)]
        assert await refused(fetcher, server.url(host="rebound.test")) is PhotoReason.REFUSED_ADDRESS
        assert inner.connections == 0
    assert server.requests[0].headers["host"] == f"rebound.test:{server.port}"


async def test_the_next_address_is_tried_when_one_does_not_answer(server, fetchers, attempts) -> None:
    nobody = HostileServer(host="127.0.0.3", port=server.port)
    fetcher = fetchers(server, nobody, resolve=resolving(two=["127.0.0.3", "127.0.0.1"]))
    assert (await fetched(fetcher, server.url(host="two.test"))).content == PHOTO
    assert [address for address, _ in attempts] == ["127.0.0.3", "127.0.0.1"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), PhotoReason.UNKNOWN_HOST),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), PhotoReason.UNREACHABLE),
        (UnicodeError("label too long"), PhotoReason.BAD_URL),
    ],
)
async def test_what_a_name_server_says(error, reason, server, fetchers) -> None:
    async def resolve(_host, _port):
        raise error

    assert await refused(fetchers(server, resolve=resolve), "http://name.test/a.jpg") is reason


async def test_the_system_resolver_gives_each_address_once() -> None:
    resolve = SystemResolver(threads=1)
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert await resolve("0x7f.1", 80) == ["127.0.0.1"]
    assert all(ipaddress.ip_address(one).is_loopback for one in await resolve("localhost", 80))
    with pytest.raises(UnicodeError):
        await resolve("a" * 64, 80)


async def test_a_lookup_that_nobody_waits_for_keeps_its_thread_and_no_more(monkeypatch) -> None:
    gate, running = threading.Event(), threading.Semaphore(0)

    def stuck(_host, port, **_):
        running.release()
        gate.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    resolve = SystemResolver(threads=2)
    waiting = [asyncio.create_task(resolve(f"{number}.test", 80)) for number in range(5)]
    await asyncio.sleep(0)
    assert [running.acquire(timeout=10) for _ in range(2)] == [True, True]
    for task in waiting[:2]:
        task.cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert not running.acquire(blocking=False)
    gate.set()
    assert await asyncio.gather(*waiting[2:]) == [["127.0.0.1"]] * 3


async def test_a_name_server_that_is_silent_costs_its_limit(server, fetchers) -> None:
    async def resolve(_host, _port):
        await asyncio.Event().wait()

    assert await refused(fetchers(server, resolve=resolve, **QUICK), "http://name.test/a.jpg") is PhotoReason.TIMEOUT


async def test_a_name_without_addresses_is_unreachable(server, fetchers) -> None:
    assert (
        await refused(fetchers(server, resolve=resolving(empty=())), server.url(host="empty"))
        is PhotoReason.UNREACHABLE
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status, server, fetchers) -> None:
    server.answers["/a"] = redirect("b/../photo.jpg?x=1#part", status)
    server.answers["/photo.jpg?x=1"] = answer(PHOTO)
    assert (await fetched(fetchers(server), server.url("/a"))).content == PHOTO


async def test_a_redirect_loop_ends(server, fetchers) -> None:
    server.answers["/a"], server.answers["/b"] = redirect("/b"), redirect("/a")
    assert await refused(fetchers(server), server.url("/a")) is PhotoReason.TOO_MANY_REDIRECTS
    assert len(server.requests) == MAX_REDIRECTS + 1


async def test_all_hops_share_one_limit_of_time(server, fetchers) -> None:
    async def slow(writer):
        await asyncio.sleep(0.25)
        await redirect("/a")(writer)

    server.answers["/a"] = slow
    limits = {"total_seconds": 0.6, "stall_seconds": 10.0, "connect_seconds": 10.0}
    assert await refused(fetchers(server, **limits), server.url("/a")) is PhotoReason.TIMEOUT
    assert len(server.requests) <= 3


async def test_a_slow_redirect_is_charged_to_the_host_that_was_slow(server, fetchers) -> None:
    """And so often that it is left alone, while the host of the photo, which had no time left, is not."""

    async def slow(writer):
        await asyncio.sleep(0.5)
        await redirect(server.url("/late.jpg", host="photos.test"))(writer)

    async def late(writer):
        await asyncio.sleep(0.3)
        await answer(PHOTO)(writer)

    server.answers["/away.jpg"], server.answers["/late.jpg"] = slow, late
    limits = {"total_seconds": 0.7, "stall_seconds": 10.0, "connect_seconds": 10.0}
    resolve = resolving(away=("127.0.0.1",), photos=("127.0.0.1",))
    fetcher = fetchers(server, resolve=resolve, **limits)
    for _ in range(host_limiter.SLOW_IN_A_ROW):
        assert await refused(fetcher, server.url("/away.jpg", host="away.test")) is PhotoReason.TIMEOUT
    assert await refused(fetcher, server.url("/away.jpg", host="away.test")) is PhotoReason.HOST_BUSY
    assert (await fetched(fetcher, server.url(host="photos.test"))).content == PHOTO


async def test_a_photo_that_stalls_after_a_redirect_is_charged_to_its_own_host(server, fetchers) -> None:
    server.answers["/away.jpg"] = redirect(server.url("/stalls.jpg", host="photos.test"))
    server.answers["/stalls.jpg"] = raw(b"", then_close=False)
    resolve = resolving(away=("127.0.0.1",), photos=("127.0.0.1",))
    fetcher = fetchers(server, resolve=resolve, **QUICK)
    for _ in range(host_limiter.SLOW_IN_A_ROW):
        assert await refused(fetcher, server.url("/away.jpg", host="away.test")) is PhotoReason.TIMEOUT
    assert await refused(fetcher, server.url(host="photos.test")) is PhotoReason.HOST_BUSY
    assert (await fetched(fetcher, server.url(host="away.test"))).content == PHOTO


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param(raw(b""), PhotoReason.UNREACHABLE, id="drops"),
        pytest.param(raw(HEAD), PhotoReason.UNREACHABLE, id="drops in the headers"),
        pytest.param(raw(HEAD + b"Content-Length: 9000\r\n\r\n" + PHOTO), PhotoReason.UNREACHABLE, id="half a body"),
        pytest.param(raw(CHUNKED + b"40\r\n" + PHOTO[:50]), PhotoReason.UNREACHABLE, id="half a chunk"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), PhotoReason.BAD_RESPONSE, id="another protocol"),
        pytest.param(
            raw(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), PhotoReason.BAD_RESPONSE, id="two lengths"
        ),
        pytest.param(
            raw(HEAD + b"Content-Length: 9\r\n\r\n" + PHOTO), PhotoReason.NOT_AN_IMAGE, id="a length too small"
        ),
        pytest.param(
            raw(HEAD + b"Content-Length: 9" + b"9" * 5_000 + b"\r\n\r\n"), PhotoReason.BAD_RESPONSE, id="digits"
        ),
        pytest.param(
            answer(PHOTO, headers=["Content-Encoding: gzip, gzip, gzip"]),
            PhotoReason.COMPRESSED,
            id="thrice compressed",
        ),
        pytest.param(raw(HEAD + b"Content-Length: -5\r\n\r\n"), PhotoReason.BAD_RESPONSE, id="negative length"),
        pytest.param(
            raw(HEAD + b"Content-Length: 10000000\r\n\r\n"), PhotoReason.TOO_LARGE, id="says that it is too large"
        ),
        pytest.param(raw(CHUNKED + b"zz\r\n"), PhotoReason.BAD_RESPONSE, id="no chunk"),
        pytest.param(
            raw(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            PhotoReason.BAD_RESPONSE,
            id="compressed transfer",
        ),
        pytest.param(endless(HEAD, b"X-A: " + b"b" * 1000 + b"\r\n"), PhotoReason.BAD_RESPONSE, id="endless headers"),
        pytest.param(endless(HEAD + b"X-A: ", b"b" * 1000), PhotoReason.BAD_RESPONSE, id="an endless header"),
        pytest.param(
            endless(b"", b"HTTP/1.1 100 Continue\r\nX: " + b"b" * 9000 + b"\r\n\r\n"),
            PhotoReason.TOO_LARGE,
            id="endless interim",
        ),
        pytest.param(endless(HEAD + b"\r\n" + PHOTO, bytes(10_000)), PhotoReason.TOO_LARGE, id="endless body"),
        pytest.param(
            endless(CHUNKED + b"%x\r\n" % len(PHOTO) + PHOTO + b"\r\n", b"1;" + b"x" * 9000 + b"\r\na\r\n"),
            PhotoReason.TOO_LARGE,
            id="endless framing",
        ),
        pytest.param(answer(b"<html>", 200), PhotoReason.NOT_AN_IMAGE, id="a short page"),
        pytest.param(
            endless(HEAD + b"Content-Type: image/jpeg\r\n\r\n", b"<html>" * 10),
            PhotoReason.NOT_AN_IMAGE,
            id="an endless page",
        ),
        pytest.param(
            answer(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), PhotoReason.NOT_AN_IMAGE, id="a vector picture"
        ),
        pytest.param(answer(b""), PhotoReason.NOT_AN_IMAGE, id="nothing"),
        pytest.param(answer(gzip.compress(PHOTO)), PhotoReason.NOT_AN_IMAGE, id="compressed, unsaid"),
        pytest.param(
            answer(gzip.compress(bytes(50_000_000)), headers=["Content-Encoding: gzip"]),
            PhotoReason.COMPRESSED,
            id="gzip bomb",
        ),
        pytest.param(answer(PHOTO, headers=["Content-Encoding: br"]), PhotoReason.COMPRESSED, id="another coding"),
        pytest.param(answer(status=404), PhotoReason.GONE, id="404"),
        pytest.param(answer(status=410), PhotoReason.GONE, id="410"),
        pytest.param(answer(status=403), PhotoReason.FORBIDDEN, id="403"),
        pytest.param(answer(status=500), PhotoReason.SERVER_ERROR, id="500"),
        pytest.param(answer(status=503), PhotoReason.SERVER_ERROR, id="503"),
        pytest.param(answer(PHOTO, status=206), PhotoReason.BAD_RESPONSE, id="a part"),
        pytest.param(answer(status=302), PhotoReason.BAD_RESPONSE, id="a redirect to nowhere"),
    ],
)
async def test_hostile_answers(handler, reason, server, fetchers) -> None:
    server.answers["/a.jpg"] = handler
    fetcher = fetchers(server)
    assert await refused(fetcher, server.url("/a.jpg")) is reason
    assert (await fetched(fetcher, server.url())).content == PHOTO


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(raw(b"", then_close=False), id="accepts and is silent"),
        pytest.param(raw(HEAD, then_close=False), id="silent in the headers"),
        pytest.param(
            raw(HEAD + b"Content-Length: 9000\r\n\r\n" + PHOTO[:99], then_close=False), id="silent in the body"
        ),
        pytest.param(endless(HEAD + b"X: ", b"b", pause=0.02), id="headers drop by drop"),
        pytest.param(endless(HEAD + b"\r\n" + PHOTO, b"b", pause=0.02), id="a body drop by drop"),
    ],
)
async def test_slow_answers_end_at_a_limit(handler, server, fetchers) -> None:
    server.answers["/a.jpg"] = handler
    assert await refused(fetchers(server, **QUICK), server.url("/a.jpg")) is PhotoReason.TIMEOUT


async def test_a_body_of_exactly_the_limit_is_taken(server, fetchers) -> None:
    for handler in (answer(PHOTO), raw(HEAD + b"\r\n" + PHOTO)):
        server.answers["/photo.jpg"] = handler
        assert (await fetched(fetchers(server, max_bytes=len(PHOTO)), server.url())).content == PHOTO
        assert await refused(fetchers(server, max_bytes=len(PHOTO) - 1), server.url()) is PhotoReason.TOO_LARGE


async def test_nobody_listening_is_unreachable(fetchers) -> None:
    async with HostileServer() as gone:
        pass
    reason = await refused(fetchers(gone), gone.url())
    assert reason is PhotoReason.UNREACHABLE
    assert reason.can_pass


async def test_connections_are_kept_and_replaced_when_they_were_closed(server, fetchers) -> None:
    fetcher = fetchers(server)
    await fetched(fetcher, server.url())
    await fetched(fetcher, server.url())
    assert server.connections == 1
    server.answers["/photo.jpg"] = [raw(b""), answer(PHOTO)]
    assert (await fetched(fetcher, server.url())).content == PHOTO
    assert server.connections == 2


async def test_a_host_that_asks_to_be_left_alone_is(server, fetchers) -> None:
    now = [1000.0]
    fetcher = fetchers(server, clock=lambda: now[0])
    server.answers["/a.jpg"] = [answer(status=429, headers=["Retry-After: 120"]), answer(PHOTO)]
    assert await refused(fetcher, server.url("/a.jpg")) is PhotoReason.HOST_BUSY
    now[0] += 119
    assert await refused(fetcher, server.url()) is PhotoReason.HOST_BUSY
    assert len(server.requests) == 1
    now[0] += 2
    await fetched(fetcher, server.url())


async def test_a_host_that_is_slow_several_times_is_left_alone(server, fetchers) -> None:
    fetcher = fetchers(server, **QUICK)
    server.answers["/a.jpg"] = raw(b"", then_close=False)
    for _ in range(host_limiter.SLOW_IN_A_ROW):
        assert await refused(fetcher, server.url("/a.jpg")) is PhotoReason.TIMEOUT
    assert await refused(fetcher, server.url()) is PhotoReason.HOST_BUSY


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"17", 17.0),
        (b"Fri, 01 Mar 2024 12:01:00 GMT", 60.0),
        (b"Fri, 01 Mar 2024 11:00:00 GMT", 0.0),
        (b"", 30.0),
        (b"soon", 30.0),
        (b"Fri, 01 Mar 99999999999999999999 12:00:00 GMT", 30.0),
        (b"-5", 30.0),
        ("٣".encode(), 30.0),
        (b"9" * 5000, 9_999_999_999.0),
    ],
)
def test_what_retry_after_asks_for(value, seconds) -> None:
    assert retry_after_seconds(value, datetime(2024, 3, 1, 12, tzinfo=UTC)) == seconds


async def test_one_host_takes_at_most_half_of_the_turns(server, fetchers) -> None:
    gate = asyncio.Event()

    async def waiting(writer):
        await gate.wait()
        await answer(PHOTO)(writer)

    server.answers["/slow.jpg"] = waiting
    fetcher = fetchers(server, concurrency=6, resolve=resolving(a=["127.0.0.1"], b=["127.0.0.1"]))
    slow = [asyncio.create_task(fetched(fetcher, server.url("/slow.jpg", host="a.test"))) for _ in range(20)]
    await server.until_busy(3)
    assert (await fetched(fetcher, server.url(host="b.test"))).content == PHOTO
    gate.set()
    await asyncio.gather(*slow)
    assert server.busiest == 4


async def test_without_a_turn_in_time_it_is_late(server, fetchers) -> None:
    server.answers["/slow.jpg"] = raw(b"", then_close=False)
    fetcher = fetchers(server, concurrency=1, patience_seconds=0.1)
    slow = asyncio.create_task(fetched(fetcher, server.url("/slow.jpg")))
    await server.until_busy(1)
    assert await refused(fetcher, server.url()) is PhotoReason.LATE
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert (await fetched(fetcher, server.url())).content == PHOTO


async def test_cancelled_anywhere_it_leaves_nothing_behind(server, fetchers) -> None:
    fetcher = fetchers(server, concurrency=2)
    server.answers["/slow.jpg"] = endless(HEAD + b"Content-Length: 99999\r\n\r\n" + PHOTO, b"x", pause=0.001)
    for steps in range(40):
        await server.until_closed()
        task = asyncio.create_task(fetched(fetcher, server.url("/slow.jpg")))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await fetched(fetcher, server.url())).content == PHOTO


def test_every_error_of_the_client_library_has_a_reason() -> None:
    errors = [one for name in httpcore.__all__ if isinstance(one := getattr(httpcore, name), type)]
    errors = [one for one in errors if issubclass(one, Exception)]
    assert len(errors) >= 14
    for error in errors:
        assert any(issubclass(error, known) for known, _ in TRANSPORT_REASONS), error


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for photos.test that no authority has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program")
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=photos.test", "-addext", "subjectAltName=DNS:photos.test"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*new, "-days", "2", "-keyout", key, "-out", file, *subject], check=True, capture_output=True)
    return key, file


async def test_tls_proves_the_name_and_not_the_address(certificate, fetchers) -> None:
    key, file = certificate
    asked_for = []
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file, key)
    theirs.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    ours = ssl.create_default_context(cafile=str(file))
    resolve = resolving(photos=["127.0.0.1"], other=["127.0.0.1"])
    async with HostileServer(ssl=theirs) as server:
        server.answers["/photo.jpg"] = answer(PHOTO)
        fetcher = fetchers(server, resolve=resolve, ssl_context=ours)
        url = server.url(host="photos.test", scheme="https")
        assert (await fetched(fetcher, url)).content == PHOTO
        assert (await fetched(fetcher, url)).content == PHOTO
        assert server.connections == 1
        assert await refused(fetcher, server.url(host="other.test", scheme="https")) is PhotoReason.UNTRUSTED
        assert await refused(fetchers(server, resolve=resolve), url) is PhotoReason.UNTRUSTED
        assert await refused(fetchers(server, resolve=resolve), server.url(host="photos.test")) is not None
        server.answers["/photo.jpg"] = endless(HEAD + b"\r\n" + PHOTO, bytes(10_000))
        assert await refused(fetcher, url) is PhotoReason.TOO_LARGE
    assert asked_for[:2] == ["photos.test", "other.test"]
    assert server.requests[0].headers["host"] == f"photos.test:{server.port}"


async def test_a_handshake_that_never_ends_is_given_up(fetchers) -> None:
    async with HostileServer() as silent:
        reason = await refused(fetchers(silent, **QUICK), silent.url(scheme="https"))
        assert reason is PhotoReason.TIMEOUT
        await silent.until_closed()
