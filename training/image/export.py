"""Exports a trained image encoder: `python -m training.image.export --run runs/image/first --version 1`.

Writes `triton_models/image_encoder/<version>/`: `model.onnx` (static int8, for CPUs), `model.fp16.onnx` (for GPUs),
`labels.json` (names, temperature, threshold, rejection, generation), `rejection.npz` and the model card, and beside
them `config.pbtxt` with their hashes. Temperature, threshold and rejection are chosen on one half of the validation
pictures and of those that show none of the 200 things, and measured on the other. The int8
file is refused if it costs a percentage point of top-1 accuracy or more. docs/explanation/models.md: generations.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tagstream.errors import BadSettings
from training.image.class_names import display_names
from training.image.dataset import Pictures, data_folder, load_names, load_pictures
from training.image.evaluate import served_pixels
from training.image.files import fused, install, write_networks
from training.image.measure import calibrate, measure
from training.image.model_card import Figures, write_card
from training.image.network import FEATURE_WIDTH, INPUT_SIDE, ResidualNetwork, ServedNetwork
from training.image.triton_config import generation_for
from training.image.unknown.fit import fit_rejection
from training.image.unknown.measure import measure_rejection
from training.old_checkpoints import upgraded
from training.run_folder import load
from workers.images.classifier import Pixels
from workers.models.image_repository import LABELS, NAME, ImageDescription, ImageVersion
from workers.models.version_folder import MODEL

CALIBRATION_PICTURES = 1000
LARGEST_LOSS = 0.01
PRECISION = 0.9


def load_run(run: Path) -> tuple[ResidualNetwork, dict[str, Any]]:
    """Reads the network of a run's last epoch, and what was recorded with it."""
    state = upgraded(load(run / "last.pt"))
    network = ResidualNetwork()
    network.load_state_dict(state["weights"])
    return network.eval(), state


def calibration_inputs(pictures: Pictures, count: int, seed: int) -> Pixels:
    """Returns (count, 3, 56, 56) random pictures as they are served."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(pictures))[:count])
    inputs: Pixels = served_pixels(torch.from_numpy(np.array(pictures.pixels[rows]))).numpy()
    return inputs


def export(run: Path, repository: Path, version: int, cache: Path, generation: int | None = None) -> Figures:
    """Exports a run and returns the figures of both files.

    Raises:
        BadSettings: the generation would not replace the answers of the versions there.
        SystemExit: int8 costs too much.
    """
    generation = generation_for(repository / NAME, version, generation)
    network, state = load_run(run)
    train, held_out = (load_pictures(data_folder(), part, cache) for part in ("train", "val"))
    inputs = calibration_inputs(train, CALIBRATION_PICTURES, state["recipe"]["seed"])
    record = {"recipe": state["recipe"], "epochs": state["progress"]["epoch"], "calibration_pictures": len(inputs)}
    with tempfile.TemporaryDirectory() as scratch:
        # Made whole elsewhere: a server that starts meanwhile would refuse half a version.
        folder = Path(scratch)
        write_networks(ServedNetwork(fused(network)), INPUT_SIDE, list(inputs), folder)
        temperature, threshold = calibrate(folder / MODEL, held_out, PRECISION)
        rejection = fit_rejection(folder / MODEL, train, held_out, temperature=temperature, threshold=threshold)
        rejection.statistics.write(folder)
        description = ImageDescription(
            labels=display_names(load_names(data_folder())),
            side=INPUT_SIDE,
            region_width=FEATURE_WIDTH,
            temperature=temperature,
            threshold=threshold,
            precision=PRECISION,
            rejection=rejection.rule,
            generation=generation,
            record=record,
        )
        (folder / LABELS).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
        figures = measure(folder, description, held_out)
        loss = figures["fp16"]["top1"] - figures["int8"]["top1"]
        if loss >= LARGEST_LOSS:
            raise SystemExit(f"int8 costs {100 * loss:.2f} percentage points; {100 * LARGEST_LOSS:g} is the limit")
        made = ImageVersion(version, folder, description, rejection=rejection)
        write_card(folder, description, figures, measure_rejection(made, held_out), version)
        install(folder, repository, version)
    return figures


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(description="Export a trained image encoder into the model repository.")
    parser.add_argument("--run", type=Path, required=True, help="the folder that training wrote")
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument(
        "--generation", type=int, help="odd, and above those of all versions there [default: 2 above, or 3]"
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/image/cache"), help="folder for decoded pictures")
    arguments = parser.parse_args()
    try:
        figures = export(arguments.run, arguments.repository, arguments.version, arguments.cache, arguments.generation)
    except BadSettings as error:
        parser.error(str(error))
    text = json.dumps(figures, indent=1)
    (arguments.run / "figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
