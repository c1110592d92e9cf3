"""Trains the served tagger: `python -m training.tagger.train training/configs/tagger.toml --run runs/tagger`.

The development parts of all sets, each counting alike, choose the epoch and stop the training early. Besides the files
of every run (`training/run_folder.py`) this one keeps an exponential average of the weights: `best.pt` holds the
average that scored best. `training/loop.py` says how a run goes on where it was stopped.
"""

import math
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tagstream.errors import BadSettings
from training.datasets import CORPORA, Example
from training.loop import EpochScore, Progress, TrainingTask, epoch_seed, fit
from training.run_folder import open_run
from training.scored_texts import ScoredTexts, training_examples
from training.script import ScriptParser, not_negative, run_script
from training.tagger.batches import BatchMaker, Noise, TaggerBatch
from training.tagger.development import score_development
from training.tagger.encoders import stored_config
from training.tagger.hashtag_noise import HashtagNoise, hashtag_names
from training.tagger.known_names import KnownNames
from training.tagger.name_lists import list_of_names
from training.tagger.network import ThreeSegmentTagger
from training.tagger.pretrained import fetched_encoder, vocabulary_file
from training.tagger.pseudo_labels import PseudoExample, read_pseudo_labels
from training.tagger.trailing_hashtags import HashtagMatter, hashtags_alone, ordinary_phrases
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.encoding import Encoder

_LEAST_SHARE = 0.02  # of the highest learning rate, at the end


@dataclass(frozen=True, slots=True)
class TaggerRecipe:
    """The settings of one training: the file `training/configs/tagger.toml`, typed.

    `layers` is how many of the encoder's layers are taken, from the first. `warmup` is the share of all steps in which
    the learning rate rises. `posts` says how many posts of each corpus make an epoch. `average_decay` is the highest
    decay of the average of the weights. `patience` epochs without a better score end the training.
    """

    system: str
    encoder: str
    layers: int
    precision: str
    seed: int
    epochs: int
    batch: int
    encoder_learning_rate: float
    head_learning_rate: float
    crf_learning_rate: float
    weight_decay: float
    warmup: float
    dropout: float
    attention_dropout: float
    piece_dropout: float
    feature_dropout: float
    caption_dropout: float
    wrong_captions: float
    listed_hashtags: float
    lower_case: float
    upper_case: float
    misspelled: float
    account_names_and_links: float
    no_punctuation: float
    names_as_hashtags: float
    words_as_hashtags: float
    name_lists: int
    pseudo_posts: int
    pseudo_weight: float
    average_decay: float
    patience: int
    posts: dict[str, int]
    # Those of version 2 and before have none.
    trailing_hashtags: float = 0.0
    hashtag_lists: int = 0

    @classmethod
    def read(cls, path: Path) -> "TaggerRecipe":
        """Reads a file.

        Raises:
            BadSettings: the file is not there, or has other fields.
        """
        try:
            return cls(**tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
            raise BadSettings(f"{path}: not a recipe of the served tagger: {error}") from error

    @property
    def noise(self) -> Noise:
        """The chances with which each kind of input is hidden."""
        return Noise(
            self.piece_dropout,
            self.feature_dropout,
            self.caption_dropout,
            self.wrong_captions,
            self.listed_hashtags,
            self.lower_case,
            self.upper_case,
            self.misspelled,
            self.account_names_and_links,
            self.no_punctuation,
            HashtagNoise(self.names_as_hashtags, self.words_as_hashtags, trailing=self.trailing_hashtags),
        )


class TaggerTraining(TrainingTask[TaggerBatch]):
    """The training of the served tagger, with an exponential average of its weights."""

    identity_words = "another recipe"
    clip = 1.0
    batches_between_lines = 50

    def __init__(self, recipe: TaggerRecipe, pseudo_labels: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.identity = asdict(recipe)
        self.seed, self.epochs, self.patience = recipe.seed, recipe.epochs, recipe.patience
        self._segment: Callable[[str], Sequence[str]] = HashtagSegmenter.load().segment
        self._encoder = Encoder.load(vocabulary_file())
        scored = ScoredTexts.load()
        self._posts = {name: training_examples(name, scored) for name in recipe.posts}
        self._pseudo_posts, self._teachers = _pseudo_posts(recipe, pseudo_labels, scored)
        everything = [example for examples in self._posts.values() for example in examples]
        phrases = ordinary_phrases(everything, random.Random(recipe.seed))
        self._matter = HashtagMatter(hashtag_names(everything), phrases)
        captions = [example.caption for example in everything if example.caption]
        known = KnownNames(everything)
        self._maker = BatchMaker(self._encoder, self._segment, recipe.noise, known, self._matter, captions)
        self._tagger = ThreeSegmentTagger.from_pretrained(
            fetched_encoder(recipe.encoder), recipe.dropout, recipe.attention_dropout, recipe.layers
        )
        self.network = self._tagger
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=recipe.weight_decay, fused=True)
        posts_an_epoch = sum(map(min, recipe.posts.values(), map(len, self._posts.values())))
        posts_an_epoch += recipe.pseudo_posts + recipe.name_lists + recipe.hashtag_lists
        self._steps = math.ceil(posts_an_epoch / recipe.batch) * recipe.epochs

    def _groups(self) -> list[dict[str, Any]]:
        network, recipe = self._tagger, self.recipe
        return [
            {"params": list(network.encoder.parameters()), "lr": recipe.encoder_learning_rate},
            {"params": [*network.features.parameters(), *network.score.parameters()], "lr": recipe.head_learning_rate},
            {"params": list(network.crf.parameters()), "lr": recipe.crf_learning_rate, "weight_decay": 0.0},
        ]

    def batches(self, epoch: int) -> Iterator[TaggerBatch]:
        """Yields a new sample of each corpus and the next stretch of the pseudo-labelled posts, with new noise."""
        chance = random.Random(epoch_seed(self.seed, epoch))
        examples: list[Example | PseudoExample] = []
        for name, posts in self.recipe.posts.items():
            examples += chance.sample(self._posts[name], min(posts, len(self._posts[name])))
        examples += [list_of_names(self._matter.names, chance) for _ in range(self.recipe.name_lists)]
        hashtags = self.recipe.noise.hashtags
        examples += [hashtags_alone(hashtags, self._matter, chance) for _ in range(self.recipe.hashtag_lists)]
        if self.recipe.pseudo_posts:
            first = epoch * self.recipe.pseudo_posts
            pool = self._pseudo_posts
            examples += [pool[index % len(pool)] for index in range(first, first + self.recipe.pseudo_posts)]
        return self._maker.batches(examples, self.recipe.batch, chance)

    def backpropagate(self, batch: TaggerBatch) -> float:
        """Adds the gradient of the loss over the first pieces of the words.

        Of annotated posts that is the CRF's; of pseudo-labelled ones the cross-entropy between the teachers' marginals
        and the CRF's own, summed over the words of a post.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            emissions = self._tagger(batch.pieces, batch.segments, batch.features)
        emissions = emissions.float()
        words = emissions.gather(1, batch.first_pieces[..., None].expand(-1, -1, emissions.shape[-1]))
        crf = self._tagger.crf
        loss: Tensor
        if batch.is_annotated:
            loss = crf.loss(words, batch.targets, batch.mask)
        else:
            surprise = -(batch.targets * crf.log_marginals(words, batch.mask)).sum(dim=2)
            loss = self.recipe.pseudo_weight * (surprise * batch.mask).sum(dim=1).mean()
        torch.autograd.backward(loss)
        return loss.item()

    def learning_rate_share(self, progress: Progress) -> float:
        """Returns a linear rise, then a linear fall to a fiftieth."""
        warmup = self.recipe.warmup * self._steps
        fallen = (self._steps - progress.step) / (self._steps - warmup)
        return min((progress.step + 1) / warmup, max(_LEAST_SHARE, fallen))

    def after_step(self, progress: Progress) -> None:
        """Moves the average towards the weights, faster in the first steps."""
        decay = min(self.recipe.average_decay, (1 + progress.step) / (10 + progress.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)

    def evaluate(self) -> EpochScore:
        """Scores the averaged weights: the mean strict F1 of the development parts."""
        averaged = ThreeSegmentTagger(self._tagger.config, 0.0)
        averaged.load_state_dict(self.average)
        averaged.to(torch.bfloat16 if self.recipe.precision == "bfloat16" else torch.float32)
        figures = score_development(averaged.eval(), self._encoder, self._segment, CORPORA)
        return EpochScore(sum(figures[name]["strict"]["f1"] for name in CORPORA) / len(CORPORA), {"dev": figures})

    def best_state(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the average, the recipe, what the encoder looks like, the teachers, and the development figures."""
        return {
            "weights": self.average,
            "recipe": asdict(self.recipe),
            "encoder": stored_config(self._tagger.config),
            "teachers": self._teachers,
            "reads_scored_posts": False,
            **figures,
        }

    def extra_state(self) -> dict[str, Any]:
        """Returns the average."""
        return {"average": self.average}

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Takes the average back."""
        self.average = state["average"]


def _pseudo_posts(
    recipe: TaggerRecipe, path: Path | None, scored: ScoredTexts
) -> tuple[list[PseudoExample], list[str]]:
    if not recipe.pseudo_posts:
        return [], []
    if path is None:
        raise BadSettings("this recipe reads pseudo-labelled posts: name their file with --pseudo-labels FILE")
    posts, teachers = read_pseudo_labels(path)
    return [post for post in posts if len(post.marginals) and post.text not in scored], teachers


def train(recipe: TaggerRecipe, folder: Path, pseudo_labels: Path | None = None) -> Progress:
    """Trains into a folder, or goes on where the run there was left.

    Raises:
        BadSettings: the folder is of another recipe, or another process trains there.
        CorruptState: its checkpoint is damaged.
    """
    with open_run(folder) as run:
        return fit(TaggerTraining(recipe, pseudo_labels), run)


def main() -> None:
    """Runs the command line of this module."""
    parser = ScriptParser(description="Train the served tagger; run again to go on where it stopped.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--pseudo-labels", type=Path, help="what `python -m training.tagger.pseudo_labels` wrote")
    parser.add_argument("--threads", type=not_negative, default=0, help="0: as many as there are cores")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train(TaggerRecipe.read(arguments.config), arguments.run, arguments.pseudo_labels)


if __name__ == "__main__":
    run_script(main)
