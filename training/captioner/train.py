"""Trains the recurrent captioner: `python -m training.captioner.train --photos FOLDER --captions FILE --run RUN`.

Captions are JSON, a line each: `{"image_id": "7.jpg", "caption": "a dog on a beach"}`. A run is `last.pt`, written
after every epoch, and `log.jsonl`; run again, it goes on where it stopped. Only the decoder is trained.
"""

import argparse
import hashlib
import io
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ingest.media.decode_process import thumbnail_of
from tagstream.errors import BadSettings, TagstreamError, UnreadableInput
from training.captioner.decoder import PADDING, CaptionWords
from training.captioner.recurrent import LONGEST_CAPTION, RecurrentCaptioner, encoder_hash, regions_of
from workers.images.classifier import FloatArray, ImageEncoder, open_local_encoder
from workers.models.captioner_version import RUN
from workers.models.image_repository import open_image_version

MAX_PIXELS = 50_000_000
MAX_SIDE = 20_000
_KINDS = ("JPEG", "PNG", "WEBP", "GIF")


@dataclass(frozen=True, slots=True)
class CaptionTraining:
    """How a captioner is trained. A word that stands in fewer than `least_count` captions' words is not learnt."""

    epochs: int = 40
    batch: int = 32
    learning_rate: float = 1e-3
    least_count: int = 5
    word_width: int = 128
    size: int = 256
    dropout: float = 0.5
    seed: int = 1


@dataclass(frozen=True, slots=True)
class CaptionedPhoto:
    """A thumbnail as the pipeline makes them, and what is said of it."""

    thumbnail: bytes
    caption: str


def read_photos(folder: Path, captions: Path) -> tuple[list[CaptionedPhoto], int]:
    """The photos of a folder that have a caption, and how many were left out because they cannot be read.

    Raises:
        UnreadableInput: the captions cannot be read, or there is no photo to any of them.
    """
    read, left_out = [], 0
    for name, caption in _read_captions(captions):
        try:
            read.append(CaptionedPhoto(_thumbnail(folder / name), caption))
        except MemoryError:
            raise
        except Exception:  # broken pictures raise whatever the decoder trips over
            left_out += 1
    if not read:
        raise UnreadableInput(f"{folder}: none of the photos that {captions} speaks of is there and can be read")
    return read, left_out


def _read_captions(path: Path) -> list[tuple[str, str]]:
    captions = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                said = json.loads(line)
                name, caption = said["image_id"], said["caption"]
                if not (isinstance(name, str) and isinstance(caption, str)) or Path(name).name != name:
                    raise ValueError(f"line {number}: image_id is the name of a file, caption a text")
                captions.append((name, caption))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(f"{path}: cannot be read as captions, a JSON object a line: {error!r}") from error
    return captions


def _thumbnail(path: Path) -> bytes:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=_KINDS) as image:
        kind = str(image.format)
    return thumbnail_of(content, kind, MAX_PIXELS, MAX_SIDE)[2]


class CaptionTrainer:
    """One run, deterministic by its seed. `loss` is that of the last epoch, averaged over words."""

    def __init__(
        self, encoder: ImageEncoder, photos: Sequence[CaptionedPhoto], training: CaptionTraining, run: Path
    ) -> None:
        seen = regions_of(encoder, [photo.thumbnail for photo in photos])
        pairs = [(regions, photo.caption) for regions, photo in zip(seen, photos, strict=True) if regions is not None]
        if not pairs:
            raise BadSettings("a captioner cannot be trained on no photo at all")
        self.training, self.run, self.epoch, self.loss = training, run, 0, float("inf")
        self.photos = photos_hash(photos)
        self.regions: list[FloatArray] = [regions for regions, _ in pairs]
        words = CaptionWords.of((caption for _, caption in pairs), training.least_count)
        self.numbers = words.numbers([caption for _, caption in pairs], LONGEST_CAPTION)
        torch.manual_seed(training.seed)
        sizes = {"word_width": training.word_width, "size": training.size, "dropout": training.dropout}
        self.captioner = RecurrentCaptioner(encoder, words, sizes)
        self.captioner.decoder.know(self._regions(range(len(self.regions))))
        self.optimizer = torch.optim.Adam(self.captioner.decoder.parameters(), lr=training.learning_rate)

    def fit(self) -> RecurrentCaptioner:
        """Trains to the last epoch, from the beginning or from where the run was left."""
        self.run.mkdir(parents=True, exist_ok=True)
        self._resume()
        while self.epoch < self.training.epochs:
            self.loss = self._train_epoch()
            self.epoch += 1
            line = json.dumps({"epoch": self.epoch, "loss": round(self.loss, 4)})
            with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(line + "\n")
            self._checkpoint()
        return self.captioner

    def _train_epoch(self) -> float:
        seed = self.training.seed * 1000 + self.epoch
        torch.manual_seed(seed)
        order = list(range(len(self.numbers)))
        random.Random(seed).shuffle(order)
        decoder = self.captioner.decoder.train()
        total, words = 0.0, 0
        for start in range(0, len(order), self.training.batch):
            rows = order[start : start + self.training.batch]
            loss = decoder.loss(self._regions(rows), self._captions(rows))
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(decoder.parameters(), 5.0)
            self.optimizer.step()
            count = sum(len(self.numbers[row]) - 1 for row in rows)
            total, words = total + loss.item() * count, words + count
        return total / words

    def _regions(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([self.regions[row] for row in rows]))

    def _captions(self, rows: Sequence[int]) -> Tensor:
        longest = max(len(self.numbers[row]) for row in rows)
        padded = [self.numbers[row] + [PADDING] * (longest - len(self.numbers[row])) for row in rows]
        return torch.tensor(padded)

    def _checkpoint(self) -> None:
        state = {
            **self.captioner.state(),
            "training": asdict(self.training),
            "photos": self.photos,
            "optimizer": self.optimizer.state_dict(),
            "place": [self.epoch, self.loss],
        }
        partial = self.run / "last.partial"
        torch.save(state, partial)
        partial.replace(self.run / RUN)

    def _resume(self) -> None:
        path = self.run / RUN
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, weights_only=True)
        # More epochs than at first are no other training.
        same = {**state["training"], "epochs": 0} == {**asdict(self.training), "epochs": 0}
        if not same or state["photos"] != self.photos or state["encoder"] != encoder_hash(self.captioner.encoder):
            raise BadSettings(
                f"{path} has other photos, settings or another image encoder: delete it, or name another run"
            )
        self.captioner.decoder.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.loss = state["place"]


def photos_hash(photos: Sequence[CaptionedPhoto]) -> str:
    """What tells one training set from another."""
    seen = hashlib.sha256()
    for photo in photos:
        seen.update(hashlib.sha256(photo.thumbnail).digest() + photo.caption.encode() + b"\n")
    return seen.hexdigest()


def main() -> None:
    """The command line of this module."""
    defaults = CaptionTraining()
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
    training = CaptionTraining(epochs=arguments.epochs, least_count=arguments.least_count)
    trainer = CaptionTrainer(encoder, photos, training, arguments.run)
    trainer.fit()
    print(f"loss {trainer.loss:.4f} after {trainer.epoch} epochs: {arguments.run / RUN}")


if __name__ == "__main__":
    try:
        main()
    except TagstreamError as error:
        sys.exit(f"error: {error}")
