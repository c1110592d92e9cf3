"""`tagstream bench search` asks both indices: the real Elasticsearch, too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops.bench.search_queries import PAGES, QUESTIONS

POSTS = 1_000


def test_both_indices_are_filled_and_asked_every_question(elasticsearch: Any, tmp_path: Path) -> None:
    command = ["bench", "search", "--posts", str(POSTS), "--times", "2", "--directory", str(tmp_path), "--json"]
    process = subprocess.run(
        [sys.executable, "-m", "tagstream", *command, "--elasticsearch", elasticsearch.url],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    sqlite, elastic = map(json.loads, process.stdout.splitlines())
    assert (sqlite["index"], elastic["index"]) == ("sqlite", "elasticsearch")
    for figures in (sqlite, elastic):
        assert figures["posts"] == POSTS
        assert [one["name"] for one in figures["questions"]] == [question.name for question in QUESTIONS]
        assert [one["name"] for one in figures["pages"]] == [name for name, _ in PAGES]
