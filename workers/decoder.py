"""From emissions to tags and probabilities: one linear-chain CRF decoder, vectorised over the posts of a batch.

Tags by Viterbi, probabilities by forward-backward, both in float64. No row's arithmetic touches another row: sums
run over the tag axis only, never through a matrix product whose rounding could depend on the size of the batch, so a
post's tags and scores are the same to the bit whatever it is batched with (invariant 8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC")
IMPOSSIBLE = -1e4

FloatArray = npt.NDArray[np.floating]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def allowed_transitions() -> npt.NDArray[np.bool_]:
    """(9, 9): may the tag of the column follow the tag of the row? An I- continues only its own type."""
    allowed = np.ones((len(TAGS), len(TAGS)), np.bool_)
    for column, tag in enumerate(TAGS):
        if tag.startswith("I-"):
            allowed[:, column] = [before in (tag, "B" + tag[1:]) for before in TAGS]
    return allowed


def allowed_starts() -> npt.NDArray[np.bool_]:
    """(9,): may a post begin with this tag? Never with an I-."""
    return np.array([not tag.startswith("I-") for tag in TAGS])


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best tags of one post (words,) and the marginal probability of each (words,)."""

    tags: IntArray
    probabilities: DoubleArray


class Decoder:
    """A linear-chain CRF over nine tags: `transitions` (9, 9) from row to column, `starts` (9,), `ends` (9,)."""

    def __init__(self, transitions: FloatArray, starts: FloatArray, ends: FloatArray) -> None:
        self._transitions = np.where(allowed_transitions(), transitions, IMPOSSIBLE).astype(np.float64)
        self._starts = np.where(allowed_starts(), starts, IMPOSSIBLE).astype(np.float64)
        self._ends = ends.astype(np.float64)

    def decode(self, emissions: Sequence[FloatArray]) -> list[Decoded]:
        """Tags and probabilities of each post; `emissions[i]` is (words of post i, 9), at least one word each."""
        if not emissions:
            return []
        order = sorted(range(len(emissions)), key=lambda number: -len(emissions[number]))
        lengths = [len(emissions[number]) for number in order]
        padded = np.zeros((len(emissions), lengths[0], len(TAGS)))
        for row, number in enumerate(order):
            padded[row, : lengths[row]] = emissions[number]
        # Longest first: the posts that still run at a step are the first `running[step]` rows.
        running = np.searchsorted(-np.array(lengths), -np.arange(lengths[0]), side="left").tolist()
        tags = self._viterbi(padded, lengths, running)
        marginals = self._marginals(padded, running)
        chosen = np.take_along_axis(marginals, tags[..., None], axis=2)[..., 0]
        decoded = [Decoded(tags[row, :length], chosen[row, :length]) for row, length in enumerate(lengths)]
        places = {number: row for row, number in enumerate(order)}
        return [decoded[places[number]] for number in range(len(emissions))]

    def _viterbi(self, emissions: DoubleArray, lengths: Sequence[int], running: Sequence[int]) -> IntArray:
        rows, steps, _ = emissions.shape
        score = self._starts + emissions[:, 0]
        pointers = np.empty((rows, steps, len(TAGS)), np.int64)
        for step in range(1, steps):
            active = running[step]
            paths = score[:active, :, None] + self._transitions
            pointers[:active, step] = paths.argmax(axis=1)
            score[:active] = paths.max(axis=1) + emissions[:active, step]
        last = (score + self._ends).argmax(axis=1).tolist()
        tags = np.zeros((rows, steps), np.int64)
        for row, length in enumerate(lengths):
            tag = last[row]
            path = [tag]
            for pointer in reversed(pointers[row, 1:length].tolist()):
                tag = pointer[tag]
                path.append(tag)
            tags[row, :length] = path[::-1]
        return tags

    def _marginals(self, emissions: DoubleArray, running: Sequence[int]) -> DoubleArray:
        """(rows, words, 9): the forward-backward recursion in probabilities, scaled every few steps."""
        rows, steps, _ = emissions.shape
        weights = np.exp(np.maximum(emissions - emissions.max(axis=2, keepdims=True), -30.0))
        transitions = np.exp(self._transitions)
        forward = np.ones_like(weights)
        forward[:, 0] = _normalise(np.exp(self._starts) * weights[:, 0])
        for step in range(1, steps):
            active = running[step]
            reached = (forward[:active, step - 1, :, None] * transitions).sum(axis=1) * weights[:active, step]
            forward[:active, step] = reached if step % _SCALED_EVERY else _normalise(reached)
        backward = np.ones_like(weights)
        current = np.repeat(np.exp(self._ends)[None], rows, axis=0)
        for step in range(steps - 1, -1, -1):
            active = running[step]
            backward[:active, step] = current[:active]
            ahead = ((weights[:active, step] * current[:active])[:, None, :] * transitions).sum(axis=2)
            current[:active] = ahead if step % _SCALED_EVERY else _normalise(ahead)
        return _normalise(forward * backward)


# Between two scalings a probability falls by at most a factor of e^30 and a transition a step: far above underflow.
_SCALED_EVERY = 8


def _normalise(values: DoubleArray) -> DoubleArray:
    """Scaled to sum to one over the tags; a row that underflowed wholly becomes uniform."""
    values = values + 1e-300
    return np.asarray(values / values.sum(axis=-1, keepdims=True))
