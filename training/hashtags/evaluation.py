"""Measures hashtag segmentation: `python -m training.hashtags.evaluation`.

A hashtag counts as right if its words, joined by spaces and in lower case, equal any accepted segmentation. Some
answers hold an apostrophe that the hashtag lacks, which no segmenter can give, or part words at a hyphen: the second
column compares without marks.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from training.datasets import data_folder
from training.hashtags.counts import HELD_OUT
from training.hashtags.sources import Gold, read_marked, read_segmentations
from workers.hashtags.language_model import read
from workers.hashtags.network import Adviser
from workers.hashtags.segmenter import COUNTS_FILE, NETWORK_FILE, HashtagSegmenter


def evaluation_sets() -> Iterator[tuple[str, list[Gold]]]:
    """Returns name and rows of each set, none of which is learnt from."""
    hashtags = data_folder() / "hashtags"
    learnt = {run.lower() for run, _ in read_segmentations(hashtags / "stan_large" / "train_corrected.tsv")}
    yield "STAN-large dev", read_segmentations(hashtags / "stan_large" / "dev_corrected.tsv")
    for name in ("BOUN", "Stanford"):
        lines = (hashtags / "boun" / f"Dev-{name}").read_text(encoding="utf-8").splitlines()
        rows = [("".join(line.split()), [line]) for line in lines if line.strip()]
        yield f"{name} dev", rows
        yield f"{name} dev, not in STAN train", [row for row in rows if row[0].lower() not in learnt]
    marked = read_marked(hashtags / "hashset" / "HashSet-Distant-sampled.csv")[::HELD_OUT]
    yield "HashSet, held out", marked
    yield "HashSet, held out, lower case", [(run.lower(), accepted) for run, accepted in marked]


def _without_marks(answer: str) -> list[str]:
    return answer.replace("'", "").replace("-", " ").replace("_", " ").split()


def exact_match(segmenter: HashtagSegmenter, rows: Sequence[Gold]) -> tuple[float, float]:
    """Returns the share of hashtags segmented right, and the share if apostrophes and separators do not count."""
    strict = lenient = 0
    for run, accepted in rows:
        words = [word.lower() for word in segmenter.segment(run)]
        answers = [answer.lower() for answer in accepted]
        strict += any(words == answer.split() for answer in answers)
        lenient += any(_without_marks(" ".join(words)) == _without_marks(answer) for answer in answers)
    return strict / len(rows), lenient / len(rows)


def speed(segmenter: HashtagSegmenter, tags: Sequence[str]) -> float:
    """Hashtags a second on one core, best of one pass."""
    start = time.process_time()
    for tag in tags:
        segmenter.segment(tag)
    return len(tags) / (time.process_time() - start)


class NetworkAlone(HashtagSegmenter):
    """Breaks where the network finds a break likelier than none, whatever the language model says."""

    def _ends(self, run: str) -> list[int]:
        assert self._adviser is not None
        inner = self._adviser.network.logits(run)[:-1]
        return [*(np.flatnonzero(inner > 0) + 1).tolist(), len(run)]


def main() -> None:
    """Prints the table."""
    model, adviser = read(COUNTS_FILE), Adviser.load(NETWORK_FILE)
    print(f"{'':34}{'':>9}{'language':>10}{'':>9}{'':>7}{'both,':>10}{'uncached a second':>22}{'cached':>11}")
    print(
        f"{'set':34}{'hashtags':>9}{'model':>10}{'network':>9}{'both':>7}{'no marks':>10}"
        f"{'model':>11}{'both':>11}{'both':>11}"
    )
    for name, rows in evaluation_sets():
        alone, both = HashtagSegmenter(model), HashtagSegmenter(model, adviser)
        tags = [run for run, _ in rows]
        distinct = list(dict.fromkeys(tags))
        speeds = [speed(alone, distinct), speed(both, distinct), speed(both, tags * 20)]
        strict, lenient = exact_match(both, rows)
        shares = [exact_match(alone, rows)[0], exact_match(NetworkAlone(model, adviser), rows)[0], strict, lenient]
        print(
            f"{name:34}{len(rows):>9}{shares[0]:>10.1%}{shares[1]:>9.1%}{shares[2]:>7.1%}{shares[3]:>10.1%}"
            + "".join(f"{rate:>11,.0f}" for rate in speeds)
        )


if __name__ == "__main__":
    main()
