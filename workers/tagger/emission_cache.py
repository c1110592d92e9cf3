"""The emission cache: emissions of input sequences that the network answered before, as for reposts of the same words.

The cache is exact, because the emissions of a sequence depend on nothing but the sequence (invariant 8). A test of that
invariant turns the cache off. In a crisis every fifteenth to seventh sequence has come before, in a burst more.
"""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from workers.tagger.crf_decoder import FloatArray

# The approximate size of Python's own objects around a key and its emissions.
_BYTES_AN_ENTRY = 300


class EmissionCache:
    """The emissions of the sequences used last, at most `max_bytes` of them. Several threads may use it at once.

    `asked` counts sequences looked up, `computed` those that the network answered. Both may be read at any time.
    """

    def __init__(self, max_bytes: int) -> None:
        self.asked = 0
        self.computed = 0
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[bytes, FloatArray] = OrderedDict()
        self._lock = Lock()

    def recall(self, sequences: Iterable[bytes]) -> dict[bytes, FloatArray]:
        """Returns the emissions (pieces, 9) of the sequences that are in the cache."""
        known: dict[bytes, FloatArray] = {}
        with self._lock:
            for sequence in sequences:
                self.asked += 1
                answer = self._answers.get(sequence)
                if answer is not None:
                    self._answers.move_to_end(sequence)
                    known[sequence] = answer
        return known

    def keep(self, answers: dict[bytes, FloatArray]) -> None:
        """Takes in emissions, which nobody may change afterwards; drops those that were used longest ago."""
        with self._lock:
            self.computed += len(answers)
            for sequence, answer in answers.items():
                if sequence not in self._answers:
                    self._answers[sequence] = answer
                    self._bytes += _size_bytes(sequence, answer)
            while self._bytes > self._max_bytes:
                self._bytes -= _size_bytes(*self._answers.popitem(last=False))

    def forget(self) -> None:
        """Empties the cache and its counters, as in a process that has just started."""
        with self._lock:
            self._answers.clear()
            self.asked = self.computed = self._bytes = 0


def _size_bytes(sequence: bytes, answer: FloatArray) -> int:
    return len(sequence) + answer.nbytes + _BYTES_AN_ENTRY
