"""Trains the rows of the table: `python -m training.experiments`, or `make experiments`.

Each row without a record is trained, scored on its test part once, and recorded in `training/results/`; after each one
`docs/reference/results.md` is written anew. Stopped at any moment, the command goes on after the last finished step of
the row at hand. `--only` chooses rows by the beginning of their names. A row that cannot be trained is named at the end
and keeps none of the others from it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from tagstream.errors import BadSettings, Fatal
from training.experiments.run import Experiment, train
from training.report.record import RESULTS, make_record, write_record
from training.report.rows import TableRow, all_runs, read_recipe
from training.report.table import RESULTS_PAGE, write_page
from training.script import run_script

RUNS = Path("runs/zoo")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.experiments", description=__doc__)
    parser.add_argument("--only", default="", metavar="PREFIX", help="rows whose names begin so")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder for what is being trained")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    rows = rows_named(given.only)
    torch.set_num_threads(given.threads)
    refused: list[str] = []
    for row in rows:
        if not (RESULTS / f"{row.name}.json").exists():
            try:
                train_row(row, given.runs)
            except Fatal as error:
                refused.append(f"{row.name}: {error}")
                continue
            write_page()
    if refused:
        raise BadSettings("rows that could not be trained:\n" + "\n".join(refused))
    print(f"all rows have their records: {RESULTS_PAGE}")


def rows_named(prefix: str) -> list[TableRow]:
    """Returns the rows whose names begin so, in the order in which they are trained.

    Raises:
        BadSettings: no row begins so.
    """
    every = list(all_runs())
    rows = [row for row in every if row.name.startswith(prefix)]
    if not rows:
        recipes = ", ".join(dict.fromkeys(row.recipe for row in every))
        raise BadSettings(
            f"{prefix}: no row of the table begins so; names are RECIPE-CORPUS-SEED, such as {every[0].name}, "
            f"with the recipes {recipes}"
        )
    return rows


def train_row(row: TableRow, runs: Path) -> None:
    """Trains a row to its end and keeps its record."""
    print(f"--- {row.name}", flush=True)
    experiment = Experiment(recipe=read_recipe(row.recipe), corpus=row.corpus, seed=row.seed)
    # A row that is only tested on another corpus is the same training.
    folder = runs / f"{row.recipe}-{row.corpus}-{row.seed}"
    trained = train(experiment, folder)
    record = make_record(row.recipe, experiment, folder, trained, row.tested_on)
    write_record(record)
    figures = record.test
    print(f"{row.name}: test F1 {figures['strict']['f1']:.4f} strict, {figures['lenient']['f1']:.4f} lenient")


if __name__ == "__main__":
    run_script(main)
