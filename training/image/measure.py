"""The figures of the files that ship, by the code that serves them.

`python -m training.image.measure --version 1` measures a version again and writes its card. `--samples FOLDER` adds
photos of the classes of ImageNet that the model does not have (a copy of imagenet-sample-images).
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from training.image.dataset import Pictures, data_folder, load_pictures, validation_half
from training.image.evaluate import (
    abstention,
    accuracy,
    calibration_error,
    choose_threshold,
    fit_temperature,
    served_logits,
)
from training.image.model_card import Figures, write_card
from training.image.network import INPUT_SIDE
from training.image.unknown.measure import measure_rejection
from workers.images.classifier import OpenVinoImageNetwork, probabilities
from workers.models.image_repository import ImageDescription, open_image_version
from workers.models.version_folder import GPU_MODEL, MODEL

_TIMED_PICTURES = 1000


def calibrate(file: Path, held_out: Pictures, precision: float) -> tuple[float, float]:
    """Returns temperature and threshold of a file, chosen on the first half of `held_out`."""
    chosen = validation_half(held_out, 0)
    logits = served_logits(OpenVinoImageNetwork(file, INPUT_SIDE, 1), chosen)
    temperature = fit_temperature(logits, chosen.classes)
    return temperature, choose_threshold(probabilities(logits, temperature), chosen.classes, precision)


def measure(folder: Path, description: ImageDescription, held_out: Pictures) -> Figures:
    """Figures of both files of a version, by precision; those of calibration on the half that chose nothing.

    Both run on one core of this processor: the weights of the fp16 file are what a GPU gets, its arithmetic here is
    float32.
    """
    figures = {}
    second = validation_half(held_out, 1)
    for name, file in (("fp16", GPU_MODEL), ("int8", MODEL)):
        network = OpenVinoImageNetwork(folder / file, INPUT_SIDE, 1)
        first, fifth = accuracy(served_logits(network, held_out), held_out.classes)
        chances = probabilities(served_logits(network, second), description.temperature)
        given = abstention(chances, second.classes, description.threshold)
        figures[name] = {
            "top1": first,
            "top5": fifth,
            "precision": given.precision,
            "coverage": given.coverage,
            "calibration_error": calibration_error(chances, second.classes),
            "pictures_a_second": _speed(network),
            "megabytes": (folder / file).stat().st_size / 1e6,
        }
    return figures


def _speed(network: OpenVinoImageNetwork) -> float:
    """Pictures a second on one core, the network alone: the best of three rounds, as the machine may be shared."""
    pixels = np.zeros((3, INPUT_SIDE, INPUT_SIDE), np.uint8)
    fastest = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(_TIMED_PICTURES):
            network(pixels)
        fastest = min(fastest, time.perf_counter() - started)
    return _TIMED_PICTURES / fastest


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(description="Measure the files of an image encoder and write its card.")
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("runs/image/cache"), help="folder for decoded pictures")
    parser.add_argument("--samples", type=Path, help="folder of imagenet-sample-images: more photos of other things")
    arguments = parser.parse_args()
    version = open_image_version(arguments.repository, arguments.version)
    held_out = load_pictures(data_folder(), "val", arguments.cache)
    figures = measure(version.folder, version.description, held_out)
    rejected = measure_rejection(version, held_out, arguments.samples)
    write_card(version.folder, version.description, figures, rejected, version.version)
    print(json.dumps({"files": figures, "rejection": rejected and asdict(rejected)}, indent=1))


if __name__ == "__main__":
    main()
