"""The figures that were measured, kept as JSON; `docs/reference/events.md` is written from it, no figure by hand."""

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tagstream.errors import CorruptState

RESULTS_FILE = Path(__file__).parent / "results.json"


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Kept):
    """The score of one system on one feed."""

    feed: str
    system: str
    posts: int
    days: int
    events: int
    found: int
    found_in_time: int
    median_delay_minutes: float | None
    fragments: float | None
    purity: float | None
    false: int
    false_a_day: float
    missed: tuple[str, ...]
    date: str


class CostFigures(_Kept):
    """The processor time of the detector at a rate of posts, beside the tagger's in the same run."""

    posts: int
    posts_per_second: float
    mentions_microseconds: float
    add_microseconds: float
    close_microseconds: float
    tagger_microseconds: float
    date: str

    @property
    def microseconds(self) -> float:
        """The detector's processor time a post."""
        return self.mentions_microseconds + self.add_microseconds + self.close_microseconds

    @property
    def share_of_a_core(self) -> float:
        """The share of one core at that rate."""
        return self.microseconds * self.posts_per_second / 1e6

    @property
    def share_of_tagging(self) -> float:
        """The detector's processor time beside the tagger's, post for post."""
        return self.microseconds / self.tagger_microseconds


class MemoryFigures(_Kept):
    """Resident memory in MiB while posts with ever new names pass."""

    posts: tuple[int, ...]
    mebibytes: tuple[float, ...]
    posts_per_minute: int
    seconds: float
    date: str


class ArchiveFigures(_Kept):
    """The replay of a tagged archive."""

    archive: str
    posts: int
    days: float
    seconds: float
    events: int
    date: str


class Results(_Kept):
    """Everything that was measured last, each part with its date."""

    machine: str = ""
    rows: tuple[Row, ...] = ()
    development: tuple[Row, ...] = ()
    cost: CostFigures | None = None
    memory: MemoryFigures | None = None
    archive: ArchiveFigures | None = None

    def with_row(self, row: Row, *, development: bool = False) -> "Results":
        """Returns the results with this row in place of an earlier one of its feed and system."""
        name = "development" if development else "rows"
        others = [one for one in getattr(self, name) if (one.feed, one.system) != (row.feed, row.system)]
        return self.with_part(**{name: (*others, row)})

    def with_part(self, **part: Any) -> "Results":
        """Returns the results with that part replaced, measured on this machine."""
        return self.model_copy(update={"machine": machine(), **part})


def read_results(path: Path = RESULTS_FILE) -> Results:
    """Reads what was measured; nothing yet where there is no file.

    Raises:
        CorruptState: the file is damaged.
    """
    if not path.exists():
        return Results()
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise CorruptState(f"{path}: damaged: restore it, or remove it and measure again ({error})") from error


def write_results(results: Results, path: Path = RESULTS_FILE) -> None:
    """Writes what was measured."""
    path.write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")


def today() -> str:
    """Returns the date in UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> str:
    """Returns the processor and the vector instructions that matter to the tagger."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    cores = sum(line.startswith("processor") for line in lines)
    wide = "with AVX-512" if any(flag.startswith("avx512") for flag in flags) else "without AVX-512"
    return f"{name}, {cores} cores, {wide}"
