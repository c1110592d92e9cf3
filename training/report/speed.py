"""The speed of each system in tokens a second: `python -m training.report.speed`, which writes `speed.json`.

From what a system reads of tweets to their tags, on one core, in batches of 32 tweets of about one length: the
development part of Twitter-2015. The systems take turns, round by round, so that whatever else the machine does is
shared by all: what counts is how one stands to another. Neural systems have the weights with which training begins,
which are as much work as any; feature CRFs, whose work depends on what they learnt, are trained first.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagstream.errors import CorruptState
from training.experiments import feature_run
from training.experiments.recipe import SystemRecipe
from training.experiments.run import CACHE, Experiment, PreparedSystem, prepare
from training.experiments.trainer import CorpusPart
from training.report.rows import read_groups, read_recipe

SPEED_FILE = Path(__file__).parent / "speed.json"
CORPUS = "twitter2015"
ROUNDS = 5
TWEETS = 128


class Speed(BaseModel):
    """Tokens a second of each recipe, round by round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    tweets: int
    tokens_per_second: dict[str, Annotated[tuple[float, ...], Field(min_length=1)]]

    def of(self, recipe: str) -> float | None:
        """Returns the median of a recipe's rounds; None if it was not measured."""
        rounds = self.tokens_per_second.get(recipe)
        return statistics.median(rounds) if rounds else None


def read_speed(path: Path = SPEED_FILE) -> Speed:
    """Reads what was measured last.

    Raises:
        CorruptState: the file is not there or damaged.
    """
    try:
        return Speed.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = " ".join(str(error).split())[:300]
        raise CorruptState(
            f"{path}: not a measurement of speed: restore it, or measure again by python -m training.report.speed "
            f"({message})"
        ) from error


def measure(recipes: Sequence[str], tweets: int, rounds: int, encoder: str = "", cache: Path = CACHE) -> Speed:
    """Builds the systems, lets each answer once unmeasured, then measures them by turns.

    `encoder` reads pieces, as in `training.experiments.run.Experiment`; nothing for the one that the table is of.
    """
    taggers: dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
        for recipe in recipes:
            row = Experiment(recipe=_without_pretraining(read_recipe(recipe)), corpus=CORPUS, seed=1, encoder=encoder)
            taggers[recipe], tokens = _tagger(row, tweets, Path(scratch) / recipe, cache)
            taggers[recipe]()
    taken: dict[str, list[float]] = {recipe: [] for recipe in recipes}
    for recipe in _turns(recipes, rounds):
        started = time.perf_counter()
        taggers[recipe]()
        taken[recipe].append(round(tokens / (time.perf_counter() - started)))
    return Speed(corpus=CORPUS, tweets=tweets, tokens_per_second={name: tuple(rates) for name, rates in taken.items()})


def _turns(recipes: Sequence[str], rounds: int) -> Iterator[str]:
    """Each round begins with another system, so that none always follows the same one."""
    for number in range(rounds):
        start = number * len(recipes) // rounds
        yield from [*recipes[start:], *recipes[:start]]


def _without_pretraining(recipe: SystemRecipe) -> SystemRecipe:
    options = {name: value for name, value in recipe.options.items() if name != "weights"}
    return recipe.model_copy(update={"options": options, "pretraining": None})


def _tagger(row: Experiment, tweets: int, scratch: Path, cache: Path) -> tuple[Callable[[], object], int]:
    """What tags the tweets, and how many tokens they have."""
    prepared: feature_run.PreparedFeatures | PreparedSystem
    if row.recipe.system == feature_run.SYSTEM:
        scratch.mkdir()
        feature_run.train_features(row.recipe.options, row.corpus, scratch, row.identity)
        prepared = feature_run.restore_features(row.recipe.options, scratch)
    else:
        prepared = prepare(row, cache)
    whole = prepared.part(row.corpus, "dev")
    part = CorpusPart(whole.sentences[:tweets], whole.encoded[:tweets])
    return lambda: prepared.answers(part), sum(len(one.tokens) for one in part.sentences)


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.report.speed", description=__doc__)
    parser.add_argument("--tweets", type=int, default=TWEETS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipes = list(dict.fromkeys(recipe for group in read_groups() for recipe in group.recipes))
    speed = measure(recipes, arguments.tweets, arguments.rounds)
    SPEED_FILE.write_text(speed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for recipe in sorted(recipes, key=lambda name: speed.of(name) or 0.0):
        rates = speed.tokens_per_second[recipe]
        print(f"{recipe:30}{speed.of(recipe):>10,.0f}  ({min(rates):,.0f} to {max(rates):,.0f})")


if __name__ == "__main__":
    main()
