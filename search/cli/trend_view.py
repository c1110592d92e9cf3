"""Trends as they are shown: JSON, CSV, table and line, whether the detector stored them or they were counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from search.cli.output import Cell, json_time
from search.cli.tables import Column, fitted, name_text, sparkline
from search.events.names import NameAliases, forms_of
from search.index import EntityIndex, Trend
from search.trend_series import trend_series
from tagstream.detections import SubjectForm, SubjectType, TrendState
from tagstream.posts import ENTITY_TYPES
from tagstream.text.terminal_text import visible

TREND_HEADER = (
    "key", "type", "text", "posts", "authors", "expected", "score", "until", "window_seconds", "started_at",
)  # fmt: skip
_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class TrendView:
    """A trend at the end of one window.

    Attributes:
        until: the end of the window.
        series: authors of each window, oldest first; empty where they are not known.
        started_at: when its rise began; None if it was counted.
    """

    key: str
    type: SubjectType
    text: str
    posts: int
    authors: int
    expected: float
    score: float
    until: datetime
    window_seconds: int
    series: tuple[int, ...] = ()
    started_at: datetime | None = None

    @classmethod
    def of_state(cls, state: TrendState, series: tuple[int, ...] = ()) -> Self:
        """Returns a trend that the detector stored."""
        return cls(
            state.key,
            state.type,
            state.text,
            state.posts,
            state.authors,
            state.expected,
            state.score,
            state.minute + timedelta(minutes=1),
            state.window_minutes * 60,
            series,
            state.started_at,
        )

    def document(self) -> dict[str, Any]:
        """Returns the trend as JSON."""
        return {
            "key": self.key,
            "type": self.type,
            "text": self.text,
            "posts": self.posts,
            "authors": self.authors,
            "expected": self.expected,
            "score": self.score,
            "series": list(self.series),
            "until": json_time(self.until),
            "window_seconds": self.window_seconds,
            "started_at": None if self.started_at is None else json_time(self.started_at),
        }


def counted_view(trend: Trend, until: datetime, window_seconds: int) -> TrendView:
    """Returns a trend that was counted."""
    entity = trend.entity
    return TrendView(
        entity.key,
        entity.type,
        entity.text,
        entity.posts,
        entity.authors,
        trend.expected,
        trend.score,
        until,
        window_seconds,
        trend.series,
    )


async def stored_view(index: EntityIndex, state: TrendState) -> TrendView:
    """Returns a trend that the detector stored, with the authors of the windows before, which are counted now."""
    buckets = await trend_series(index, state)
    return TrendView.of_state(state, tuple(bucket.authors for bucket in buckets))


def forms_by_name(states: Iterable[TrendState], names: NameAliases) -> dict[str, list[SubjectForm]]:
    """Returns the forms of all that counts as one name, by its key."""
    found: dict[str, list[SubjectForm]] = {}
    for state in states:
        for form in forms_of(state):
            found.setdefault(names.canonical(form.key), []).append(form)
    return found


def fitted_view(view: TrendView, forms: Sequence[SubjectForm]) -> TrendView:
    """Returns the trend with key, type and text of one of its forms.

    Its text is the best spelling of all forms, which may be that of another type: a hashtag that is a place as well is
    shown as the place, and a word that is rather a word than a hashtag is shown without `#`.
    """
    of_type = [form for form in forms if form.type == view.type]
    written = [form for form in forms if form.text == view.text]
    exact = [form for form in of_type if form.text == view.text]
    fitting = exact or (of_type if view.text.startswith("#") else written)
    if not fitting:
        return view
    form = max(fitting, key=lambda one: (one.posts, one.type, one.text))
    return replace(view, key=form.key, type=form.type, text=form.text)


def trend_row(view: TrendView) -> list[Cell]:
    """Returns a trend as the cells of a CSV, in the order of `TREND_HEADER`."""
    return [
        view.key,
        view.type,
        view.text,
        view.posts,
        view.authors,
        round(view.expected, 3),
        round(view.score, 3),
        view.until,
        view.window_seconds,
        view.started_at,
    ]


def trends_table(trends: Iterable[TrendView], target: Console) -> Table:
    """Returns a table of trends with their recent past as a sparkline."""
    rows = list(trends)
    columns = [
        Column("name", [name_text(view.text, view.type) for view in rows]),
        Column("type", [view.type.lower() if view.type not in ENTITY_TYPES else view.type for view in rows]),
        Column("authors", [f"{view.authors:,}" for view in rows], justify="right"),
        Column("expected", [f"{view.expected:.1f}" for view in rows], justify="right", dispensable=2),
        Column("posts", [f"{view.posts:,}" for view in rows], justify="right", dispensable=3),
        Column("score", [f"{view.score:.1f}" for view in rows], justify="right", dispensable=4),
        Column("recent, oldest first", [sparkline(view.series) for view in rows], dispensable=1),
        Column("until (UTC)", [f"{view.until:%Y-%m-%d %H:%M}" for view in rows], dispensable=5, style="dim"),
    ]
    return fitted(columns, target)


def trend_line(view: TrendView) -> str:
    """Returns a trend in one line, as `--follow` prints it."""
    name = visible(view.text, _NAME_LENGTH)
    started = f", rising since {view.started_at:%H:%M}" if view.started_at else ""
    return (
        f"{view.until:%Y-%m-%d %H:%M}  trend  {name} ({view.type.lower()})  {view.authors:,} authors, "
        f"{view.expected:.1f} expected{started}"
    )
