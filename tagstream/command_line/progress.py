"""Progress of a run on standard error: one line that changes on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tagstream.command_line.failures import say
from tagstream.distance import spoken
from workers.counters import Outcome
from workers.progress import Progress

_PLAIN_INTERVAL_SECONDS = 10.0


class RunProgress:
    """Shows each `Progress` it is called with; a context manager, so that the terminal is left as it was."""

    def __init__(self) -> None:
        self._live = Live(console=Console(file=sys.stderr), auto_refresh=False) if sys.stderr.isatty() else None
        self._next_line = _PLAIN_INTERVAL_SECONDS
        self._was_waiting = False
        self._warned = False

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        if self._live:
            self._live.update(Text(progress_line(progress), overflow="ellipsis", no_wrap=True), refresh=True)
        elif progress.elapsed_seconds >= self._next_line or self._is_news(progress):
            self._next_line = progress.elapsed_seconds + _PLAIN_INTERVAL_SECONDS
            say(progress_line(progress))
        self._was_waiting = progress.waiting_for is not None
        self._warned = progress.clock_warning is not None

    def _is_news(self, progress: Progress) -> bool:
        return bool((progress.waiting_for and not self._was_waiting) or (progress.clock_warning and not self._warned))


def progress_line(progress: Progress) -> str:
    """How the run stands, in one line."""
    parts = [
        f"{progress.elapsed_seconds:.0f} s",
        f"{progress.posts:,} posts",
        f"{progress.posts_per_second:,.0f} posts/s",
        f"{progress.in_flight:,} in flight",
        f"lag {progress.lag_seconds:.1f} s",
    ]
    if distance := in_distance(progress.behind_seconds):
        parts.append(distance)
    if progress.clock_warning:
        parts.append(f"warning: {progress.clock_warning}")
    if dropped := in_reasons(progress.dropped):
        parts.append(f"dropped: {dropped}")
    if counted := in_reasons(progress.source_counts):
        parts.append(f"source: {counted}")
    if progress.waiting_for:
        parts.append(f"waiting for {progress.waiting_for}")
    return " | ".join(parts)


def in_distance(behind_seconds: float | None) -> str:
    """`2.4 s behind the feed`; empty where nothing is live."""
    return "" if behind_seconds is None else f"{spoken(behind_seconds)} behind the feed"


def in_reasons(counts: Mapping[Outcome, int] | Mapping[str, int]) -> str:
    """`duplicate 3, malformed 1`: the counts that are not zero, empty if all are."""
    return ", ".join(f"{reason} {number:,}" for reason, number in counts.items() if number)
