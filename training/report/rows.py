"""The rows of the table, and the figures that the papers print beside them: `rows.toml` and `published.toml`."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.experiments.recipe import CONFIGS, SystemRecipe
from training.report.record import ResultRecord, record_name

_FOLDER = Path(__file__).parent
COUNTS = ("precision", "recall", "f1", "PER", "LOC", "ORG", "MISC")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One training: a recipe on a corpus with a seed. `tested_on` is another corpus where that is the question."""

    recipe: str
    corpus: str
    seed: int
    tested_on: str

    @property
    def name(self) -> str:
        """The name of its record, and of its folder while it is trained."""
        return record_name(self.recipe, self.corpus, self.tested_on, self.seed)


class Group(BaseModel):
    """A part of the table. `tested_on` is left out where a corpus is tested on its own test part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    about: str
    recipes: Annotated[tuple[str, ...], Field(min_length=1)]
    corpora: Annotated[tuple[str, ...], Field(min_length=1)]
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    tested_on: str = ""

    def runs(self, recipe: str, corpus: str) -> list[TableRow]:
        """Returns the trainings of one row, a seed each; a single one where nothing depends on a seed."""
        seeds = self.seeds if read_recipe(recipe).seeded else self.seeds[:1]
        return [TableRow(recipe, corpus, seed, self.tested_on or corpus) for seed in seeds]

    def first_runs(self, corpus: str, records: Mapping[str, ResultRecord]) -> list[ResultRecord]:
        """Returns the record of the first seed of each recipe that has one, in order."""
        names = [self.runs(recipe, corpus)[0].name for recipe in self.recipes]
        return [records[name] for name in names if name in records]


class PublishedRow(BaseModel):
    """A row as its paper prints it, in percent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    twitter2015: dict[str, float] = {}
    twitter2017: dict[str, float] = {}
    note: str = ""

    def figure(self, corpus: str, count: str) -> float | None:
        """Returns one figure; None where the paper has none."""
        figures = {"twitter2015": self.twitter2015, "twitter2017": self.twitter2017}.get(corpus, {})
        return figures.get(count)


def read_groups() -> list[Group]:
    """Reads the parts of the table, in order."""
    read = tomllib.loads((_FOLDER / "rows.toml").read_text(encoding="utf-8"))
    return [Group.model_validate(group) for group in read["group"]]


def read_published() -> dict[str, PublishedRow]:
    """Reads the papers' rows by name."""
    read = tomllib.loads((_FOLDER / "published.toml").read_text(encoding="utf-8"))
    return {row["name"]: PublishedRow.model_validate(row) for row in read["row"]}


def read_recipe(name: str) -> SystemRecipe:
    """Reads the recipe of that name."""
    return SystemRecipe.read(CONFIGS / f"{name}.toml")


def all_runs() -> Iterator[TableRow]:
    """Yields every training of the table, first seeds first, then corpora: an unfinished table is whole as far as it
    goes.
    """
    groups = read_groups()
    for place in range(max(len(group.seeds) for group in groups)):
        for group in groups:
            for corpus in group.corpora:
                for recipe in group.recipes:
                    yield from group.runs(recipe, corpus)[place : place + 1]
