"""Measures hashtag segmentation: `python -m training.hashtag_evaluation`.

A hashtag counts as right if its words, joined by spaces and in lower case, equal any accepted segmentation. Some
answers hold an apostrophe that the hashtag lacks, which no segmenter can give, or part words at a hyphen: the second
column compares without marks.
"""

import time
from collections.abc import Iterator, Sequence

from training.hashtag_counts import HELD_OUT
from training.hashtag_sources import Gold, data_folder, read_marked, read_segmentations
from workers.hashtags import HashtagSegmenter


def evaluation_sets() -> Iterator[tuple[str, list[Gold]]]:
    """Name and rows of each set, none of which is learnt from."""
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
    """The share of hashtags segmented right, and the share if apostrophes and separators do not count."""
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


def main() -> None:
    """Prints the table."""
    print(f"{'set':34}{'hashtags':>9}{'exact':>8}{'no marks':>10}{'uncached/s':>12}{'cached/s':>11}")
    for name, rows in evaluation_sets():
        segmenter = HashtagSegmenter.load()
        tags = [run for run, _ in rows]
        uncached = speed(segmenter, list(dict.fromkeys(tags)))
        cached = speed(segmenter, tags * 20)
        strict, lenient = exact_match(segmenter, rows)
        print(f"{name:34}{len(rows):>9}{strict:>8.1%}{lenient:>10.1%}{uncached:>12,.0f}{cached:>11,.0f}")


if __name__ == "__main__":
    main()
