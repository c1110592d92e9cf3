"""Events as they are shown: title, JSON, CSV, table and line.

A title is the event's names, then a sentence: the text of its most typical post that may be seen. Texts of posts are
hostile and made visible here.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.cli.output import Cell, json_time
from search.cli.tables import Column, fitted
from search.index import EntityIndex
from tagstream.detections import DetectedEvent, SubjectType
from tagstream.posts import TaggedPost
from tagstream.text.terminal_text import visible

EVENT_HEADER = (
    "id", "title", "detected_at", "started_at", "ended_at", "authors", "score", "entities", "posts",
    "peak_at", "places", "people", "photos", "merged_into",
)  # fmt: skip
TITLE_LENGTH = 160
_NAMES_SHOWN = 3
_SHORTEST_SENTENCE = 40
# The least width of titles, and what the other columns take.
_TITLE_WIDTH = 40
_OTHER_COLUMNS = 72
_READS_AT_ONCE = 16
# What stands before the words of a repeated post, and addresses, say nothing in a title.
_NO_WORDS = re.compile(r"^RT @\w+:?\s+|https?://\S+|\bpic\.twitter\.com/\S+")


@dataclass(frozen=True, slots=True)
class EventView:
    """An event with those of its posts that may be seen.

    Attributes:
        event: the event.
        posts: its evidence, by id.
    """

    event: DetectedEvent
    posts: Mapping[str, TaggedPost]

    @property
    def title(self) -> str:
        """Its names, then a sentence, in one line that is safe on a terminal."""
        names = ", ".join(self.event.names[:_NAMES_SHOWN])
        typical = self.posts.get(self.event.typical or "") or next(iter(self.posts.values()), None)
        sentence = " ".join(_NO_WORDS.sub(" ", typical.text).split()) if typical else ""
        left = max(TITLE_LENGTH - len(names) - 2, _SHORTEST_SENTENCE)
        parts = [names, shortened(sentence, left)]
        return visible(": ".join(part for part in parts if part), TITLE_LENGTH + _SHORTEST_SENTENCE)

    @property
    def photos(self) -> list[dict[str, Any]]:
        """The photos of its posts: which post's, the number of the medium, its address and description."""
        return [
            {"post": post.id, "ordinal": ordinal, "url": medium.url, "alt": medium.alt}
            for post in self.posts.values()
            for ordinal, medium in enumerate(post.media)
            if medium.kind == "photo"
        ]

    def texts(self, *types: SubjectType) -> list[str]:
        """Returns the spellings of its subjects of these types, most posts first."""
        return [subject.text for subject in self.event.subjects if subject.type in types]

    @property
    def state(self) -> str:
        """Whether it lives, or how it ended, in few words."""
        if self.event.ended_at is None:
            return "live"
        return "merged" if self.event.merged_into else f"ended {self.event.ended_at:%m-%d %H:%M}"


def shortened(text: str, length: int) -> str:
    """Returns the text, cut before a word if it is longer than that; the cut is marked."""
    if len(text) <= length:
        return text
    cut = text[: length - 1]
    at_word = cut.rpartition(" ")[0] if text[length - 1] != " " else cut
    return f"{(at_word or cut).rstrip(' ,;:-')}…"


async def views(index: EntityIndex, events: Sequence[DetectedEvent], *, evidence: bool) -> list[EventView]:
    """Returns the events with their posts: all of the evidence, or only what a title needs."""
    wanted = {
        event.id: [post.post_id for post in event.evidence] if evidence else _for_a_title(event) for event in events
    }
    limit = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(post_id: str) -> tuple[str, TaggedPost | None]:
        async with limit:
            return post_id, await index.get(post_id)

    ids = dict.fromkeys(post_id for some in wanted.values() for post_id in some)
    posts = {post_id: post for post_id, post in await asyncio.gather(*map(read, ids)) if post is not None}
    return [
        EventView(event, {post_id: posts[post_id] for post_id in wanted[event.id] if post_id in posts})
        for event in events
    ]


def _for_a_title(event: DetectedEvent) -> list[str]:
    first = event.evidence[0].post_id if event.evidence else None
    return [post_id for post_id in dict.fromkeys((event.typical, first)) if post_id is not None]


def event_document(view: EventView) -> dict[str, Any]:
    """Returns an event as JSON."""
    event = view.event
    return {
        "id": event.id,
        "title": view.title,
        "detected_at": json_time(event.detected_at),
        "started_at": json_time(event.started_at),
        "ended_at": None if event.ended_at is None else json_time(event.ended_at),
        "authors": event.authors,
        "score": event.score,
        "entities": [{"text": one.text, "type": one.type, "key": one.key} for one in event.entities],
        "posts": list(view.posts),
        "peak_at": json_time(event.peak_at),
        "places": view.texts("LOC"),
        "people": view.texts("PER"),
        "photos": view.photos,
        "merged_into": event.merged_into,
        "hashtags": view.texts("HASHTAG"),
        "words": view.texts("WORD"),
    }


def event_row(view: EventView) -> list[Cell]:
    """Returns an event as the cells of a CSV, in the order of `EVENT_HEADER`."""
    event = view.event
    return [
        event.id,
        view.title,
        event.detected_at,
        event.started_at,
        event.ended_at,
        event.authors,
        round(event.score, 2),
        [f"{one.text} ({one.type})" for one in event.entities],
        list(view.posts),
        event.peak_at,
        view.texts("LOC"),
        view.texts("PER"),
        [photo["url"] or "" for photo in view.photos],
        event.merged_into,
    ]


def events_table(found: Iterable[EventView], target: Console) -> Table:
    """Returns a table of events."""
    rows = list(found)
    return fitted(
        [
            Column("event", [Text(view.title) for view in rows]),
            Column("since (UTC)", [f"{view.event.started_at:%Y-%m-%d %H:%M}" for view in rows], dispensable=5),
            Column("authors", [f"{view.event.authors:,}" for view in rows], justify="right", dispensable=2),
            Column("score", [f"{view.event.score:.1f}" for view in rows], justify="right", dispensable=1),
            Column("state", [view.state for view in rows], dispensable=3, style="dim"),
            Column("id", [visible(view.event.id, _SHORTEST_SENTENCE) for view in rows], dispensable=4, style="dim"),
        ],
        target,
        first_width=max(_TITLE_WIDTH, target.width - _OTHER_COLUMNS),
    )


def event_line(view: EventView) -> str:
    """Returns an event in one line, as `--follow` prints it."""
    event = view.event
    return f"{event.detected_at:%Y-%m-%d %H:%M}  event  {view.title}  ({event.authors:,} authors, {event.id})"
