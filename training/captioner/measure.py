"""Captions a second on one core: `python -m training.captioner.measure [--captioner SPEC]`.

SPEC is what the setting `captioner` takes. Without it, TriMod's captioner as it is trained by default over the image
model of the repository, with random weights and captions of a fixed length. Counts processor time, of one thread.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tagstream.errors import TagstreamError
from tagstream.settings import REPOSITORY, Settings
from training.captioner.decoder import END, CaptionWords
from training.captioner.recurrent import RecurrentCaptioner, regions_of
from training.captioner.train import CaptionerRecipe
from workers.images.captioner import open_captioner
from workers.images.classifier import MAX_SIDE, ImageEncoder, open_local_encoder
from workers.models.captioner_version import find_captioner
from workers.models.image_repository import open_image_version


def captions_per_second(say: Callable[[bytes], object], pictures: Sequence[bytes]) -> float:
    """Pictures a second of processor time, one after the other; the first one is said once before."""
    say(pictures[0])
    begin = time.process_time()
    for picture in pictures:
        say(picture)
    return len(pictures) / (time.process_time() - begin)


def made_pictures(count: int) -> list[bytes]:
    """Thumbnails of the largest size, no two alike."""
    chance = np.random.default_rng(1)
    pictures = []
    for _ in range(count):
        coarse = Image.fromarray(chance.integers(0, 256, (8, 8, 3), np.uint8))
        buffer = io.BytesIO()
        coarse.resize((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG")
        pictures.append(buffer.getvalue())
    return pictures


def untrained(encoder: ImageEncoder, words: int, length: int) -> Callable[[bytes], object]:
    """Returns our own captioner with random weights, which says `length` words of each picture, and one more for the
    end.
    """
    defaults = CaptionerRecipe()
    torch.manual_seed(1)
    sizes = {"word_width": defaults.word_width, "size": defaults.size, "dropout": defaults.dropout}
    decoder = RecurrentCaptioner(encoder, CaptionWords(tuple(map(str, range(words)))), sizes).decoder.eval()
    decoder.score.bias.data[END] = -100.0  # or it would come early now and then

    def say(picture: bytes) -> object:
        (regions,) = regions_of(encoder, [picture])
        return None if regions is None else decoder.say(torch.from_numpy(regions[None]), length + 1)

    return say


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.captioner.measure", description=__doc__)
    parser.add_argument("--captioner", default=None, metavar="SPEC", help="as the setting of that name")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "triton_models", help="where the image model lies")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--words", type=int, default=2000, help="that it knows, without --captioner")
    parser.add_argument("--length", type=int, default=10, help="of a caption, without --captioner")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    encoder = open_local_encoder(open_image_version(arguments.models), 1)
    if arguments.captioner is None:
        say = untrained(encoder, arguments.words, arguments.length)
    else:
        settings = Settings(models=str(arguments.models), inference_threads=1)
        say = open_captioner(find_captioner(arguments.captioner), settings)
    print(f"{captions_per_second(say, made_pictures(arguments.photos)):.1f} captions a second")


if __name__ == "__main__":
    try:
        main()
    except TagstreamError as error:
        sys.exit(f"error: {error}")
