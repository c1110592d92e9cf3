"""A paired randomisation test: is one system better than another on the same tweets, or was it lucky?

Under the hypothesis that two systems are alike, which of them gave which answers to a tweet is chance. So their answers
are swapped tweet by tweet at random, and it is counted how often F1 then differs by at least as much as it does (Yeh
2000, "More accurate tests for the statistical significance of result differences"). F1 is no mean over tweets: a t-test
over tweets, which some of the papers report, would ask another question.
"""

import numpy as np
import numpy.typing as npt

from training.report.record import FoundNames

ROUNDS = 5000
_SEED = 7

Counts = npt.NDArray[np.int64]


def f1(right: Counts, given: Counts, gold: int) -> npt.NDArray[np.float64]:
    """Returns F1 of counts of a whole part; 0 where there is nothing to find and nothing was given."""
    values: npt.NDArray[np.float64] = 2 * right / np.maximum(given + gold, 1)
    return values


def p_value(one: FoundNames, other: FoundNames, rounds: int = ROUNDS) -> float:
    """Returns the probability of a difference in F1 at least as large as theirs, if they were alike.

    Raises:
        ValueError: they are not of the same tweets.
    """
    if one.gold != other.gold:
        raise ValueError("the two outcomes are of different tweets")
    gold = sum(one.gold)
    right, given = (np.array([getattr(each, name) for each in (one, other)]) for name in ("right", "given"))
    (right_here, right_there), (given_here, given_there) = right.sum(1), given.sum(1)
    seen = abs(f1(right_here, given_here, gold) - f1(right_there, given_there, gold))
    # To swap two answers that count alike changes nothing.
    differ = (right[0] != right[1]) | (given[0] != given[1])
    swaps = np.random.default_rng(_SEED).random((rounds, int(differ.sum()))) < 0.5
    more_right, more_given = (swaps.astype(np.float32) @ (counts[1] - counts[0])[differ] for counts in (right, given))
    first = f1(right_here + more_right, given_here + more_given, gold)
    second = f1(right_there - more_right, given_there - more_given, gold)
    # As much as theirs, but for the rounding of a sum in another order.
    extreme = int((abs(first - second) >= seen - 1e-12).sum())
    return (extreme + 1) / (rounds + 1)


def fixed_and_broken(one: FoundNames, baseline: FoundNames) -> tuple[int, int]:
    """Counts the names of the gold that `one` finds and the baseline does not, and the other way round."""
    pairs = list(zip(one.found, baseline.found, strict=True))
    return pairs.count(("1", "0")), pairs.count(("0", "1"))
