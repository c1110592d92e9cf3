"""The pictures of Tiny ImageNet as arrays on disk: 200 classes, 64 x 64 pixels, decoded once.

Owns the order of the classes (by WordNet id) and of the pictures (as in the files). Everything that is computed lies
in a folder outside the repository and is made again when it is missing.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as parquet
from PIL import Image

from training import datasets

SIDE = 64
PARTS = ("train", "val")
_VALIDATION_SEED = 7

Pixels = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pictures:
    """One part: `pixels` (count, 64, 64, 3) uint8 RGB, mapped from disk; `classes` (count,) numbers below 200."""

    pixels: Pixels
    classes: Classes

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, slots=True)
class ClassNames:
    """`wordnet_ids` in the order of the classes; `words[i]` are the names of class `i`, the most usual one first."""

    wordnet_ids: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]


def data_folder() -> Path:
    """Returns the folder of the pictures: `tiny_imagenet` in the folder of the data sets."""
    return datasets.data_folder() / "tiny_imagenet"


def load_names(folder: Path) -> ClassNames:
    """Reads the 200 classes of the validation part, which holds every one of them."""
    table = parquet.read_table(folder / "val.parquet", columns=["wnid", "words"])
    names = dict(zip(table["wnid"].to_pylist(), table["words"].to_pylist(), strict=True))
    ordered = tuple(sorted(names))
    return ClassNames(ordered, tuple(tuple(names[identity].split(", ")) for identity in ordered))


def load_pictures(folder: Path, part: str, cache: Path) -> Pictures:
    """Loads one part of the set, decoded into `cache` the first time (12 KB a picture).

    Raises:
        ValueError: a picture is not 64 x 64, or of a class that `load_names` does not have.
    """
    pixels, classes = cache / f"{part}_pixels.npy", cache / f"{part}_classes.npy"
    if not (pixels.exists() and classes.exists()):
        cache.mkdir(parents=True, exist_ok=True)
        _decode(folder, part, pixels, classes)
    return Pictures(np.load(pixels, mmap_mode="r"), np.load(classes))


def _decode(folder: Path, part: str, pixels: Path, classes: Path) -> None:
    numbers = {identity: number for number, identity in enumerate(load_names(folder).wordnet_ids)}
    file = parquet.ParquetFile(folder / f"{part}.parquet")
    count = file.metadata.num_rows
    partial = pixels.with_suffix(".partial")
    store = np.lib.format.open_memmap(partial, "w+", np.uint8, (count, SIDE, SIDE, 3))
    labels = np.empty(count, np.int64)
    for row, (data, identity) in enumerate(_rows(file)):
        if identity not in numbers:
            raise ValueError(f"{folder / part}.parquet, row {row}: class {identity} is not among the 200")
        store[row] = _read_picture(data, f"{folder / part}.parquet, row {row}")
        labels[row] = numbers[identity]
    store.flush()
    np.save(classes, labels)
    # Renamed last, so that a kill leaves no half-decoded file that looks whole.
    partial.replace(pixels)


def _rows(file: parquet.ParquetFile) -> Iterator[tuple[bytes, str]]:
    for batch in file.iter_batches(columns=["image", "wnid"], batch_size=1000):
        yield from zip(batch["image"].to_pylist(), batch["wnid"].to_pylist(), strict=True)


def _read_picture(data: bytes, where: str) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        if image.size != (SIDE, SIDE):
            raise ValueError(f"{where}: a picture of {image.size[0]} x {image.size[1]} pixels, not {SIDE} x {SIDE}")
        return np.asarray(image.convert("RGB"))


def halves(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Returns two disjoint random halves of `count` numbers: what is chosen on one is measured on the other."""
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2].tolist(), order[count // 2 :].tolist()


def validation_half(pictures: Pictures, half: int) -> Pictures:
    """Returns half 0 of the validation pictures, which chooses what is calibrated, or half 1, which measures it."""
    rows = halves(len(pictures), _VALIDATION_SEED)[half]
    return Pictures(pictures.pixels[rows], pictures.classes[rows])
