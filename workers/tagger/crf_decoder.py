"""The decoder of the tagger: a linear-chain CRF that turns emissions into tags and probabilities, a batch at a time.

Viterbi gives the tags, forward-backward the probabilities, both in float64. The arithmetic of one post touches no other
post: sums run over the tag axis alone, and never through a matrix product, whose rounding could depend on the size of
the batch. So tags and scores of a post are the same to the bit, whatever posts share its batch (invariant 8).
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
    """Returns (9, 9): whether the column's tag may follow the row's tag. An I- continues only its own type."""
    allowed = np.ones((len(TAGS), len(TAGS)), np.bool_)
    for column, tag in enumerate(TAGS):
        if tag.startswith("I-"):
            allowed[:, column] = [before in (tag, "B" + tag[1:]) for before in TAGS]
    return allowed


def allowed_starts() -> npt.NDArray[np.bool_]:
    """Returns (9,): whether a post may begin with the tag. No post begins with an I-."""
    return np.array([not tag.startswith("I-") for tag in TAGS])


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best tags of one post (words,), and probabilities (words,) whose product over a name is that of the name.

    The product is the probability that the name has these boundaries and this type. Words outside names have 1.
    """

    tags: IntArray
    probabilities: DoubleArray


class _Batch:
    """Posts side by side: `padded` (words, 9, posts), the longest post first.

    `lengths` are their words; at step i the first `running[i]` posts still have words.
    """

    def __init__(self, emissions: Sequence[FloatArray]) -> None:
        self._order = sorted(range(len(emissions)), key=lambda index: -len(emissions[index]))
        self.lengths = [len(emissions[index]) for index in self._order]
        # Posts are the last axis, along which numpy adds and compares fastest.
        self.padded = np.zeros((self.lengths[0], len(TAGS), len(emissions)))
        for column, index in enumerate(self._order):
            self.padded[: self.lengths[column], :, column] = emissions[index]
        steps = np.arange(self.lengths[0])
        self.running: list[int] = np.searchsorted(-np.array(self.lengths), -steps, side="left").tolist()

    def columns(self) -> list[tuple[int, int]]:
        """Returns the column and the length of each post, in the order in which the posts were given."""
        places = sorted(range(len(self._order)), key=lambda column: self._order[column])
        return [(column, self.lengths[column]) for column in places]


class Decoder:
    """A linear-chain CRF over nine tags: `transitions` (9, 9) from row to column, `starts` (9,), `ends` (9,)."""

    def __init__(self, transitions: FloatArray, starts: FloatArray, ends: FloatArray) -> None:
        self._transitions = np.where(allowed_transitions(), transitions, IMPOSSIBLE).astype(np.float64)
        self._starts = np.where(allowed_starts(), starts, IMPOSSIBLE).astype(np.float64)
        self._ends = ends.astype(np.float64)

    def decode(self, emissions: Sequence[FloatArray]) -> list[Decoded]:
        """Returns tags and probabilities of each post; `emissions[i]` is (words of post i, 9), one word at least."""
        if not emissions:
            return []
        batch = _Batch(emissions)
        tags = self._viterbi(batch.padded, batch.running)
        chosen = self._name_probabilities(batch.padded, batch.running, tags, np.array(batch.lengths))
        return [Decoded(tags[:length, column], chosen[:length, column]) for column, length in batch.columns()]

    def marginals(self, emissions: Sequence[FloatArray]) -> list[DoubleArray]:
        """Returns the probability of each tag at each word of each post: (words of post i, 9)."""
        if not emissions:
            return []
        batch = _Batch(emissions)
        _, forward, backward = self._forward_backward(batch.padded, batch.running)
        marginals = _normalise(forward * backward)
        return [marginals[:length, :, column] for column, length in batch.columns()]

    def _viterbi(self, emissions: DoubleArray, running: Sequence[int]) -> IntArray:
        """Returns (words, posts): the best tags. The way back looks up the tag before the best one only."""
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

    def _name_probabilities(
        self, emissions: DoubleArray, running: Sequence[int], tags: IntArray, lengths: IntArray
    ) -> DoubleArray:
        """Returns (words, posts), as in `Decoded`.

        The first word of a name has the marginal probability of its tag. Each word but the last is multiplied by the
        probability that the name goes on after it, the last one by the probability that it does not.
        """
        chances = np.ones(tags.shape)
        step, post = np.nonzero(tags)
        if not len(step):
            return chances
        weights, forward, backward = self._forward_backward(emissions, running)
        tag = tags[step, post]
        is_last = step + 1 == lengths[post]
        following = np.where(is_last, step, step + 1)
        # (tags, words), as everywhere: the tag of the next word, given the tag of this one.
        next_tag = _normalise(
            np.exp(self._transitions)[tag].T * (weights[following, :, post] * backward[following, :, post]).T
        )
        words, inside = np.arange(len(step)), tag + tag % 2  # the I- of a tag's type
        on = np.where(is_last, 0.0, next_tag[inside, words])
        goes_on = ~is_last & (tags[following, post] == inside)
        begins = _normalise((forward[step, :, post] * backward[step, :, post]).T)[tag, words]
        chances[step, post] = np.where(tag % 2, begins, 1.0) * np.where(goes_on, on, 1.0 - on)
        return chances

    def _forward_backward(
        self, emissions: DoubleArray, running: Sequence[int]
    ) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """Returns weights, forward and backward sums (words, 9, posts): probabilities, scaled every few steps."""
        steps, _, posts = emissions.shape
        weights = np.exp(np.maximum(emissions - emissions.max(axis=1, keepdims=True), -30.0))
        to_next = np.exp(self._transitions)[:, :, None]
        # Contiguous: numpy orders a sum by the layout in memory, and a single post must not have an order of its own.
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
        return weights, forward, backward


# Between two scalings a probability falls by at most a factor of e^30 and a transition a step: far above underflow.
_SCALED_EVERY = 8


def _normalise(values: DoubleArray) -> DoubleArray:
    """Scales values to sum to one over the tags, the last axis but one; values that all underflowed become uniform."""
    values = values + 1e-300
    # Not `sum`, which adds in another order where there is one post only: the last bits would differ.
    return np.asarray(values / np.add.accumulate(values, axis=-2)[..., -1:, :])
