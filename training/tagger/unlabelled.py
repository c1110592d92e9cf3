"""Unlabelled tweets to distil on: TweetEval, CrisisLexT6 and CrisisMMD, once each, none that is scored anywhere."""

import csv
import hashlib
from collections.abc import Iterator

from tagstream.posts import clean_text
from training.datasets import data_folder
from training.scored_texts import ScoredTexts, fold

_SHORTEST = 4  # words


def unlabelled_texts(scored: ScoredTexts) -> list[str]:
    """Returns the texts without copies and without those of scored posts; a hash of each decides the order."""
    texts: dict[str, str] = {}
    for raw in _texts():
        text = clean_text(raw).strip()
        if _words(text) >= _SHORTEST and text not in scored:
            texts.setdefault(fold(text), text)
    return sorted(texts.values(), key=lambda text: hashlib.sha256(text.encode()).digest())


def _words(text: str) -> int:
    """Returns how many words a text has that tell something: neither accounts nor addresses nor marks."""
    return sum(bool(fold(word)) for word in text.split())


def _texts() -> Iterator[str]:
    folder = data_folder()
    for path in sorted((folder / "text" / "tweeteval").glob("*.txt")):
        yield from path.read_text(encoding="utf-8").splitlines()
    for path in sorted((folder / "events" / "crisislex_t6").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            yield from (row[1] for row in csv.reader(file) if len(row) > 1)
    for path in sorted((folder / "events" / "crisismmd").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            yield from (row.get("tweet_text") or row.get("text") or "" for row in csv.DictReader(file))
