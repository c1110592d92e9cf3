"""Image words: what captions and labels add to text and hashtags, what wrong ones cost, and what missing ones do.

`python -m training.tagger.image_words` tags the development sets of Twitter-2015 and -2017 with the words
of each source in the third segment. Differences in F1 are paired, with an interval by bootstrap over posts.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tagstream.posts import Media
from training.datasets import CORPORA
from training.inputs.captions import load_captions, load_labels, load_plain_captions
from training.script import run_script
from training.tagger.measuring import (
    counts,
    development_posts,
    f1,
    keep_figures,
    parse_version,
    served_tagger,
    version_arguments,
)
from training.tagger.model_card import write_card
from workers.models.repository import TAGGER
from workers.tagger.conll import ConllPost
from workers.tagger.evaluation import as_post, tag_by_length
from workers.tagger.interface import ImageContext, Tagger

SETS = ("twitter2015", "twitter2017")
ROUNDS = 2000
_SEED = 5
NONE = "text and hashtags"

Words = Sequence[str]
Counts = npt.NDArray[np.int64]


def conditions(posts: Sequence[ConllPost], corpus: str) -> dict[str, tuple[Words, bool]]:
    """Returns the image words of each post under each condition, and whether they are labels or the author's words."""
    blip, catr = (_of_posts(posts, load(corpus)) for load in (load_captions, load_plain_captions))
    labels = _of_posts(posts, {name: " ".join(words) for name, words in load_labels(corpus).items()})
    return {
        NONE: ([""] * len(posts), False),
        "captions (BLIP-2) as alt text": (blip, False),
        "plainer captions (CATR) as alt text": (catr, False),
        "labels: five things of the CATR caption": (labels, True),
        "captions (BLIP-2), shuffled between posts": (_shuffled(blip), False),
        "labels, shuffled between posts": (_shuffled(labels), True),
        "captions (BLIP-2), every other one missing": (_halved(blip), False),
    }


def _of_posts(posts: Sequence[ConllPost], captions: Mapping[str, str]) -> list[str]:
    return [captions.get(post.image or "", "") for post in posts]


def _shuffled(words: Sequence[str]) -> list[str]:
    """Gives each post that has words those of another one."""
    having = [place for place, one in enumerate(words) if one]
    order = random.Random(_SEED).sample(having, len(having))
    found = list(words)
    for place, other in zip(order, order[1:] + order[:1], strict=True):
        found[place] = words[other]
    return found


def _halved(words: Sequence[str]) -> list[str]:
    chance = random.Random(_SEED)
    return [one if chance.random() < 0.5 else "" for one in words]


def tag_with(posts: Sequence[ConllPost], words: Words, tagger: Tagger, *, are_labels: bool) -> Counts:
    """Returns the counts of each post, tagged with its image words in the third segment."""
    made = [as_post(post, place) for place, post in enumerate(posts)]
    contexts = [ImageContext(labels=(one,) if one and are_labels else ()) for one in words]
    if not are_labels:
        made = [
            post.model_copy(update={"media": (Media(alt=one),) if one else ()})
            for post, one in zip(made, words, strict=True)
        ]
    return counts(posts, tag_by_length(tagger.prepare(made, contexts), tagger.tag))


def difference(one: Counts, other: Counts, rounds: int = ROUNDS) -> dict[str, float]:
    """Returns by how much F1 of `one` exceeds that of `other`, and the interval of 95 % by bootstrap over posts."""
    chance = np.random.default_rng(_SEED)
    draws = chance.integers(len(one), size=(rounds, len(one)))
    gaps = [f1(one[drawn]) - f1(other[drawn]) for drawn in draws]
    low, high = np.quantile(gaps, [0.025, 0.975]).tolist()
    return {"difference": f1(one) - f1(other), "low": low, "high": high}


def image_words(repository: Path, version: int, name: str = TAGGER) -> dict[str, Any]:
    """Measures a version, writes its figures and its card, and returns the figures."""
    tagger = served_tagger(repository, version, name=name)
    figures: dict[str, Any] = {}
    for corpus in SETS:
        posts = development_posts(corpus)
        tallies: dict[str, Counts] = {}
        for condition, (words, are_labels) in conditions(posts, corpus).items():
            tallies[condition] = tag_with(posts, words, tagger, are_labels=are_labels)
        figures[corpus] = {
            condition: {"f1": f1(tally), **difference(tally, tallies[NONE])} for condition, tally in tallies.items()
        }
    keep_figures(repository, version, "image_words", figures, name)
    write_card(repository, version, name)
    return figures


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments("Measure what image words do to a model version's answers.")
    captions = [f"captions/{file}" for corpus in SETS for file in (f"blip2_{corpus}.txt", f"catr_{corpus}.json")]
    arguments = parse_version(parser, data=[*(CORPORA[corpus].dev for corpus in SETS), *captions])
    for corpus, rows in image_words(arguments.repository, arguments.version, arguments.name).items():
        print(corpus)
        for condition, row in rows.items():
            gap, low, high = (100 * row[name] for name in ("difference", "low", "high"))
            print(f"  {condition:45} {100 * row['f1']:6.2f}  {gap:+6.2f}  [{low:+.2f}, {high:+.2f}]")


if __name__ == "__main__":
    run_script(main)
