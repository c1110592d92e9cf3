"""Tagged posts of a feed. A text is tagged once by a model, whatever feeds it comes in: the answers are kept in a file.

The answer of the served tagger depends on nothing but the text, so what differs between two posts of one text (id,
author, time) is filled in afterwards.
"""

import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tagstream.posts import Author, TaggedPost, clean_text
from tagstream.settings import load_settings
from training.events.feed import SOURCE, Feed, FeedPost
from workers.open_models import open_text_tagger
from workers.tagger.texts import TextTagger

_TEXTS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class TaggingCost:
    """The time that tagging took: `processor_seconds` of all threads, for texts that were not tagged before."""

    texts: int
    processor_seconds: float
    seconds: float


def served_tagger() -> TextTagger:
    """Opens the tagger that the settings name, the one that ships with tagstream by default."""
    return open_text_tagger(load_settings(os.environ))


class TaggedTexts:
    """The answers of one tagger, kept in a SQLite file of a folder."""

    def __init__(self, folder: Path, tagger: TextTagger) -> None:
        self.tagger = tagger
        self._threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"tagged-{hashlib.sha256(tagger.model.encode()).hexdigest()[:12]}.sqlite"

    def tagged(self, feed: Feed) -> list[TaggedPost]:
        """Returns the tagged posts of a feed, in its order; tags what is not in the file yet."""
        self.tag(post.text for post in feed.posts)
        with closing(sqlite3.connect(self._path)) as file:
            answers = {
                text: TaggedPost.model_validate_json(answer)
                for text, answer in file.execute("SELECT text, answer FROM tagged")
            }
        return [_of_post(answers[clean_text(post.text)], post) for post in feed.posts]

    def tag(self, texts: Iterable[str]) -> TaggingCost:
        """Tags the texts that are not in the file, and keeps the answers."""
        with closing(sqlite3.connect(self._path)) as file:
            file.execute("CREATE TABLE IF NOT EXISTS tagged (text TEXT PRIMARY KEY, answer TEXT NOT NULL)")
            known = {text for (text,) in file.execute("SELECT text FROM tagged")}
            wanted = sorted({clean_text(text) for text in texts} - known)
            processor, wall = time.process_time(), time.perf_counter()
            for begin in range(0, len(wanted), _TEXTS_AT_ONCE):
                self._tag_and_keep(file, wanted[begin : begin + _TEXTS_AT_ONCE])
                print(f"tagged {min(begin + _TEXTS_AT_ONCE, len(wanted)):,} of {len(wanted):,}", file=sys.stderr)
        return TaggingCost(len(wanted), time.process_time() - processor, time.perf_counter() - wall)

    def _tag_and_keep(self, file: sqlite3.Connection, texts: Sequence[str]) -> None:
        # A share for each core: one call keeps one core busy.
        shares = [texts[start :: self._threads] for start in range(self._threads)]
        with ThreadPoolExecutor(self._threads) as pool:
            answers = list(pool.map(self.tagger.tag, shares))
        rows = [
            (text, post.model_dump_json())
            for share, posts in zip(shares, answers, strict=True)
            for text, post in zip(share, posts, strict=True)
        ]
        with file:
            file.executemany("INSERT OR REPLACE INTO tagged VALUES (?, ?)", rows)


def _of_post(answer: TaggedPost, post: FeedPost) -> TaggedPost:
    return answer.model_copy(
        update={
            "id": f"{SOURCE}:{post.id}",
            "source": SOURCE,
            "author": Author(id=post.author),
            "created_at": post.created_at,
        }
    )
