"""Learns the shipped language model of hashtags: `python -m training.hashtag_counts` (about five minutes)."""

import argparse
from dataclasses import replace
from pathlib import Path

from training.hashtag_sources import collect, data_folder, read_marked, read_segmentations
from training.hashtag_weights import train
from workers.hashtag_language import pack
from workers.hashtags import COUNTS_FILE

HELD_OUT = 10  # every tenth hashtag of HashSet is left for measuring
# Of the rest, every so many is an example of the fit; the others are only counted. Its capitals show where words were
# cut, not what a person would write: the more of them, the better on HashSet and the worse on what people annotated.
MARKED_EXAMPLES = 2500
CUT_BONUS = 0.9  # added to the score of every cut; chosen, like the number above, on the STAN-large development set


def main() -> None:
    """Counts, fits, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=COUNTS_FILE)
    output = parser.parse_args().output
    hashtags = data_folder() / "hashtags"
    marked = read_marked(hashtags / "hashset" / "HashSet-Distant-sampled.csv")
    marked = [row for number, row in enumerate(marked) if number % HELD_OUT]
    counted = [row for number, row in enumerate(marked) if number % MARKED_EXAMPLES]
    counts = collect(data_folder(), counted)
    rows = read_segmentations(hashtags / "stan_large" / "train_corrected.tsv")
    model, weights = train(counts, rows, marked[::MARKED_EXAMPLES], lambda line: print(line, flush=True))
    print(" ".join(f"{name}={weight:.2f}" for name, weight in weights.items()))
    packed = pack(replace(model, cuts=tuple(cut + CUT_BONUS for cut in model.cuts)))
    output.write_bytes(packed)
    print(f"{output}: {len(packed):,} bytes, {len(model.words):,} words, {len(model.pairs):,} pairs")


if __name__ == "__main__":
    main()
