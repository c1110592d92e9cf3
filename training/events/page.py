"""`docs/reference/events.md`, written from `results.json` and `parameters.json`: no figure of it is typed by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from search.events.window import MAX_POSTS_A_MINUTE
from training.events.cases import CASES
from training.events.results import Results, Row, read_results
from training.events.systems import DETECTOR, TITLES
from training.events.tuning import Parameters, read_parameters

EVENTS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
_NONE = "–"
_WITHIN = (1.0, 1.5, 0.8)
_SHARE_OF_A_CORE = 0.05

_HEAD = """# Events, measured

This page is for those who want to know how well events are found, and for those who change the detector. It is written
by `python -m training.events.measure` from `training/events/results.json`.

An **event** is a set of names, hashtags and words that more people write about than their past explains, and that the
same posts mention: it has an id that stays, a title, the moment at which it was first said (`detected_at`), the posts
that show it, and an end, one hour after the last minute in which it rose.

## How it is measured

Feeds with known events: real events of CrisisLex T6 or CrisisMMD, a day each, squeezed so that nine tenths of an event
lie within six hours of its start, among everyday tweets of TweetEval (4,000 a day, at a day's rhythm). Two kinds of
noise must not become an event, on every second day: an account that posts 300 near-copies, and 200 accounts that post
one text.

- **In time**: the first event of which at least half of the evidence belongs to the known one was detected at most 15
  minutes after the tenth post of that one. **Delay**: from that post, the median over the events that were found.
- **False a day**: events of whose evidence less than half belongs to any known one.
- **Fragments**: detected events for each known one that was found. **Purity**: the share of the evidence that belongs.

The aim: all events in time, at most one false event a day, at most 1.5 fragments, purity at least 0.8. A figure that
misses the aim is in *italics*. The scorer gives the figures of the scorer that the project was given (a test compares).

The baselines read the words of the posts; the detector also reads the names that the served tagger finds. Every
baseline counts distinct authors, and the two of words leave out word-for-word copies. Each has the parameters that do
best on a development feed, which has the same six events with another seed: at most one false event a day, then the
most events in time, then the fewest fragments:

{baselines}

```
make stack-up          # Elasticsearch, for the third baseline; .stack/env has its address
TAGSTREAM_DATA=../shared/data python -m training.events.measure --elasticsearch http://127.0.0.1:PORT
```

Machine: {machine}. Dates stand in the last column.

## Found
"""


def page_text(results: Results, parameters: Parameters) -> str:
    """Returns the page."""
    parts = [_HEAD.format(baselines=_baselines(results, parameters), machine=results.machine), _rows(results.rows)]
    parts += [_shortfalls(results.rows), _cost(results), _memory(results), _archive(results)]
    return "\n".join(part for part in parts if part)


def write_page(path: Path = EVENTS_PAGE) -> Path:
    """Writes the page from what was measured last."""
    path.write_text(page_text(read_results(), read_parameters()), encoding="utf-8")
    return path


def _baselines(results: Results, parameters: Parameters) -> str:
    lines = []
    for row in results.development:
        chosen = getattr(parameters, row.system, None)
        if chosen is None:
            continue
        described = chosen if isinstance(chosen, tuple) else (chosen,)
        values = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for part in described
            for name in part.__slots__
            if (value := getattr(part, name)) is not None
        )
        lines.append(
            f"- {TITLES[row.system]}: {values}. On the development feed {row.found_in_time} of {row.events} in time, "
            f"{row.false_a_day:.2f} false a day, {_number(row.fragments, 2)} fragments."
        )
    return "\n".join(lines)


def _rows(rows: Iterable[Row]) -> str:
    lines = [
        "| feed | system | in time | delay, min | false a day | fragments | purity | date |",
        "|---|---|---|---|---|---|---|---|",
    ]
    order = {name: position for position, name in enumerate(CASES)}
    systems = list(TITLES)
    for row in sorted(rows, key=lambda one: (order.get(one.feed, len(order)), one.feed, systems.index(one.system))):
        says = CASES[row.feed].says if row.feed in CASES else row.feed
        lines.append(
            f"| {says} | {TITLES[row.system]} | {_aimed(f'{row.found_in_time} of {row.events}', _all_in_time(row))} "
            f"| {_number(row.median_delay_minutes, 1)} | {_aimed(f'{row.false_a_day:.2f}', _few_false(row))} "
            f"| {_aimed(_number(row.fragments, 2), _whole(row))} | {_aimed(_number(row.purity, 3), _pure(row))} "
            f"| {row.date} |"
        )
    return "\n".join(lines) + "\n"


def _all_in_time(row: Row) -> bool:
    return row.found_in_time == row.events


def _few_false(row: Row) -> bool:
    return row.false_a_day <= _WITHIN[0]


def _whole(row: Row) -> bool:
    return row.fragments is not None and row.fragments <= _WITHIN[1]


def _pure(row: Row) -> bool:
    return row.purity is not None and row.purity >= _WITHIN[2]


def _shortfalls(rows: Sequence[Row]) -> str:
    """Says on which feeds the detector misses which aim."""
    lines = []
    for row in rows:
        if row.system != DETECTOR:
            continue
        missing = [
            name
            for name, reached in (
                (f"{row.found_in_time} of {row.events} events in time", _all_in_time(row)),
                (f"{row.false_a_day:.2f} false events a day", _few_false(row)),
                (f"{_number(row.fragments, 2)} fragments an event", _whole(row)),
                (f"purity {_number(row.purity, 3)}", _pure(row)),
            )
            if not reached
        ]
        if missing:
            says = CASES[row.feed].says if row.feed in CASES else row.feed
            never = f" Never found: {', '.join(row.missed)}." if row.missed else ""
            lines.append(f"- {says}: {', '.join(missing)}.{never}")
    if not lines:
        return "The detector reaches every aim on every feed of the table.\n"
    return "Not reached by the detector:\n\n" + "\n".join(lines) + "\n"


def _cost(results: Results) -> str:
    cost = results.cost
    if cost is None:
        return ""
    share = _aimed(f"{100 * cost.share_of_a_core:.1f} %", cost.share_of_a_core <= _SHARE_OF_A_CORE)
    return (
        "## Cost\n\n"
        f"{cost.posts:,} tagged posts at {cost.posts_per_second:,.0f} a second, processor time a post, {cost.date}. "
        "The texts of the first feed of the table come several times, each time from other authors. Of a minute of "
        f"more than {2 * MAX_POSTS_A_MINUTE:,} posts a sample of {MAX_POSTS_A_MINUTE:,} counts, by author. In one "
        "process the rest is not even read; on Kafka it is, because each partition has a sample of its own.\n\n"
        "| part | µs a post |\n|---|---|\n"
        f"| subjects of a post (`mentions_of`) | {cost.mentions_microseconds:.1f} |\n"
        f"| taking it in (clock, open minutes) | {cost.add_microseconds:.1f} |\n"
        f"| closing minutes, trends and events | {cost.close_microseconds:.1f} |\n"
        f"| together | {cost.microseconds:.1f} |\n"
        f"| the tagger, same run | {cost.tagger_microseconds:,.0f} |\n\n"
        f"At that rate the detector takes {share} of one core; the aim is {100 * _SHARE_OF_A_CORE:.0f} %. It is "
        f"{100 * cost.share_of_tagging:.2f} % of what tagging the same posts takes on this machine.\n"
    )


def _memory(results: Results) -> str:
    memory = results.memory
    if memory is None:
        return ""
    heads = " | ".join(f"{posts // 1000:,}" for posts in memory.posts)
    values = " | ".join(f"{size:.0f}" for size in memory.mebibytes)
    return (
        "## Memory\n\n"
        f"{memory.posts[-1]:,} posts, {memory.posts_per_minute:,} a minute, each with a name that no other post has "
        f"({memory.date}; {memory.seconds:.0f} s):\n\n"
        f"| thousand posts | {heads} |\n|---|{'---|' * len(memory.posts)}\n| resident MiB | {values} |\n"
    )


def _archive(results: Results) -> str:
    archive = results.archive
    if archive is None:
        return ""
    return (
        "## An archive\n\n"
        f"The {archive.posts:,} tweets on topic of {archive.archive} at their own times, tagged, through the detector: "
        f"{archive.days:.0f} days in {archive.seconds:.0f} s, {archive.posts / archive.seconds:,.0f} posts/s, "
        f"{archive.events} events ({archive.date}).\n"
    )


def _aimed(value: str, reached: bool) -> str:
    return value if reached or value == _NONE else f"*{value}*"


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"
