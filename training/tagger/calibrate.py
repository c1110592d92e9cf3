"""Calibration: a name's score becomes the probability that the name is right, and the least score is chosen.

`python -m training.tagger.calibrate` tags the development sets, fits the map from the CRF's probability to
the score by logistic regression, chooses `min_score`, and writes both into `tagger.json`, with the hashes that follow.
The sets weigh alike. Answers change with it: a version is calibrated before it is put into service.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from tagstream.errors import BadSettings
from tagstream.posts import ENTITY_TYPES
from training.datasets import CORPORA
from training.script import run_script, share_of_thousand
from training.tagger.calibration import CAPPED, Answers, choose, errors, fit, operating_points, scores
from training.tagger.measuring import (
    development_posts,
    keep_figures,
    marked_types,
    parse_version,
    served_tagger,
    version_arguments,
)
from training.tagger.model_card import measure, write_card
from training.triton_config import write_configuration
from workers.models.repository import DESCRIPTION, TAGGER, TaggerDescription
from workers.models.version_folder import read_json
from workers.tagger.conll import gold_spans
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.scoring import Scoring

# In posts without a name by the gold, for every 1,000 of them, on each set where such posts are many. Many are names
# that the annotators missed: `false_names.py` says how many.
MOST_FALSE = 90.0


def collect(repository: Path, version: int, name: str = TAGGER) -> Answers:
    """Tags the development sets with every name given and the CRF's probabilities as scores.

    Raises:
        BadSettings: no name is given.
    """
    tagger = served_tagger(repository, version, name=name)
    tagger.scoring = Scoring()
    rows: list[tuple[float, bool, int, int, int, bool]] = []
    gold_names, free_posts = [], []
    for number, corpus in enumerate(CORPORA):
        posts, types = development_posts(corpus), marked_types(corpus)
        names = free = 0
        for post, answer in zip(posts, tag_conll(posts, tagger), strict=True):
            gold = gold_spans(post, lenient=False)
            is_free = not gold_spans(post, lenient=True)
            names += sum(kind in types for _, _, kind in gold)
            free += is_free
            half = hashlib.sha256(post.text.encode()).digest()[0] & 1
            for entity in answer.entities:
                if entity.type in types:
                    (span,) = answered_spans(post, answer.model_copy(update={"entities": (entity,)}))
                    kind = ENTITY_TYPES.index(entity.type)
                    rows.append((entity.score, span in gold, kind, number, half, is_free))
        gold_names.append(names)
        free_posts.append(free)
    if not rows:
        raise BadSettings(f"{name}, version {version}, gives no name on the development sets: nothing to calibrate")
    probability, is_right, kinds, corpora, halves, in_free = (np.array(column) for column in zip(*rows, strict=True))
    return Answers(probability, is_right, kinds, corpora, halves, in_free, np.array(gold_names), np.array(free_posts))


def calibrate(repository: Path, version: int, most_false: float = MOST_FALSE, name: str = TAGGER) -> dict[str, Any]:
    """Calibrates a version, writes its description, hashes, figures and card, and returns the figures."""
    answers = collect(repository, version, name)
    every = np.ones(len(answers.kind), np.bool_)
    held_out = np.zeros(len(every))
    halves = []
    for half in (0, 1):
        chosen = answers.half == half
        held_out[chosen] = scores(answers, fit(answers, ~chosen))[chosen]
        halves.append(errors(held_out, answers, chosen))
    calibration = fit(answers, every)
    points = operating_points(scores(answers, calibration), answers)
    point = choose(points, most_false)
    folder = repository / name / str(version)
    description = read_json(folder, DESCRIPTION, TaggerDescription).model_copy(
        update={"calibration": calibration, "min_score": point["min_score"]}
    )
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_configuration(repository / name)
    figures = {
        "before": errors(answers.probability, answers, every),
        "halves": halves,
        "both_halves": errors(held_out, answers, every),
        "calibration": calibration.model_dump(),
        "most_false": most_false,
        "chosen": point,
        "curve": [each for number, each in enumerate(points) if number % 5 == 0 and each is not point],
    }
    keep_figures(repository, version, "calibration", figures, name)
    measure(repository, version, name)
    write_card(repository, version, name)
    return figures


def _print(figures: dict[str, Any]) -> None:
    print("expected calibration error         names    all " + "".join(f"{kind:>7}" for kind in ENTITY_TYPES))
    rows = {
        "the CRF's probability": figures["before"],
        "first half, by the second": figures["halves"][0],
        "second half, by the first": figures["halves"][1],
        "both halves, each by the other": figures["both_halves"],
    }
    for name, row in rows.items():
        shown = "".join(f"{row['types'][kind]:7.3f}" for kind in ENTITY_TYPES)
        print(f"{name:34} {row['names']:5} {row['all']:6.3f} {shown}")
    print("of each set: " + ", ".join(f"{name} {value:.3f}" for name, value in figures["both_halves"]["sets"].items()))
    print("\nmin_score  mean F1  " + "".join(f"{name:>12}" for name in CORPORA) + "   false: " + ", ".join(CAPPED))
    for point in sorted([*figures["curve"], figures["chosen"]], key=lambda each: each["min_score"]):
        mark = "*" if point is figures["chosen"] else " "
        f1 = "".join(f"{100 * point['f1'][name]:12.1f}" for name in CORPORA)
        false = "  ".join(f"{point['false'][name]:5.0f}" for name in CAPPED)
        print(f"{point['min_score']:8.2f}{mark} {100 * point['mean_f1']:8.2f}  {f1}          {false}")


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments("Calibrate the scores of a model version and choose its least score.")
    parser.add_argument(
        "--most-false",
        type=share_of_thousand,
        default=MOST_FALSE,
        help="the most false names in 1,000 posts without any, on each of " + ", ".join(CAPPED),
    )
    arguments = parse_version(parser)
    _print(calibrate(arguments.repository, arguments.version, arguments.most_false, arguments.name))


if __name__ == "__main__":
    run_script(main)
