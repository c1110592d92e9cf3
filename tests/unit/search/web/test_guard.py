"""The guard: hosts, token, rate, methods and headers."""

import asyncio

import httpx
import pytest

from search.index import EntityIndex
from search.web.app import create_app
from search.web.guard import COOKIE, HEADERS, Access, Guard

TOKEN = "a-token-of-some-length"


def client_of(index: EntityIndex, access: Access, host: str = "127.0.0.1:8080") -> httpx.AsyncClient:
    app = create_app(index, access=access, index_name="an index")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}")


@pytest.mark.parametrize("address", ["/", "/api/posts", "/nowhere", "/static/style.css", "/search?q=("])
async def test_every_answer_carries_the_headers(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8080", 200),
        ("Desk.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
async def test_only_known_host_names_are_answered(index: EntityIndex, host: str, status: int) -> None:
    async with client_of(index, Access(frozenset({"desk.example"}))) as client:
        assert (await client.get("/api/posts", headers={"Host": host})).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(client: httpx.AsyncClient, method: str) -> None:
    assert (await client.request(method, "/api/posts")).status_code == 405


async def test_without_the_token_nothing_is_shown(index: EntityIndex) -> None:
    async with client_of(index, Access(token=TOKEN)) as client:
        for address in ("/", "/api/posts", "/api/openapi.json", "/live", "/static/live.js"):
            assert (await client.get(address)).status_code == 401
        to_a_person = await client.get("/", headers={"Accept": "text/html"})
        assert (to_a_person.status_code, to_a_person.headers["location"]) == (303, "/token")
        for wrong in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"):
            answer = await client.get("/api/posts", headers={"Authorization": wrong.encode()})
            assert answer.status_code == 401
        assert (await client.get("/api/posts", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_a_browser_keeps_the_token_where_no_script_reads_it(index: EntityIndex) -> None:
    async with client_of(index, Access(token=TOKEN)) as client:
        answer = await client.post("/token", data={"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/api/posts", headers={"Cookie": f"{COOKIE}={TOKEN}"})).status_code == 200
        for others in ('odd="a,b"; ', "{bad}=1; ", "x; =; ", 'json={"a": [1]}; '):
            odd = {"Cookie": f"{others}{COOKIE}={TOKEN}"}
            assert (await client.get("/api/posts", headers=odd)).status_code == 200, others
        assert "set-cookie" not in (await client.post("/token", data={"token": "a b\r\nc"})).headers
        assert (await client.post("/token", content=b"x" * 10_000)).status_code == 400


async def test_a_wrong_token_is_said_and_not_kept(index: EntityIndex) -> None:
    async with client_of(index, Access(token=TOKEN)) as client:
        for wrong in ("", f"{TOKEN}x", "ü", "another-token-of-some-length"):
            answer = await client.post("/token", data={"token": wrong})
            assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
            assert "This is not the token" in answer.text
        assert "This is not the token" not in (await client.get("/token")).text
    async with client_of(index, Access()) as client:
        answer = await client.post("/token", data={"token": "any"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)


@pytest.mark.parametrize("address", ["/", "/api/posts", "/static/live.js", "/token", "/nowhere", "/api/posts?q=("])
async def test_head_is_answered_as_get_without_the_body(client: httpx.AsyncClient, address: str) -> None:
    head, get = await client.head(address), await client.get(address)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


async def test_the_head_of_a_stream_ends(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        head = await client.head("/api/stream")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_a_refused_method_is_told_the_allowed_ones(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/posts")).headers["allow"] == "GET, HEAD"
    refused = await client.put("/token")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_a_slash_too_many_leads_nowhere(client: httpx.AsyncClient) -> None:
    for address in ("/api/posts/", "/search/", "/token/"):
        answer = await client.get(address)
        assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_one_address_is_answered_so_often_a_minute(index: EntityIndex) -> None:
    seconds = [0.0]
    app = create_app(index, access=Access(requests_per_minute=3), index_name="an index")
    assert isinstance(app, Guard)
    guard = Guard(app._app, Access(requests_per_minute=3), clock=lambda: seconds[0])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://localhost") as client:
        statuses = [(await client.get("/api/events")).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        seconds[0] = 61.0
        assert (await client.get("/api/events")).status_code == 200
