"""docs/reference/json-lines.md: every field of what tagstream reads and prints as JSON.

Tables are made from the contracts, examples by the code that writes such lines, and what is read is read here, too.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ingest.cli import report_document as ingest_report
from ingest.run import IngestProgress, IngestReport
from ingest.sources.jsonl.line import read_event
from ops.docs.fields import fields_table, table
from search.cli.counts import count_document
from search.cli.event_view import EventView, event_document
from search.cli.tables import dead_letter_document
from search.cli.trend_view import TrendView
from search.dump_lines import DumpWriter
from search.index import Bucket, Remembered, SourceCursor, Thumbnail
from search.registry import RegistryRecord
from tagstream.dead_letter import dead_letter
from tagstream.detections import Companion, DetectedEvent, EventSubject, EvidencePost, SubjectForm, TrendState
from tagstream.posts import (
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Entity,
    Erasure,
    Link,
    Media,
    Post,
    SegmentedHashtag,
    TaggedPost,
)
from tagstream.runtime.metrics import PipelineProgress
from workers.cli.run import report_document as run_report
from workers.local import RunReport
from workers.pipeline.microbatch import BatchFigures

_TEXT = "Angela Merkel lands in #NewYorkCity"
_TIME = datetime(2024, 5, 1, 12, tzinfo=UTC)
_PHOTO = "0" * 64
_EVIDENCE = (EvidencePost(post_id="jsonl:7", author=1, minute=_TIME, trending=("angela merkel", "new york city")),)

EXAMPLE = TaggedPost(
    id="jsonl:7",
    source="jsonl",
    author=Author(id="ann", handle="ann@social.example"),
    created_at=_TIME,
    text=_TEXT,
    lang="en",
    hashtags=(SegmentedHashtag(text="NewYorkCity", start=23, end=35, words=("New", "York", "City")),),
    entities=(
        Entity(text="Angela Merkel", type="PER", start=0, end=13, score=0.99, key="angela merkel"),
        Entity(text="NewYorkCity", type="LOC", start=24, end=35, score=0.9, in_hashtag=True, key="new york city"),
    ),
    model="mner@1+image_encoder@1",
    generation=3,
)
LETTER = dead_letter(
    origin="feed.jsonl:9",
    source="jsonl",
    cause="invalid_json",
    message="it is not JSON",
    body=b"{not json",
    position=9,
)

# What `jsonl:` takes, form by form: a line, the contract that it becomes, and its meaning.
_LINES: tuple[tuple[str, type, str], ...] = (
    ('{"id": 7, "text": "…", "created_at": "2024-05-01T12:00:00Z"}', Post, "A post."),
    ('{"id": 7, "delete": true}', Deletion, "The post is deleted, up to `revision` if there is one."),
    ('{"author": "ann", "erase": true}', Erasure, "Everything of the account that came before is erased."),
    ('{"author": "ann", "hide": true}', AccountStatus, "The account is hidden; with `false` it is shown again."),
)
_LINE_FIELDS = {
    "id": ("string or integer", "The native id. Required for a post and a deletion."),
    "text": ("string", "Required for a post."),
    "created_at": (
        "string or number",
        "Required for a post. ISO 8601, RFC 2822 or a day such as `18/04/2013 10:30` that can be one only (UTC where "
        "no zone is named; `03/04/2024` is refused), or seconds, milliseconds, "
        "microseconds or nanoseconds since 1970, told apart by size.",
    ),
    "source": ("string", "`jsonl` if missing."),
    "author": ("string, or object with `id` and `handle`", "Who wrote it. Required to erase and to hide."),
    "revision": ("integer", "Rises with every edit; 0 if missing."),
    "lang": ("string", "Any name or code of a language: `en`, `English`, `en_US`."),
    "langs": ("list of strings", "All languages of the post."),
    "url": ("string", "Its address for people."),
    "hashtags": ("list of strings", "Those that the text lacks have no offsets."),
    "media": (
        "list of objects",
        "`url`, `alt`, `kind`, `width`, `height`, `sha256`, `reason`; the first four objects count.",
    ),
    "reply_to": ("string or integer", "The native id of the post that it answers."),
    "sequence": (
        "integer",
        "Rises with the time of the feed, over all of its files. Erasures and statuses go by it; without it by the "
        "number of the line.",
    ),
    "delete": ("boolean", "The line is a deletion."),
    "erase": ("boolean", "The line is an erasure."),
    "hide": ("boolean", "The line is a status of an account."),
}
_DUMP_KINDS = {
    "dump": "The first line: the format.",
    "": "Without `kind` and with `hide`: the newest status of an account.",
    "erasure": "An account that is erased up to `position`.",
    "record": "What the registry says of an id: one line for every id that was ever seen.",
    "post": "Without `kind`: a tagged post, if it may be seen. It follows its record.",
    "thumbnail": "A thumbnail of that post; `jpeg` is base64.",
    "trend": "A trend as it stood at the end of one minute.",
    "event": "An event as it stood at the end of one minute.",
    "dead_letter": "A dead letter; `body` is base64.",
    "cursor": "How far a source has been read.",
    "end": "The last line: how many lines stand before it, their SHA-256, and how many there are of each sort.",
}
_RECORD = {
    "id": "The id.",
    "number": "Orders posts by time: milliseconds since 1970, shifted, then a running count. 0 or less: no post was "
    "seen.",
    "version": "The newest stored version (`revision << 12 | generation`); -1 if there is none.",
    "position": "Its position in the order of its source.",
    "observed_at": "When tagstream accepted it, in milliseconds since 1970.",
    "deleted": "The version up to which the post is gone; -1 if it is not.",
    "deleted_position": "The position at which its source said so.",
    "visible": "Whether the post may be seen.",
}
_TREND = {
    "key": "The form by which the name is counted and asked for.",
    "type": "`PER`, `LOC`, `ORG` or `MISC`; of a trend that the detector stored also `HASHTAG` or `WORD`.",
    "text": "Its commonest spelling.",
    "posts": "Posts in the window that mention it.",
    "authors": "Their distinct authors; a post without author is its own.",
    "expected": "How many authors the windows before explain.",
    "score": "By how many deviations the authors exceed that.",
    "series": "Authors of each window, oldest first; empty with `--follow`.",
    "until": "The end of the window.",
    "window_seconds": "The length of the window.",
    "started_at": "When its rise began, if the detector stored it; else null.",
}
_EVENT = {
    "id": "The id, which stays while the event lives.",
    "title": "Its names, then the text of a post that mentions them, shortened to one line; the text as it is: "
    "escape it for a terminal or a page.",
    "detected_at": "When it was first said, by the feed's clock.",
    "started_at": "The minute of the first post of its evidence so far.",
    "ended_at": "When it ended; null while it lives.",
    "authors": "Distinct authors over its whole life, estimated.",
    "score": "The highest significance of its names.",
    "entities": "Its named entities: those that trend, most posts first; then other people, places and organisations "
    "that at least a quarter of `posts`, and two, name, each key once.",
    "posts": "The ids of posts as evidence, at most 20; near-copies are folded, and what is deleted is not among them.",
    "peak_at": "The minute of the most authors so far.",
    "places": "The spellings of its places, in the order of `entities`.",
    "people": "The spellings of its people, likewise.",
    "photos": "Photos of its posts: `post`, `ordinal` (for `tagstream photo`), `url` and `alt`.",
    "merged_into": "The id of the event that it became part of; null if it did not.",
    "hashtags": "Its hashtags.",
    "words": "Its words that are neither names nor hashtags.",
}
_COUNT = {
    "start": "The beginning of the stretch of time, UTC.",
    "posts": "The posts in it that the query finds.",
    "authors": "Their distinct authors; a post without author is its own.",
}
_RUN = {
    "posts": "Posts that were finished.",
    "posts_per_second": "Their rate over the whole run.",
    "elapsed_seconds": "How long the run took.",
    "read": "Events that the source gave.",
    "finished": "Events that are safe in the index.",
    "published": "Events that are on the broker, with their cursor.",
    "dead_letters": "Dead letters among them.",
    "outcomes": "How many events had which outcome ([metrics](metrics.md)).",
    "dropped": "Those of them after which the event's own post is not in the index.",
    "source": "What the source counted itself ([the names](sources.md#what-is-counted)).",
    "behind_seconds": "How far the index (the broker) is behind the network's own clock; null where nothing is live.",
    "clock_jumps": "How often this machine's clock was set.",
    "clock_warning": "What is wrong with this machine's clock; null if nothing is.",
    "ended": "Whether the feed has ended and all of it is safe.",
    "abandoned": "Events that a stop left unfinished; the next run reads them again.",
    "cursor": "Where the next run goes on.",
    "p50_seconds": "The median time from arrival to the durable index.",
    "p95_seconds": "The same, of 95 % of events.",
    "batches": "Figures of the tagger's batches: how many were closed and why, and how full they were.",
    "detection": "Figures of the detection of trends and events: posts that were late or passed over, failures, states "
    "that were written, and webhooks; null where nothing is detected.",
}


def json_lines_page() -> str:
    """The whole page."""
    parts = [
        "# JSON lines",
        "This page is for people who write programs that read what tagstream prints, or write what it reads. "
        "It is written by `make docs` from the contracts in the code.",
        "Every line is one JSON document in UTF-8. Fields may be added in a later version; none is renamed or removed "
        "within a version of the contract. Characters that could steer a terminal are written as JSON escapes. "
        "The schemas are in [schemas/](schemas/).",
        "## A tagged post",
        "Printed by `tagstream tag --json`, `tag --output`, `search --json` and `dump`, and carried by the topic "
        "[`posts.tagged`](topics.md).",
        _block(EXAMPLE.model_dump_json()),
        fields_table(TaggedPost),
        *_nested(Author, Link, SegmentedHashtag, Media, Entity),
        "## A dead letter",
        "Printed by `tagstream dead-letters list --json` and `dead-letters show --json`.",
        _block(json.dumps(dead_letter_document(LETTER), ensure_ascii=False)),
        fields_table(DeadLetter),
        "`body` is text. Where text cannot hold the bytes, `body_base64` holds them as well.",
        *_dump(),
        *_read(),
        "## Other answers",
        "### A trend",
        "Printed by `tagstream trends --json`, one line for each name.",
        _meanings(_TREND, _trend().document()),
        *_events(),
        "### A count",
        "Printed by `tagstream counts --json`, one line for each stretch of time.",
        _meanings(_COUNT, count_document(Bucket(_TIME, 9, 8))),
        "### The report of a run",
        "Printed by `tagstream run --json` and `tagstream retag --json` at the end.",
        _meanings(_RUN, run_report(_run())),
        "### The report of an ingest",
        "Printed by `tagstream ingest --json` at the end.",
        _meanings(_RUN, ingest_report(_ingest())),
        "### Others",
        table(
            ("command", "fields"),
            (
                ("`segment --json`", "`hashtag`, `words`"),
                (
                    "`restore --json`",
                    "`lines` read; how many had which outcome; `cursors` written; `complete`: all of it was restored; "
                    "`faults`: how many lines were damaged",
                ),
                ("`compact --json`", "`bytes_before`, `bytes_after`"),
                (
                    "`tag --conll FILE --json`",
                    "`posts`, `posts_per_second`, and the scores `strict`, `lenient` and `entity_free`",
                ),
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _nested(*contracts: Any) -> Iterable[str]:
    for contract in contracts:
        yield f"### {contract.__name__}"
        yield fields_table(contract)


def _dump() -> Iterable[str]:
    writer = DumpWriter()
    record = RegistryRecord(id=EXAMPLE.id, number=1, version=3, position=7, observed_at=1714564800000, visible=True)
    kept = (
        AccountStatus(source="jsonl", author="bo", hidden=True, position=7),
        Erasure(source="jsonl", author="bea", position=12),
        Remembered(record, EXAMPLE, (Thumbnail(_PHOTO, b"\xff\xd8\xff"),)),
        TrendState(
            type="LOC",
            key="new york city",
            text="NewYorkCity",
            minute=_TIME,
            started_at=_TIME,
            window_minutes=10,
            authors=8,
            posts=9,
            expected=0.5,
            score=12.0,
            evidence=_EVIDENCE,
        ),
        DetectedEvent(
            id="5f1c",
            minute=_TIME,
            names=("NewYorkCity",),
            detected_at=_TIME,
            started_at=_TIME,
            peak_at=_TIME,
            subjects=(EventSubject(type="LOC", key="new york city", text="NewYorkCity", posts=9, authors=8),),
            authors=8,
            posts=9,
            score=12.0,
            evidence=_EVIDENCE,
            typical=EXAMPLE.id,
        ),
        LETTER,
        SourceCursor("jsonl:feed.jsonl", "…"),
    )
    lines = [writer.begin(), *(line for one in kept for line in writer.lines(one)), writer.end()]
    yield "## A line of a dump"
    yield (
        "Printed by `tagstream dump`, read by `tagstream restore`. The lines stand in this order, so that nothing that "
        "is hidden or gone is visible for a moment while a dump is restored."
    )
    yield _block("\n".join(line if len(line) < 200 else f"{line[:110]}…" for line in lines))
    yield table(
        ("`kind`", "the line"),
        ((f"`{kind}`" if kind not in ("", "post") else "", what) for kind, what in _DUMP_KINDS.items()),
    )
    yield "The fields of a record:"
    yield _meanings(_RECORD, json.loads(lines[3]) | {}, without=("kind",))
    yield "The fields of a trend, but for those that are null:"
    yield fields_table(TrendState)
    yield "Those of an event:"
    yield fields_table(DetectedEvent)
    yield from _nested(EvidencePost, SubjectForm, Companion, EventSubject)
    yield (
        "Trends and events name their posts as they were counted; what was deleted or is hidden is left out where an "
        "index answers. Shingles, new authors and new posts are not kept, and no dump holds the snapshots of detectors."
    )
    yield (
        "A dump leaves out thumbnails that wait for posts which are not written yet, and erasures of which an index in "
        "Elasticsearch kept no account name, as those of before `restore` existed did; the last line says how many "
        "(`unnamed_erasures`). `dump --kind posts` prints the statuses and the posts alone, those of hidden authors "
        "too: two runs over one feed print the same lines, and the whole dump does not, because it says when posts "
        "were seen. A `jsonl:` source reads both: it tags the posts anew, deletes what the records say was deleted, "
        "and passes over thumbnails, cursors, trends and events. Format 1, of before there were trends and events, is "
        "restored too."
    )


def _read() -> Iterable[str]:
    yield "## A line that tagstream reads"
    yield (
        "Taken by `jsonl:PATH` and `-`. Other forms that it recognises are listed in "
        "[sources](sources.md#what-a-file-may-hold)."
    )
    for line, contract, _ in _LINES:
        event = read_event(line.encode(), origin="page:1", position=1)
        if type(event) is not contract:
            raise LookupError(f"ops/docs/json_lines.py: {line} is read as {event}")
    yield table(("line", "what it says"), ((f"`{line}`", what) for line, _, what in _LINES))
    yield table(("field", "type", "meaning"), ((f"`{name}`", *told) for name, told in _LINE_FIELDS.items()))
    yield (
        "Null is the same as a missing field. Fields of other names are ignored. A field of these names with a value "
        "of the wrong type makes the line a dead letter that names the field. A line that names both `delete` and "
        "`erase`, or `hide: true` beside a post, is refused, because nobody can say which is meant."
    )


def _meanings(meanings: Mapping[str, str], document: Mapping[str, Any], *, without: tuple[str, ...] = ()) -> str:
    """The fields of an example, in its order, each with its meaning."""
    return table(("field", "meaning"), ((f"`{name}`", meanings[name]) for name in document if name not in without))


def _block(text: str) -> str:
    return f"```json\n{text}\n```"


def _trend() -> TrendView:
    return TrendView("berlin", "LOC", "Berlin", 9, 8, 0.5, 12.0, _TIME, 3600, (0, 1, 8), _TIME)


def _event() -> EventView:
    merkel = EventSubject(type="PER", key="angela merkel", text="Angela Merkel", posts=9, authors=8)
    new_york = EventSubject(type="LOC", key="new york city", text="NewYorkCity", posts=7, authors=7)
    event = DetectedEvent(
        id="5f3a9c0d1b2e4f68",
        minute=_TIME,
        names=("Angela Merkel", "NewYorkCity"),
        detected_at=_TIME,
        started_at=_TIME,
        peak_at=_TIME,
        subjects=(merkel, new_york),
        authors=8,
        posts=9,
        score=12.5,
        typical=EXAMPLE.id,
    )
    return EventView(event, {EXAMPLE.id: EXAMPLE})


def _events() -> Iterable[str]:
    yield "### An event"
    yield "Printed by `tagstream events --json` and `tagstream event --json`."
    yield _block(json.dumps(event_document(_event()), ensure_ascii=False))
    yield _meanings(_EVENT, event_document(_event()))
    yield (
        "`tagstream event --json` adds `history`: `minute`, `authors`, `posts` and `score` of each minute of the "
        "event's life. With `--csv`, lists are joined by semicolons, `photos` are addresses, and a cell that a "
        "spreadsheet would take for a formula begins with an apostrophe."
    )


def _run() -> RunReport:
    progress = PipelineProgress(1.0, 1, 1, 1, 1.0, 0, 0.0, {}, {}, None)
    return RunReport(progress, True, None, 0, 0.1, 0.2, BatchFigures())


def _ingest() -> IngestReport:
    return IngestReport(IngestProgress(1.0, 1, 1, 1, 0, 0, 0.0, None, None, {}), True)
