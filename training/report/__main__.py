"""`python -m training.report`: trains each row of the table without a record, then writes `docs/reference/results.md`.

Stopped at any moment, it goes on after the last finished epoch of the row that it was at. `--only` chooses rows by the
beginning of their names. A row that cannot be trained is named at the end, and keeps none of the others from it.
"""

import argparse
import sys
from pathlib import Path

import torch

from tagstream.errors import BadSettings, Fatal, TagstreamError
from training.experiments.run import Experiment, train
from training.report.record import RESULTS, make_record, write_record
from training.report.rows import TableRow, all_runs, read_recipe
from training.report.table import RESULTS_PAGE, write_page

RUNS = Path("runs/zoo")


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--only", default="", metavar="PREFIX", help="rows whose names begin so")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder for what is being trained")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="train nothing: say whether the page shows the records")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(write_page(check=True))
    torch.set_num_threads(arguments.threads)
    refused: list[str] = []
    for run in all_runs():
        if run.name.startswith(arguments.only) and not (RESULTS / f"{run.name}.json").exists():
            try:
                train_one(run, arguments.runs)
            except Fatal as error:
                refused.append(f"{run.name}: {error}")
                continue
            write_page()
    if refused:
        raise BadSettings("rows that could not be trained:\n" + "\n".join(refused))
    print(f"all rows have their records: {RESULTS_PAGE}")


def train_one(run: TableRow, runs: Path) -> None:
    """Trains a row to its end and keeps its record."""
    print(f"--- {run.name}", flush=True)
    row = Experiment(recipe=read_recipe(run.recipe), corpus=run.corpus, seed=run.seed)
    # What is only tested elsewhere is the same training.
    folder = runs / f"{run.recipe}-{run.corpus}-{run.seed}"
    trained = train(row, folder)
    record = make_record(run.recipe, row, folder, trained, run.tested_on)
    write_record(record)
    print(f"{run.name}: test F1 {record.test['strict']['f1']:.4f} strict, {record.test['lenient']['f1']:.4f} lenient")


if __name__ == "__main__":
    try:
        main()
    except TagstreamError as error:
        sys.exit(f"error: {error}")
