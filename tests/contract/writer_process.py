"""Writes batches to an index for ever, saying on standard output when it begins and when it has finished each.

`python writer_process.py INDEX`: batch n holds `BATCH` posts of the numbers from n * BATCH, an edit of the first post
of the batch before, and the cursor n + 1. It goes on from the saved cursor.
"""

import asyncio
import sys
from datetime import UTC, datetime

from search.index import Indexable, SourceCursor
from search.sqlite.index import SqliteIndex
from tagstream.posts import Entity, TaggedPost

BATCH = 40
MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
PARIS = Entity(text="Paris", type="LOC", start=0, end=5, score=1.0, key="paris")


def change(number: int, revision: int = 0) -> Indexable:
    post = TaggedPost(
        id=f"jsonl:{number}",
        source="jsonl",
        created_at=MOMENT,
        revision=revision,
        text=f"Paris word{number}",
        entities=(PARIS,),
        model="stub@1",
        generation=1,
    )
    return Indexable(post, MOMENT)


async def write_for_ever(path: str) -> None:
    index = await SqliteIndex.open(path)
    batch = int(await index.cursor("feed") or "0")
    while True:
        print("begin", batch, flush=True)
        changes = [change(batch * BATCH + at) for at in range(BATCH)]
        if batch:
            changes.append(change((batch - 1) * BATCH, revision=1))
        await index.write(changes, SourceCursor("feed", str(batch + 1)))
        print("done", batch, flush=True)
        batch += 1


if __name__ == "__main__":
    asyncio.run(write_for_ever(sys.argv[1]))
