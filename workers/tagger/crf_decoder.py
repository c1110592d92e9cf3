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
        # Posts are the last axis: numpy adds and compares along it fastest.
        padded = np.zeros((lengths[0], len(TAGS), len(emissions)))
        for column, number in enumerate(order):
            padded[: lengths[column], :, column] = emissions[number]
        # Longest first: the posts that still run at a step are the first `running[step]` columns.
        running = np.searchsorted(-np.array(lengths), -np.arange(lengths[0]), side="left").tolist()
        tags = self._viterbi(padded, running)
        marginals = self._marginals(padded, running)
        chosen = np.take_along_axis(marginals, tags[:, None], axis=1)[:, 0]
        decoded = [Decoded(tags[:length, column], chosen[:length, column]) for column, length in enumerate(lengths)]
        places = {number: column for column, number in enumerate(order)}
        return [decoded[places[number]] for number in range(len(emissions))]

    def _viterbi(self, emissions: DoubleArray, running: Sequence[int]) -> IntArray:
        """(words, posts): the best tags. Which tag led to the best one is asked on the way back, of that one alone."""
        steps, _, posts = emissions.shape
        transitions = self._transitions[:, :, None]
        scores = np.empty_like(emissions)
        scores[0] = self._starts[:, None] + emissions[0]
        for step in range(1, steps):
            active = running[step]
            best = np.max(scores[step - 1, :, None, :active] + transitions, axis=0)
            scores[step, :, :active] = best + emissions[step, :, :active]
        tags = np.zeros((steps, posts), np.int64)
        current = np.empty(posts, np.int64)
        ended = 0  # the posts whose last word has been passed
        for step in range(steps - 1, -1, -1):
            active = running[step]
            current[ended:active] = (scores[step, :, ended:active] + self._ends[:, None]).argmax(axis=0)
            ended = active
            tags[step, :active] = current[:active]
            if step:
                paths = scores[step - 1, :, :active] + self._transitions[:, current[:active]]
                current[:active] = paths.argmax(axis=0)
        return tags

    def _marginals(self, emissions: DoubleArray, running: Sequence[int]) -> DoubleArray:
        """(words, 9, posts): the forward-backward recursion in probabilities, scaled every few steps."""
        steps, _, posts = emissions.shape
        weights = np.exp(np.maximum(emissions - emissions.max(axis=1, keepdims=True), -30.0))
        to_next = np.exp(self._transitions)[:, :, None]
        # In this order in memory: numpy takes the order of a sum from there, and a single post must not have its own.
        to_previous = np.ascontiguousarray(np.exp(self._transitions.T))[:, :, None]
        forward = np.ones_like(weights)
        forward[0] = _normalise(np.exp(self._starts)[:, None] * weights[0])
        for step in range(1, steps):
            active = running[step]
            reached = (forward[step - 1, :, None, :active] * to_next).sum(axis=0) * weights[step, :, :active]
            forward[step, :, :active] = reached if step % _SCALED_EVERY else _normalise(reached)
        backward = np.ones_like(weights)
        current = np.repeat(np.exp(self._ends)[:, None], posts, axis=1)
        for step in range(steps - 1, -1, -1):
            active = running[step]
            backward[step, :, :active] = current[:, :active]
            ahead = ((weights[step, :, :active] * current[:, :active])[:, None] * to_previous).sum(axis=0)
            current[:, :active] = ahead if step % _SCALED_EVERY else _normalise(ahead)
        return _normalise(forward * backward)


# Between two scalings a probability falls by at most a factor of e^30 and a transition a step: far above underflow.
_SCALED_EVERY = 8


def _normalise(values: DoubleArray) -> DoubleArray:
    """Scaled to sum to one over the tags, the last axis but one; what underflowed wholly becomes uniform."""
    values = values + 1e-300
    # Not `sum`: it adds in another order where there is one post only, and the last bits would show it.
    return np.asarray(values / np.add.accumulate(values, axis=-2)[..., -1:, :])
