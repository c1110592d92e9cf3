"""Progress of a run on standard error: lines that change on a terminal, a line now and then elsewhere.

On a terminal everything is shown, however narrow it is: what does not fit beside goes below.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tagstream.cli.errors import LONGEST_MESSAGE, say
from tagstream.runtime.feed_lag import spoken
from tagstream.runtime.metrics import EventOutcome, PipelineProgress
from tagstream.text.redaction import redacted
from tagstream.text.terminal_text import visible

if TYPE_CHECKING:
    from tagstream.source import Share

_PLAIN_INTERVAL_SECONDS = 10.0
# A server that is up and down by turns is not worth more lines than this.
_SHORTEST_INTERVAL_SECONDS = 1.0
_BETWEEN = " | "
# Before that an estimate would be a guess.
_LEAST_SHARE = 0.005
_LEAST_SECONDS = 2.0
_DAY_SECONDS = 86_400


class RunProgress:
    """Shows each `PipelineProgress` it is called with; a context manager, so that the terminal is left as it was."""

    def __init__(self, share_read: "Callable[[], Share | None]" = lambda: None) -> None:
        self._share_read = share_read
        console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
        changes = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False) if changes else None
        self._next_line = _PLAIN_INTERVAL_SECONDS
        self._last_line = -_SHORTEST_INTERVAL_SECONDS
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

    def __call__(self, progress: PipelineProgress) -> None:
        share = self._share_read()
        if self._live:
            lines = in_lines(progress_parts(progress, share), self._live.console.width)
            self._live.update(Text("\n".join(lines)), refresh=True)
        elif progress.elapsed_seconds >= self._next_line or self._is_new_state(progress):
            self._last_line = progress.elapsed_seconds
            self._next_line = progress.elapsed_seconds + _PLAIN_INTERVAL_SECONDS
            say(progress_line(progress, share))
        self._was_waiting = progress.waiting_for is not None
        self._warned = progress.clock_warning is not None

    def _is_new_state(self, progress: PipelineProgress) -> bool:
        if progress.elapsed_seconds - self._last_line < _SHORTEST_INTERVAL_SECONDS:
            return False
        return bool((progress.waiting_for and not self._was_waiting) or (progress.clock_warning and not self._warned))


def progress_line(progress: PipelineProgress, share: "Share | None" = None) -> str:
    """Returns the progress of a run in one line."""
    return _BETWEEN.join(progress_parts(progress, share))


def progress_parts(progress: PipelineProgress, share: "Share | None" = None) -> list[str]:
    """Returns the progress of a run, figure by figure."""
    parts = [f"{progress.elapsed_seconds:.0f} s"]
    if share is not None:
        parts.append(remaining(progress, share))
    parts += [
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
    return parts


def remaining(progress: PipelineProgress, share: "Share") -> str:
    """Returns the share of a feed that is safe, and the time that the rest will take: `12 %, 3:20 left`."""
    unsafe = progress.in_flight / progress.read if progress.read else 1.0
    gained = (share.read - share.begun) * (1 - unsafe)
    safe = share.begun + gained
    shown = f"{int(100 * safe)} %"
    if safe >= 1 or gained < _LEAST_SHARE or progress.elapsed_seconds < _LEAST_SECONDS:
        return shown
    return f"{shown}, {in_time(progress.elapsed_seconds * (1 - safe) / gained)} left"


def in_time(seconds: float) -> str:
    """Returns a duration for people: `3:20`, `1:03:20`, `12 days`."""
    if seconds >= 2 * _DAY_SECONDS:
        return f"{seconds / _DAY_SECONDS:,.0f} days"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def in_lines(parts: Sequence[str], width: int) -> list[str]:
    """Returns the figures in as few lines of that width as hold them; a wider figure is broken between words."""
    lines: list[str] = []
    for part in parts:
        shown = visible(redacted(part[:LONGEST_MESSAGE]))
        if lines and cell_len(lines[-1]) + len(_BETWEEN) + cell_len(shown) <= width:
            lines[-1] += _BETWEEN + shown
        else:
            lines += [line.plain for line in Text(shown).wrap(Console(), max(width, 1), overflow="fold")] or [""]
    return lines


def in_distance(behind_seconds: float | None) -> str:
    """Returns `2.4 s behind the feed`; an empty text where no feed is live."""
    return "" if behind_seconds is None else f"{spoken(behind_seconds)} behind the feed"


def in_reasons(counts: Mapping[EventOutcome, int] | Mapping[str, int]) -> str:
    """Returns the counts that are not zero: `duplicate 3, malformed 1`."""
    return ", ".join(f"{reason} {number:,}" for reason, number in counts.items() if number)
