"""Results of the search benchmark, kept in a file: the newest of each kind of index and number of posts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ops.bench.search import SearchFigures


def add_results(path: Path, figures: Sequence[SearchFigures]) -> None:
    """Adds figures to a file, in the place of those of the same index and number of posts."""
    kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    for one in figures:
        kept = [other for other in kept if (other["index"], other["posts"]) != (one.index, one.posts)]
        kept.append(one.document())
    kept.sort(key=lambda one: (one["index"], one["posts"]))
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
