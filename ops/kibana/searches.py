"""The saved searches: lists of documents to begin with in Discover."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.kibana.data_views import DEAD_LETTERS, EVENTS, POSTS, TRENDS, DataView
from ops.kibana.saved_object import Reference, SavedObject, search_source

_REFERENCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_POST_COLUMNS = ("text", "author_handle", "source", "person", "place", "organisation", "hashtags", "url")


@dataclass(frozen=True)
class SavedSearch:
    """A list of the documents that a query finds, newest first."""

    name: str
    title: str
    view: DataView
    columns: Sequence[str]
    query: str = ""
    description: str = ""
    kind: str = "search"

    @property
    def id(self) -> str:
        return f"tagstream-{self.name}"

    def saved(self) -> SavedObject:
        """Returns the saved object."""
        attributes = {
            "title": self.title,
            "description": self.description,
            "columns": list(self.columns),
            "sort": [[self.view.time, "desc"]],
            "grid": {},
            "hideChart": False,
            "isTextBasedQuery": False,
            "timeRestore": False,
            "kibanaSavedObjectMeta": search_source(self.query, _REFERENCE),
        }
        return SavedObject("search", self.id, attributes, [Reference(_REFERENCE, "index-pattern", self.view.id)])


LATEST = SavedSearch("latest-posts", "tagstream: posts", POSTS, _POST_COLUMNS)
REPAIR = SavedSearch(
    "degraded-posts",
    "tagstream: degraded posts",
    POSTS,
    ("text", "source", "degraded", "model", "url"),
    "degraded: *",
    "Tagged without their photos; they are repaired later.",
)
SEARCHES = (
    LATEST,
    SavedSearch(
        "photo-posts", "tagstream: posts with photos", POSTS, (*_POST_COLUMNS, "image_labels"), "media_kinds: photo"
    ),
    SavedSearch(
        "live-events",
        "tagstream: live events",
        EVENTS,
        ("title", "authors", "posts", "score", "started_at", "peak_at"),
        "not ended_at: *",
    ),
    SavedSearch(
        "stored-trends", "tagstream: trends", TRENDS, ("text", "type", "authors", "expected", "score", "companions")
    ),
    REPAIR,
    SavedSearch("dead-letters", "tagstream: dead letters", DEAD_LETTERS, ("source", "cause", "message")),
)
