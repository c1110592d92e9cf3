"""Learns the shipped language model of hashtags: `python -m training.hashtags.counts` (about five minutes)."""

import argparse
from dataclasses import replace
from pathlib import Path

from training.datasets import data_folder
from training.hashtags.evidence import FEATURES
from training.hashtags.sources import collect, read_marked, read_segmentations
from training.hashtags.weights import FOLDS, model_of, others, train
from workers.hashtags.language_model import LanguageModel, pack
from workers.hashtags.segmenter import COUNTS_FILE

HELD_OUT = 10  # every tenth hashtag of HashSet is left for measuring
# Of the rest, every so many is an example of the fit; the others are only counted. Its capitals show where words were
# cut, not what a person would write: the more of them, the better on HashSet and the worse on what people annotated.
MARKED_EXAMPLES = 2500
CUT_BONUS = 0.9  # added to the score of every cut; chosen, like the number above, on the STAN-large development set


def main() -> None:
    """Counts, fits, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=COUNTS_FILE)
    parser.add_argument("--folds", type=Path, metavar="FOLDER", help="also write a model for each fold left out")
    arguments = parser.parse_args()
    output: Path = arguments.output
    hashtags = data_folder() / "hashtags"
    marked = read_marked(hashtags / "hashset" / "HashSet-Distant-sampled.csv")
    marked = [row for number, row in enumerate(marked) if number % HELD_OUT]
    counted = [row for number, row in enumerate(marked) if number % MARKED_EXAMPLES]
    counts = collect(data_folder(), counted)
    rows = read_segmentations(hashtags / "stan_large" / "train_corrected.tsv")
    model, weights = train(counts, rows, marked[::MARKED_EXAMPLES], lambda line: print(line, flush=True))
    print(" ".join(f"{name}={weight:.2f}" for name, weight in zip(FEATURES, weights.tolist(), strict=True)))
    write(model, output)
    if arguments.folds:
        arguments.folds.mkdir(parents=True, exist_ok=True)
        for fold in range(FOLDS):
            write(model_of(counts, others(rows, fold), weights), arguments.folds / fold_file(fold))


def fold_file(fold: int) -> str:
    """Returns the name of the model that has not counted the segmented hashtags of this fold."""
    return f"counts_{fold}.bin"


def write(model: LanguageModel, path: Path) -> None:
    """Writes the model as it serves."""
    packed = pack(replace(model, cuts=tuple(cut + CUT_BONUS for cut in model.cuts)))
    path.write_bytes(packed)
    print(f"{path}: {len(packed):,} bytes, {len(model.words):,} words, {len(model.pairs):,} pairs")


if __name__ == "__main__":
    main()
