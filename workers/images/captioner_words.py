"""The words of captions as numbers: 0 is padding, then the marks of begin and end, and what training did not see."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

PADDING, START, END, UNKNOWN = range(4)
_FIRST_WORD = UNKNOWN + 1


def caption_words(caption: str) -> list[str]:
    """The words of a caption, in lower case."""
    return caption.lower().split()


@dataclass(frozen=True, slots=True)
class CaptionWords:
    """`words` in the order of their numbers, which begin at 4."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, captions: Iterable[str], least_count: int = 1) -> Self:
        """Every word that stands in the captions so many times."""
        counts = Counter(word for caption in captions for word in caption_words(caption))
        return cls(tuple(sorted(word for word, count in counts.items() if count >= least_count)))

    @property
    def count(self) -> int:
        """Rows of a table of words, those of the marks included."""
        return len(self.words) + _FIRST_WORD

    def numbers(self, captions: Sequence[str], longest: int) -> list[list[int]]:
        """Each caption between its marks, cut after `longest` words."""
        known = {word: number for number, word in enumerate(self.words, _FIRST_WORD)}
        return [
            [START, *(known.get(word, UNKNOWN) for word in caption_words(caption)[:longest]), END]
            for caption in captions
        ]

    def sentence(self, numbers: Sequence[int]) -> str:
        """The words up to the end mark, with a space between them."""
        end = numbers.index(END) if END in numbers else len(numbers)
        return " ".join(self.words[number - _FIRST_WORD] for number in numbers[:end] if number >= _FIRST_WORD)
