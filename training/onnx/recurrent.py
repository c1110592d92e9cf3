"""Recurrent layers as single nodes of an ONNX graph.

The exporter would write an LSTM out step by step, and so for one length only. Owns the order of gates in both worlds;
knows nothing of systems.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

# For each gate of ONNX (input, output, forget, cell; update, reset, new), its place in what torch has stacked.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}


class RecurrentNode(nn.Module):
    """The stand-in for an `nn.LSTM` or `nn.GRU` of one layer and direction: (B, T, W) -> (B, T, S), and nothing else.

    It answers while a graph is recorded, and at no other time.
    """

    given: Tensor
    kept: Tensor
    biases: Tensor

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.kind, self.size = layer.mode, layer.hidden_size
        weights = dict(layer.named_parameters())
        # The weights of ONNX have a direction, hence [None]; it adds the two biases itself.
        self.register_buffer("given", self._ordered(weights["weight_ih_l0"])[None])
        self.register_buffer("kept", self._ordered(weights["weight_hh_l0"])[None])
        biases = [self._ordered(weights[name]) for name in ("bias_ih_l0", "bias_hh_l0")]
        self.register_buffer("biases", torch.cat(biases)[None])

    def _ordered(self, stacked: Tensor) -> Tensor:
        gates = stacked.detach().chunk(len(_GATES[self.kind]))
        return torch.cat([gates[place] for place in _GATES[self.kind]])

    def forward(self, vectors: Tensor) -> tuple[Tensor, None]:
        """Returns the output of the layer that it stands for, without the last state."""
        attributes: dict[str, Any] = {"hidden_size": self.size}
        if self.kind == "GRU":
            attributes["linear_before_reset"] = 1  # as torch has it: the reset gate acts after the bias
        steps, rows = vectors.shape[1], vectors.shape[0]
        states = torch.onnx.ops.symbolic(
            self.kind,
            (vectors.transpose(0, 1), self.given, self.kept, self.biases),
            attributes,
            dtype=vectors.dtype,
            shape=(steps, 1, rows, self.size),
        )
        return states.squeeze(1).transpose(0, 1), None


def with_recurrent_nodes(network: nn.Module) -> nn.Module:
    """Copies a system; the recurrent layers of the copy are nodes."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.LSTM | nn.GRU):
                setattr(module, name, RecurrentNode(child))
    return network
