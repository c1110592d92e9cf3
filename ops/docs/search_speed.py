"""docs/reference/search-speed.md, written from what `tagstream bench search --keep` measured last."""

import json
from pathlib import Path
from typing import Any

from search.sqlite.facets import MAX_COUNTED_POSTS
from search.sqlite.reads import MAX_RANKED_POSTS
from tagstream.settings import REPOSITORY

RESULTS = REPOSITORY / "ops" / "bench" / "search_results.json"
_AIM_MS = 100.0

_HEAD = """# Searches, measured

This page is for people who want to know how long an answer takes. It is written by `make docs` from
`ops/bench/search_results.json`.

The posts are made up with their names, and not tagged: an everyday sentence of the `simulate:` source, then words and
now and then a person of a made-up vocabulary of 200,000 words, over 30 days, of 50,000 authors. Words, names and
authors follow Zipf's law; the commonest words are in a third of all posts. Each kind of question has several words,
asked in turn, one question at a time, after a warm-up. The pages are asked over HTTP.

A load over the number of cores says that the machine had other work meanwhile: those figures are too high.

The aim: 95 of 100 answers within 100 ms, over all questions and of each kind. A figure that misses it is in *italics*.

What makes the answers of SQLite quick, and what is limited:

- **Every post that matches is counted**: FTS5 walks about ten million a second. All posts together are counted in its
  table of their lengths, without a walk.
- **Facets** are those of the newest {counted:,} posts of a larger result, and say so. What is counted of a post
  stands in one short row.
- **The best match** is looked for among the newest {ranked:,} posts of a larger result, and the answer says so: FTS5
  computes the score of every post before it can sort them.
- **Histograms** of the page count posts alone. Distinct authors (`counts`, `/api/counts`) take a look at every post.

Elasticsearch counts, ranks and facets the whole result.

```
tagstream bench search --directory /tmp/bench --elasticsearch http://127.0.0.1:PORT --keep ops/bench/search_results.json
```
"""


def search_speed_page(path: Path = RESULTS) -> str:
    """Returns the page."""
    results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    head = _HEAD.format(counted=MAX_COUNTED_POSTS, ranked=MAX_RANKED_POSTS)
    return head + "".join(_section(one) for one in results)


def _section(one: dict[str, Any]) -> str:
    lines = [
        f"\n## {one['index']}, {one['posts']:,} posts\n",
        f"{one['machine']}; load {one['load']} before it began; {one['date']}.\n",
        "| question | p50, ms | p95, ms | longest, ms |",
        "|---|---|---|---|",
    ]
    for row in (*one["questions"], one["overall"], *one["pages"]):
        p95 = f"{row['p95_ms']:.1f}" if row["p95_ms"] <= _AIM_MS else f"*{row['p95_ms']:.1f}*"
        name = f"**{row['name']}**" if row is one["overall"] else row["name"]
        lines.append(f"| {name} | {row['p50_ms']:.1f} | {p95} | {row['max_ms']:.1f} |")
    return "\n".join(lines) + "\n"
