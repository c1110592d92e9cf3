"""Errors of a version, to be read and sorted by their causes: `python -m training.tagger.errors`.

`--sample FILE` draws errors from the development sets, as many from each, and writes them with their posts into a table
of tab-separated values: for whoever reads them, never for the repository. The reader fills its column `cause` with a
name of `CAUSES`; `--judged FILE` counts them into the version's figures and card, without any text.
"""

import csv
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from tagstream.errors import UnreadableInput
from tagstream.posts import TaggedPost
from training.datasets import CORPORA
from training.script import positive, run_script
from training.tagger.card_sections import CAUSES
from training.tagger.measuring import (
    development_posts,
    judged_rows,
    keep_figures,
    marked_types,
    parse_version,
    served_tagger,
    version_arguments,
)
from training.tagger.model_card import write_card
from workers.tagger.conll import ConllPost, Span, gold_spans
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.interface import Tagger

SEED = 1
ERRORS = 100

Kind = Literal["missed", "false", "other type", "other borders"]


@dataclass(frozen=True, slots=True)
class Error:
    """One name that was missed or wrongly given, in its post."""

    corpus: str
    post: int
    kind: Kind
    given: str
    gold: str
    text: str


def errors_of(corpus: str, number: int, post: ConllPost, answer: TaggedPost) -> Iterator[Error]:
    """Yields the errors in a post; a name that overlaps one of the gold is one error together with it."""
    types = marked_types(corpus)
    gold = {span for span in gold_spans(post, lenient=False) if span[2] in types}
    given = {span for span in answered_spans(post, answer) if span[2] in types}
    missed = gold - given
    for span in sorted(given - gold):
        beside = next((other for other in sorted(missed) if other[0] < span[1] and other[1] > span[0]), None)
        if beside is None:
            yield Error(corpus, number, "false", _shown(post, span), "", _line(post.text))
            continue
        missed.discard(beside)
        kind: Kind = "other type" if beside[:2] == span[:2] else "other borders"
        yield Error(corpus, number, kind, _shown(post, span), _shown(post, beside), _line(post.text))
    for span in sorted(missed):
        yield Error(corpus, number, "missed", "", _shown(post, span), _line(post.text))


def _shown(post: ConllPost, span: Span) -> str:
    return f"{_line(post.text[post.tokens[span[0]][0] : post.tokens[span[1] - 1][1]])} {span[2]}"


def _line(text: str) -> str:
    return " ".join(text.split())


def all_errors(tagger: Tagger) -> dict[str, list[Error]]:
    """Returns the errors on the development part of each set."""
    found = {}
    for corpus in CORPORA:
        posts = development_posts(corpus)
        answers = enumerate(zip(posts, tag_conll(posts, tagger), strict=True))
        found[corpus] = [error for number, pair in answers for error in errors_of(corpus, number, *pair)]
    return found


def draw(errors: Mapping[str, Sequence[Error]], number: int, seed: int) -> list[Error]:
    """Returns so many errors, of each set as many as of the others, as far as the number divides."""
    chance = random.Random(seed)
    shuffled = {corpus: chance.sample(of_corpus, len(of_corpus)) for corpus, of_corpus in errors.items()}
    turns = [error for turn in range(number) for of_corpus in shuffled.values() for error in of_corpus[turn : turn + 1]]
    return turns[:number]


def write_sample(errors: Sequence[Error], path: Path) -> None:
    """Writes errors with an empty cause each."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab")
        writer.writerow(["cause", *(field.name for field in fields(Error))])
        writer.writerows(["", *astuple(error)] for error in errors)


def read_judged(path: Path) -> dict[str, Any]:
    """Returns how many errors have each cause, all and by kind.

    Raises:
        UnreadableInput: a row has no cause, or one that is none of `CAUSES`.
    """
    causes: dict[str, Counter[str]] = {}
    for number, row in judged_rows(path):
        cause, kind = row.get("cause"), row.get("kind")
        if cause is None or cause not in CAUSES or not kind:
            raise UnreadableInput(f"{path}:{number}: cause {cause!r}: write one of {', '.join(CAUSES)}")
        causes.setdefault(cause, Counter()).update(["all", kind])
    ordered = sorted(causes, key=lambda cause: -causes[cause]["all"])
    return {cause: dict(causes[cause]) for cause in ordered}


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments("Draw errors of a version to read, or count the causes that a reader gave them.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--sample", type=Path, metavar="FILE", help="write the errors to be read")
    action.add_argument("--judged", type=Path, metavar="FILE", help="count the causes of the errors that were read")
    parser.add_argument("--errors", type=positive, default=ERRORS, help="how many to draw")
    arguments = parse_version(parser)
    repository, version, name = arguments.repository, arguments.version, arguments.name
    if arguments.sample:
        errors = all_errors(served_tagger(repository, version, name=name))
        write_sample(draw(errors, arguments.errors, SEED), arguments.sample)
        print(", ".join(f"{corpus} {len(of_corpus):,}" for corpus, of_corpus in errors.items()), "errors")
        return
    keep_figures(repository, version, "errors", read_judged(arguments.judged), name)
    write_card(repository, version, name)


if __name__ == "__main__":
    run_script(main)
