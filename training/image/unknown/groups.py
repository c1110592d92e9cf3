"""Groups of pictures that show none of the 200 things, each in two halves: one chooses the rejection, one measures it.

::

    drawn           34 kinds of drawings; a half has kinds that the other has not
    destroyed       pictures of the 200 things whose things were destroyed, 5 kinds, divided in the same way
    photos          ordinary photos that were judged by eye (`photos.toml`)
    samples         photos of ImageNet's other 800 classes (imagenet-sample-images), where a folder has them: for
                    measuring only

A fifth group needs no pictures of its own: pictures of the 200 things, each with its class hidden from the model.
Photos and drawings go the way of a feed's photos: thumbnail, JPEG, the model's input.
"""

import inspect
import io
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from ingest.media.decode_process import thumbnail_of
from tagstream.errors import UnreadableInput
from training import datasets
from training.image.dataset import Pictures, halves
from training.image.network import INPUT_SIDE
from training.image.unknown import destroyed, drawn, scenes
from training.image.unknown.canvas import Canvas
from workers.images.classifier import Pixels, model_input, read_thumbnail

DRAWN_A_KIND = 60
DESTROYED_A_KIND = 300
SAMPLES = "imagenet_sample_images"
_SEED = 3
_MAX_PIXELS = 50_000_000
_JUDGEMENTS = Path(__file__).with_name("photos.toml")


def drawn_kinds(half: int) -> list[tuple[str, Callable[[Canvas], None]]]:
    """Returns the kinds of drawings of a half, 0 or 1, by name."""
    kinds = sorted([*_functions(drawn), *_functions(scenes)])
    return [kinds[number] for number in sorted(halves(len(kinds), _SEED)[half])]


def drawings(half: int) -> Iterator[Pixels]:
    """Yields the drawings of a half as inputs of the model."""
    for name, draw in drawn_kinds(half):
        for number in range(DRAWN_A_KIND):
            canvas = Canvas(f"{name} {number}")
            draw(canvas)
            yield served(canvas.image)


def ruins(half: int, pictures: Pictures) -> Iterator[Pixels]:
    """Yields destroyed pictures, of the kinds of a half, made of `pictures`."""
    kinds = sorted(destroyed.KINDS)
    for number in sorted(halves(len(kinds), _SEED)[half]):
        random = np.random.default_rng([_SEED, number])
        for _ in range(DESTROYED_A_KIND):
            rows = random.integers(0, len(pictures), destroyed.MIXED)
            ruin = destroyed.KINDS[kinds[number]](np.asarray(pictures.pixels[rows]), random)
            yield model_input(Image.fromarray(ruin), INPUT_SIDE)


def judged_photos(half: int) -> Iterator[Pixels]:
    """Yields the ordinary photos of a half that show none of the 200 things.

    Raises:
        UnreadableInput: a photo is not in the folder of the data sets.
    """
    names = _judgements()["none"]
    for number in sorted(halves(len(names), _SEED)[half]):
        yield _read(datasets.data_folder() / names[number])


def samples(folder: Path, known: set[str]) -> Iterator[Pixels]:
    """Yields the photos `<WordNet id>_<name>.JPEG` of a folder whose class is not `known`, but for those that show one
    of the 200 things all the same.

    Raises:
        UnreadableInput: the folder holds none, or one cannot be read.
    """
    showing = _judgements()[SAMPLES]
    files = sorted(folder.glob("n*_*.JPEG"))
    if not files:
        raise UnreadableInput(f"{folder}: no files like n01440764_tench.JPEG: give a copy of imagenet-sample-images")
    for file in files:
        if file.stem.split("_")[0] not in known and file.stem not in showing:
            yield _read(file)


def served(image: Image.Image) -> Pixels:
    """Returns the model's input of a photo that came with a post.

    Raises:
        ValueError: its thumbnail is none of this project's.
    """
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=0)
    _, _, thumbnail = thumbnail_of(buffer.getvalue(), "PNG", _MAX_PIXELS, _MAX_PIXELS)
    pixels = read_thumbnail(thumbnail, INPUT_SIDE)
    if pixels is None:
        raise ValueError("a thumbnail that cannot be read again")
    return pixels


def _functions(module: ModuleType) -> list[tuple[str, Callable[[Canvas], None]]]:
    return [
        (name, function)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


def _judgements() -> dict[str, Any]:
    return tomllib.loads(_JUDGEMENTS.read_text(encoding="utf-8"))


def _read(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return served(image)
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error}") from error
