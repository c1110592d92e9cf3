"""The JSON API: stable names, pages by cursor, errors as JSON, streams of new posts."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.openapi.utils import get_openapi
from starlette.responses import StreamingResponse
from starlette.types import Message
from web_posts import HOSTILE, JPEG

from search.index import EntityIndex, Query
from search.testing.posts import indexable, tagged
from search.web import api
from search.web.streams import MAX_STREAMS, STREAMS_OF_A_CLIENT, Streams, TooManyStreams, as_json
from tagstream.errors import BadSettings
from tagstream.posts import Deletion


async def test_pages_follow_each_other_without_gap_or_repeat(client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get("/api/posts", params={"size": 7, "after": after})).json()
        seen += [post["id"] for post in page["posts"]]
        after = page["next"]
        assert page["total"] == 43
    assert len(seen) == len(set(seen)) == 43


@pytest.mark.parametrize("address", ["/api/posts?qq=berlin", "/api/trends?windw=1h", "/api/events?live=true&limit=5"])
async def test_a_parameter_that_is_none_is_refused_with_its_name(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert answer.status_code == 400
    assert "there is no such parameter here." in answer.text
    if "qq" in address:
        assert "qq: " in answer.text
        assert "Did you mean q?" in answer.text


async def test_a_post_is_given_as_it_is_stored(client: httpx.AsyncClient, index: EntityIndex) -> None:
    stored = await index.get("jsonl:1")
    assert stored is not None
    assert (await client.get("/api/post", params={"id": "jsonl:1"})).json() == json.loads(stored.model_dump_json())
    assert HOSTILE in (await client.get("/api/post", params={"id": "jsonl:1"})).json()["text"]


async def test_thumbnails(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/thumbnail", params={"id": "jsonl:2", "ordinal": 0})
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")
    assert (await client.get("/api/thumbnail", params={"id": "jsonl:1"})).status_code == 404
    assert (await client.get("/api/thumbnail", params={"id": "jsonl:2", "ordinal": 4})).status_code == 422


async def test_counts_sum_to_what_search_finds(client: httpx.AsyncClient) -> None:
    for per in (None, "1m", "1h", "1d"):
        found = (await client.get("/api/counts", params={"q": "berlin", **({"per": per} if per else {})})).json()
        assert sum(bucket["posts"] for bucket in found["buckets"]) == 2
    assert (await client.get("/api/counts", params={"q": "nowhere"})).json() == {"seconds": None, "buckets": []}


async def test_names_and_companions(client: httpx.AsyncClient) -> None:
    [berlin] = (await client.get("/api/entities")).json()
    assert berlin == {"type": "LOC", "key": "berlin", "text": "Berlin", "posts": 2, "authors": 2}
    assert (await client.get("/api/companions", params={"key": "berlin"})).json() == []
    assert (await client.get("/api/entities", params={"type": "PER"})).json() == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/posts?q=(", 400),
        ("/api/posts?q=" + "x" * 2_001, 422),
        ("/api/posts?since=never", 400),
        ("/api/posts?since=2026-03-02&until=2026-03-01", 400),
        ("/api/posts?size=0", 422),
        ("/api/posts?size=100000", 422),
        ("/api/posts?after=%00", 400),
        ("/api/counts?per=1s&since=2000-01-01", 400),
        ("/api/entities?type=XYZ", 400),
        ("/api/companions", 422),
        ("/api/post?id=none", 404),
        ("/api/event?id=none", 404),
        ("/api/nowhere", 404),
    ],
)
async def test_errors_are_json_that_says_what_is_wrong(client: httpx.AsyncClient, address: str, status: int) -> None:
    answer = await client.get(address)
    assert answer.status_code == status
    assert set(answer.json()) - {"start", "end"} == {"error"}
    assert len(answer.json()["error"]) > 8


async def test_a_malformed_query_is_answered_with_the_place_of_its_error(client: httpx.AsyncClient) -> None:
    for address in ("/api/posts", "/api/counts", "/api/stream"):
        answer = await client.get(address, params={"q": "red persn:merkel"})
        assert (answer.status_code, answer.json()["start"], answer.json()["end"]) == (400, 4, 16), address


async def test_facets_highlights_and_suggestions(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/facets", params={"q": "berlin"})).json()
    assert (found["total"], found["counted"]) == (2, 2)
    assert found["facets"]["place"] == [{"value": "berlin", "text": "Berlin", "posts": 2, "q": 'place:"berlin"'}]
    page = (await client.get("/api/posts", params={"q": "again"})).json()
    assert (page["highlights"], page["suggestions"]) == ([[[7, 12]]], [])
    nothing = (await client.get("/api/posts", params={"q": "person:berlin"})).json()
    assert {"q": "entity:berlin", "posts": 2} in nothing["suggestions"]


async def test_trends_and_events_answer_where_there_are_none(client: httpx.AsyncClient) -> None:
    for address in ("/api/trends", "/api/trends/detected", "/api/events", "/api/events?live=true"):
        assert (await client.get(address)).json() == []


async def test_the_description_of_the_api_is_served_and_names_every_route(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/openapi.json")).json()
    assert {"/api/posts", "/api/events", "/api/stream"} <= set(described["paths"])
    assert all(path.startswith("/api/") for path in described["paths"])
    assert get_openapi(title="a", version="1", routes=api.router.routes)["paths"].keys() == described["paths"].keys()


async def test_a_stream_gives_each_new_post_once_and_goes_on_after_a_break(
    index: EntityIndex, streams: Streams
) -> None:
    query = Query(text="storm")
    position = await streams.begin(query, None)
    first = streams.posts(query, position, as_json)
    assert (await anext(first)).startswith("retry:")
    await index.write([indexable(tagged("new1", "storm one")), indexable(tagged("other", "rain"))])
    event = await _next_post(first)
    assert event["id"] == "jsonl:new1"
    await index.write([indexable(tagged("new2", "storm two"))])
    assert (await _next_post(first))["id"] == "jsonl:new2"
    await first.aclose()
    again = streams.posts(query, await streams.begin(query, position), as_json)
    assert [(await _next_post(again))["id"], (await _next_post(again))["id"]] == ["jsonl:new1", "jsonl:new2"]
    await again.aclose()


async def test_a_deleted_post_is_not_streamed(index: EntityIndex, streams: Streams) -> None:
    query = Query(text="storm")
    stream = streams.posts(query, await streams.begin(query, None), as_json)
    await anext(stream)
    await index.write(
        [
            indexable(tagged("gone", "storm")),
            Deletion(id="jsonl:gone", source="jsonl"),
            indexable(tagged("here", "storm")),
        ]
    )
    assert (await _next_post(stream))["id"] == "jsonl:here"
    await stream.aclose()


async def test_streams_are_bounded_and_end_with_the_server(index: EntityIndex) -> None:
    streams = Streams(index, pause_seconds=0.01)
    query = Query()
    tried = [streams.answer(f"client {number}", query, None, as_json) for number in range(MAX_STREAMS + 2)]
    answers = await asyncio.gather(*tried, return_exceptions=True)  # all at once
    opened = [answer for answer in answers if isinstance(answer, StreamingResponse)]
    assert len(opened) == MAX_STREAMS
    assert sum(isinstance(answer, TooManyStreams) for answer in answers) == 2
    streams.stop()
    for answer in opened:
        assert "event" not in await _sent(answer)
    assert await streams.answer("client", query, None, as_json)


async def test_one_client_has_so_many_streams_and_a_stream_that_is_refused_is_none(index: EntityIndex) -> None:
    streams = Streams(index, pause_seconds=0.01)
    for _ in range(STREAMS_OF_A_CLIENT):
        with pytest.raises(BadSettings):
            await streams.answer("one", Query(text="("), None, as_json)
    opened = [await streams.answer("one", Query(), None, as_json) for _ in range(STREAMS_OF_A_CLIENT)]
    with pytest.raises(TooManyStreams):
        await streams.answer("one", Query(), None, as_json)
    assert await streams.answer("another", Query(), None, as_json)
    streams.stop()
    await _sent(opened[0])
    assert await streams.answer("one", Query(), None, as_json)


async def test_a_post_is_one_line_of_a_stream_whatever_its_text(index: EntityIndex, streams: Streams) -> None:
    text = "storm one\u2028two\u2029three\u0085four\x0bfive\x1csix"
    stream = streams.posts(Query(text="storm"), await streams.begin(Query(text="storm"), None), as_json)
    await anext(stream)
    await index.write([indexable(tagged("lines", text))])
    assert (await _next_post(stream))["text"] == text
    await stream.aclose()
    stream = streams.posts(Query(), await streams.begin(Query(), None), lambda _: "a\nb\r\nc\rd\u2028e")
    await anext(stream)
    await index.write([indexable(tagged("more", "more"))])
    assert "data: a\ndata: b\ndata: c\ndata: d\u2028e\n\n" in await _next_event(stream)
    await stream.aclose()


async def test_a_stream_of_a_malformed_query_is_refused(client: httpx.AsyncClient, streams: Streams) -> None:
    assert (await client.get("/api/stream", params={"q": "("})).status_code == 400
    with pytest.raises(BadSettings):
        await streams.begin(Query(text="("), None)


async def _sent(answer: StreamingResponse) -> str:
    """Returns what the answer sends until it ends."""
    pieces: list[bytes] = []

    async def send(message: Message) -> None:
        pieces.append(message.get("body", b""))

    async with asyncio.timeout(5):
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, _never, send)
    return b"".join(pieces).decode()


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _next_event(stream: AsyncIterator[str]) -> str:
    async with asyncio.timeout(5):
        async for piece in stream:
            if piece.startswith("event: post"):
                return piece
    raise AssertionError("the stream ended")


async def _next_post(stream: AsyncIterator[str]) -> dict[str, str]:
    event = await _next_event(stream)
    [line] = [line for line in event.split("\n") if line.startswith("data: ")]
    found: dict[str, str] = json.loads(line.removeprefix("data: "))
    return found
