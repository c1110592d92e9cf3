"""The teacher: a larger network gives soft targets for each training picture.

::

    picture (64 x 64) ─▶ enlarged to 160 ─▶ MobileNet v2 (int8, frozen) ─▶ three depths, averaged ─▶ linear ─▶ 200

The frozen network was made for sharp pictures: on these enlarged ones its own 1,000 classes are right for fewer than
half. So its features are kept and a linear layer is fitted to the 200 classes. Each picture's target comes from a
layer that was fitted without it (`FOLDS` parts), or the targets would only repeat the labels.

Owns the features and the targets, both kept in a folder outside the repository. Knows nothing of the network it
teaches.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import torch
from openvino import opset13 as operators
from torch import Tensor
from torch.nn import functional

from training.image.dataset import Pictures

SIDE = 160
FOLDS = 4
_EPOCHS = 8
_BATCH = 500
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 0.05
_DROPOUT = 0.6

HalfArray = npt.NDArray[np.float16]


def load_features(pictures: Pictures, weights: Path, cache: Path, part: str, threads: int) -> HalfArray:
    """Reads (count, width) features of every picture: worked out the first time (minutes), then mapped from `cache`."""
    path = cache / f"{part}_teacher.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _extract(pictures, weights, path, threads)
    features: HalfArray = np.load(path, mmap_mode="r")
    return features


def _extract(pictures: Pictures, weights: Path, path: Path, threads: int) -> None:
    model = _network(weights, threads)
    queue = openvino.AsyncInferQueue(model, threads)
    partial = path.with_suffix(".partial")
    width = sum(output.shape[1] for output in model.outputs)
    store = np.lib.format.open_memmap(partial, "w+", np.float16, (len(pictures), width))

    def keep(request: Any, row: int) -> None:
        store[row] = np.concatenate([tensor.data[0] for tensor in request.output_tensors])

    queue.set_callback(keep)
    for row, picture in _enlarged(pictures):
        queue.start_async({0: picture[None]}, row)
    queue.wait_all()
    store.flush()
    partial.replace(path)


def _enlarged(pictures: Pictures) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    for start in range(0, len(pictures), 64):
        pixels = torch.from_numpy(np.array(pictures.pixels[start : start + 64])).permute(0, 3, 1, 2)
        larger = functional.interpolate(pixels.float(), size=(SIDE, SIDE), mode="bicubic").clamp(0, 255).round()
        yield from enumerate(larger.permute(0, 2, 3, 1).byte().numpy(), start)


def _network(weights: Path, threads: int) -> openvino.CompiledModel:
    """The network cut at three depths: the last features, the last widened block, the last one at twice the grid."""
    core = openvino.Core()
    model = core.read_model(str(weights))
    activations = [node for node in model.get_ordered_ops() if node.get_type_name() == "Clamp"]
    by_width: dict[int, list[Any]] = {}
    for node in activations:
        by_width.setdefault(node.output(0).get_partial_shape()[1].get_length(), []).append(node)
    # Two activations of each width: before and after a block's own convolution.
    chosen = [by_width[1280][-1], by_width[960][-1], by_width[576][-2]]
    axes = operators.constant([2, 3], np.int64)
    cut = openvino.Model([operators.reduce_mean(node, axes) for node in chosen], model.get_parameters(), "features")
    cut.reshape([1, SIDE, SIDE, 3])
    return core.compile_model(
        cut, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
    )


def cross_fitted(features: HalfArray, classes: Tensor, seed: int) -> Tensor:
    """Returns (count, 200) logits, float16: each picture's from the layer that was fitted on the other folds."""
    fold = torch.from_numpy(np.random.default_rng(seed).permutation(len(classes)) % FOLDS)
    targets = torch.empty(len(classes), int(classes.max()) + 1, dtype=torch.float16)
    for number in range(FOLDS):
        inside = (fold == number).nonzero().flatten()
        layer = LinearHead(features, classes, (fold != number).nonzero().flatten(), seed + number)
        targets[inside] = layer(features, inside).half()
    return targets


class LinearHead:
    """A linear layer over standardised features, fitted to the classes of the rows it is given."""

    def __init__(self, features: HalfArray, classes: Tensor, rows: Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        sample = torch.from_numpy(np.asarray(features[rows[:8000].sort().values.numpy()], np.float32))
        self.mean, self.deviation = sample.mean(0), sample.std(0) + 1e-3
        self.weight = torch.zeros(int(classes.max()) + 1, features.shape[1], requires_grad=True)
        self.bias = torch.zeros(len(self.weight), requires_grad=True)
        self._fit(self._standardised(features, rows), classes[rows])

    def _fit(self, inputs: Tensor, classes: Tensor) -> None:
        optimizer = torch.optim.AdamW([self.weight, self.bias], lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        steps = len(classes) // _BATCH
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=max(_EPOCHS * steps, 2))
        for _ in range(_EPOCHS):
            for batch in torch.split(torch.randperm(len(classes)), _BATCH)[:steps]:
                hidden = functional.dropout(inputs[batch], _DROPOUT)
                logits = functional.linear(hidden, self.weight.bfloat16()).float() + self.bias
                optimizer.zero_grad()
                torch.autograd.backward(functional.cross_entropy(logits, classes[batch]))
                optimizer.step()
                schedule.step()

    def _standardised(self, features: HalfArray, rows: Tensor) -> Tensor:
        """In bfloat16: 80,000 rows fit in memory, and products are several times faster."""
        parts = (torch.from_numpy(np.asarray(features[part.numpy()], np.float32)) for part in torch.split(rows, 2000))
        return torch.cat([((values - self.mean) / self.deviation).bfloat16() for values in parts])

    @torch.no_grad()
    def __call__(self, features: HalfArray, rows: Tensor) -> Tensor:
        """(rows, classes) logits."""
        return functional.linear(self._standardised(features, rows), self.weight.bfloat16()).float() + self.bias
