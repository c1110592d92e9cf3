"""Words and characters as numbers: 0 is padding, 1 whatever was not seen in training.

Words are told apart in lower case, with digits alike; characters as they stand, so that case is left to those.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tagstream.errors import CorruptState

PADDING, UNKNOWN = 0, 1
LONGEST_WORD = 40
LETTER_CASES = 6

_DIGIT = re.compile(r"\d")


def normal_form(word: str) -> str:
    """Returns the form under which a word is looked up."""
    return _DIGIT.sub("0", word.lower())


def letter_case(word: str) -> int:
    """Returns 1 for lower, 2 capitalised, 3 upper, 4 mixed, 5 without letters; 0 is padding."""
    if not any(character.isalpha() for character in word):
        return 5
    if word.islower():
        return 1
    if word.isupper():
        return 3 if len(word) > 1 else 2
    return 2 if word[0].isupper() and not any(character.isupper() for character in word[1:]) else 4


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`words` and `characters` in order of their numbers, which begin at 2; `labels` are those of photos, from 1.

    The first `seen` words occur in training; those after them only have vectors.
    """

    words: tuple[str, ...]
    seen: int
    characters: tuple[str, ...]
    labels: tuple[str, ...]
    _word_numbers: dict[str, int]
    _character_numbers: dict[str, int]
    _label_numbers: dict[str, int]

    @classmethod
    def of(
        cls, words: Iterable[str], characters: Iterable[str], labels: Iterable[str], unseen: Iterable[str] = ()
    ) -> Self:
        """Builds a vocabulary of normal forms, characters and labels, each of which may occur more than once.

        `unseen` are words that training may or may not have: they have a vector from elsewhere.
        """
        seen, letters, names = (tuple(sorted(set(values))) for values in (words, characters, labels))
        known = seen + tuple(sorted(set(unseen) - set(seen)))
        return cls(
            known,
            len(seen),
            letters,
            names,
            {word: number for number, word in enumerate(known, UNKNOWN + 1)},
            {letter: number for number, letter in enumerate(letters, UNKNOWN + 1)},
            {name: number for number, name in enumerate(names, PADDING + 1)},
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a vocabulary that `write` wrote.

        Raises:
            CorruptState: it is not there, or says something else.
        """
        try:
            lists = json.loads(path.read_bytes())
            seen = lists["seen"]
            return cls.of(lists["words"][:seen], lists["characters"], lists["labels"], lists["words"][seen:])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise CorruptState(f"{path}: not the vocabulary of a run: {error}; train it again") from error

    def write(self, path: Path) -> None:
        """Writes a file of JSON: numbers follow from the order."""
        lists = {"seen": self.seen, "words": self.words, "characters": self.characters, "labels": self.labels}
        # Written beside and renamed, so that a kill leaves a whole file or none.
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(lists, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)

    def word(self, word: str) -> int:
        """Returns the number of a word as it stands in a text."""
        return self._word_numbers.get(normal_form(word), UNKNOWN)

    def spelling(self, word: str) -> list[int]:
        """Returns the numbers of its first `LONGEST_WORD` characters."""
        return [self._character_numbers.get(character, UNKNOWN) for character in word[:LONGEST_WORD]]

    def photo_labels(self, labels: Sequence[str]) -> list[int]:
        """Returns the numbers of those labels that are known, in order."""
        return [self._label_numbers[label] for label in labels if label in self._label_numbers]

    @property
    def seen_count(self) -> int:
        """Rows of a table of the words that occur in training, those of padding and the unknown included."""
        return self.seen + 2

    @property
    def word_count(self) -> int:
        """Rows of a table of all words, likewise."""
        return len(self.words) + 2

    @property
    def character_count(self) -> int:
        """Rows of a table of characters, likewise."""
        return len(self.characters) + 2

    @property
    def label_count(self) -> int:
        """Rows of a table of labels, that of padding included."""
        return len(self.labels) + 1
