"""Tables of posts, entities, figures and dead letters for a terminal of any width, and their JSON for machines.

Names come first: a narrow terminal first loses the columns that are dispensable, then lines are broken; no name is cut.
Text of posts is hostile and is made visible here (`tagstream/text/terminal_text.py`).
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.index import Bucket, EntityCount
from tagstream.detections import SubjectType
from tagstream.posts import DeadLetter, Entity, TaggedPost
from tagstream.text.terminal_text import visible

STYLES: dict[str, str] = {"PER": "bold cyan", "LOC": "bold green", "ORG": "bold magenta", "MISC": "bold yellow"}
_POST_LENGTH = 400
_NAME_LENGTH = 200
_MESSAGE_LENGTH = 2_000
_NAME_WIDTH = 40
_AUTHOR_WIDTH = 18
_BAR_WIDTH = 40
_UNLIMITED = 10_000
_BARS = "▁▂▃▄▅▆▇█"
# Below these a table of posts, or of dead letters, would be more space than text.
_POSTS_SIDE_BY_SIDE = 72
_LETTERS_SIDE_BY_SIDE = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `dispensable` orders the columns left out where there is no room, None for never."""

    name: str
    cells: Sequence[Text | str]
    justify: Literal["left", "right"] = "left"
    dispensable: int | None = None
    style: str = ""


def plain_table(*, header: bool = True) -> Table:
    """Returns the frame of all tables: a table without lines."""
    return Table(box=None, pad_edge=False, header_style="dim", show_header=header)


def marked(text: str, entities: Sequence[Entity], *, coloured: bool, limit: int | None = None) -> Text:
    """Returns the text with each entity in the colour of its type, or in brackets without colours.

    Of a text longer than `limit` code points about that many are shown, from a little before the first entity.
    """
    entities = sorted(entities, key=lambda entity: entity.start)
    start, end = _excerpt(len(text), entities[0].start if entities else 0, limit)
    answer = Text("…" if start else "")
    done = start
    for entity in entities:
        if entity.start < done or entity.end > end:
            continue
        name = visible(text[entity.start : entity.end])
        answer.append(visible(text[done : entity.start]))
        if coloured:
            answer.append(name, STYLES[entity.type])
            answer.append(f" {entity.type.lower()}", "dim")
        else:
            answer.append(f"[{name} {entity.type}]")
        done = entity.end
    answer.append(visible(text[done:end]) + ("…" if end < len(text) else ""))
    return answer


def _excerpt(length: int, first_entity: int, limit: int | None) -> tuple[int, int]:
    if limit is None or length <= limit:
        return 0, length
    start = min(max(0, first_entity - limit // 4), length - limit)
    return start, start + limit


def posts_table(posts: Iterable[TaggedPost], target: Console) -> Table:
    """Returns a table of posts with their entities marked; long posts are cut."""
    coloured = target.color_system is not None
    side_by_side = target.width >= _POSTS_SIDE_BY_SIDE
    table = plain_table(header=side_by_side)
    if side_by_side:
        table.add_column("time (UTC)", no_wrap=True, style="dim")
        table.add_column("author", max_width=_AUTHOR_WIDTH, no_wrap=True, style="dim")
    table.add_column("post", overflow="fold")
    for post in posts:
        moment = f"{post.created_at:%Y-%m-%d %H:%M}"
        author = visible((post.author.handle or post.author.id) if post.author else "", _NAME_LENGTH)
        shown = marked(post.text, post.entities, coloured=coloured, limit=_POST_LENGTH)
        if side_by_side:
            table.add_row(moment, Text(author), shown)
        else:
            table.add_row(Text(f"{moment}  {author}", "dim"))
            table.add_row(shown)
    return table


def entities_table(counts: Sequence[EntityCount], target: Console) -> Table:
    """Returns a table of entities with their authors and posts."""
    return fitted(
        [
            Column("entity", [name_text(count.text, count.type) for count in counts]),
            Column("type", [count.type for count in counts]),
            Column("authors", [f"{count.authors:,}" for count in counts], justify="right"),
            Column("posts", [f"{count.posts:,}" for count in counts], justify="right", dispensable=1),
        ],
        target,
    )


def counts_table(buckets: Sequence[Bucket], target: Console, *, days: bool) -> Table:
    """Returns a table of posts and authors over time, with a bar for the posts; `days`: the times are all midnight."""
    highest = max((bucket.posts for bucket in buckets), default=0)
    form = "%Y-%m-%d" if days else "%Y-%m-%d %H:%M"
    return fitted(
        [
            Column("from (UTC)", [bucket.start.strftime(form) for bucket in buckets]),
            Column("posts", [f"{bucket.posts:,}" for bucket in buckets], justify="right"),
            Column("authors", [f"{bucket.authors:,}" for bucket in buckets], justify="right", dispensable=2),
            Column("", [_bar(bucket.posts, highest) for bucket in buckets], dispensable=1),
        ],
        target,
    )


def _bar(number: int, highest: int) -> str:
    return "█" * -(-number * _BAR_WIDTH // highest) if highest else ""


def letters_table(letters: Iterable[DeadLetter], target: Console) -> Table:
    """Returns a table of dead letters: origin, cause, size and message."""
    side_by_side = target.width >= _LETTERS_SIDE_BY_SIDE
    table = plain_table(header=side_by_side)
    for name in ("origin", "cause", "bytes", "message") if side_by_side else ("dead letter",):
        table.add_column(name, overflow="fold", justify="right" if name == "bytes" else "left")
    for letter in letters:
        origin, cause = Text(visible(letter.origin)), Text(visible(letter.cause, _NAME_LENGTH), "yellow")
        message = Text(visible(letter.message, _MESSAGE_LENGTH))
        if side_by_side:
            table.add_row(origin, cause, f"{letter.size:,}", message)
        else:
            table.add_row(origin)
            table.add_row(Text.assemble("  ", cause, f", {letter.size:,} bytes: ", message))
    return table


def fitted(columns: Sequence[Column], target: Console, *, first_width: int = _NAME_WIDTH) -> Table:
    """Returns the table of the columns that fit beside whole names; at last, names are broken.

    Args:
        columns: the columns; the first is of names, and broken into lines where it is longer than `first_width`.
        target: the terminal.
        first_width: the most characters of a line of the first column.
    """
    kept = list(columns)
    unlimited = target.options.update_width(_UNLIMITED)
    for column in sorted((one for one in columns if one.dispensable is not None), key=lambda one: one.dispensable or 0):
        if target.measure(_table(kept, first_width), options=unlimited).maximum <= target.width:
            break
        kept.remove(column)
    return _table(kept, first_width)


def _table(columns: Sequence[Column], first_width: int) -> Table:
    table = plain_table()
    for index, column in enumerate(columns):
        if index:
            table.add_column(column.name, justify=column.justify, no_wrap=True, style=column.style)
        else:
            table.add_column(column.name, overflow="fold", max_width=first_width)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def name_text(text: str, kind: SubjectType) -> Text:
    """Returns a name in the colour of its type."""
    return Text(visible(text, _NAME_LENGTH), STYLES.get(kind, "bold"))


def sparkline(series: Sequence[int]) -> str:
    """Returns a bar for each number, as high as its share of the greatest."""
    highest = max(series, default=0)
    return "".join(_BARS[number * (len(_BARS) - 1) // highest if highest else 0] for number in series)


def dead_letter_document(letter: DeadLetter) -> dict[str, Any]:
    """Returns a dead letter as JSON: `body` as text, and `body_base64` where text cannot hold its bytes."""
    document = letter.model_dump(exclude={"body"})
    document["body"] = letter.body.decode(errors="replace")
    if document["body"].encode() != letter.body:
        document["body_base64"] = base64.b64encode(letter.body).decode()
    return document
