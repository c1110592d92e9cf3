"""Queries at random, against both time and exceptions: each is a query or refused as none, soon."""

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from search.index import Indexable, Query
from search.query import MalformedQuery
from search.sqlite.index import SqliteIndex
from tagstream.posts import Author, TaggedPost

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROUNDS = 4_000
SECONDS_A_QUERY = 2.0
_PIECES = [
    "merkel", "mer*", "*", "(", ")", "AND", "OR", "NOT", "-", "--", '"', '"a b"', "~2", "^3", "person:",
    "author:@a@b.c", "lang:en", "has:link", "since:2026-03-01", "until:", "#tag", "東京", "🔥", "\u0301" * 50,
    "\ud800", "\0", "a" * 300,
    "&#" + "9" * 500, "l'" * 200, "entity:", "NEAR", "//", "https://x.example/?a=b", ":", "\u202e", "٠", "ﷺ" * 20,
]  # fmt: skip


def post(number: int) -> TaggedPost:
    return TaggedPost(
        id=f"jsonl:{number}",
        source="jsonl",
        author=Author(id="a"),
        created_at=NOON,
        text=f"merkel {number} a b 東京 🔥",
        model="stub@1",
        generation=1,
    )


async def test_any_query_is_answered_or_refused_soon(tmp_path: Path) -> None:
    chance = random.Random(5)
    index = await SqliteIndex.open(tmp_path / "index.db")
    await index.write([Indexable(post(at), NOON) for at in range(2000)])
    slowest, longest = 0.0, 0
    for _ in range(ROUNDS):
        separator = chance.choice(["", " ", " ", " "])
        text = separator.join(chance.choice(_PIECES) for _ in range(chance.randrange(1, 12)))
        order = cast(Any, chance.choice(["newest", "relevance"]))
        began = time.perf_counter()
        try:
            await index.search(Query(text, order=order))
        except MalformedQuery as refused:
            longest = max(longest, len(str(refused)))
        slowest = max(slowest, time.perf_counter() - began)
    assert (slowest < SECONDS_A_QUERY, longest < 700) == (True, True), (slowest, longest)
    await index.close()
