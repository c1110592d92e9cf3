"""Takes out of an ONNX file what PyTorch's exporter notes of where it ran: source lines, and paths of that machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx


def forget_origin(path: Path) -> None:
    """Rewrites the file without the notes on its nodes and values. What it computes stays the same.

    The file is read whole: its weights must be in it.
    """
    model = onnx.load(path)
    for part in (model, *_parts(model.graph), *(part for function in model.functions for part in _parts(function))):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)


def _parts(graph: Any) -> Iterator[Any]:
    """A graph or function with all that it holds, the bodies of its loops and branches included."""
    yield graph
    yield from graph.value_info
    if isinstance(graph, onnx.GraphProto):
        yield from (*graph.input, *graph.output, *graph.initializer)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _parts(body)
