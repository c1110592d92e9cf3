"""The figures of a recipe on the test parts of Twitter-2015 and -2017: the mean over its seeds, looked at once.

`python -m training.tagger.test_figures --run RUN --run RUN --run RUN --version N` scores the best weights of each run
through the code that serves, from raw text and hashtags alone, and the int8 file of the version; it writes them into
`test_figures.json` beside the version's files, from where the model card takes them.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from training.datasets import data_folder
from training.script import run_script
from training.tagger.development import torch_tagger
from training.tagger.measuring import served_tagger
from training.tagger.network import load_run
from training.tagger.pretrained import vocabulary_file
from workers.hashtags.segmenter import HashtagSegmenter
from workers.models.repository import TAGGER
from workers.tagger.encoding import Encoder
from workers.tagger.evaluation import score_conll
from workers.tagger.interface import Tagger

FILE = "test_figures.json"
PARTS = {"twitter2015": "mner/twitter2015/test.txt", "twitter2017": "mner/twitter2017/test.txt"}


def score_test_parts(tagger: Tagger) -> dict[str, Any]:
    """Returns strict and lenient figures on both test parts."""
    figures = {name: score_conll(data_folder() / path, tagger) for name, path in PARTS.items()}
    return {name: {"strict": figure["strict"], "lenient": figure["lenient"]} for name, figure in figures.items()}


def score_runs(runs: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns the figures of each run, in order."""
    segment = HashtagSegmenter.load().segment
    encoder = Encoder.load(vocabulary_file())
    return [score_test_parts(torch_tagger(load_run(run)[0], encoder, segment)) for run in runs]


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
    parser = argparse.ArgumentParser(
        description="Score the seeds of a recipe and an exported version on the test parts."
    )
    parser.add_argument(
        "--run", type=Path, action="append", required=True, help="the folder of a run; one for each seed"
    )
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--name", default=TAGGER, help="the model of the repository: mner, mner_base, or one of yours")
    parser.add_argument("--version", type=int, default=1)
    arguments = parser.parse_args()
    seeds = score_runs(arguments.run)
    served = score_test_parts(served_tagger(arguments.repository, arguments.version, name=arguments.name))
    record = {"seeds": seeds, "summary": summary(seeds), "int8": served}
    path = arguments.repository / arguments.name / str(arguments.version) / FILE
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    run_script(main)
