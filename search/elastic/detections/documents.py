"""The documents in Elasticsearch of trends and events: pure functions to JSON.

Each carries the trend or event as every index stores it (`document`, which no query sees), what our questions ask for,
and flat fields for people and dashboards. None carries the ids of posts in a field that can be searched: what may be
seen of the evidence is decided when it is asked for.
"""

from collections import defaultdict
from typing import Any

from search.detections import bounded_milliseconds, minute_number, stored_json, subject_hash
from search.elastic.documents import document_id, shown_name
from tagstream.detections import DetectedEvent, SubjectType, TrendState

_FLAT_FIELDS: dict[SubjectType, str] = {
    "PER": "person",
    "LOC": "place",
    "ORG": "organisation",
    "MISC": "other",
    "HASHTAG": "hashtags",
    "WORD": "words",
}
_MAX_SUBJECTS = 100
"""The subjects of one event that dashboards can ask for; those that most posts mention come first."""


def trend_id(trend: TrendState) -> str:
    """Returns the document id of the state of a trend at the end of a minute."""
    return document_id("t", f"{subject_hash(trend)}/{minute_number(trend.minute)}")


def event_id(name: str) -> str:
    """Returns the document id of an event's newest state."""
    return document_id("e", name)


def event_state_id(event: DetectedEvent) -> str:
    """Returns the document id of the state of an event at the end of a minute."""
    return document_id("e", f"{minute_number(event.minute)}/{event.id}")


def trend_document(trend: TrendState, kept_at: int) -> dict[str, Any]:
    """Returns the document of the state of a trend, stored at that time in milliseconds since 1970."""
    return {
        "kept_at": kept_at,
        "subject": subject_hash(trend),
        "minute": minute_number(trend.minute),
        "started_at": minute_number(trend.started_at),
        "type": trend.type,
        "key": trend.key,
        "text": trend.text,
        _FLAT_FIELDS[trend.type]: [shown_name(trend.text)],
        "companions": [shown_name(one.text) for one in trend.companions],
        "authors": trend.authors,
        "posts": trend.posts,
        "expected": trend.expected,
        "score": trend.score,
        "document": stored_json(trend),
    }


def event_document(event: DetectedEvent, kept_at: int) -> dict[str, Any]:
    """Returns the document of the state of an event, stored at that time in milliseconds since 1970."""
    document: dict[str, Any] = {
        "kept_at": kept_at,
        "id": event.id,
        "minute": minute_number(event.minute),
        "detected_at": minute_number(event.detected_at),
        "started_at": minute_number(event.started_at),
        "peak_at": minute_number(event.peak_at),
        "title": ", ".join(map(shown_name, event.names)),
        "names": list(map(shown_name, event.names)),
        "authors": event.authors,
        "posts": event.posts,
        "score": event.score,
        "document": stored_json(event),
    }
    if event.ended_at is not None:
        document["ended_at"] = bounded_milliseconds(event.ended_at)
    if event.merged_into is not None:
        document["merged_into"] = event.merged_into
    subjects = defaultdict(list)
    for subject in event.subjects[:_MAX_SUBJECTS]:
        subjects[_FLAT_FIELDS[subject.type]].append(shown_name(subject.text))
    return document | subjects
