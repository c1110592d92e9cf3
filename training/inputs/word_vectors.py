"""Pretrained vectors of words: trained here on unlabelled tweets, or read from a file.

`tweets` are fastText vectors (Bojanowski et al. 2017: a word is the sum of its character n-grams) of the tweets at
hand, made by `python -m training.inputs.word_vectors`; anything else is a file in the text form of GloVe and fastText:
a word and its numbers a line, after a line of two counts or none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from gensim.models import FastText
from torch import Tensor

from tagstream.errors import UnreadableInput
from training.datasets import data_folder
from training.inputs.sentences import CORPORA, load_sentences, parts_of
from training.inputs.vocabulary import Vocabulary, normal_form
from workers.tagger.words import Kind, split_words

TWEETS = "tweets"
WIDTH = 200
_SEED = 1
_EPOCHS = 5
_LEAST_COUNT = 3

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Normal forms of words and their vectors, (words, width)."""

    words: tuple[str, ...]
    rows: FloatArray

    def of(self, words: Iterable[str]) -> "WordVectors":
        """Returns the vectors of some normal forms alone."""
        wanted = set(words)
        kept = [place for place, word in enumerate(self.words) if word in wanted]
        return WordVectors(tuple(self.words[place] for place in kept), self.rows[kept])


def load_word_vectors(name: str, cache: Path) -> WordVectors:
    """Loads `tweets`, trained the first time (minutes), or the vectors of a file.

    Raises:
        UnreadableInput: there is no such file, or it is of another form.
    """
    if name != TWEETS:
        return read_vectors(Path(name))
    path = cache / "tweets.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        trained = train_vectors()
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, words=np.array(trained.words), rows=trained.rows)
        partial.replace(path)
    with np.load(path) as stored:
        return WordVectors(tuple(stored["words"].tolist()), stored["rows"])


def read_vectors(path: Path) -> WordVectors:
    """Reads the vectors of a text file; of words that have one normal form the first counts, which is the commonest.

    Raises:
        UnreadableInput: there is no such file, or a line is not a word and as many numbers as the others have.
    """
    words: dict[str, FloatArray] = {}
    width = 0
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                columns = line.rstrip().split(" ")
                if number == 1 and len(columns) == 2:
                    continue
                row = np.array(columns[1:], np.float32)
                width = width or len(row)
                if not width or len(row) != width:
                    raise ValueError(f"line {number} has {len(row)} numbers, the first one {width}")
                words.setdefault(normal_form(columns[0]), row)
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{path}: cannot be read as vectors of words: {error}") from error
    if not words:
        raise UnreadableInput(f"{path}: holds no vectors of words")
    return WordVectors(tuple(words), np.stack(list(words.values())))


def train_vectors() -> WordVectors:
    """Trains fastText vectors of the unlabelled tweets and the training parts, for every word of any part.

    A word that those tweets do not have gets the vector of its n-grams: of development and test parts only the
    spelling of the words is looked at.
    """
    tweets = [*_unlabelled(), *_labelled("train")]
    # One thread: with more, the order of the updates and so the vectors would differ from run to run.
    model = FastText(
        tweets, vector_size=WIDTH, sg=1, window=5, min_count=_LEAST_COUNT, epochs=_EPOCHS, seed=_SEED, workers=1
    )
    words = set(model.wv.key_to_index)
    for part in ("train", "dev", "test"):
        words.update(word for tweet in _labelled(part) for word in tweet)
    ordered = tuple(sorted(words))
    return WordVectors(ordered, np.stack([model.wv[word] for word in ordered]).astype(np.float32))


def _unlabelled() -> Iterator[list[str]]:
    for path in sorted((data_folder() / "text/tweeteval").glob("*_text.txt")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            yield [_read_as(word.surface, word.kind) for word in split_words(line)]


def _read_as(surface: str, kind: Kind) -> str:
    if kind is Kind.URL:
        return "http"
    return "@user" if kind is Kind.MENTION else normal_form(surface)


def _labelled(part: str) -> Iterator[list[str]]:
    for corpus in CORPORA:
        for sentence in load_sentences(corpus, part) if part in parts_of(corpus) else ():
            yield [normal_form(token) for token in sentence.tokens]


def table_of(vectors: WordVectors, vocabulary: Vocabulary) -> Tensor:
    """Returns (words of the vocabulary, width): zeros where a word has no vector."""
    table = torch.zeros(vocabulary.word_count, vectors.rows.shape[1])
    for word, row in zip(vectors.words, vectors.rows, strict=True):
        table[vocabulary.word(word)] = torch.from_numpy(row)
    # Of padding and the unknown: whatever has a vector and no place in the vocabulary is written there.
    table[:2] = 0
    return table


if __name__ == "__main__":
    print(len(load_word_vectors(TWEETS, Path("runs/zoo/cache")).words), "words")
