"""From a network to the files of a version: ONNX in two precisions, and their place in a model repository.

Owns how a network is written, whatever it was trained on. Knows nothing of data, labels or figures.
"""

import copy
import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import nncf
import onnx
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.image.network import ServedNetwork
from training.image.triton_config import require_room, write_configuration
from training.onnx.origin import forget_origin
from workers.images.classifier import Pixels
from workers.models.image_repository import NAME, read_description
from workers.models.version_folder import GPU_MODEL, MODEL


def fused(network: nn.Module) -> nn.Module:
    """Returns the same function with every batch normalisation folded into the convolution right before it."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        for (name, convolution), (scale_name, scale) in pairwise(list(module.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(scale, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(convolution, scale))
                setattr(module, scale_name, nn.Identity())
    return network


def export_onnx(served: ServedNetwork, side: int, path: Path) -> None:
    """Writes the network with a free number of rows."""
    with warnings.catch_warnings():
        # The exporter warns of its own insides, and of packages that we do not need.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            served.eval(),
            (torch.zeros(2, 3, side, side, dtype=torch.uint8),),
            str(path),
            input_names=["pixels"],
            output_names=["logits", "regions"],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    forget_origin(path)


def quantize(source: Path, target: Path, inputs: Sequence[Pixels]) -> None:
    """Quantises to static int8 by NNCF, its ranges taken from `inputs`, each (3, side, side).

    Static, because a scale taken from the batch at hand would make a picture's answer depend on its batch mates.
    """
    quantized = nncf.quantize(
        onnx.load(source),
        nncf.Dataset([{"pixels": pixels[None]} for pixels in inputs]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        fast_bias_correction=True,
    )
    onnx.save(quantized, target)


def write_networks(served: ServedNetwork, side: int, calibration: Sequence[Pixels], folder: Path) -> None:
    """Writes the files of both precisions into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "fp32.onnx"
        export_onnx(served, side, full)
        quantize(full, folder / MODEL, calibration)
    half = copy.deepcopy(served).half()
    export_onnx(half, side, folder / GPU_MODEL)


def install(folder: Path, repository: Path, version: int) -> None:
    """Copies a whole version into the repository and declares it in `config.pbtxt`.

    Raises:
        BadSettings: the repository has versions of other shapes, or of a generation that is not below this one's.
        CorruptState: a version there cannot be read.
    """
    model = repository / NAME
    require_room(model, read_description(folder), version)
    target = model / str(version)
    target.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        shutil.copyfile(file, target / file.name)
    write_configuration(model)
