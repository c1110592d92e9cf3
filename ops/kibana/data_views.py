"""The data views: which indices Kibana looks at, and which of their fields is the time."""

from dataclasses import dataclass

from ops.kibana.saved_object import SavedObject, packed
from search.elastic.address import DEFAULT_PREFIX, Names

_NAMES = Names(DEFAULT_PREFIX)


@dataclass(frozen=True)
class DataView:
    """A data view on an index or alias of tagstream. Values of the fields in `links` are addresses to follow."""

    name: str
    title: str
    time: str
    links: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"tagstream-{self.name}"

    def saved(self) -> SavedObject:
        """Returns the saved object. Kibana asks the server for the fields."""
        attributes = {
            "title": self.title,
            "name": f"tagstream: {self.name.replace('-', ' ')}",
            "timeFieldName": self.time,
            "fields": "[]",
            "fieldAttrs": "{}",
            "fieldFormatMap": packed({name: {"id": "url", "params": {"type": "a"}} for name in self.links}),
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
        }
        return SavedObject("index-pattern", self.id, attributes)


# The alias, and not the indices of the days: it leaves hidden accounts out.
POSTS = DataView("posts", _NAMES.shown_posts, "created_at", links=("url", "links.url"))
TRENDS = DataView("trends", _NAMES.trends, "minute")
EVENTS = DataView("events", _NAMES.events, "detected_at")
EVENT_STATES = DataView("event-states", _NAMES.event_states, "minute")
DEAD_LETTERS = DataView("dead-letters", _NAMES.dead, "kept_at")
DATA_VIEWS = (POSTS, TRENDS, EVENTS, EVENT_STATES, DEAD_LETTERS)
