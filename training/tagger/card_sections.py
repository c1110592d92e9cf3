"""Sections of the model card, each from the figures of one measure (`measuring.py`)."""

import re
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from tagstream.posts import ENTITY_TYPES
from workers.models.version_folder import MODEL

_WIDTH = 120
COUNTINGS = ("strict", "lenient")
MEASURES = ("precision", "recall", "f1")
# What an error that somebody read can come from (errors.py).
CAUSES: Mapping[str, str] = {
    "convention": "the sets draw the line elsewhere: products, teams of a city, bands, holidays, star signs, parties",
    "gold": "the annotators missed a name, gave it another type than elsewhere, or marked what is no name",
    "account": "an account name, or the sign before it: a name to some annotators, and never one here",
    "context": "the text says plainly what it is, and the tagger does not see it",
    "knowledge": "a name that is an ordinary word, an abbreviation or rare, which only who knows it would see",
    "borders": "the right name with a wrong end: a title, a place before an event, a word beside it",
    "type": "right borders, and the text says that another type is right",
    "case": "a name in small letters, or a word in capitals",
    "spelling": "slang or another language",
    "hashtag": "a name in a hashtag of several words, which the annotators leave unmarked",
    "reading": "how the text was cut into words, or a border that no name crosses",
}


def calibration_section(figures: Mapping[str, Any]) -> str:
    """Returns what scores are, how far they can be trusted, and why the least score is what it is."""
    calibration, chosen = figures["calibration"], figures["chosen"]
    offsets = ", ".join(f"{kind} {value:+.2f}" for kind, value in calibration["offsets"].items())
    sets = ", ".join(f"{name} {value:.3f}" for name, value in figures["both_halves"]["sets"].items())
    what = _paragraph(
        "A name's score is the probability that the name is right: its first and last word and its type. It is the "
        "probability of the whole span by the CRF, with its log-odds multiplied by "
        f"{calibration['slope']:.2f} and moved by type ({offsets}). The table has the expected calibration error "
        "(15 bins with as many names each) on the names that are given without any threshold on all development sets; "
        "each half of the posts is measured with a map that was fitted on the other half.",
    )
    rows = [("the CRF's probability", figures["before"]), ("score", figures["both_halves"])]
    false = " / ".join(f"{chosen['false'][name]:.0f}" for name in ("btc", "wnut17", "tweebank"))
    why = _paragraph(
        f"Of each set: {sets}. Names that score less than {chosen['min_score']:.2f} are not given, unless the setting "
        "`min_score` says another score: it has the best mean F1 over the development sets "
        f"({100 * chosen['mean_f1']:.1f}) of all thresholds with at most {figures['most_false']:.0f} false names in "
        f"1,000 posts without any on each of BTC, WNUT-17 and Tweebank (there {false}).",
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


def robustness_section(figures: Mapping[str, Any]) -> str:
    """Returns F1 on perturbed posts."""
    f1, hashtags = figures["f1"], figures["hashtags"]
    sets = list(hashtags)
    rows = [[name, *(f"{100 * row[corpus]:.1f}" for corpus in sets)] for name, row in f1.items()]
    for name, key in (("the first 50 posts, as written", "before"), ("the same with 280 hashtags after each", "after")):
        rows.append([name, *(f"{100 * hashtags[corpus][key]:.1f}" for corpus in sets)])
    slowest = max(row["milliseconds"] for row in hashtags.values())
    what = _paragraph(
        "Strict F1 on development sets whose posts were changed, by `python -m training.tagger.robustness`: the names "
        "stay where they are, and a name counts as found with all its words (changed or not) and its type. A post with "
        f"280 hashtags took at most {slowest:.0f} ms of a processor on average.",
    )
    return "\n".join(["## Robustness", "", what, "", *table(["", *sets], rows), ""])


def hashtag_section(figures: Mapping[str, Any]) -> str:
    """Returns the shares of names that are found inside hashtags."""
    groups, nameless = figures["found"], figures["nameless"]
    what = _paragraph(
        "Persons, places and organisations of one to three words from all development sets, each once, that are found "
        "as plain words; the share of them in percent that is found when a hashtag has them, by "
        "`python -m training.tagger.hashtag_names`: in the same sentence, alone or joined with words of topics "
        "(`#EvacuateParis`, `#parisskyline`) that training does not use; moved after the sentence; among hashtags "
        "of ordinary words; written together with another name. The entity must be the name's words alone.",
    )
    after = nameless.get("after_posts_per_1000")  # older figures have none
    false = _paragraph(
        f"In {nameless['hashtags']:,} hashtags of ordinary words there are {nameless['false_entities_per_1000']:.0f} "
        "false entities for every 1,000"
        + ("." if after is None else f", and {after:.0f} where they stand after posts of the development sets."),
    )
    rows = [[way, *(f"{100 * shares[group]:.1f}" for group in groups)] for way, shares in figures["shares"].items()]
    head = ["", *(f"{group} ({number:,})" for group, number in groups.items())]
    return "\n".join(["## Names in hashtags", "", what, "", *table(head, rows), "", false, ""])


def image_words_section(figures: Mapping[str, Any]) -> str:
    """Returns what image words add to F1, and what wrong and missing ones cost."""
    what = _paragraph(
        "Strict F1 on the development sets with the words of each source in the third segment, and the difference to "
        "text and hashtags alone with its interval of 95 % (paired bootstrap over posts), by "
        "`python -m training.tagger.image_words`.",
    )
    rows = [[name] for name in next(iter(figures.values()))]
    for corpus in figures.values():
        for cells, row in zip(rows, corpus.values(), strict=True):
            gap, low, high = (100 * row[name] for name in ("difference", "low", "high"))
            cells += [f"{100 * row['f1']:.1f}", f"{gap:+.1f} ({low:+.1f} to {high:+.1f})"]
    rows[0][2::2] = ["–"] * len(figures)
    head = ["", *(cell for name in figures for cell in (name, "difference"))]
    return "\n".join(["## Image words", "", what, "", *table(head, rows), ""])


def test_section(figures: Mapping[str, Any]) -> str:
    """Returns precision, recall and F1 on the test parts: of the file that serves, each seed, and their mean."""
    seeds, served = figures["seeds"], figures["int8"]
    whose = (
        f"The {len(seeds)} seeds are trained alike, and scored in float32 and without a least score; `{MODEL}` is the "
        "served file of the first, with its least score."
        if seeds
        else f"They are of `{MODEL}`, trained with **one seed**, and were looked at once: how far another seed would "
        "be from them is not known."
    )
    what = _paragraph(
        "Raw text and hashtags only (no caption, no alt text, no pixels), strict and lenient counting, in percent, by "
        "`python -m training.tagger.test_figures`, after everything had been chosen on the development parts. " + whose
    )
    rows = []
    for corpus, of_corpus in served.items():
        for counting in COUNTINGS:
            rows.append([corpus, counting, f"`{MODEL}`", *percent(of_corpus[counting])])
            for name, of_seed in seeds.items():
                rows.append([corpus, counting, name, *percent(of_seed[corpus][counting])])
            if seeds:
                over = figures["summary"][corpus][counting]
                spread = [f"{100 * over[one]['mean']:.1f} ({100 * over[one]['deviation']:.1f})" for one in MEASURES]
                rows.append([corpus, counting, f"mean of {len(seeds)} seeds (deviation)", *spread])
    head = ["test part", "counting", "of", "precision", "recall", "F1"]
    return "\n".join(["## Figures on the test sets", "", what, "", *table(head, rows), ""])


def percent(figures: Mapping[str, float]) -> list[str]:
    """Returns precision, recall and F1 in percent, as cells of a table."""
    return [f"{100 * figures[one]:.1f}" for one in MEASURES]


def false_names_section(figures: Mapping[str, Any]) -> str:
    """Returns how many of the names given in posts without any are none."""
    given, none = (sum(row[which] for row in figures.values()) for which in ("given", "no_names"))
    what = _paragraph(
        f"All {given} names that are given, by the version's own least score, in development posts where annotators "
        f"saw none were read (`python -m training.tagger.false_names`): {given - none} are names that they left out, "
        f"{none} are no names.",
    )
    rows = [
        [name, *(f"{1000 * row[which] / row['posts']:.0f}" for which in ("given", "no_names"))]
        for name, row in figures.items()
    ]
    head = ["in 1,000 posts without a name", "given", "no names"]
    return "\n".join(["## False names", "", what, "", *table(head, rows), ""])


def errors_section(figures: Mapping[str, Any]) -> str:
    """Returns the causes of errors that somebody read."""
    total = sum(row["all"] for row in figures.values())
    what = _paragraph(
        f"{total} errors of the development sets, as many from each, were read and sorted by their cause "
        "(`python -m training.tagger.errors`).",
    )
    kinds = ("missed", "false", "other type", "other borders")
    rows = [
        [CAUSES[cause], str(row["all"]), *(str(row.get(kind, 0)) for kind in kinds)] for cause, row in figures.items()
    ]
    return "\n".join(["## Errors", "", what, "", *table(["cause", "errors", *kinds], rows), ""])


def _paragraph(text: str) -> str:
    """Returns the text in lines, none of which ends within code."""
    unbroken = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    return fill(unbroken, _WIDTH).replace("\0", " ")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


SECTIONS = {
    "test": test_section,
    "calibration": calibration_section,
    "false_names": false_names_section,
    "hashtag_names": hashtag_section,
    "robustness": robustness_section,
    "image_words": image_words_section,
    "errors": errors_section,
}
