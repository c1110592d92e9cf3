"""The texts of every post that is scored anywhere, which nothing that is served has learnt from.

::

    development and test parts of all sets ─▶ folded texts ◀─ annotated posts, unlabelled tweets, pseudo-labelled ones

The sets share posts: all development posts of WNUT-16 are training posts of WNUT-17. Names that training makes lists
and hashtags of come from the posts that are left. The systems of the papers, whose figures must be comparable with
printed ones, read the sets as they are.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tagstream.text.safe_text import unescape
from training.datasets import CORPORA, Example, data_folder, load_examples
from workers.tagger.conll import read_conll

# Scored by others than us: the development part of WNUT's first year.
_FURTHER = ("ner/wnut16/dev_2015",)
# Addresses and accounts may be hidden, retweets are marked, and each set cuts words from marks in its own way.
_UNTOLD = re.compile(r"^\W*rt\b|(?<!\w)https?(?!\w)\S*|@\s?\w*|\W|_")


def scored_files() -> tuple[str, ...]:
    """Returns the files of the development and test parts of all sets, below the folder of the data sets."""
    parts = (file for corpus in CORPORA.values() for file in (corpus.dev, corpus.test) if file is not None)
    return (*parts, *_FURTHER)


def fold(text: str) -> str:
    """Returns the letters and digits that every copy of a post has; nothing where it is only accounts and addresses."""
    return _UNTOLD.sub("", unescape(text).lower())


class ScoredTexts:
    """The texts of scored posts: `text in scored` tells whether a copy of a text is scored."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._folded = {folded for text in texts if (folded := fold(text))}

    @classmethod
    def load(cls, folder: Path | None = None) -> "ScoredTexts":
        """Reads all scored parts from the folder of the data sets.

        Raises:
            UnreadableInput: a part is not there: without it nobody can tell what must be left out.
        """
        paths = [(folder or data_folder()) / file for file in scored_files()]
        return cls(post.text for path in paths for post in read_conll(path))

    def __contains__(self, text: str) -> bool:
        return fold(text) in self._folded

    def without(self, texts: Iterable[str]) -> Iterator[str]:
        """Yields the texts that are not scored."""
        return (text for text in texts if text not in self)


def training_examples(corpus: str, scored: ScoredTexts) -> list[Example]:
    """Reads the training posts of a corpus that are scored nowhere, in file order."""
    return [example for example in load_examples(corpus, "train") if example.text not in scored]
