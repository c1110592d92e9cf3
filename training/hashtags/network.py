"""The hashtag segmenter of TriMod: a break, or none, after each character.

Section C and D of TriMod's text, equations 9 and 10::

    characters (B, T) ─▶ c (B, T, 64) ─▶ convolutions of 2, 3, 4 × 64 (B, T, 192) ─▶ BiLSTM h (B, T, 256) ─┐
                          └─────────────────────────────────────────────────────▶ [h; c] (B, T, 320) ─▶ logits (B, T)

`c = φ(characters)` (9) begins as skip-gram vectors and is trained on; `P(s_i | h, c_i) = Decoder(h_i, c_i)` (10) is one
linear layer; the loss is the cross-entropy of each place. The text gives no sizes: characters 64, 64 filters of each
width, states of 128 each way, skip-grams of three characters around, dropout of 0.1 after the convolutions and after
the BiLSTM. It does not say how CNN and BiLSTM are joined (here: one after the other), what follows the convolutions
(here: ReLU), or whether letter case is kept (here: it is; accents are not). The place after the last character is
always a break and is not learnt.

`workers/hashtags/network.py` is the same network without torch.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.layers.recurrent import Bidirectional
from workers.hashtags.network import ALPHABET, PADDING, WIDTHS, Matrix, character_numbers

CHARACTER_WIDTH = 64
FILTERS = 64
STATES = 128
DROPOUT = 0.1


class HashtagNetwork(nn.Module):
    """Numbers of characters (B, T), zero where padded -> log-odds of a break after each (B, T).

    `vectors` (V, 64) begin the embedding; without them it begins at random.
    """

    def __init__(self, vectors: Tensor | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding(len(ALPHABET), CHARACTER_WIDTH, PADDING, _weight=vectors)
        self.convolutions = nn.ModuleList(nn.Conv1d(CHARACTER_WIDTH, FILTERS, width) for width in WIDTHS)
        self.lstm = Bidirectional(FILTERS * len(WIDTHS), STATES)
        self.decoder = nn.Linear(2 * STATES + CHARACTER_WIDTH, 1)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, characters: Tensor) -> Tensor:
        embedded = self.table(characters)  # (B, T, E)
        windows = [
            convolution(functional.pad(embedded.transpose(1, 2), ((width - 1) // 2, width // 2)))
            for width, convolution in zip(WIDTHS, self.convolutions, strict=True)
        ]
        seen = self.dropout(torch.relu(torch.cat(windows, dim=1)).transpose(1, 2))  # (B, T, 3 F)
        states = self.dropout(self.lstm(seen, characters != PADDING))  # (B, T, 2 S)
        logits: Tensor = self.decoder(torch.cat([states, embedded], dim=2)).squeeze(2)
        return logits


def break_loss(logits: Tensor, breaks: Tensor, characters: Tensor) -> Tensor:
    """Returns the mean cross-entropy of the places (B, T) between two characters; `breaks` is 1.0 where a word ends."""
    inner = (characters != PADDING)[:, 1:]
    losses = functional.binary_cross_entropy_with_logits(logits[:, :-1].float(), breaks[:, :-1], reduction="none")
    return (losses * inner).sum() / inner.sum().clamp(min=1)


def encode(examples: list[str]) -> tuple[Tensor, Tensor]:
    """Characters and breaks (B, T) of examples, which are words joined by single spaces."""
    runs = [example.replace(" ", "") for example in examples]
    longest = max(map(len, runs))
    characters = np.full((len(runs), longest), PADDING, dtype=np.int64)
    breaks = np.zeros((len(runs), longest), dtype=np.float32)
    for row, (example, run) in enumerate(zip(examples, runs, strict=True)):
        characters[row, : len(run)] = character_numbers(run)
        place = -1
        for word in example.split(" "):
            place += len(word)
            breaks[row, place] = 1.0
    return torch.from_numpy(characters), torch.from_numpy(breaks)


def parameters_of(network: HashtagNetwork) -> dict[str, Matrix]:
    """Returns the trained parameters by the names that `workers.hashtags.network.BreakNetwork` reads.

    `vectors` (V, E), `kernel_W` (W, E, F) and `kernel_bias_W` (F) for each width W, `inputs` (2, 3 F, 4 S),
    `recurrent` (2, S, 4 S), `gate_bias` (2, 4 S) with the gates in the order in, forget, out, cell, `from_states`
    (2 S), `from_character` (E), `logit_bias` (1).
    """
    both = (network.lstm.forwards, network.lstm.backwards)
    decoder = network.decoder.weight[0]
    parameters = {
        "vectors": network.table.weight,
        "inputs": torch.stack([_gates(lstm.weight_ih_l0).T for lstm in both]),
        "recurrent": torch.stack([_gates(lstm.weight_hh_l0).T for lstm in both]),
        "gate_bias": torch.stack([_gates(lstm.bias_ih_l0 + lstm.bias_hh_l0) for lstm in both]),
        "from_states": decoder[: 2 * STATES],
        "from_character": decoder[2 * STATES :],
        "logit_bias": network.decoder.bias,
    }
    for width, convolution in zip(WIDTHS, network.convolutions, strict=True):
        assert isinstance(convolution, nn.Conv1d)
        assert convolution.bias is not None
        parameters[f"kernel_{width}"] = convolution.weight.permute(2, 1, 0)
        parameters[f"kernel_bias_{width}"] = convolution.bias
    return {name: np.ascontiguousarray(values.detach().float().numpy()) for name, values in parameters.items()}


def _gates(weights: Tensor) -> Tensor:
    """(4 S, …): torch orders its gates in, forget, cell, out."""
    into, keep, new, out = weights.chunk(4)
    return torch.cat([into, keep, out, new])


def skip_gram_vectors(examples: list[str], window: int = 3, steps: int = 400, seed: int = 0) -> Tensor:
    """Returns skip-gram vectors of the characters (V, 64), zero for padding, scaled to a spread of 0.1.

    With so small an alphabet the softmax over it is exact and the corpus is one table of who stands near whom (V, V).
    """
    near = torch.zeros(len(ALPHABET), len(ALPHABET))
    characters, _ = encode(examples)
    for offset in range(1, window + 1):
        left, right = characters[:, :-offset].flatten(), characters[:, offset:].flatten()
        near.index_put_((left, right), torch.ones(len(left)), accumulate=True)
        near.index_put_((right, left), torch.ones(len(left)), accumulate=True)
    near[PADDING] = 0.0
    near[:, PADDING] = 0.0
    shares = near / near.sum()
    generator = torch.Generator().manual_seed(seed)
    inner, outer = (
        (torch.randn(len(ALPHABET), CHARACTER_WIDTH, generator=generator) * 0.1).requires_grad_() for _ in range(2)
    )
    optimizer = torch.optim.Adam([inner, outer], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -(shares * torch.log_softmax(inner @ outer.T, dim=1)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    vectors = inner.detach()
    vectors = 0.1 * (vectors - vectors[1:].mean(0)) / vectors[1:].std()
    vectors[PADDING] = 0.0
    return vectors
