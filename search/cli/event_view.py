"""Events as they are shown: title, JSON, CSV, table and line.

Texts of posts are hostile: what people see is made visible here, and programs get the text as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.cli.output import Cell, json_time
from search.cli.tables import Column, fitted
from search.event_names import names_of_evidence
from search.event_titles import event_title, posts_of
from search.index import EntityIndex
from tagstream.detections import DetectedEvent, EventSubject, SubjectType
from tagstream.posts import TaggedPost
from tagstream.text.terminal_text import visible

EVENT_HEADER = (
    "id", "title", "detected_at", "started_at", "ended_at", "authors", "score", "entities", "posts",
    "peak_at", "places", "people", "photos", "merged_into",
)  # fmt: skip
_ID_LENGTH = 40
# The least width of titles, and what the other columns take.
_TITLE_WIDTH = 40
_OTHER_COLUMNS = 72


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
        """Its names, then a sentence, in one line that is not made safe for a terminal."""
        return event_title(self.event, self.posts)

    @property
    def shown_title(self) -> str:
        """Its title, safe on a terminal."""
        return visible(self.title)

    @property
    def photos(self) -> list[dict[str, Any]]:
        """The photos of its posts: which post's, the number of the medium, its address and description."""
        return [
            {"post": post.id, "ordinal": ordinal, "url": medium.url, "alt": medium.alt}
            for post in self.posts.values()
            for ordinal, medium in enumerate(post.media)
            if medium.kind == "photo"
        ]

    @property
    def names_of_posts(self) -> tuple[EventSubject, ...]:
        """The people, places and organisations that many of its posts name, other than its own subjects."""
        return names_of_evidence(self.event, self.posts.values())

    @property
    def entities(self) -> tuple[EventSubject, ...]:
        """Its named entities: its own, most posts first, then those of its posts."""
        return (*self.event.entities, *self.names_of_posts)

    def texts(self, *types: SubjectType) -> list[str]:
        """Returns the spellings of its subjects of these types, most posts first, then of the names of its posts."""
        return [subject.text for subject in (*self.event.subjects, *self.names_of_posts) if subject.type in types]

    @property
    def state(self) -> str:
        """Whether it lives, or how it ended, in few words."""
        if self.event.ended_at is None:
            return "live"
        if self.event.merged_into:
            return f"merged into {visible(self.event.merged_into, _ID_LENGTH)}"
        return f"ended {self.event.ended_at:%m-%d %H:%M}"


async def views(index: EntityIndex, events: Sequence[DetectedEvent], *, evidence: bool) -> list[EventView]:
    """Returns the events with their posts: all of the evidence, or only what a title needs."""
    posts = await posts_of(index, events, evidence=evidence)
    return [EventView(event, posts[event.id]) for event in events]


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
        "entities": [{"text": one.text, "type": one.type, "key": one.key} for one in view.entities],
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
        [f"{one.text} ({one.type})" for one in view.entities],
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
            Column("event", [Text(view.shown_title) for view in rows]),
            Column("since (UTC)", [f"{view.event.started_at:%Y-%m-%d %H:%M}" for view in rows], dispensable=5),
            Column("authors", [f"{view.event.authors:,}" for view in rows], justify="right", dispensable=2),
            Column("score", [f"{view.event.score:.1f}" for view in rows], justify="right", dispensable=1),
            Column("state", [view.state for view in rows], dispensable=3, style="dim"),
            Column("id", [visible(view.event.id, _ID_LENGTH) for view in rows], dispensable=4, style="dim"),
        ],
        target,
        first_width=max(_TITLE_WIDTH, target.width - _OTHER_COLUMNS),
    )


def event_line(view: EventView) -> str:
    """Returns an event in one line, as `--follow` prints it."""
    event = view.event
    return f"{event.detected_at:%Y-%m-%d %H:%M}  event  {view.shown_title}  ({event.authors:,} authors, {event.id})"
