"""A system as an ONNX graph: from the fields of a batch that it reads to emissions, every axis as long as is wanted.

Owns what the graph's inputs and axes are called. Knows nothing of runs, corpora or folders.
"""

import logging
import warnings
from dataclasses import fields
from pathlib import Path

import torch
from onnx_ir import SymbolicDim
from torch import Tensor, nn

from tagstream.errors import BadSettings
from training.inputs.batch import TweetBatch
from training.inputs.vocabulary import LONGEST_WORD
from training.onnx.origin import forget_origin
from training.onnx.recurrent import with_recurrent_nodes
from training.systems.base import System

WIDTH = "visual_width"
LABELS = 5
# The axes of each field of `TweetBatch` in order; a number is its length.
AXES: dict[str, tuple[str | int, ...]] = {
    "mask": ("batch", "tokens"),
    "tags": ("batch", "tokens"),
    "words": ("batch", "tokens"),
    "characters": ("batch", "tokens", "characters"),
    "letter_cases": ("batch", "tokens"),
    "pieces": ("batch", "pieces"),
    "piece_mask": ("batch", "pieces"),
    "segments": ("batch", "pieces"),
    "first_pieces": ("batch", "tokens"),
    "visual": ("batch", "regions", WIDTH),
    "visual_mask": ("batch", "regions"),
    "labels": ("batch", LABELS),
    "caption": ("batch", "caption_words"),
    "hashtags": ("batch", "hashtag_words"),
}
EMISSIONS = "emissions"


class Graph(nn.Module):
    """The graph that is recorded: the fields of `names`, in order, to emissions (B, T, 9)."""

    def __init__(self, system: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.system, self.names = system, names

    def forward(self, *values: Tensor) -> Tensor:
        given = dict(zip(self.names, values, strict=True))
        unread = torch.empty(0)
        assert isinstance(self.system, System)
        return self.system.encode(TweetBatch(**{name: given.get(name, unread) for name in AXES})).float()


@torch.inference_mode()
def fields_read(system: System, batch: TweetBatch) -> tuple[str, ...]:
    """Returns the fields of a batch that the system's answer comes from, in their order."""
    read: set[str] = set()

    class Watched(TweetBatch):
        def __getattribute__(self, name: str) -> object:
            read.add(name)
            return super().__getattribute__(name)

    system.eval().encode(Watched(**{field.name: getattr(batch, field.name) for field in fields(TweetBatch)}))
    return tuple(name for name in AXES if name in read)


def write_graph(system: System, visual_width: int, most_pieces: int, path: Path) -> tuple[str, ...]:
    """Writes `path` and returns the names of its inputs: the fields that the answer comes from.

    `visual_width` is that of a region, `most_pieces` what the encoder can read at once.

    Raises:
        BadSettings: an axis of the system has one length only.
    """
    example = _example(visual_width)
    names = fields_read(system, example)
    graph = Graph(with_recurrent_nodes(system.eval()), names).eval()
    axes = {axis: torch.export.Dim(axis, max=most) for axis, most in _free_axes(names, most_pieces).items()}
    with warnings.catch_warnings():
        # The exporter warns of its own insides, and of packages that we do not need.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        # Recorded here: given the module, the exporter would silently fix an axis that it cannot leave free.
        recorded = _record(graph, tuple(getattr(example, name) for name in names), axes, type(system).__name__)
        program = torch.onnx.export(
            recorded, input_names=list(names), output_names=[EMISSIONS], dynamo=True, verbose=False
        )
        assert program is not None
        program.rename_axes(_symbols(recorded, names, axes))
        inputs = program.model.graph.inputs
        for value in [value for value in inputs if not value.uses()]:
            inputs.remove(value)
        program.save(path)
    forget_origin(path)
    return tuple(str(value.name) for value in inputs)


def _example(visual_width: int) -> TweetBatch:
    """A batch without meaning. Every axis has a length of its own and is longer than one, which is a length apart."""
    names = dict.fromkeys(axis for axes in AXES.values() for axis in axes if isinstance(axis, str))
    lengths: dict[str | int, int] = {axis: length for length, axis in enumerate(names, 3)}
    lengths |= {LABELS: LABELS, WIDTH: visual_width}
    kinds = {"mask": torch.bool, "piece_mask": torch.bool, "visual_mask": torch.bool, "visual": torch.float32}
    return TweetBatch(
        **{
            name: torch.ones([lengths[axis] for axis in axes], dtype=kinds.get(name, torch.long))
            for name, axes in AXES.items()
        }
    )


def _free_axes(names: tuple[str, ...], most_pieces: int) -> dict[str, int | None]:
    """The axes of these fields that may have any length, up to one where there is a longest."""
    most = {"characters": LONGEST_WORD, "pieces": most_pieces}
    return {axis: most.get(axis) for name in names for axis in AXES[name] if isinstance(axis, str) and axis != WIDTH}


def _record(
    graph: Graph, example: tuple[Tensor, ...], axes: dict[str, torch.export.Dim], system: str
) -> torch.export.ExportedProgram:
    free = tuple({place: axes[axis] for place, axis in enumerate(AXES[name]) if axis in axes} for name in graph.names)
    try:
        return torch.export.export(graph, example, dynamic_shapes=(free,))
    except torch._dynamo.exc.UserError as error:
        raise BadSettings(
            f"{system} cannot be exported, as an axis of it has one length only: {str(error).strip()[:500]}"
        ) from error


def _symbols(
    recorded: torch.export.ExportedProgram, names: tuple[str, ...], axes: dict[str, torch.export.Dim]
) -> dict[str | SymbolicDim, str]:
    """By what the recording calls an axis, its name."""
    read = set(recorded.graph_signature.user_inputs)
    values = [node.meta["val"] for node in recorded.graph.nodes if node.op == "placeholder" and node.name in read]
    return {
        str(value.shape[place]): str(axis)
        for name, value in zip(names, values, strict=True)
        for place, axis in enumerate(AXES[name])
        if axis in axes
    }
