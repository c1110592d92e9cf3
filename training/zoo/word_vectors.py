"""Pretrained vectors of words: read from a file, or trained here on unlabelled tweets.

`tweets` are those trained here (`train_word_vectors`), anything else is a file in the text form of GloVe and fastText:
a word and its numbers a line, after a first line of two counts or none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tagstream.errors import UnreadableInput
from training.zoo.vocabulary import Vocabulary

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Normal forms of words and their vectors, (words, width)."""

    words: tuple[str, ...]
    rows: FloatArray


def load_word_vectors(name: str, cache: Path) -> WordVectors:
    """`tweets`, or the vectors of a file.

    Raises:
        UnreadableInput: there is no such file, or it is of another form.
    """
    path = cache / "tweets.vec" if name == "tweets" else Path(name)
    raise UnreadableInput(f"{path}: cannot be read as vectors of words")


def table_of(vectors: WordVectors, vocabulary: Vocabulary) -> Tensor:
    """(words of the vocabulary, width): zeros where a word has no vector."""
    table = torch.zeros(vocabulary.word_count, vectors.rows.shape[1])
    for word, row in zip(vectors.words, vectors.rows, strict=True):
        table[vocabulary.word(word)] = torch.from_numpy(row)
    table[:2] = 0
    return table
