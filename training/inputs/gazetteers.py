"""Name lists and word clusters that tweets are looked up in: the dictionaries and Brown clusters of T-NER.

Owns the form of their files. They lie with the data, not in the project.
"""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from tagstream.errors import UnreadableInput
from training.datasets import data_folder

LONGEST_PHRASE = 5
_DICTIONARIES = "gazetteers/dictionaries"
_CLUSTERS = "gazetteers/brown_clusters/60K_clusters.txt"
_NO_LIST = ".conf"  # it says where the lists come from
_PATH_BITS = 20


def phrase_form(words: Sequence[str]) -> str:
    """Returns the form under which words in a row are looked up: lower case, without punctuation at the ends."""
    return " ".join(words).lower().strip(string.punctuation)


@dataclass(frozen=True, slots=True)
class NameLists:
    """`names[number]` is the name of a list, `found` the numbers of the lists that hold a phrase, by its form."""

    names: tuple[str, ...]
    found: dict[str, tuple[int, ...]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads every list of a folder: a phrase a line.

        Raises:
            UnreadableInput: there is no list.
        """
        paths = sorted(path for path in folder.glob("*") if _NO_LIST not in path.name)
        if not paths:
            raise UnreadableInput(f"{folder}: there are no name lists: set TAGSTREAM_DATA to the folder of the data")
        found: dict[str, tuple[int, ...]] = {}
        alike: dict[tuple[int, ...], tuple[int, ...]] = {}
        for number, path in enumerate(paths):
            for phrase in _phrases(path):
                before = found.get(phrase, ())
                if before[-1:] != (number,):
                    lists = (*before, number)
                    # Hundreds of thousands of phrases share a few hundred combinations.
                    found[phrase] = alike.setdefault(lists, lists)
        return cls(tuple(path.name for path in paths), found)

    def matches(self, tokens: Sequence[str]) -> list[set[tuple[str, int]]]:
        """Returns for each token the lists with a phrase of up to five tokens around it, and the phrase's length."""
        answers: list[set[tuple[str, int]]] = [set() for _ in tokens]
        for start in range(len(tokens)):
            for end in range(start + 1, min(start + LONGEST_PHRASE, len(tokens)) + 1):
                for number in self.found.get(phrase_form(tokens[start:end]), ()):
                    for place in range(start, end):
                        answers[place].add((self.names[number], end - start))
        return answers


def _phrases(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        phrase = phrase_form(line.split())
        if phrase and phrase.count(" ") < LONGEST_PHRASE:
            yield phrase


@dataclass(frozen=True, slots=True)
class WordClusters:
    """The place of a word, in lower case, in a binary tree of clusters (Brown et al. 1992): a path from the root."""

    paths: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a file of words and numbers; the lowest bit of a number is the first step of the path.

        Raises:
            UnreadableInput: there is no such file, or a line is not a word and a number.
        """
        paths = {}
        try:
            # Split by hand: some words are signs that other programs take for the end of a line.
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
                if line:
                    word, _, bits = line.rpartition(" ")
                    if not bits.isascii() or not bits.isdigit():
                        raise ValueError(f"line {number} does not end with the number of a cluster")
                    # Leading steps to the left are lost zeros, so that the length of a path is not told.
                    paths[word] = f"{int(bits):b}"[::-1].ljust(_PATH_BITS, "0")[:_PATH_BITS]
        except (OSError, ValueError) as error:
            raise UnreadableInput(f"{path}: cannot be read as clusters of words: {error}") from error
        return cls(paths)

    def path(self, word: str) -> str:
        """Returns 20 steps of 0 and 1; empty for a word that is in no cluster."""
        return self.paths.get(word.lower(), "")


@lru_cache(maxsize=1)
def load_name_lists() -> NameLists:
    """Reads the files that come with the data."""
    return NameLists.read(data_folder() / _DICTIONARIES)


@lru_cache(maxsize=1)
def load_word_clusters() -> WordClusters:
    """Reads the files that come with the data."""
    return WordClusters.read(data_folder() / _CLUSTERS)
