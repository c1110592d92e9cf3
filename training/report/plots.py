"""The pictures of `docs/reference/results.md`, drawn from the records alone.

A picture carries a digest of what it shows, so that `make lint` can tell one that is out of date without drawing it
again: the bytes of a drawing differ between versions of the library that draws.
"""

import hashlib
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tagstream.posts import ENTITY_TYPES
from training.report.record import ResultRecord
from training.report.rows import Group, read_published, read_recipe
from training.report.speed import Speed

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tagstream",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture: its name in the folder of pictures, what it says in words, what it shows, and how it is drawn."""

    name: str
    caption: str
    shown: Mapping[str, Any]
    draw: Callable[[Mapping[str, Any]], Figure]

    @property
    def digest(self) -> str:
        """The digest of the shown figures."""
        return hashlib.sha256(json.dumps(self.shown, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Draws it into its file."""
        folder.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(_STYLE):
            figure = self.draw(self.shown)
            figure.savefig(folder / self.name, metadata={"Date": None, "Creator": None, "Description": self.digest})

    def is_current(self, folder: Path) -> bool:
        """Tells whether the file of the plot is up to date."""
        path = folder / self.name
        return path.exists() and self.digest in path.read_text(encoding="utf-8")


def plots_of(group: Group, corpus: str, records: Mapping[str, ResultRecord], speed: Speed) -> list[Plot]:
    """Returns the pictures of a part of the table; none while fewer than two of its systems have run."""
    runs: dict[str, list[ResultRecord]] = {}
    for recipe in group.recipes:
        found = [records[run.name] for run in group.runs(recipe, corpus) if run.name in records]
        if found:
            runs[read_recipe(recipe).title] = found
    if len(runs) < 2:
        return []
    published = read_published()
    papers = {read_recipe(recipe).title: published.get(read_recipe(recipe).paper) for recipe in group.recipes}
    printed = {title: paper.figure(corpus, "f1") for title, paper in papers.items() if paper and title in runs}
    plots = [
        Plot(f"{corpus}_f1.svg", "Test F1, measured (a dot a seed) and published", _f1(runs, printed), draw_f1),
        Plot(f"{corpus}_types.svg", "Test F1 by type", _types(runs), draw_types),
    ]
    measured = _speed(runs, speed)
    if measured:
        plots.append(Plot(f"{corpus}_speed.svg", "Test F1 and tokens a second", measured, draw_speed))
    curves = {title: [[one.epoch, one.dev_strict_f1] for one in found[0].curve] for title, found in runs.items()}
    learnt = {title: curve for title, curve in curves.items() if curve}
    if learnt:
        plots.append(Plot(f"{corpus}_learning.svg", "Development F1 by epoch, first seed", learnt, draw_learning))
    return plots


def _f1(runs: Mapping[str, Sequence[ResultRecord]], printed: Mapping[str, float | None]) -> dict[str, Any]:
    return {
        title: {"measured": [_percent(one) for one in found], "published": printed.get(title)}
        for title, found in runs.items()
    }


def _types(runs: Mapping[str, Sequence[ResultRecord]]) -> dict[str, list[float]]:
    return {
        title: [
            round(100 * statistics.mean(one.test["strict"]["types"][kind]["f1"] for one in found), 2)
            for kind in ENTITY_TYPES
        ]
        for title, found in runs.items()
    }


def _speed(runs: Mapping[str, Sequence[ResultRecord]], speed: Speed) -> dict[str, list[float]]:
    rates = {title: speed.of(found[0].recipe) for title, found in runs.items()}
    return {
        title: [rate, round(statistics.mean(map(_percent, runs[title])), 2)]
        for title, rate in rates.items()
        if rate is not None
    }


def _percent(record: ResultRecord) -> float:
    return round(100 * float(record.test["strict"]["f1"]), 2)


def draw_f1(shown: Mapping[str, Any]) -> Figure:
    """Draws a line a system: filled dots are measured, a hollow dot is published."""
    figure, places = _rows(shown)
    axes = figure.subplots()
    for place, figures in zip(places, shown.values(), strict=True):
        axes.axhline(place, color="0.92", zorder=0)
        measured = figures["measured"]
        axes.scatter(measured, [place] * len(measured), color="tab:blue", s=22, label="measured" if not place else None)
    printed = [(figures["published"], place) for place, figures in zip(places, shown.values(), strict=True)]
    known = {place: value for value, place in printed if value is not None}
    axes.scatter(list(known.values()), list(known), facecolors="none", edgecolors="tab:orange", s=34, label="published")
    axes.set(xlabel="F1, %", yticks=places, yticklabels=list(shown))
    axes.invert_yaxis()
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def draw_types(shown: Mapping[str, Any]) -> Figure:
    """Draws a grid of systems and types, the figure in each cell."""
    figure, places = _rows(shown)
    axes = figure.subplots()
    values = list(shown.values())
    axes.imshow(values, cmap="viridis", aspect="auto", vmin=0, vmax=100)
    for place, row in zip(places, values, strict=True):
        for column, value in enumerate(row):
            colour = "white" if value < 60 else "black"
            axes.text(column, place, f"{value:.1f}", ha="center", va="center", color=colour)
    axes.set(xticks=range(len(ENTITY_TYPES)), xticklabels=ENTITY_TYPES, yticks=places, yticklabels=list(shown))
    return figure


def draw_speed(shown: Mapping[str, Any]) -> Figure:
    """Draws a dot a system: to the right is faster, up is better. Names stand beside, for many dots are neighbours."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", xlabel="tokens a second", ylabel="F1, %")
    rates, reached = zip(*shown.values(), strict=True)
    axes.scatter(rates, reached, color="tab:blue", s=22)
    for place, title in enumerate(sorted(shown, key=lambda title: shown[title][1])):
        axes.annotate(
            title,
            shown[title],
            xytext=(1.03, (place + 0.5) / len(shown)),
            textcoords="axes fraction",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "0.8", "shrinkB": 2, "relpos": (0, 0.5)},
            zorder=0,
        )
    return figure


def draw_learning(shown: Mapping[str, Any]) -> Figure:
    """Draws a curve a system."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    colours = mpl.colormaps["tab20"]
    for number, (title, curve) in enumerate(shown.items()):
        epochs, reached = zip(*curve, strict=True)
        axes.plot(epochs, [100 * value for value in reached], color=colours(number % 20), marker=".", label=title)
    axes.set(xlabel="epoch", ylabel="development F1, %")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _rows(shown: Mapping[str, Any]) -> tuple[Figure, range]:
    return Figure(figsize=(8, 1 + 0.26 * len(shown)), layout="constrained"), range(len(shown))
