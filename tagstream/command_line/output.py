"""How answers look: JSON lines for machines, marked text, tables and sparklines for people.

Text of posts is hostile: it never reaches a terminal with its control characters, and never as console markup.
"""

import base64
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.index import EntityCount, Trend
from tagstream.command_line.failures import say
from tagstream.posts import DeadLetter, Entity, EntityType, TaggedPost

STYLES: dict[EntityType, str] = {"PER": "bold cyan", "LOC": "bold green", "ORG": "bold magenta", "MISC": "bold yellow"}
_PLAIN_WIDTH = 120
_POST_LENGTH = 400
_BARS = "▁▂▃▄▅▆▇█"


def console() -> Console:
    """Standard output for people: coloured on a terminal, plain and wide enough elsewhere."""
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def note(message: str) -> None:
    """A line for the person at the terminal, on standard error."""
    say(message)


def write_lines(documents: Iterable[str | dict[str, Any]]) -> None:
    """Each document as one line of JSON, in UTF-8 whatever the locale says."""
    stream = sys.stdout.buffer
    for document in documents:
        line = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
        stream.write(line.encode() + b"\n")
    stream.flush()


def printable(text: str) -> str:
    """The text with what could steer a terminal made visible; its length in code points does not change."""
    return "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    code = ord(character)
    if character in "\n\t\r\u2028\u2029":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(character) in ("Cc", "Cs") or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return "\ufffd"
    return character


def marked(text: str, entities: Sequence[Entity], *, coloured: bool, limit: int | None = None) -> Text:
    """The text with each entity in the colour of its type, and in brackets where there are no colours.

    Of a text longer than `limit` code points about so many are shown, from a little before the first entity.
    """
    shown = printable(text)
    entities = sorted(entities, key=lambda entity: entity.start)
    start, end = _excerpt(len(text), entities[0].start if entities else 0, limit)
    answer = Text("…" if start else "")
    done = start
    for entity in entities:
        if entity.start < done or entity.end > end:
            continue
        name = shown[entity.start : entity.end]
        answer.append(shown[done : entity.start])
        if coloured:
            answer.append(name, STYLES[entity.type])
            answer.append(f" {entity.type.lower()}", "dim")
        else:
            answer.append(f"[{name} {entity.type}]")
        done = entity.end
    answer.append(shown[done:end] + ("…" if end < len(text) else ""))
    return answer


def _excerpt(length: int, first_entity: int, limit: int | None) -> tuple[int, int]:
    if limit is None or length <= limit:
        return 0, length
    start = min(max(0, first_entity - limit // 4), length - limit)
    return start, start + limit


def posts_table(posts: Iterable[TaggedPost], target: Console) -> Table:
    """Posts with their entities marked; long ones cut."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    table.add_column("time (UTC)", no_wrap=True, style="dim")
    table.add_column("author", max_width=18, no_wrap=True, style="dim")
    table.add_column("post", overflow="fold")
    coloured = target.color_system is not None
    for post in posts:
        author = (post.author.handle or post.author.id) if post.author else ""
        table.add_row(
            f"{post.created_at:%Y-%m-%d %H:%M}",
            Text(printable(author)),
            marked(post.text, post.entities, coloured=coloured, limit=_POST_LENGTH),
        )
    return table


def trends_table(trends: Iterable[Trend], moments: Iterable[datetime] | None = None) -> Table:
    """Trending entities with their recent past as a sparkline; `moments`: when each did, if that differs."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("entity", max_width=40)
    table.add_column("type")
    for name in ("authors", "expected", "posts", "score"):
        table.add_column(name, justify="right")
    table.add_column("recent, oldest first", no_wrap=True)
    if moments is not None:
        table.add_column("until (UTC)", no_wrap=True, style="dim")
    for trend, moment in zip_longest(trends, moments or ()):
        entity = trend.entity
        table.add_row(
            Text(printable(entity.text), STYLES[entity.type]),
            entity.type,
            f"{entity.authors:,}",
            f"{trend.expected:.1f}",
            f"{entity.posts:,}",
            f"{trend.score:.1f}",
            sparkline(trend.series),
            *([f"{moment:%Y-%m-%d %H:%M}"] if moment else []),
        )
    return table


def entities_table(counts: Iterable[EntityCount]) -> Table:
    """Entities by how many people mention them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("entity", max_width=40)
    table.add_column("type")
    for name in ("authors", "posts"):
        table.add_column(name, justify="right")
    for count in counts:
        shown = Text(printable(count.text), STYLES[count.type])
        table.add_row(shown, count.type, f"{count.authors:,}", f"{count.posts:,}")
    return table


def sparkline(series: Sequence[int]) -> str:
    """A bar a number, as high as its share of the greatest."""
    highest = max(series, default=0)
    return "".join(_BARS[number * (len(_BARS) - 1) // highest if highest else 0] for number in series)


def trend_document(trend: Trend) -> dict[str, Any]:
    """A trend as JSON."""
    entity = trend.entity
    return {
        "key": entity.key,
        "type": entity.type,
        "text": entity.text,
        "posts": entity.posts,
        "authors": entity.authors,
        "expected": trend.expected,
        "score": trend.score,
        "series": list(trend.series),
    }


def dead_letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as JSON: `body` as text, and `body_base64` where text cannot hold its bytes."""
    document = letter.model_dump(exclude={"body"})
    document["body"] = letter.body.decode(errors="replace")
    if document["body"].encode() != letter.body:
        document["body_base64"] = base64.b64encode(letter.body).decode()
    return document
