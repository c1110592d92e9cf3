"""A served version on the development sets, and the figures that its folder keeps for its card.

Each measure is one command (`calibrate`, `robustness`, `hashtag_names`, `image_words` …): it opens the version as
serving does, the newest where none is named, writes its figures under its name into `figures.json`, and writes the card
again.
"""

import argparse
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tagstream.errors import CorruptState, UnreadableInput
from tagstream.posts import ENTITY_TYPES, EntityType, TaggedPost
from tagstream.settings import Settings
from training.datasets import CORPORA, data_folder, require_data
from training.script import ScriptParser, positive
from workers.models.repository import TAGGER
from workers.models.version_folder import find_version
from workers.open_models import open_tagger
from workers.tagger.conll import ConllPost, gold_spans, read_conll
from workers.tagger.evaluation import answered_spans
from workers.tagger.model_tagger import ModelTagger

FIGURES = "figures.json"


def served_tagger(repository: Path, version: int, min_score: float | None = None, name: str = TAGGER) -> ModelTagger:
    """Opens a version as serving does; `min_score` stands in for its own."""
    settings = Settings(
        models=str(repository), tagger=name, model_version=version, min_score=min_score, emission_cache_bytes=0
    )
    return cast(ModelTagger, open_tagger(settings))


def development_posts(corpus: str) -> list[ConllPost]:
    """Reads the development part of a set."""
    return read_conll(data_folder() / CORPORA[corpus].dev)


def marked_types(corpus: str) -> tuple[EntityType, ...]:
    """Returns the types that the annotators of a set marked."""
    return tuple(kind for kind in ENTITY_TYPES if kind not in CORPORA[corpus].unknown)


def counts(
    posts: Sequence[ConllPost], answers: Sequence[TaggedPost], types: Sequence[EntityType] = ENTITY_TYPES
) -> npt.NDArray[np.int64]:
    """Returns (posts, 3): the right, the given and the gold names of each post, by strict counting."""
    rows = []
    for post, answer in zip(posts, answers, strict=True):
        gold = {span for span in gold_spans(post, lenient=False) if span[2] in types}
        given = {span for span in answered_spans(post, answer) if span[2] in types}
        rows.append((len(gold & given), len(given), len(gold)))
    return np.array(rows, np.int64).reshape(-1, 3)


def f1(tallies: npt.NDArray[np.int64]) -> float:
    """Returns F1 over all posts, as a fraction of 1."""
    right, given, gold = tallies.sum(axis=0).tolist()
    return 2 * right / (given + gold) if given + gold else 0.0


def read_figures(repository: Path, version: int, name: str = TAGGER) -> dict[str, Any]:
    """Returns the figures that a version's folder keeps, by measure.

    Raises:
        CorruptState: the file holds none.
    """
    path = repository / name / str(version) / FIGURES
    try:
        figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not isinstance(figures, dict):
            raise TypeError(f"a {type(figures).__name__} in place of a dictionary")
    except (ValueError, TypeError) as error:
        raise CorruptState(f"{path}: not the figures of a version: {error}: delete it, and measure again") from error
    return figures


def keep_figures(repository: Path, version: int, measure: str, figures: Any, name: str = TAGGER) -> None:
    """Puts the figures of one measure in place of its former ones."""
    kept = read_figures(repository, version, name) | {measure: figures}
    path = repository / name / str(version) / FIGURES
    text = json.dumps({one: _rounded(kept[one]) for one in sorted(kept)}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def version_arguments(description: str) -> argparse.ArgumentParser:
    """Returns a command line that names a version, for `parse_version`."""
    parser = ScriptParser(description=description)
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--name", default=TAGGER, help="the model of the repository: mner, mner_base, or one of yours")
    parser.add_argument("--version", type=positive, help="the newest one where none is named")
    return parser


def parse_version(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None, data: Iterable[str] | None = None
) -> argparse.Namespace:
    """Returns the parsed command line, with the number of a version that is there.

    `data` are the files that the measure needs: the development parts of all sets where none are said.

    Raises:
        BadSettings: an argument makes no sense, or there is no such version.
        UnreadableInput: a file of the data is not there.
    """
    parsed = parser.parse_args(arguments)
    parsed.version = find_version(parsed.repository, parsed.name, parsed.version).version
    require_data([corpus.dev for corpus in CORPORA.values()] if data is None else data)
    return parsed


def judged_rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yields the rows of a table of tab-separated values that somebody filled in, each with its line.

    Raises:
        UnreadableInput: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from enumerate(csv.DictReader(file, dialect="excel-tab"), start=2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInput(f"{path}: cannot be read as the table that --sample wrote: {error}") from error
