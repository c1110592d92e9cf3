"""Healthy posts beside hostile ones: the rate does not collapse, whichever stage the hostile ones meet."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import search.sqlite.writes
from search.sqlite.index import SqliteIndex
from tagstream.posts import Post, TaggedPost
from tagstream.source import Received
from workers.local import run_pipeline
from workers.tagger.interface import PreparedPost
from workers.tagger.stub import StubTagger

POSTS = 3_000
CREATED = datetime(2024, 5, 1, tzinfo=UTC)
# Of the rate of a feed without hostile posts, measured beside it: splitting by halves leaves a twentieth or less.
LEAST_SHARE_OF_RATE = 1 / 8


def check(text: str) -> None:
    if text.startswith("hostile"):
        raise ZeroDivisionError("says a test")


class Tagger(StubTagger):
    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def prepare(self, posts: Sequence[Post], contexts: Any = None) -> list[PreparedPost]:
        for post in posts if self._stage == "prepare" else ():
            check(post.text)
        return super().prepare(posts, contexts)

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        for one in prepared if self._stage == "tag" else ():
            check(one.post.text)
        return super().tag(prepared)


class Feed:
    name = "jsonl:feed"

    def __init__(self, share: float) -> None:
        dice = random.Random(1)
        texts = [f"{'hostile' if dice.random() < share else 'Paris'} and London {number}" for number in range(POSTS)]
        self.hostile = sum(text.startswith("hostile") for text in texts)
        self._left = [
            Received(Post(id=f"jsonl:{number}", source="jsonl", created_at=CREATED, text=text), str(number))
            for number, text in enumerate(texts)
        ]

    async def open(self, cursor: str | None) -> None: ...

    async def next_batch(self, limit: int) -> Sequence[Received]:
        batch, self._left = self._left[:limit], self._left[limit:]
        return batch

    async def close(self) -> None: ...

    def counts(self) -> dict[str, int]:
        return {}


async def seconds(feed: Feed, stage: str, path: Path) -> float:
    index = await SqliteIndex.open(path)
    began = time.monotonic()
    report = await run_pipeline(feed, Tagger(stage), index)
    took = time.monotonic() - began
    assert report.ended
    assert len([letter async for letter in index.dead_letters("unexpected")]) == feed.hostile
    assert report.progress.finished == POSTS
    await index.close()
    return took


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("stage", ["prepare", "tag", "index"])
async def test_healthy_posts_go_on_beside_hostile_ones(
    stage: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage == "index":
        written = search.sqlite.writes.post_json

        def document(post: TaggedPost) -> str:
            check(post.text)
            return written(post)

        monkeypatch.setattr(search.sqlite.writes, "post_json", document)
    clean = await seconds(Feed(0), stage, tmp_path / "clean.db")
    assert await seconds(Feed(share), stage, tmp_path / "hostile.db") < clean / LEAST_SHARE_OF_RATE
