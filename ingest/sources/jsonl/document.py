"""The reading of a line of a feed, or a document of a file, in any dialect. Pure.

::

    bytes ─▶ object ─▶ a recording or a dump of ours   the events that were recorded
                  └──▶ a dialect of `dialects.py`      a post, a deletion, a page of them; or a notice, which is counted
                  └──▶ a line of ours (`line.py`)      every other object

A document that cannot be read is a dead letter with its origin. Each entry of a page has one of its own, `…#7`, unless
none of them can be read: then the page has one.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from ingest.sources.error_isolation import identified_dead_letter, isolate_error
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, read_object, refuse
from ingest.sources.jsonl.dialects import Dialect, dialect_of, nearest, unwrapped
from ingest.sources.jsonl.dump import read_dump_line
from ingest.sources.jsonl.line import DEFAULT_SOURCE, event_of, identity_of_line
from ingest.sources.jsonl.mongo import MARK, plain
from ingest.sources.jsonl.reading import DocumentEvents, DocumentOrigin, PassedOverDocument
from ingest.sources.jsonl.table import Table
from ingest.sources.wrappers.recording import read_recorded_line, recorded_line
from tagstream.dead_letter import dead_letter
from tagstream.posts import DeadLetter, Event, Post

# Bounds the dead letters, and the work, of one document.
MAX_PARTS = 20_000
# A page names a post once and may repeat it in each of its entries: few bytes could become any number of characters.
MAX_PAGE_CHARACTERS = 32_000_000
_LONGEST_NOTHING = 32
# Documents of the commonest forms, known to be good: if these fail, the defect is ours (`error_isolation.py`).
_KNOWN_GOOD = (
    b'{"id": 7, "text": "Rain in #Porto", "created_at": "2024-05-01T12:00:00Z", "author": "ann"}',
    b'{"id_str": "1786000000000000000", "created_at": "Thu May 02 11:37:04 +0000 2024", "full_text": "Rain in #Porto", '
    b'"user": {"id_str": "7", "screen_name": "ann"}, "entities": {"hashtags": [], "urls": []}, "retweet_count": 0}',
    b'{"data": {"id": "1786000000000000000", "text": "Rain in #Porto", "author_id": "7", '
    b'"created_at": "2024-05-02T11:37:04.000Z"}, "includes": {"users": [{"id": "7", "username": "ann"}]}}',
    b'{"uri": "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3l3qo2vuowo2b", "author": {"did": '
    b'"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "handle": "ann.example"}, "indexedAt": "2024-09-09T19:46:02.102Z", '
    b'"record": {"$type": "app.bsky.feed.post", "text": "Rain in #Porto", "createdAt": "2024-09-09T19:45:59.102Z"}}',
    b'{"id": "112039999999999999", "created_at": "2024-03-04T10:00:00.123Z", "visibility": "public", "content": '
    b'"<p>Rain in #Porto</p>", "account": {"id": "7", "acct": "ann"}, "uri": '
    b'"https://social.example/users/ann/statuses/112039999999999999", "media_attachments": []}',
)


def read_line(body: bytes, *, origin: str, position: int, source: str = DEFAULT_SOURCE) -> DocumentEvents:
    """Reads a document; returns a dead letter with this `origin` if nothing in it can be understood.

    `source` is the source of a document that names none.
    """
    document = DocumentOrigin(origin, position, source)
    try:
        return _read_line(body, document)
    except Exception as error:
        return DocumentEvents((_dead_letter(_unexpected(error), body, document, {}),))


def _read_line(body: bytes, document: DocumentOrigin) -> DocumentEvents:
    if says_nothing(body):
        return DocumentEvents(passed_over=(PassedOverDocument.NOTHING,))
    recorded = read_recorded_line(body, origin=document.origin, position=document.position)
    if recorded is not None:
        return DocumentEvents((recorded[0],), supersedes=recorded[1])
    dumped = read_dump_line(body)
    if dumped is not None:
        return DocumentEvents(tuple(dumped), () if dumped else (PassedOverDocument.DUMP,))
    try:
        fields = read_object(body)
    except MalformedLine as malformed:
        return DocumentEvents((_dead_letter(malformed, body, document, {}),))
    return _read(plain(fields) if MARK in body else fields, body, document)


def read_record(body: bytes, table: Table, *, origin: str, position: int, source: str) -> DocumentEvents:
    """Reads a record of a table; returns a dead letter with this `origin` if nothing in it can be understood."""
    document = DocumentOrigin(origin, position, source)
    try:
        return _read(table.record_fields(body), body, document)
    except MalformedLine as malformed:
        return DocumentEvents((_dead_letter(malformed, body, document, {}),))
    except Exception as error:
        return DocumentEvents((_dead_letter(_unexpected(error), body, document, {}),))


def says_nothing(body: bytes) -> bool:
    """Says whether the document is `null` or an empty list: tools write these for an answer without content."""
    return len(body) < _LONGEST_NOTHING and b"".join(body.split()) in (b"null", b"[]")


def _read(fields: Fields, body: bytes, document: DocumentOrigin) -> DocumentEvents:
    fields = unwrapped(fields)
    dialect = dialect_of(fields)
    if dialect is not None and dialect.parts is not None:
        return _read_parts(dialect, fields, body, document)
    try:
        result = _own(fields, document) if dialect is None else _of_dialect(dialect, fields)
    except MalformedLine as malformed:
        return DocumentEvents((_dead_letter(malformed, body, document, _identity(dialect, fields, document)),))
    except Exception as error:
        return DocumentEvents((_named_dead_letter(_unexpected(error), body, document, dialect, fields),))
    return (
        DocumentEvents(passed_over=(result,)) if isinstance(result, PassedOverDocument) else DocumentEvents((result,))
    )


def _own(fields: Fields, document: DocumentOrigin) -> Event:
    try:
        return event_of(fields, document.position, document.source)
    except MalformedLine as malformed:
        refuse(malformed.fault, f"{malformed}{nearest(fields)}")


def _of_dialect(dialect: Dialect, fields: Fields) -> Event | PassedOverDocument:
    """Reads a document in a dialect; turns every error into a refusal that names the dialect."""
    assert dialect.read is not None
    try:
        return dialect.read(fields)
    except MalformedLine as malformed:
        refuse(malformed.fault, f"read as {dialect.name}: {malformed}")
    except (ValidationError, OverflowError, RecursionError) as error:
        refuse(LineFault.BAD_FIELD, f"read as {dialect.name}: a value that no post can have ({type(error).__name__})")


def read_known_good() -> None:
    """Reads a known good document in each of the commonest dialects, without a guard."""
    for body in _KNOWN_GOOD:
        fields = unwrapped(read_object(body))
        dialect = dialect_of(fields)
        result = event_of(fields, 1, DEFAULT_SOURCE) if dialect is None else _of_dialect(dialect, fields)
        if not isinstance(result, PassedOverDocument):
            read_recorded_line(recorded_line(result), origin="", position=1)


def _identity(dialect: Dialect | None, fields: Fields, document: DocumentOrigin) -> dict[str, Any]:
    if dialect is None:
        return identity_of_line(fields, document.position, document.source)
    return {"source": dialect.source, "position": document.position, **dialect.identity(fields)}


def _read_parts(dialect: Dialect, fields: Fields, body: bytes, document: DocumentOrigin) -> DocumentEvents:
    assert dialect.parts is not None
    try:
        parts = dialect.parts(fields)
        if len(parts) > MAX_PARTS:
            refuse(LineFault.BAD_FIELD, f"a page of {len(parts):,} entries, the limit is {MAX_PARTS:,}")
    except MalformedLine as malformed:
        refusal = MalformedLine(malformed.fault, f"read as {dialect.name}: {malformed}")
        return DocumentEvents((_dead_letter(refusal, body, document, {"source": dialect.source}),))
    events: list[Event] = []
    passed_over: list[PassedOverDocument] = []
    characters = 0
    for index, (part, part_dialect) in enumerate(parts, 1):
        result = _read_part(
            part,
            part_dialect,
            DocumentOrigin(f"{document.origin}#{index}", document.position, document.source),
        )
        if isinstance(result, PassedOverDocument):
            passed_over.append(result)
        else:
            events.append(result)
            characters += len(result.text) if isinstance(result, Post) else 0
        if characters > MAX_PAGE_CHARACTERS:
            what = f"read as {dialect.name}: its posts have more than {MAX_PAGE_CHARACTERS:,} characters together"
            refusal = MalformedLine(LineFault.TEXT_TOO_LONG, what)
            return DocumentEvents((_dead_letter(refusal, body, document, {"source": dialect.source}),))
    if events and not passed_over and all(isinstance(event, DeadLetter) for event in events):
        return DocumentEvents((_dead_letter(_none_of(events), body, document, {"source": dialect.source}),))
    return DocumentEvents(tuple(events), tuple(passed_over) or (() if events else (PassedOverDocument.EMPTY_PAGE,)))


def _none_of(events: Sequence[Event]) -> MalformedLine:
    first = next(event for event in events if isinstance(event, DeadLetter))
    what = f"none of its {len(events):,} entries can be read, the first: {first.message}"
    return MalformedLine(LineFault.BAD_FIELD, what)


def _read_part(part: Any, dialect: Dialect, document: DocumentOrigin) -> Event | PassedOverDocument:
    try:
        if not isinstance(part, dict):
            refuse(LineFault.NOT_AN_OBJECT, "an entry of the page is no object")
        if dialect.read is None:
            refuse(LineFault.BAD_FIELD, f"{dialect.name} within a page")
        return _of_dialect(dialect, part)
    except MalformedLine as malformed:
        # A dead letter keeps the entry without what the page shares: five hundred copies of that would be large.
        body = _body_of(part, dialect)
        return _dead_letter(
            malformed,
            body,
            document,
            _identity(dialect, part if isinstance(part, dict) else {}, document),
        )
    except Exception as error:
        return _named_dead_letter(_unexpected(error), _body_of(part, dialect), document, dialect, part)


def _body_of(part: Any, dialect: Dialect) -> bytes:
    return json.dumps({"data": part} if dialect.name.endswith("v2") else part).encode()


def _unexpected(error: Exception) -> MalformedLine:
    return MalformedLine(LineFault.UNEXPECTED, isolate_error(error, read_known_good))


def _named_dead_letter(
    malformed: MalformedLine, body: bytes, document: DocumentOrigin, dialect: Dialect | None, fields: Fields
) -> DeadLetter:
    return identified_dead_letter(
        lambda known: _dead_letter(malformed, body, document, _identity(dialect, known, document)),
        fields,
    )


def _dead_letter(
    malformed: MalformedLine, body: bytes, document: DocumentOrigin, identity: dict[str, Any]
) -> DeadLetter:
    identity = {"source": document.source, "position": document.position, **identity}
    return dead_letter(
        origin=document.origin, cause=malformed.fault.value, message=str(malformed), body=body, **identity
    )
