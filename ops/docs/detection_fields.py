"""Meanings of the fields of trends and events, for the tables of `fields.py`."""

from pydantic import BaseModel

from tagstream.detections import Companion, DetectedEvent, EventSubject, EvidencePost, SubjectForm, TrendState

_TYPE = "`PER`, `LOC`, `ORG`, `MISC`, `HASHTAG` or `WORD`."
_KEY = "The form by which it is counted."
_EVIDENCE = "Posts that show it, by id."

DETECTION_MEANINGS: dict[type[BaseModel], dict[str, str]] = {
    TrendState: {
        "type": _TYPE,
        "key": "The key of the form that most posts had when the rise began.",
        "text": "Its commonest spelling.",
        "minute": "The closed minute, by the feed's clock, at whose end this was so.",
        "started_at": "The first minute of the rise.",
        "window_minutes": "How long the window is that ends with the minute.",
        "authors": "Distinct authors in the window; accounts that copy one text count once.",
        "posts": "Posts in the window.",
        "expected": "How many authors its past lets expect.",
        "score": "By how many deviations the authors exceed that.",
        "forms": "The types and keys that count as it, because their letters are the same, most posts first.",
        "companions": "What is mentioned with it, most posts first, in the newest distinct posts of the window.",
        "counted": "How many posts these are.",
        "evidence": _EVIDENCE,
        "new_authors": "Hashes of authors since the state before: an event counts its whole life by them.",
        "new_posts": "Hashes of posts since the state before, likewise.",
    },
    DetectedEvent: {
        "version": "The version of the contract.",
        "id": "Stays the same while the event lives.",
        "minute": "The closed minute, by the feed's clock, at whose end this was so.",
        "names": "The names of what leads it.",
        "detected_at": "When it was first said.",
        "started_at": "The minute of the first post of its evidence so far.",
        "peak_at": "The minute of the most authors so far.",
        "ended_at": "When it ended; null while it lives.",
        "merged_into": "The id of the event that it became part of, if it ended so.",
        "subjects": "What it is about, most posts first.",
        "authors": "Distinct authors over its whole life, estimated.",
        "posts": "Its posts so far; near-copies count once.",
        "score": "The highest significance of what it is about.",
        "evidence": _EVIDENCE,
        "reserve": "More of its posts, the best first, which take the place of evidence that is deleted or hidden.",
        "typical": "The id of its most typical post; null if there is none.",
    },
    EvidencePost: {
        "post_id": "The id of the post.",
        "author": "A hash of source and author; null for a post without author.",
        "minute": "The minute of its time.",
        "shingles": "Hashes of its runs of words; on the bus, never in an index or a dump.",
        "trending": "The keys of what trends and stands in it: a name stays while one of these posts mentions it.",
    },
    SubjectForm: {
        "type": _TYPE,
        "key": _KEY,
        "text": "The commonest spelling of this form.",
        "posts": "Posts in the window that have it; near-copies count once.",
    },
    Companion: {
        "type": _TYPE,
        "key": _KEY,
        "text": "A spelling of it.",
        "posts": "How many posts mention both; near-copies count once.",
    },
    EventSubject: {
        "type": _TYPE,
        "key": _KEY,
        "text": "A spelling of it.",
        "posts": "Posts of the event that mention it.",
        "authors": "Their distinct authors.",
    },
}
