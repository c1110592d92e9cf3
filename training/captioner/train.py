"""Trains the recurrent captioner: `python -m training.captioner.train --photos FOLDER --captions FILE --run RUN`.

Captions are JSON, a line each: `{"image_id": "7.jpg", "caption": "a dog on a beach"}`. Only the decoder is trained. The
checkpoint `last.pt` is at the same time the captioner that serving loads. `training/loop.py` says how a run goes on
where it was stopped.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tagstream.errors import BadSettings
from training.captioner.decoder import PADDING, CaptionWords
from training.captioner.photos import CaptionedPhoto, photos_hash, read_photos
from training.captioner.recurrent import LONGEST_CAPTION, RecurrentCaptioner, encoder_hash, regions_of
from training.loop import EpochScore, Progress, TrainingTask, epoch_seed, fit
from training.run_folder import open_run
from training.script import run_script
from workers.images.classifier import FloatArray, ImageEncoder, open_local_encoder
from workers.models.captioner_version import RUN
from workers.models.image_repository import open_image_version


@dataclass(frozen=True, slots=True)
class CaptionerRecipe:
    """The settings of one training. A word that stands in fewer than `least_count` captions is not learnt."""

    epochs: int = 40
    batch: int = 32
    learning_rate: float = 1e-3
    least_count: int = 5
    word_width: int = 128
    size: int = 256
    dropout: float = 0.5
    seed: int = 1


class CaptionerTraining(TrainingTask[list[int]]):
    """The training of a captioner's decoder. A batch is the rows of its captions."""

    identity_words = "other photos or settings, or of another image encoder"
    clip = 5.0

    def __init__(self, encoder: ImageEncoder, photos: Sequence[CaptionedPhoto], recipe: CaptionerRecipe) -> None:
        seen = regions_of(encoder, [photo.thumbnail for photo in photos])
        pairs = [(regions, photo.caption) for regions, photo in zip(seen, photos, strict=True) if regions is not None]
        if not pairs:
            raise BadSettings("a captioner cannot be trained on no photo at all")
        self.recipe = recipe
        self.seed, self.epochs = recipe.seed, recipe.epochs
        # More epochs than at first are no other training.
        settings = {name: value for name, value in asdict(recipe).items() if name != "epochs"}
        self.identity = {"recipe": settings, "photos": photos_hash(photos), "encoder": encoder_hash(encoder)}
        self.regions: list[FloatArray] = [regions for regions, _ in pairs]
        words = CaptionWords.of((caption for _, caption in pairs), recipe.least_count)
        self._numbers = words.numbers([caption for _, caption in pairs], LONGEST_CAPTION)
        torch.manual_seed(recipe.seed)
        sizes = {"word_width": recipe.word_width, "size": recipe.size, "dropout": recipe.dropout}
        self.captioner = RecurrentCaptioner(encoder, words, sizes)
        self.captioner.decoder.know(self._regions(range(len(self.regions))))
        self.network = self._decoder = self.captioner.decoder
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Yields the rows of all captions in random order."""
        order = list(range(len(self._numbers)))
        random.Random(epoch_seed(self.seed, epoch)).shuffle(order)
        for start in range(0, len(order), self.recipe.batch):
            yield order[start : start + self.recipe.batch]

    def backpropagate(self, batch: list[int]) -> float:
        """Adds the gradient of the decoder's loss, averaged over words."""
        loss: Tensor = self._decoder.loss(self._regions(batch), self._captions(batch))
        torch.autograd.backward(loss)
        return loss.item()

    def weight(self, batch: list[int]) -> int:
        """Returns the words of the captions, the mark at their end included."""
        return sum(len(self._numbers[row]) - 1 for row in batch)

    def _regions(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([self.regions[row] for row in rows]))

    def _captions(self, rows: Sequence[int]) -> Tensor:
        longest = max(len(self._numbers[row]) for row in rows)
        padded = [self._numbers[row] + [PADDING] * (longest - len(self._numbers[row])) for row in rows]
        return torch.tensor(padded)

    def evaluate(self) -> EpochScore:
        """Measures nothing: the last epoch is the result."""
        return EpochScore()

    def extra_state(self) -> dict[str, Any]:
        """Returns the words and sizes that `RecurrentCaptioner.load` reads."""
        return self.captioner.state()


def train(
    encoder: ImageEncoder, photos: Sequence[CaptionedPhoto], recipe: CaptionerRecipe, folder: Path
) -> tuple[RecurrentCaptioner, Progress]:
    """Trains into a folder, or goes on where the run there was left.

    Raises:
        BadSettings: there is no photo, the folder is of another run, or another process trains there.
        CorruptState: its checkpoint is damaged.
    """
    with open_run(folder) as run:
        task = CaptionerTraining(encoder, photos, recipe)
        return task.captioner, fit(task, run)


def main() -> None:
    """Runs the command line of this module."""
    defaults = CaptionerRecipe()
    parser = argparse.ArgumentParser(prog="python -m training.captioner.train", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photos")
    parser.add_argument("--captions", type=Path, required=True, help="what they show, a JSON object a line")
    parser.add_argument("--run", type=Path, required=True, help="folder for the checkpoint and the log")
    parser.add_argument("--models", type=Path, default=Path("triton_models"), help="where the image encoder lies")
    parser.add_argument("--version", type=int, default=None, help="of the image encoder, by default the highest")
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--least-count", type=int, default=defaults.least_count)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    photos, left_out = read_photos(arguments.photos, arguments.captions)
    print(f"{len(photos)} photos, {left_out} left out")
    encoder = open_local_encoder(open_image_version(arguments.models, arguments.version), arguments.threads)
    recipe = CaptionerRecipe(epochs=arguments.epochs, least_count=arguments.least_count)
    _, progress = train(encoder, photos, recipe, arguments.run)
    print(f"loss {progress.last_loss:.4f} after {progress.epoch} epochs: {arguments.run / RUN}")


if __name__ == "__main__":
    run_script(main)
