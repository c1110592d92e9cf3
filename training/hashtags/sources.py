"""Counts what hashtags are made of: words and pairs of words, from tweets, names and segmented hashtags.

Nothing here keeps a text: handles, links and truncated words are dropped, and only words seen several times survive
`Counts.known`. `training/hashtags/counts.py` makes of them the one file that `workers/hashtags/segmenter.py` loads.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tagstream.text.safe_text import unescape
from training.scored_texts import ScoredTexts

SOURCES = ("text", "tags", "whole", "twitter", "names", "clusters")
MINIMUM_COUNT = 2
OCCURRENCES_PER_TAG = 4
STYLED_COUNT = 5

Gold = tuple[str, list[str]]  # a hashtag without its sign, and its accepted segmentations

_NOISE = re.compile(r"https?:\S*|www\.\S+|@\s?\w+|\S+…|\S+\.\.\.(?=\s|$)")
_HASHTAG = re.compile(r"#\s?(\w+)")
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_STYLED_WORD = re.compile(r"(?<![\w@/.])[A-Za-z]*[a-z][A-Z][A-Za-z]*(?![\w@])")
_CAMEL_WORD = re.compile(r"[A-Z][a-z]+|[A-Z]{2,}(?![a-z])|\d+")
_WORD = re.compile(r"[a-zà-öø-ž0-9]{1,24}")


@dataclass
class Counts:
    """The counts of each word and each pair of neighbours, for each kind of source; and words of running text
    with a capital inside, as written."""

    words: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in SOURCES})
    pairs: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: {name: Counter() for name in SOURCES})
    styled: Counter[str] = field(default_factory=Counter)

    def add(self, source: str, words: Sequence[str], times: int = 1) -> None:
        """Counts the words and neighbours of one phrase; an empty string breaks it."""
        kept = [word if _WORD.fullmatch(word) else "" for word in words]
        for word in kept:
            if word:
                self.words[source][word] += times
        for left, right in pairwise(kept):
            if left and right:
                self.pairs[source][left, right] += times

    def known(self) -> list[str]:
        """Returns the words worth keeping, sorted: seen several times other than as an undivided hashtag."""
        total: Counter[str] = Counter()
        for source, counter in self.words.items():
            if source != "whole":
                total.update(counter)
        return sorted(word for word, count in total.items() if count >= MINIMUM_COUNT)

    def styled_words(self) -> list[str]:
        """Returns the words that are one in spite of their capitals (YouTube), written so more often than apart."""

        def apart(word: str) -> int:
            return max((self.pairs["text"][pair] for pair in pairwise(camel_words(word))), default=0)

        return sorted(word for word, count in self.styled.items() if count >= STYLED_COUNT and count > apart(word))


def camel_words(tag: str) -> list[str]:
    """Returns the words that the capitals of a hashtag show beyond doubt, lower case; none if they do not."""
    words = _CAMEL_WORD.findall(tag)
    if len(words) < 2 or "".join(words) != tag or not any(word[-1].islower() for word in words):
        return []
    return [word.lower() for word in words]


def phrase_words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without apostrophes, as in hashtags; "" where a phrase breaks."""
    words = []
    for token in _TOKEN.findall(text):
        plain = token.replace("'", "").replace("’", "").lower()
        words.append(plain if _WORD.fullmatch(plain) else "")
    return words


def split_texts(texts: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Returns running text and hashtags of each distinct text, without handles, links and truncated words."""
    seen: set[int] = set()
    for text in texts:
        clean = _NOISE.sub(" \n ", unescape(text).replace("\\n", " "))
        fingerprint = hash(" ".join(clean.lower().split()))
        if fingerprint not in seen:
            seen.add(fingerprint)
            yield _HASHTAG.sub(" | ", clean), _HASHTAG.findall(clean)


def add_texts(counts: Counts, texts: Iterable[str]) -> None:
    """Counts running text, each distinct text once, and the hashtags in it apart."""
    tags: Counter[str] = Counter()
    for running, tags_there in split_texts(texts):
        tags.update(tags_there)
        counts.add("text", phrase_words(running))
        counts.styled.update(set(_STYLED_WORD.findall(running)))
    for tag, times in tags.items():
        counts.add("whole", [tag.lower()], times)
        counts.add("tags", camel_words(tag), min(times, OCCURRENCES_PER_TAG))


def tweets(data: Path) -> Iterator[str]:
    """Returns every tweet that may be learnt from: none that is scored as a whole, none of the sets of hashtags.

    The shipped files were made before copies of scored posts in other sets were left out.
    """
    return ScoredTexts.load(data).without(_tweets(data))


def _tweets(data: Path) -> Iterator[str]:
    for path in sorted((data / "text" / "tweeteval").glob("*_text.txt")):
        yield from path.read_text(encoding="utf-8").splitlines()
    for path in sorted((data / "events").glob("*/*.csv")) + sorted((data / "events").glob("*/*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                if len(row) > 1:
                    yield row[1].strip('"')
    for name in ("mner/twitter2015/train.txt", "mner/twitter2017/train.txt", "ner/btc/btc.train",
                 "ner/tweebank/train.bio", "ner/wnut16/train", "ner/wnut17/wnut17train.conll"):  # fmt: skip
        for block in re.split(r"\n\s*\n", (data / name).read_text(encoding="utf-8")):
            lines = [line for line in block.split("\n") if not line.startswith(("IMGID:", "-DOCSTART-"))]
            yield " ".join(line.split()[0] for line in lines if line.split())


def read_segmentations(path: Path) -> list[Gold]:
    """Reads the rows of a STAN-large file: a hashtag and its accepted segmentations."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row[1], row[2:]) for row in rows]


def read_marked(path: Path) -> list[Gold]:
    """Reads the rows of HashSet: hashtags whose capitals were taken to show their words."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [(row["Unsegmented_hashtag"].lstrip("#"), [row["Segmented_hashtag"].lstrip("#")]) for row in rows]


def add_segmentations(counts: Counts, rows: Iterable[Gold], times: int = 2) -> None:
    """Counts segmented hashtags, by the first accepted answer."""
    for _, accepted in rows:
        counts.add("tags", phrase_words(accepted[0]), times)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def name_lines(data: Path) -> Iterator[str]:
    """Returns the names of all name lists."""
    for path in sorted((data / "gazetteers" / "dictionaries").iterdir()):
        if not path.name.startswith("dictionaries.conf"):
            yield from _lines(path)


def cluster_words(data: Path) -> Iterator[str]:
    """Returns the words of the Brown clusters of tweets, as written."""
    for line in _lines(data / "gazetteers" / "brown_clusters" / "60K_clusters.txt"):
        yield line.rsplit(" ", 1)[0]


def collect(data: Path, marked: Iterable[Gold]) -> Counts:
    """Returns all counts but those of the segmented training set, which the fit needs fold by fold."""
    counts = Counts()
    add_texts(counts, tweets(data))
    add_segmentations(counts, marked, 1)
    for line in name_lines(data):
        counts.add("names", phrase_words(line))
    for word in cluster_words(data):
        counts.add("clusters", phrase_words(word)[:1], 2)
    for line in _lines(data / "hashtags" / "stan_large" / "twitter_counts.tsv"):
        phrase, times = line.rsplit("\t", 1)
        words = phrase.split()
        if len(words) == 1:
            counts.add("twitter", words, int(times))
        for pair in pairwise(words):
            counts.pairs["twitter"][pair] = max(counts.pairs["twitter"][pair], int(times))
    for line in _lines(data / "hashtags" / "stan_large" / "train_corrected.tsv"):
        # Without their hashtags, whose answers the fit must not have seen.
        counts.add("text", phrase_words(_HASHTAG.sub(" | ", _NOISE.sub(" | ", unescape(line.split("\t")[0])))))
    return counts
