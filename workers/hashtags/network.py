"""A neural network that tells after which characters of a hashtag a word ends, and its file. It needs numpy alone.

::

    characters (T) ─▶ vectors (T, 64) ─▶ convolutions of 2, 3, 4 (T, 192) ─▶ LSTM both ways (T, 256) ─┐
                            └─────────────────────────────────────────────────────────────────────────┴─▶ logits (T)

`training/hashtags/network.py` has the same network for training, names its paper, and writes the file. Here vectors and
convolutions are folded into one table: the part that a character adds to each window around it.
"""

import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import msgpack
import numpy as np
from numpy.typing import NDArray

from tagstream.errors import CorruptState

FORMAT = 1
PADDING = 0
ALPHABET = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789?"  # first padding, last any other character
WIDTHS = (2, 3, 4)
BLOCK = 64  # columns a product: numpy gives larger products to several threads, ten times slower for so little work

LONGEST_ASKED = 64

Matrix = NDArray[np.float32]

_INDICES = {character: index for index, character in enumerate(ALPHABET)}
_OTHER = len(ALPHABET) - 1


@lru_cache(maxsize=4096)
def _number(character: str) -> int:
    base = unicodedata.normalize("NFKD", character)[0]
    if base.isdecimal() and not base.isascii():
        base = str(unicodedata.decimal(base))
    return _INDICES.get(base, _OTHER) if base != ALPHABET[PADDING] else _OTHER


def character_numbers(run: str) -> list[int]:
    """Returns the index in `ALPHABET` of each character, without accents and in plain width."""
    return [_number(character) for character in run]


class BreakNetwork:
    """The trained network, for one hashtag at a time. It keeps no state between calls, so threads may share it."""

    def __init__(self, parameters: dict[str, Matrix]) -> None:
        """Takes the parameters by the names and shapes of `training.hashtags.network.parameters_of`."""
        vectors = parameters["vectors"]  # (V, E)
        kernels = np.concatenate([parameters[f"kernel_{width}"] for width in WIDTHS])  # (9, E, F), width by width
        self._adds = np.ascontiguousarray((vectors @ kernels).transpose(1, 0, 2))  # (V, 9, F)
        self._kernel_bias = np.concatenate([parameters[f"kernel_bias_{width}"] for width in WIDTHS])  # (3 F)
        # A logistic gate is half a hyperbolic tangent of half its input, so one call of tanh gives all four gates.
        size = parameters["recurrent"].shape[1]
        self._size = size
        halves = np.concatenate([np.full(3 * size, 0.5, np.float32), np.ones(size, np.float32)])
        inputs = np.concatenate(list(parameters["inputs"] * halves), axis=1)  # (2, 3 F, 4 S) -> (3 F, 8 S)
        blocks = inputs.reshape(len(inputs), -1, BLOCK).transpose(1, 0, 2)
        self._inputs = np.ascontiguousarray(blocks)  # (8 S / BLOCK, 3 F, BLOCK)
        self._recurrent = np.ascontiguousarray(parameters["recurrent"] * halves)  # (2, S, 4 S)
        self._gate_bias = (parameters["gate_bias"] * halves).reshape(-1)  # (8 S)
        self._from_states = parameters["from_states"].reshape(2, size)  # (2, S)
        self._from_character = vectors @ parameters["from_character"] + parameters["logit_bias"]  # (V)

    def logits(self, run: str) -> Matrix:
        """Returns the log-odds (T) that a word ends after each character; the last of them means nothing."""
        numbers = np.array(character_numbers(run))
        windows = np.maximum(self._windows(numbers), 0.0)
        products = np.matmul(windows, self._inputs)  # (8 S / BLOCK, T, BLOCK)
        gates = (products.transpose(1, 0, 2).reshape(len(run), -1) + self._gate_bias).reshape(len(run), 2, -1)
        gates[:, 1] = gates[::-1, 1].copy()
        states = self._states(gates)  # (T, 2, S), the second direction from the end
        scores = np.einsum("tds,ds->td", states, self._from_states)
        logits: Matrix = scores[:, 0] + scores[::-1, 1] + self._from_character[numbers]
        return logits

    def _windows(self, numbers: NDArray[np.int64]) -> Matrix:
        """Returns the answers of the filters of each width around each character: (T, 3 F)."""
        longest, length = max(WIDTHS), len(numbers)
        padded = np.full(length + 2 * longest, PADDING)
        padded[longest : longest + length] = numbers
        adds = self._adds[padded]  # (T + 8, 9, F)
        windows = np.tile(self._kernel_bias, (length, 1))
        kernel = 0
        for index, width in enumerate(WIDTHS):
            filters = slice(index * adds.shape[2], (index + 1) * adds.shape[2])
            first = longest - (width - 1) // 2
            for offset in range(width):
                windows[:, filters] += adds[first + offset : first + offset + length, kernel]
                kernel += 1
        return windows

    def _states(self, gates: Matrix) -> Matrix:
        """Runs the LSTM in both directions at once: inputs of the gates (T, 2, 4 S) -> states (T, 2, S)."""
        size = self._size
        states = np.empty((len(gates), 2, 1, size), np.float32)
        state, cell = np.zeros((2, 1, size), np.float32), np.zeros((2, size), np.float32)
        both = np.empty((2, 1, 4 * size), np.float32)
        flat = both[:, 0]
        into, keep, out, new = (flat[:, part * size : (part + 1) * size] for part in range(4))
        logistic = flat[:, : 3 * size]
        for step, inputs in enumerate(gates):
            np.matmul(state, self._recurrent, out=both)
            np.add(flat, inputs, out=flat)
            np.tanh(flat, out=flat)
            logistic *= 0.5
            logistic += 0.5
            cell *= keep
            new *= into
            cell += new
            state = states[step]
            np.multiply(np.tanh(cell), out, out=state[:, 0])
        return states[:, :, 0]


@dataclass(frozen=True)
class Adviser:
    """The network as a judge between the language model's best segmentations, where their scores are close.

    It is used if the best is ahead by less than `close`. A segmentation then gains `weight` times the network's
    log-odds of each of its breaks: up to a constant, the log-probability that the network gives to the segmentation.
    """

    network: BreakNetwork
    weight: float
    close: float

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the adviser from a file that `pack` wrote.

        Raises:
            CorruptState: the file is missing, damaged, or of another format.
        """
        try:
            return cls(*unpack(path.read_bytes()))
        except (OSError, zlib.error, ValueError, LookupError, TypeError) as error:
            raise CorruptState(f"{path}: not a hashtag network that can be read: {error}; install it again") from error

    def choose(self, run: str, ways: list[tuple[float, list[int]]]) -> list[int]:
        """Returns the ends of words of the chosen segmentation; `ways` are (score, ends of words), the best first."""
        if len(ways) == 1 or ways[0][0] - ways[1][0] >= self.close or len(run) > LONGEST_ASKED:
            return ways[0][1]
        log_odds = self.network.logits(run).tolist()
        return max(ways, key=lambda way: way[0] + self.weight * sum(log_odds[end - 1] for end in way[1][:-1]))[1]


def pack(parameters: dict[str, Matrix], weight: float, close: float) -> bytes:
    """Packs the parameters in half precision, with `weight` and `close`, as one compressed file."""
    body = {
        "format": FORMAT,
        "alphabet": ALPHABET,
        "weight": weight,
        "close": close,
        "parameters": {
            name: {"shape": list(values.shape), "values": values.astype("<f2").tobytes()}
            for name, values in parameters.items()
        },
    }
    packed: bytes = msgpack.packb(body)
    return zlib.compress(packed, 9)


def unpack(packed: bytes) -> tuple[BreakNetwork, float, float]:
    """Returns the network, the weight and the closeness that were packed.

    Raises:
        ValueError, LookupError, TypeError, zlib.error: the bytes are something else, or of another format.
    """
    body = msgpack.unpackb(zlib.decompress(packed))
    if body["format"] != FORMAT or body["alphabet"] != ALPHABET:
        raise ValueError(f"format {body['format']!r} and its alphabet are not those of this version")
    parameters = {
        name: np.frombuffer(part["values"], "<f2").reshape(part["shape"]).astype(np.float32)
        for name, part in body["parameters"].items()
    }
    return BreakNetwork(parameters), float(body["weight"]), float(body["close"])
