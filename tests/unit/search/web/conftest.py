"""A small index with hostile posts, and a client that asks the application over it without a socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from web_posts import HOSTILE, JPEG, SHA256

from search.index import EntityIndex, Indexable, Thumbnail
from search.sqlite.index import SqliteIndex
from search.testing.posts import OBSERVED, indexable, tagged
from search.web.app import create_app
from search.web.guard import Access
from search.web.streams import Streams
from tagstream.dead_letter import dead_letter
from tagstream.posts import Media


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[EntityIndex]:
    opened = await SqliteIndex.open(tmp_path / "posts.db")
    photo = Media(url="https://x.example/a.jpg", alt=HOSTILE, sha256=SHA256, width=4, height=4)
    posts = [
        tagged("1", f"Berlin {HOSTILE}", author=HOSTILE[:60], handle=HOSTILE, names=["Berlin"], lang="en"),
        tagged("2", "Berlin again", minute=30, author="bea", names=["Berlin"], media=[photo]),
        tagged("3", "nothing here", minute=90, author="cid"),
        *(tagged(f"more{number}", f"post {number}", minute=200 + number, author="dan") for number in range(40)),
    ]
    await opened.write([indexable(post) for post in posts if not post.media])
    await opened.write([Indexable(posts[1], OBSERVED, 0, (Thumbnail(SHA256, JPEG),))])
    await opened.write(
        [dead_letter(origin="f:1", source="jsonl", cause="invalid_json", message=HOSTILE, body=HOSTILE.encode())]
    )
    yield opened
    await opened.close()


@pytest.fixture
def streams(index: EntityIndex) -> Streams:
    return Streams(index, pause_seconds=0.01)


@pytest.fixture
async def client(index: EntityIndex, streams: Streams) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(index, access=Access(), index_name="sqlite:posts.db", streams=streams)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as opened:
        yield opened
