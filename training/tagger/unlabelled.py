"""Unlabelled tweets to distil on: TweetEval, CrisisLexT6 and CrisisMMD, once each, none that is scored anywhere."""

import csv
import hashlib
import re
from collections.abc import Iterator

from tagstream.posts import clean_text
from training.datasets import CORPORA, data_folder
from workers.tagger.conll import read_conll

_SHORTEST = 4  # words
_HELD_OUT = ("mner/twitter2015/test.txt", "mner/twitter2017/test.txt")
_UNTOLD = re.compile(r"^\W*rt\b|(?<!\w)https?(?!\w)\S*|@\w*|[^\w@]|_")


def unlabelled_texts() -> list[str]:
    """Returns the texts without copies and without tweets of any scored set; a hash of each decides the order."""
    scored = {_fold(text) for text in _scored_texts()}
    texts: dict[str, str] = {}
    for raw in _texts():
        text = clean_text(raw).strip()
        folded = _fold(text)
        if folded.count(" ") >= _SHORTEST - 1 and folded not in scored:
            texts.setdefault(folded, text)
    return sorted(texts.values(), key=lambda text: hashlib.sha256(text.encode()).digest())


def _fold(text: str) -> str:
    """Returns the words that every copy of a tweet has: addresses and accounts may be hidden, retweets are marked."""
    return " ".join(_UNTOLD.sub(" ", text.lower()).split())


def _scored_texts() -> Iterator[str]:
    folder = data_folder()
    for path in (*_HELD_OUT, *(corpus.dev for corpus in CORPORA.values())):
        yield from (post.text for post in read_conll(folder / path))


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
