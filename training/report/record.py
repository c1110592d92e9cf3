"""The record of a finished row: its figures on the test part, and enough to compare rows name by name.

Records stand in `training/results/` and are the only source of `docs/reference/results.md`. They hold no text and no
annotation: of each tweet only how many names it has, how many were given, and which of its names were found.
"""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagstream.errors import CorruptState
from training.datasets import data_folder
from training.experiments.curve import Epoch, read_curve
from training.experiments.run import CACHE, Experiment, Trained, restore
from training.inputs.sentences import Sentence, part_file
from training.scoring import score, spans_of
from workers.tagger.conll import gold_spans

RESULTS = Path(__file__).parents[1] / "results"


class FoundNames(BaseModel):
    """The names of a test part, tweet by tweet, in file order, by strict counting.

    `gold` and `given` count names; `found` has a character for each name of the gold, in order: 1 where span and type
    are right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gold: tuple[int, ...]
    given: tuple[int, ...]
    found: Annotated[str, Field(pattern="^[01]*$")]

    @property
    def right(self) -> list[int]:
        """The count of found names of each tweet."""
        counts, place = [], 0
        for names in self.gold:
            counts.append(self.found[place : place + names].count("1"))
            place += names
        return counts


class ResultRecord(BaseModel):
    """One row, run. Figures are fractions of 1; `seconds` are those of the training, without what is cached."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    identity: dict[str, Any]
    tested_on: str
    data: dict[str, str]
    commit: str
    parameters: int
    epochs: int
    best_epoch: int
    seconds: float
    dev: dict[str, Any]
    test: dict[str, Any]
    outcome: FoundNames
    curve: tuple[Epoch, ...] = ()

    @property
    def name(self) -> str:
        """The name of the record's file, without the ending."""
        return record_name(self.recipe, self.identity["corpus"], self.tested_on, self.identity["seed"])


def record_name(recipe: str, corpus: str, tested_on: str, seed: int) -> str:
    """Returns the name of the record of a row."""
    place = corpus if corpus == tested_on else f"{corpus}-to-{tested_on}"
    return f"{recipe}-{place}-{seed}"


def make_record(
    recipe: str, row: Experiment, run: Path, trained: Trained, tested_on: str, cache: Path = CACHE
) -> ResultRecord:
    """Scores a finished run on the test part of a corpus, which is looked at here and nowhere else."""
    prepared = restore(row, run, cache)
    development, part = prepared.part(row.corpus, "dev"), prepared.part(tested_on, "test")
    dev = score(development.sentences, prepared.answers(development))
    tags = prepared.answers(part)
    files = [part_file(row.corpus, "train"), part_file(row.corpus, "dev"), part_file(tested_on, "test")]
    return ResultRecord(
        recipe=recipe,
        identity=row.identity,
        tested_on=tested_on,
        data={file: _digest(data_folder() / file) for file in dict.fromkeys(files)},
        commit=_commit(),
        parameters=trained.parameters,
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        seconds=round(trained.seconds, 1),
        dev=rounded(dev),
        test=rounded(score(part.sentences, tags)),
        outcome=found_names(part.sentences, tags),
        curve=read_curve(run),
    )


def found_names(sentences: Sequence[Sentence], tags: Sequence[Sequence[int]]) -> FoundNames:
    """Compares the answers with the gold, name by name."""
    gold, given, found = [], [], []
    for sentence, answered in zip(sentences, tags, strict=True):
        names = sorted(gold_spans(sentence.gold, lenient=False))
        spans = spans_of(sentence, answered, lenient=False)
        gold.append(len(names))
        given.append(len(spans))
        found += ["1" if name in spans else "0" for name in names]
    return FoundNames(gold=tuple(gold), given=tuple(given), found="".join(found))


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Rounds all figures to five digits."""
    return {name: rounded(value) if isinstance(value, dict) else round(value, 5) for name, value in figures.items()}


def write_record(record: ResultRecord, folder: Path = RESULTS) -> Path:
    """Writes the record into its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.name}.json"
    path.write_text(json.dumps(record.model_dump(mode="json"), separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def read_records(folder: Path = RESULTS) -> dict[str, ResultRecord]:
    """Reads every record by name.

    Raises:
        CorruptState: a file is no record, or one of another version.
    """
    records = map(_read_record, sorted(folder.glob("*.json")))
    return {record.name: record for record in records}


def _read_record(path: Path) -> ResultRecord:
    try:
        return ResultRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise CorruptState(f"{path}: no record of a row ({said}): delete it, and run the row again") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit() -> str:
    """The commit whose code made the record, with a mark where that code had been changed since."""
    head = _git("rev-parse", "--short=12", "HEAD").stdout.strip()
    if not head:
        return "unknown"
    code = ("training", "workers", "tagstream", ":!training/results")
    return head + ("-dirty" if _git("diff", "--quiet", "HEAD", "--", *code).returncode else "")


def _git(*command: str) -> subprocess.CompletedProcess[str]:
    top = Path(__file__).parents[2]
    return subprocess.run(["git", *command], cwd=top, capture_output=True, text=True, check=False)
