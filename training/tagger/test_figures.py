"""The figures of a recipe on the test parts of Twitter-2015 and -2017: the mean over its seeds, looked at once.

`python -m training.tagger.test_figures --run RUN --run RUN --run RUN --version N` scores the best weights of each run
through the code that serves, from raw text and hashtags alone, and the int8 file of the version, and writes them into
the version's figures and card.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from training.datasets import CORPORA, data_folder
from training.script import run_script
from training.tagger.development import torch_tagger
from training.tagger.measuring import keep_figures, served_tagger, version_arguments
from training.tagger.model_card import write_card
from training.tagger.network import load_run
from training.tagger.pretrained import vocabulary_file
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.encoding import Encoder
from workers.tagger.evaluation import score_conll
from workers.tagger.interface import Tagger

PARTS = {name: corpus.test for name, corpus in CORPORA.items() if corpus.test is not None}


def score_test_parts(tagger: Tagger) -> dict[str, Any]:
    """Returns strict and lenient figures on both test parts."""
    figures = {name: score_conll(data_folder() / path, tagger) for name, path in PARTS.items()}
    return {name: {"strict": figure["strict"], "lenient": figure["lenient"]} for name, figure in figures.items()}


def score_runs(runs: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Returns the figures of each run, by its seed."""
    segment = HashtagSegmenter.load().segment
    encoder = Encoder.load(vocabulary_file())
    figures = {}
    for run in runs:
        network, state = load_run(run)
        figures[f"seed {state['recipe']['seed']}"] = score_test_parts(torch_tagger(network, encoder, segment))
    return figures


def summary(figures: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns mean and deviation over runs of strict and lenient F1, by test part."""
    found: dict[str, dict[str, float]] = {}
    for name in PARTS:
        found[name] = {}
        for counting in ("strict", "lenient"):
            scores = [figure[name][counting]["f1"] for figure in figures]
            found[name][f"{counting}_mean"] = mean(scores)
            found[name][f"{counting}_deviation"] = stdev(scores) if len(scores) > 1 else 0.0
    return found


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments("Score the seeds of a recipe and an exported version on the test parts.")
    parser.add_argument(
        "--run", type=Path, action="append", required=True, help="the folder of a run; one for each seed"
    )
    arguments = parser.parse_args()
    repository, version, name = arguments.repository, arguments.version, arguments.name
    seeds = score_runs(arguments.run)
    served = score_test_parts(served_tagger(repository, version, name=name))
    figures = {"seeds": seeds, "summary": summary(list(seeds.values())), "int8": served}
    keep_figures(repository, version, "test", figures, name)
    write_card(repository, version, name)
    for corpus, row in figures["summary"].items():
        print(
            f"{corpus}: strict {100 * row['strict_mean']:.2f} ± {100 * row['strict_deviation']:.2f}, served int8 "
            f"{100 * served[corpus]['strict']['f1']:.2f}"
        )


if __name__ == "__main__":
    run_script(main)
