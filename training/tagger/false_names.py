"""Names given in posts without any, to be read: `python -m training.tagger.false_names`.

Annotators miss names, so what they call a post without one may hold one. `--sample FILE` writes every name that a
version gives in such posts of the development sets that have many of them, as a table of tab-separated values, for
whoever reads it and never for the repository. The reader fills its column `verdict` with `name` (it is one, whatever
its type), or `none`. `--judged FILE` counts them into the version's figures and card, without any text.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from tagstream.errors import UnreadableInput
from training.script import run_script
from training.tagger.calibration import CAPPED
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
from workers.tagger.conll import ConllPost, gold_spans
from workers.tagger.evaluation import tag_conll
from workers.tagger.interface import Tagger

VERDICTS = ("name", "none")
_HEAD = ("verdict", "corpus", "name", "type", "text")


def posts_without_names(corpus: str) -> list[ConllPost]:
    """Returns the development posts of a set in which its annotators saw no name, whatever the counting."""
    return [post for post in development_posts(corpus) if not gold_spans(post, lenient=True)]


def write_sample(tagger: Tagger, path: Path) -> int:
    """Writes what is given in posts without a name, with an empty verdict each; returns how many there are."""
    rows = []
    for corpus in CAPPED:
        posts, types = posts_without_names(corpus), marked_types(corpus)
        for post, answer in zip(posts, tag_conll(posts, tagger), strict=True):
            given = [entity for entity in answer.entities if entity.type in types]
            rows += [("", corpus, entity.text, entity.type, " ".join(post.text.split())) for entity in given]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, dialect="excel-tab").writerows([_HEAD, *rows])
    return len(rows)


def read_judged(path: Path) -> dict[str, Counter[str]]:
    """Returns how many of the given names have each verdict, by set.

    Raises:
        UnreadableInput: a row has no verdict, or another one.
    """
    counted = {corpus: Counter[str]() for corpus in CAPPED}
    for number, row in judged_rows(path):
        verdict, corpus = row.get("verdict"), row.get("corpus")
        if verdict not in VERDICTS or corpus not in counted:
            raise UnreadableInput(f"{path}:{number}: verdict {verdict!r}: write {' or '.join(VERDICTS)}")
        counted[corpus][verdict] += 1
    return counted


def figures_of(counted: dict[str, Counter[str]]) -> dict[str, Any]:
    """Returns, by set, the posts without a name, what was given in them, and how much of it is no name."""
    return {
        corpus: {
            "posts": len(posts_without_names(corpus)),
            "given": verdicts.total(),
            "no_names": verdicts["none"],
        }
        for corpus, verdicts in counted.items()
    }


def main() -> None:
    """Runs the command line of this module."""
    parser = version_arguments(
        "Write the names that a version gives in posts without any, or count a reader's verdicts."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--sample", type=Path, metavar="FILE", help="write what is to be read")
    action.add_argument("--judged", type=Path, metavar="FILE", help="count the verdicts of what was read")
    arguments = parse_version(parser)
    repository, version, name = arguments.repository, arguments.version, arguments.name
    if arguments.sample:
        number = write_sample(served_tagger(repository, version, name=name), arguments.sample)
        print(f"{number} names to read in {arguments.sample}")
        return
    keep_figures(repository, version, "false_names", figures_of(read_judged(arguments.judged)), name)
    write_card(repository, version, name)


if __name__ == "__main__":
    run_script(main)
