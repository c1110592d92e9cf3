"""The hard names: counted from the records, and some of them read and judged, with the cause of the error.

`cases.toml` holds what was judged. A name is pointed at by the number of its tweet in the test part (from 1) and its
tokens in the tweet (from 1, both ends included); neither text nor annotation stands in it. `gallery.py` shows them with
their tweets to whoever has the data.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.report.record import ResultRecord

_FILE = Path(__file__).with_name("cases.toml")

Verdict = Literal["gold type", "gold extent", "gold no name", "gold misses one", "open", "system"]
VERDICTS: Mapping[Verdict, str] = {
    "gold type": "the gold gives a wrong type",
    "gold extent": "the gold begins or ends in the wrong place",
    "gold no name": "the gold marks what is no name",
    "gold misses one": "the gold leaves out a name",
    "open": "the words allow either; the photo, or knowledge of the world, would have to decide",
    "system": "the gold is right, and the systems are wrong",
}


class Case(BaseModel):
    """One judged name. `name` is its number among the gold names of its tweet, from 1; 0 where the gold has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    tweet: Annotated[int, Field(ge=1)]
    name: Annotated[int, Field(ge=0)]
    verdict: Verdict
    why: str


def read_cases() -> list[Case]:
    """Reads the judged names, in the order of the file."""
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return [Case.model_validate(case) for case in read["case"]]


def found_by(records: Iterable[ResultRecord], tweet: int, name: int) -> list[str]:
    """Returns the recipes that find a name of the gold; tweet and name count from 1."""
    return [record.recipe for record in records if found_in(record, tweet, name)]


def found_in(record: ResultRecord, tweet: int, name: int) -> bool:
    """Tells whether a record's system finds the name."""
    before = sum(record.outcome.gold[: tweet - 1])
    return record.outcome.found[before + name - 1] == "1"


def how_often_found(records: Sequence[ResultRecord]) -> list[int]:
    """Counts for 0, 1, 2 ... systems the names of the gold that exactly so many of them find."""
    counts = [0] * (len(records) + 1)
    for found in zip(*(record.outcome.found for record in records), strict=True):
        counts[found.count("1")] += 1
    return counts


def cases_section(corpus: str, records: Sequence[ResultRecord]) -> str:
    """Returns the part of the results page about one corpus, of one record a system; "" for fewer than two systems."""
    if len(records) < 2:
        return ""
    counts = how_often_found(records)
    total = sum(counts)
    systems = len(records)
    lines = [
        f"### {corpus}",
        "",
        f"Of {total:,} names, {_share(counts[-1], total)} are found by all {systems} systems that have run, "
        f"{_share(counts[0], total)} by none, {_share(counts[1], total)} by one alone.",
    ]
    cases = [case for case in read_cases() if case.corpus == corpus]
    if cases:
        lines += ["", "| tweet | name | found by | whose fault | why |", "|---|---|---|---|---|"]
    for case in cases:
        found = len(found_by(records, case.tweet, case.name)) if case.name else None
        place = str(case.name) if case.name else "–"
        lines.append(
            f"| {case.tweet} | {place} | {'–' if found is None else f'{found} of {systems}'} "
            f"| {VERDICTS[case.verdict]} | {case.why} |"
        )
    return "\n".join([*lines, ""])


def _share(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / max(1, total):.1f} %)"
