"""Systems as ONNX graphs, held against themselves."""

from itertools import pairwise
from pathlib import Path

import onnxruntime
import torch
from learning import made
from tweets import VISUAL, batch_of
from variants import Variant

from training.inputs.batch import Sizes, TweetBatch
from training.onnx.graph import AXES, write_graph

# Lengths of the tweets of each batch, and whether they have photos.
BATCHES = [([3, 7, 1, 5], True), ([1], True), ([1], False), ([40, 40], True), ([2, 9], False), ([200, 1], True)]


def answers_as_itself(variant: Variant, sizes: Sizes, folder: Path) -> None:
    """Fails where the graph has other emissions than the system, for batches and lengths that it was not made with."""
    system, path = made(variant, sizes).eval(), folder / "system.onnx"
    names = write_graph(system, VISUAL, 512, path)
    session = onnxruntime.InferenceSession(path)
    assert [value.name for value in session.get_inputs()] == list(names)
    for value in session.get_inputs():
        wanted = [VISUAL if axis == "visual_width" else axis for axis in AXES[value.name]]
        assert value.shape == wanted, value.name
    assert [value.shape for value in session.get_outputs()] == [["batch", "tokens", 9]]
    seen = []
    for lengths, photo in BATCHES:
        batch = batch_of(lengths, photo=photo)
        with torch.inference_mode():
            expected = system.encode(batch)
        (given,) = session.run(None, {name: getattr(batch, name).numpy() for name in names})
        assert torch.allclose(tokens(torch.from_numpy(given), batch), tokens(expected, batch), atol=2e-5, rtol=1e-4)
        seen.append(given[0, 0])
    # A graph that answers the same to everything would be compared with a system that does.
    assert all((one != other).any() for one, other in pairwise(seen))


def tokens(emissions: torch.Tensor, batch: TweetBatch) -> torch.Tensor:
    """(tokens, 9)."""
    return emissions[batch.mask]
