"""Sections of the model card, each from the figures of one measure (`measuring.py`)."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from tagstream.posts import ENTITY_TYPES

_WIDTH = 120


def calibration_section(figures: Mapping[str, Any]) -> str:
    """Returns what scores are, how far they can be trusted, and why the least score is what it is."""
    calibration, chosen = figures["calibration"], figures["chosen"]
    offsets = ", ".join(f"{kind} {value:+.2f}" for kind, value in calibration["offsets"].items())
    sets = ", ".join(f"{name} {value:.3f}" for name, value in figures["both_halves"]["sets"].items())
    what = fill(
        "A name's score is the probability that the name is right: its first and last word and its type. It is the "
        "probability of the whole span by the CRF, with its log-odds multiplied by "
        f"{calibration['slope']:.2f} and moved by type ({offsets}). The table has the expected calibration error "
        "(15 bins with as many names each) on the names that are given without any threshold on all development sets; "
        "each half of the posts is measured with a map that was fitted on the other half.",
        _WIDTH,
    )
    rows = [("the CRF's probability", figures["before"]), ("score", figures["both_halves"])]
    false = " / ".join(f"{chosen['false'][name]:.0f}" for name in ("btc", "wnut17", "tweebank"))
    why = fill(
        f"Of each set: {sets}. Names that score less than {chosen['min_score']:.2f} are not given, unless the setting "
        "`min_score` says another score: it has the best mean F1 over the development sets "
        f"({100 * chosen['mean_f1']:.1f}) of all thresholds with at most {figures['most_false']:.0f} false names in "
        f"1,000 posts without any on each of BTC, WNUT-17 and Tweebank (there {false}).",
        _WIDTH,
    )
    return "\n".join(
        [
            "## Scores",
            "",
            what,
            "",
            *table(
                ["", "names", "all", *ENTITY_TYPES],
                [
                    [name, f"{row['names']:,}", *(f"{error:.3f}" for error in (row["all"], *row["types"].values()))]
                    for name, row in rows
                ],
            ),
            "",
            why,
            "",
            *table(
                ["min_score", "mean F1", *chosen["f1"], "false: BTC / WNUT-17 / Tweebank"],
                [_point(point) for point in sorted([*figures["curve"], chosen], key=lambda each: each["min_score"])],
            ),
            "",
        ]
    )


def _point(point: Mapping[str, Any]) -> list[str]:
    false = " / ".join(f"{point['false'][name]:.0f}" for name in ("btc", "wnut17", "tweebank"))
    f1 = [f"{100 * value:.1f}" for value in (point["mean_f1"], *point["f1"].values())]
    return [f"{point['min_score']:.2f}", *f1, false]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


SECTIONS = {"calibration": calibration_section}
