"""The figures of a version on the test parts of Twitter-2015 and -2017, looked at once.

`python -m training.tagger.test_figures --run RUN --run RUN --run RUN` scores the best weights of each run, which are of
one recipe and several seeds, through the code that serves, from raw text and hashtags alone, and the int8 file of the
version. It writes them into the version's figures and card. Without a run it scores the file that serves, and the card
says that the figures are of one seed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from tagstream.errors import BadSettings
from training.datasets import CORPORA, data_folder
from training.script import run_script
from training.tagger.card_sections import COUNTINGS, MEASURES
from training.tagger.development import torch_tagger
from training.tagger.measuring import keep_figures, parse_version, served_tagger, version_arguments
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
    """Returns the figures of each run, by its seed.

    Raises:
        BadSettings: two runs have one seed, or a run has no weights.
    """
    segment = HashtagSegmenter.load().segment
    encoder = Encoder.load(vocabulary_file())
    figures: dict[str, dict[str, Any]] = {}
    for run in runs:
        network, state = load_run(run)
        seed = f"seed {state['recipe']['seed']}"
        if seed in figures:
            raise BadSettings(f"{run}: another run has {seed}, too: name a run for each seed once")
        figures[seed] = score_test_parts(torch_tagger(network, encoder, segment))
    return figures


def summary(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns mean and deviation over runs: of precision, recall and F1, by test part and way of counting."""

    def over_runs(name: str, counting: str, measure: str) -> dict[str, float]:
        scores = [figure[name][counting][measure] for figure in figures]
        return {"mean": mean(scores), "deviation": stdev(scores) if len(scores) > 1 else 0.0}

    def of_part(name: str) -> dict[str, Any]:
        return {counting: {one: over_runs(name, counting, one) for one in MEASURES} for counting in COUNTINGS}

    return {name: of_part(name) for name in PARTS}


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments("Score the seeds of a recipe and an exported version on the test parts.")
    parser.add_argument("--run", type=Path, action="append", default=[], help="the folder of a run, one for each seed")
    arguments = parse_version(parser, data=PARTS.values())
    repository, version, name = arguments.repository, arguments.version, arguments.name
    seeds = score_runs(arguments.run)
    served = score_test_parts(served_tagger(repository, version, name=name))
    figures = {"seeds": seeds, "summary": summary(list(seeds.values())) if seeds else {}, "int8": served}
    keep_figures(repository, version, "test", figures, name)
    write_card(repository, version, name)
    for corpus, row in served.items():
        for counting in COUNTINGS:
            print(
                f"{corpus}, {counting}, served int8: "
                + ", ".join(f"{measure} {100 * row[counting][measure]:.2f}" for measure in MEASURES)
            )
    for corpus, of_corpus in figures["summary"].items():
        f1 = of_corpus["strict"]["f1"]
        print(f"{corpus}, strict, {len(seeds)} seeds: f1 {100 * f1['mean']:.2f} ± {100 * f1['deviation']:.2f}")


if __name__ == "__main__":
    run_script(main)
