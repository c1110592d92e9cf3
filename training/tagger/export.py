"""Exports a trained tagger into the model repository: `python -m training.tagger.export --run runs/tagger --version 1`.

Writes `triton_models/<name>/<version>/`: `model.onnx` (static int8, for CPUs), `model.fp16.onnx` (for GPUs), the
vocabulary and `tagger.json` (labels, CRF, calibration, recipe), and beside them `config.pbtxt` with their hashes. All
of it is made and measured elsewhere first, and put into the repository whole. The int8 file is refused if it costs 0.3
F1 or more on either development set; then the repository stays as it was.
"""

import copy
import json
import logging
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from training.onnx.origin import forget_origin
from training.scored_texts import ScoredTexts, training_examples
from training.script import ScriptParser, positive, run_script
from training.tagger.batches import BatchMaker, Noise
from training.tagger.calibrate import calibrate
from training.tagger.development import score_development
from training.tagger.model_card import measure
from training.tagger.network import ThreeSegmentTagger, load_run
from training.tagger.pretrained import vocabulary_file
from training.triton_config import write_configuration
from workers.hashtags.segmenter import HashtagSegmenter
from workers.models.repository import DESCRIPTION, TAGGER, VOCABULARY, TaggerDescription
from workers.models.version_folder import GPU_MODEL, MODEL
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import BUCKET, FEATURES, MAX_LENGTH, READING, Encoder

Segment = Callable[[str], Sequence[str]]
CalibrationInput = Mapping[str, npt.NDArray[np.int32]]

INPUTS = ("pieces", "segments", "features")
CALIBRATION_POSTS = 640
LARGEST_LOSS = 0.003
TASK = ("twitter2015", "twitter2017")


class Exported(nn.Module):
    """The network as it is served: int32 in, float32 out, whatever its own precision."""

    def __init__(self, network: ThreeSegmentTagger) -> None:
        super().__init__()
        self.network = network

    def forward(self, pieces: Tensor, segments: Tensor, features: Tensor) -> Tensor:
        emissions: Tensor = self.network(pieces.long(), segments.long(), features.long()).float()
        return emissions


def export_onnx(network: ThreeSegmentTagger, path: Path) -> None:
    """Writes the network with free batch and length dimensions."""
    example = (
        torch.ones(2, 3 * BUCKET, dtype=torch.int32),
        torch.zeros(2, 3 * BUCKET, dtype=torch.int32),
        torch.ones(2, 3 * BUCKET, FEATURES, dtype=torch.int32),
    )
    rows, length = torch.export.Dim("rows"), torch.export.Dim("length", max=MAX_LENGTH)
    with warnings.catch_warnings():
        # The exporter warns of its own insides, and of packages that we do not need.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            Exported(network).eval(),
            example,
            str(path),
            input_names=["pieces", "segments", "features"],
            output_names=["emissions"],
            dynamic_shapes=({0: rows, 1: length}, {0: rows, 1: length}, {0: rows, 1: length}),
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    forget_origin(path)


def calibration_inputs(encoder: Encoder, segment: Segment, seed: int) -> list[CalibrationInput]:
    """Returns training tweets, one by one, as the network reads them."""
    chance = random.Random(seed)
    half = CALIBRATION_POSTS // len(TASK)
    scored = ScoredTexts.load()
    examples = [example for name in TASK for example in chance.sample(training_examples(name, scored), half)]
    noise = Noise(caption=0.6, listed=0.15)
    return [
        {name: getattr(batch, name).numpy().astype(np.int32) for name in INPUTS}
        for batch in BatchMaker(encoder, segment, noise).batches(examples, 1, chance)
    ]


def quantize(source: Path, target: Path, inputs: Sequence[CalibrationInput]) -> None:
    """Quantises to static int8 by NNCF with smooth quantisation, calibrated on these inputs.

    Static, because a scale that is taken from the batch at hand would make a post's answer depend on its batch mates.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as the exporter, NNCF warns of its own insides
        quantized = nncf.quantize(
            onnx.load(source),
            nncf.Dataset(inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(inputs),
        )
    onnx.save(quantized, target)


def describe(network: ThreeSegmentTagger, generation: int, record: dict[str, Any]) -> TaggerDescription:
    """Describes a version for its folder: labels, CRF, origin."""
    crf = network.crf
    transitions, starts, ends = (
        [[round(value, 6) for value in row] for row in parameter.detach().reshape(-1, len(TAGS)).tolist()]
        for parameter in (crf.transitions, crf.starts, crf.ends)
    )
    return TaggerDescription(
        labels=list(TAGS),
        transitions=transitions,
        starts=starts[0],
        ends=ends[0],
        generation=generation,
        reading=READING,
        record=record,
    )


def write_version(
    network: ThreeSegmentTagger,
    folder: Path,
    inputs: Sequence[CalibrationInput],
    vocabulary: Path,
    description: TaggerDescription,
) -> None:
    """Writes a version folder, `<repository>/<name>/<version>`, and the `config.pbtxt` beside it."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "fp32.onnx"
        export_onnx(network, full)
        quantize(full, folder / MODEL, inputs)
    export_onnx(copy.deepcopy(network).half(), folder / GPU_MODEL)
    shutil.copyfile(vocabulary, folder / VOCABULARY)
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_configuration(folder.parent)


def export(
    run: Path, repository: Path, version: int, name: str = TAGGER, generation: int | None = None
) -> dict[str, Any]:
    """Exports a run and returns the development figures of both precisions.

    Without a `generation` each version of a name replaces the one before.

    Raises:
        BadSettings, CorruptState: the run has no weights.
        SystemExit: int8 costs too much.
    """
    network, state = load_run(run)
    segment = HashtagSegmenter.load().segment
    encoder = Encoder.load(vocabulary_file())
    inputs = calibration_inputs(encoder, segment, state["recipe"]["seed"])
    record = {
        "recipe": state["recipe"],
        "teachers": state.get("teachers", []),
        "reads_scored_posts": state.get("reads_scored_posts", True),
        "calibration_posts": CALIBRATION_POSTS,
    }
    description = describe(network, version * 2 - 1 if generation is None else generation, record)
    with tempfile.TemporaryDirectory(dir=run, prefix="export-") as scratch:
        made = Path(scratch) / name / str(version)
        write_version(network, made, inputs, vocabulary_file(), description)
        figures = measure(Path(scratch), version, name)
        _refuse_losses(score_development(network, encoder, segment, TASK), figures["int8"])
        calibrate(Path(scratch), version, name=name)
        _replace(repository / name / str(version), made)
    write_configuration(repository / name)
    (run / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def _refuse_losses(full: Mapping[str, Any], int8: Mapping[str, Any]) -> None:
    for name in TASK:
        loss = full[name]["strict"]["f1"] - int8[name]["strict"]["f1"]
        if loss >= LARGEST_LOSS:
            raise SystemExit(f"{name}: int8 costs {100 * loss:.2f} F1 on the development set; 0.3 is the most")


def _replace(folder: Path, made: Path) -> None:
    """Puts a version into the repository, where Triton must never see a part of one."""
    arriving = folder.with_name(f".{folder.name}")
    shutil.rmtree(arriving, ignore_errors=True)
    shutil.copytree(made, arriving)
    shutil.rmtree(folder, ignore_errors=True)
    arriving.rename(folder)


def print_figures(figures: Mapping[str, Any]) -> None:
    """Prints what `export` returned, a line for each precision and set."""
    for precision, corpora in figures.items():
        for name, figure in corpora.items():
            false = figure["entity_free"]["false_entities_per_1000"]
            print(
                f"{precision:8} {name:12} strict {100 * figure['strict']['f1']:.2f}  "
                f"lenient {100 * figure['lenient']['f1']:.2f}  false entities per 1,000 posts without any {false:.0f}"
            )


def main() -> None:
    """Runs the command line of this module."""
    parser = ScriptParser(description="Export a trained tagger into the model repository.")
    parser.add_argument("--run", type=Path, required=True, help="the folder that training wrote")
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--name", default=TAGGER, help="the model of the repository: mner, mner_base, or one of yours")
    parser.add_argument("--version", type=positive, default=1)
    arguments = parser.parse_args()
    print_figures(export(arguments.run, arguments.repository, arguments.version, arguments.name))


if __name__ == "__main__":
    run_script(main)
