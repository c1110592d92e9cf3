"""A trained run as files that need no torch: a graph of emissions, and all that is wanted around it.

::

    run ─▶ restored system ─▶ system.onnx (a feature CRF: system.crf) ─▶ compared over tweets of the development part
                           └▶ system.json, vocabulary.json, tokenizer/

Owns what the folder holds. A folder is there whole and compared, or not at all.
"""

import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from training.experiments import feature_run
from training.experiments.run import CACHE, Experiment, PreparedSystem, read_row, restore
from training.inputs.batch import Encoded, collate
from training.inputs.views import Views
from training.inputs.vocabulary import LONGEST_WORD, PADDING, UNKNOWN
from training.onnx.graph import EMISSIONS, write_graph
from training.systems.base import System, decode_tags
from workers.tagger.crf_decoder import IMPOSSIBLE, TAGS, allowed_starts, allowed_transitions

GRAPH, WEIGHTS, DESCRIPTION = "system.onnx", "system.crf", "system.json"
VOCABULARY, TOKENIZER = "vocabulary.json", "tokenizer"
PART = "dev"
COMPARED_TWEETS = 64
# Of a batch alone, of few and of many; what is left makes the last.
_BATCH_SIZES = (1, 1, 2, 5, 16)
ABSOLUTE, RELATIVE = 1e-4, 1e-3
_NUMBERED = {"words", "characters", "labels", "caption", "hashtags"}


@dataclass(frozen=True, slots=True)
class Compared:
    """Over how many tweets of which part it was compared, and by how much emissions differ at most, if it has any."""

    corpus: str
    part: str
    tweets: int
    largest_difference: float | None


def export_run(run: Path, folder: Path, cache: Path = CACHE) -> Compared:
    """Writes `folder`, which must not be there yet, of the best epoch of a run.

    Raises:
        BadSettings: the run is none, the folder is taken, or the system cannot be exported.
        CorruptState: what was written answers otherwise than the run does; nothing is left of it.
    """
    row = read_row(run)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadSettings(f"{folder}: is there already: name a new folder, or empty it")
    prepared = restore(row, run, cache)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            if isinstance(prepared, PreparedSystem):
                compared = _export_system(row, prepared, made)
            else:
                compared = _export_features(row, run, prepared, made)
            made.replace(folder)
    except OSError as error:
        raise UnreadableInput(f"cannot write {folder}: {error}") from error
    return compared


def _export_system(row: Experiment, prepared: PreparedSystem, folder: Path) -> Compared:
    part = prepared.part(row.corpus, PART)
    if not part.encoded:
        raise BadSettings(f"{row.corpus} has no {PART} tweets to compare the graph over")
    longest = prepared.views.pieces.longest
    inputs = write_graph(prepared.system, part.encoded[0].visual.shape[1], longest, folder / GRAPH)
    encoded = _spread(part.encoded)
    compared = Compared(row.corpus, PART, len(encoded), compare(prepared.system, encoded, folder / GRAPH))
    document = {
        **_describe(row, compared),
        "decoder": _decoder(prepared.system),
        "graph": {**_read_back(folder / GRAPH), "longest": {"characters": LONGEST_WORD, "pieces": longest}},
        "views": _write_views(row, prepared.views, set(inputs), folder),
        "files": {GRAPH: _digest(folder / GRAPH)},
    }
    _write(folder / DESCRIPTION, document)
    return compared


def _export_features(row: Experiment, run: Path, prepared: feature_run.PreparedFeatures, folder: Path) -> Compared:
    shutil.copyfile(run / feature_run.WEIGHTS, folder / WEIGHTS)
    copy = feature_run.build_features(row.recipe.options)
    copy.load(folder / WEIGHTS)
    tweets = prepared.part(row.corpus, PART).sentences
    if copy.predict(tweets) != prepared.system.predict(tweets):
        raise CorruptState(f"{folder / WEIGHTS}: answers otherwise than {run / feature_run.WEIGHTS}")
    compared = Compared(row.corpus, PART, len(tweets), None)
    document = {
        **_describe(row, compared),
        "decoder": {"kind": "crfsuite"},
        "views": {"features": row.recipe.options.get("features")},
        "files": {WEIGHTS: _digest(folder / WEIGHTS)},
    }
    _write(folder / DESCRIPTION, document)
    return compared


def compare(system: System, encoded: Sequence[Encoded], path: Path) -> float:
    """Returns the largest difference between the emissions of a graph and of the system that it is of, over these
    tweets.

    They are read in batches of several sizes.

    Raises:
        CorruptState: a difference is larger than rounding, or a tag is another one.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    largest = 0.0
    system.eval()
    for tweets in _batches(encoded):
        batch = collate(tweets)
        with torch.inference_mode():
            expected = system.encode(batch).float()
        (values,) = session.run([EMISSIONS], {name: getattr(batch, name).numpy() for name in names})
        given = torch.from_numpy(np.asarray(values))
        if given.shape != expected.shape:
            shapes = f"{tuple(given.shape)}, where torch has {tuple(expected.shape)}"
            raise CorruptState(f"{path.name}: emissions of the shape {shapes}")
        there = batch.mask[:, : expected.shape[1]]
        difference = (given - expected)[there].abs().max().item()
        # Written so that what is no number is refused, too.
        if not bool(((given - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs())[there].all()):
            raise CorruptState(
                f"{path.name}: emissions differ by {difference:.2g} in a batch of {len(tweets)} tweets of up to "
                f"{batch.mask.shape[1]} tokens, by more than rounding: this system cannot be exported"
            )
        if decode_tags(system.decoder, given, batch) != decode_tags(system.decoder, expected, batch):
            raise CorruptState(f"{path.name}: other tags than torch finds, in a batch of {len(tweets)} tweets")
        largest = max(largest, difference)
    return largest


def _spread(encoded: Sequence[Encoded]) -> list[Encoded]:
    """Tweets of all lengths, from the shortest to the longest, in an order of chance."""
    order = sorted(range(len(encoded)), key=lambda row: (len(encoded[row].words), row))
    places = np.linspace(0, len(order) - 1, min(COMPARED_TWEETS, len(order))).round().astype(int)
    chosen = [encoded[order[place]] for place in places]
    first, last = chosen[0], chosen[-1]
    rest = chosen[1:-1]
    random.Random(1).shuffle(rest)
    # The shortest and the longest come first, each in a batch of its own.
    return [first, *([last] if len(chosen) > 1 else []), *rest]


def _batches(encoded: Sequence[Encoded]) -> list[Sequence[Encoded]]:
    cuts = np.minimum(np.cumsum([0, *_BATCH_SIZES, len(encoded)]), len(encoded)).tolist()
    return [encoded[start:end] for start, end in pairwise(cuts) if end > start]


def _describe(row: Experiment, compared: Compared) -> dict[str, Any]:
    return {
        "title": row.recipe.title,
        "recipe": row.recipe.model_dump(mode="json"),
        "corpus": row.corpus,
        "seed": row.seed,
        "encoder": row.identity["encoder"],
        "labels": list(TAGS),
        "compared": asdict(compared),
    }


def _decoder(system: System) -> dict[str, Any]:
    """What turns emissions into tags. What BIO forbids has a score of -10,000 already."""
    crf = system.decoder
    if crf is None:
        return {"kind": "softmax"}
    transitions, starts, ends = (value.detach().numpy() for value in (crf.transitions, crf.starts, crf.ends))
    return {
        "kind": "crf",
        "transitions": np.where(allowed_transitions(), transitions, IMPOSSIBLE).tolist(),
        "starts": np.where(allowed_starts(), starts, IMPOSSIBLE).tolist(),
        "ends": ends.tolist(),
    }


def _read_back(path: Path) -> dict[str, Any]:
    """Inputs, output and opset as the file has them."""
    model = onnx.load(path, load_external_data=False)
    kinds = onnx.TensorProto.DataType

    def shown(value: onnx.ValueInfoProto) -> dict[str, Any]:
        tensor = value.type.tensor_type
        axes = [dimension.dim_param or dimension.dim_value for dimension in tensor.shape.dim]
        return {"name": value.name, "type": kinds.Name(tensor.elem_type).lower(), "axes": axes}

    return {
        "inputs": [shown(value) for value in model.graph.input],
        "output": shown(model.graph.output[0]),
        "opset": max(one.version for one in model.opset_import if not one.domain),
    }


def _write_views(row: Experiment, views: Views, inputs: set[str], folder: Path) -> dict[str, Any]:
    """Writes what numbers stand for, and says how the inputs are made of a tweet."""
    said: dict[str, Any] = {**row.recipe.inputs.model_dump(mode="json")}
    if inputs & _NUMBERED:
        known = views.vocabulary
        numbers = {"words": UNKNOWN + 1, "characters": UNKNOWN + 1, "labels": PADDING + 1}
        lists = {"words": known.words, "characters": known.characters, "labels": known.labels}
        _write(folder / VOCABULARY, {"first_numbers": numbers, "padding": PADDING, "unknown": UNKNOWN, **lists})
        said["vocabulary"] = VOCABULARY
        said["word_form"] = "lower case, each digit as 0"
    if "pieces" in inputs:
        views.pieces.tokenizer.save_pretrained(str(folder / TOKENIZER))
        said["tokenizer"] = TOKENIZER
    return said


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
