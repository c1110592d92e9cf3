"""The score of a name: the probability that it is right, from the probability that the CRF gives it.

A network is surer of itself than it is right. `tagger.json` holds the few numbers that correct this; they are fitted on
tweets that the network has not learnt from (`training/tagger/calibrate.py`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tagstream.posts import EntityType

# Beyond this no probability is told from certainty: scores have four digits.
_DOUBT = 1e-4


@dataclass(frozen=True, slots=True)
class Scoring:
    """The map from the CRF's probability to the score, and the least score of a name that is given.

    The log-odds are multiplied by `slope`, and the offset of the name's type is added. `min_score` 0 keeps every name.
    """

    slope: float = 1.0
    offsets: Mapping[EntityType, float] = field(default_factory=dict)
    min_score: float = 0.0

    def score(self, probability: float, kind: EntityType) -> float:
        """Returns the score of a name, which rises with its probability."""
        probability = min(max(probability, _DOUBT), 1 - _DOUBT)
        odds = self.slope * math.log(probability / (1 - probability)) + self.offsets.get(kind, 0.0)
        return round(1 / (1 + math.exp(-odds)), 4)
