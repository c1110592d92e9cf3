"""Robustness: F1 on development sets whose posts are perturbed, and on posts with 280 hashtags after them.

`python -m training.tagger.robustness` measures a version as it is served, and writes its card again.
"""

import random
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from training.script import run_script
from training.tagger.measuring import (
    counts,
    development_posts,
    f1,
    keep_figures,
    marked_types,
    parse_version,
    served_tagger,
    version_arguments,
)
from training.tagger.model_card import write_card
from training.tagger.nameless import nameless_hashtags
from training.tagger.perturbations import PERTURBATIONS, perturbed, tokens_of
from workers.models.repository import TAGGER
from workers.tagger.conll import ConllPost, joined_post
from workers.tagger.evaluation import tag_conll
from workers.tagger.interface import Tagger

SETS = ("twitter2015", "twitter2017", "btc", "wnut17")
SEED = "robustness"
HASHTAGS = 280
POSTS_WITH_HASHTAGS = 50


def score_perturbations(tagger: Tagger) -> dict[str, dict[str, float]]:
    """Returns strict F1 on each set under each perturbation."""
    figures: dict[str, dict[str, float]] = {name: {} for name in PERTURBATIONS}
    for corpus in SETS:
        plain, types = development_posts(corpus), marked_types(corpus)
        for name, perturb in PERTURBATIONS.items():
            posts = perturbed(plain, perturb, SEED)
            figures[name][corpus] = f1(counts(posts, tag_conll(posts, tagger), types))
    return figures


def score_many_hashtags(tagger: Tagger) -> dict[str, dict[str, float]]:
    """Returns what 280 hashtags without names do to the first posts of each set.

    `before` and `after` are F1 on the posts without and with them, `milliseconds` the processor time of such a post.
    """
    figures = {}
    for corpus in SETS:
        types = marked_types(corpus)
        plain = list(islice(development_posts(corpus), POSTS_WITH_HASHTAGS))
        posts = [with_hashtags(post, place) for place, post in enumerate(plain)]
        before = f1(counts(plain, tag_conll(plain, tagger), types))
        started = time.process_time()
        answers = tag_conll(posts, tagger)
        seconds = time.process_time() - started
        figures[corpus] = {
            "before": before,
            "after": f1(counts(posts, answers, types)),
            "milliseconds": 1000 * seconds / len(posts),
        }
    return figures


def with_hashtags(post: ConllPost, place: int) -> ConllPost:
    """Returns the post with 280 hashtags after it, none of which holds a name."""
    chosen = random.Random(f"{SEED}:{place}").sample(nameless_hashtags(), HASHTAGS)
    return joined_post([*tokens_of(post), *((f"#{hashtag}", "O") for hashtag in chosen)])


def robustness(repository: Path, version: int, name: str = TAGGER) -> dict[str, Any]:
    """Measures a version, writes its figures and its card, and returns the figures."""
    tagger = served_tagger(repository, version, name=name)
    figures = {"f1": score_perturbations(tagger), "hashtags": score_many_hashtags(tagger)}
    keep_figures(repository, version, "robustness", figures, name)
    write_card(repository, version, name)
    return figures


def _print(figures: Mapping[str, Any], sets: Sequence[str] = SETS) -> None:
    print(f"{'strict F1':45}" + "".join(f"{name:>12}" for name in sets))
    for name, row in figures["f1"].items():
        print(f"{name:45}" + "".join(f"{100 * row[corpus]:12.1f}" for corpus in sets))
    for name, key in (("first posts, as written", "before"), (f"the same with {HASHTAGS} hashtags", "after")):
        print(f"{name:45}" + "".join(f"{100 * figures['hashtags'][corpus][key]:12.1f}" for corpus in sets))
    times = "".join(f"{figures['hashtags'][corpus]['milliseconds']:12.1f}" for corpus in sets)
    print(f"{'processor milliseconds a post of these':45}{times}")


def main() -> None:
    """Runs the command line of this module."""
    arguments = parse_version(version_arguments("Measure a model version on perturbed posts."))
    _print(robustness(arguments.repository, arguments.version, arguments.name))


if __name__ == "__main__":
    run_script(main)
