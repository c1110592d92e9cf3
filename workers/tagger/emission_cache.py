"""What the network answered rows that came before: a repost of the same words need not be asked again.

Exact, because a row's emissions depend on nothing but the row (invariant 8); so whoever tests that invariant turns this
off. In crises every fifteenth to seventh row has come before, in the hours of a burst more.
"""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from workers.tagger.crf_decoder import FloatArray

# What Python's own objects around a key and its answer weigh, roughly.
_BYTES_AN_ENTRY = 300


class EmissionCache:
    """The answers to the rows asked about last, `most_bytes` of them; for any number of threads.

    `asked` and `computed` count rows, and may be read at any time: what was not computed had come before.
    """

    def __init__(self, most_bytes: int) -> None:
        self.asked = 0
        self.computed = 0
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[bytes, FloatArray] = OrderedDict()
        self._lock = Lock()

    def recall(self, rows: Iterable[bytes]) -> dict[bytes, FloatArray]:
        """The emissions (pieces, 9) of those rows that are known."""
        known: dict[bytes, FloatArray] = {}
        with self._lock:
            for row in rows:
                self.asked += 1
                answer = self._answers.get(row)
                if answer is not None:
                    self._answers.move_to_end(row)
                    known[row] = answer
        return known

    def keep(self, answers: dict[bytes, FloatArray]) -> None:
        """Takes in the answers to rows, and forgets those that were asked about longest ago. Nobody may change them."""
        with self._lock:
            self.computed += len(answers)
            for row, answer in answers.items():
                if row not in self._answers:
                    self._answers[row] = answer
                    self._bytes += _weight(row, answer)
            while self._bytes > self._most_bytes:
                self._bytes -= _weight(*self._answers.popitem(last=False))

    def forget(self) -> None:
        """Begins anew, as in a process that has just started."""
        with self._lock:
            self._answers.clear()
            self.asked = self.computed = self._bytes = 0


def _weight(row: bytes, answer: FloatArray) -> int:
    return len(row) + answer.nbytes + _BYTES_AN_ENTRY
