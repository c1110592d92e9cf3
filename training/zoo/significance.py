"""Whether one system is better than another on the same tweets, or was lucky: a paired randomisation test.

Under the hypothesis that two systems are alike, which of them gave which answers to a tweet is chance. So their answers
are swapped tweet by tweet at random, and it is counted how often F1 then differs by at least as much as it does (Yeh
2000, "More accurate tests for the statistical significance of result differences"). F1 is no mean over tweets: a t-test
over tweets, which some of the papers report, would ask another question.
"""

import numpy as np
import numpy.typing as npt

from training.zoo.record import Outcome

ROUNDS = 5000
_SEED = 7

Counts = npt.NDArray[np.int64]


def f1(right: Counts, given: Counts, gold: Counts) -> npt.NDArray[np.float64]:
    """Of counts summed over the last axis; 0 where there is nothing to find and nothing was given."""
    total = given.sum(-1) + gold.sum(-1)
    values: npt.NDArray[np.float64] = 2 * right.sum(-1) / np.maximum(total, 1)
    return values


def p_value(one: Outcome, other: Outcome, rounds: int = ROUNDS) -> float:
    """The probability of a difference in F1 at least as large as theirs, if they were alike.

    Raises:
        ValueError: they are not of the same tweets.
    """
    if one.gold != other.gold:
        raise ValueError("the two outcomes are of different tweets")
    gold = np.array(one.gold)
    right, given = (np.array([getattr(each, name) for each in (one, other)]) for name in ("right", "given"))
    seen = abs(float(f1(right[0], given[0], gold) - f1(right[1], given[1], gold)))
    chance = np.random.default_rng(_SEED)
    extreme = 0
    for _ in range(rounds):
        swap = chance.random(len(gold)) < 0.5
        first, second = (
            f1(np.where(swap, right[1 - side], right[side]), np.where(swap, given[1 - side], given[side]), gold)
            for side in (0, 1)
        )
        # As much as theirs, but for the rounding of a sum in another order.
        extreme += abs(float(first - second)) >= seen - 1e-12
    return (extreme + 1) / (rounds + 1)


def fixed_and_broken(one: Outcome, baseline: Outcome) -> tuple[int, int]:
    """How many names of the gold `one` finds that the baseline does not, and the other way round."""
    pairs = list(zip(one.found, baseline.found, strict=True))
    return pairs.count(("1", "0")), pairs.count(("0", "1"))
