"""A line of a feed, or a document of a file, into what it says: the one door for every form. Pure.

::

    bytes ─▶ object ─▶ a recording or a dump of ours   the events that were recorded
                  └──▶ a form of `shapes.py`        a post, a deletion, a page of them; or a notice, which is counted
                  └──▶ a line of ours (`line.py`)   whatever else it is

A document that cannot be read is a dead letter with its origin; of a page each entry has one of its own, `…#7`, unless
none of them can be read: then the page has one.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from ingest.sources.error_isolation import judged, lettered
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, read_object, refuse
from ingest.sources.jsonl.dump import read_dump_line
from ingest.sources.jsonl.known_good import KNOWN_GOOD
from ingest.sources.jsonl.line import DEFAULT_SOURCE, event_of, identity_of_line
from ingest.sources.jsonl.mongo import MARK, plain
from ingest.sources.jsonl.reading import PassedOver, Place, Reading
from ingest.sources.jsonl.shapes import Shape, nearest, shape_of, unwrapped
from ingest.sources.wrappers.recording import read_recorded_line, recorded_line
from tagstream.dead_letter import dead_letter
from tagstream.posts import DeadLetter, Event, Post

# Bounds the letters, and the work, of one document.
MAX_PARTS = 20_000
# A page names a post once and may repeat it in each of its entries: few bytes could become any number of characters.
MAX_PAGE_CHARACTERS = 32_000_000
_LONGEST_NOTHING = 32


def read_line(body: bytes, *, origin: str, position: int, source: str = DEFAULT_SOURCE) -> Reading:
    """What the bytes say; a dead letter with this `origin` if that is nothing that can be understood.

    `source` is that of a line which names none.
    """
    place = Place(origin, position, source)
    try:
        return _read_line(body, place)
    except Exception as error:
        return Reading((_letter(_unexpected(error), body, place, {}),))


def _read_line(body: bytes, place: Place) -> Reading:
    if says_nothing(body):
        return Reading(passed_over=(PassedOver.NOTHING,))
    recorded = read_recorded_line(body, origin=place.origin, position=place.position)
    if recorded is not None:
        return Reading((recorded[0],), supersedes=recorded[1])
    dumped = read_dump_line(body)
    if dumped is not None:
        return Reading(tuple(dumped), () if dumped else (PassedOver.DUMP,))
    try:
        fields = read_object(body)
    except MalformedLine as malformed:
        return Reading((_letter(malformed, body, place, {}),))
    return _read(plain(fields) if MARK in body else fields, body, place)


def says_nothing(body: bytes) -> bool:
    """Whether it is `null` or an empty list: what tools write for an answer without anything."""
    return len(body) < _LONGEST_NOTHING and b"".join(body.split()) in (b"null", b"[]")


def _read(fields: Fields, body: bytes, place: Place) -> Reading:
    fields = unwrapped(fields)
    shape = shape_of(fields)
    if shape is not None and shape.parts is not None:
        return _read_parts(shape, fields, body, place)
    try:
        said = _own(fields, place) if shape is None else _of_shape(shape, fields)
    except MalformedLine as malformed:
        return Reading((_letter(malformed, body, place, _identity(shape, fields, place)),))
    except Exception as error:
        return Reading((_named_letter(_unexpected(error), body, place, shape, fields),))
    return Reading(passed_over=(said,)) if isinstance(said, PassedOver) else Reading((said,))


def _own(fields: Fields, place: Place) -> Event:
    try:
        return event_of(fields, place.position, place.source)
    except MalformedLine as malformed:
        refuse(malformed.fault, f"{malformed}{nearest(fields)}")


def _of_shape(shape: Shape, fields: Fields) -> Event | PassedOver:
    """What a document of the form says; whatever is wrong with it as a refusal that names the form."""
    assert shape.read is not None
    try:
        return shape.read(fields)
    except MalformedLine as malformed:
        refuse(malformed.fault, f"read as {shape.name}: {malformed}")
    except (ValidationError, OverflowError, RecursionError) as error:
        refuse(LineFault.BAD_FIELD, f"read as {shape.name}: a value that no post can have ({type(error).__name__})")


def read_known_good() -> None:
    """Reads a document of each of the commonest forms, all known to be good, without a guard."""
    for body in KNOWN_GOOD:
        fields = unwrapped(read_object(body))
        shape = shape_of(fields)
        said = event_of(fields, 1, DEFAULT_SOURCE) if shape is None else _of_shape(shape, fields)
        if not isinstance(said, PassedOver):
            read_recorded_line(recorded_line(said), origin="", position=1)


def _identity(shape: Shape | None, fields: Fields, place: Place) -> dict[str, Any]:
    if shape is None:
        return identity_of_line(fields, place.position, place.source)
    return {"source": shape.source, "position": place.position, **shape.identity(fields)}


def _read_parts(shape: Shape, fields: Fields, body: bytes, place: Place) -> Reading:
    assert shape.parts is not None
    try:
        parts = shape.parts(fields)
        if len(parts) > MAX_PARTS:
            refuse(LineFault.BAD_FIELD, f"a page of {len(parts):,} entries, the limit is {MAX_PARTS:,}")
    except MalformedLine as malformed:
        refusal = MalformedLine(malformed.fault, f"read as {shape.name}: {malformed}")
        return Reading((_letter(refusal, body, place, {"source": shape.source}),))
    events: list[Event] = []
    passed_over: list[PassedOver] = []
    characters = 0
    for number, (part, its_shape) in enumerate(parts, 1):
        said = _read_part(part, its_shape, Place(f"{place.origin}#{number}", place.position, place.source))
        if isinstance(said, PassedOver):
            passed_over.append(said)
        else:
            events.append(said)
            characters += len(said.text) if isinstance(said, Post) else 0
        if characters > MAX_PAGE_CHARACTERS:
            what = f"read as {shape.name}: its posts have more than {MAX_PAGE_CHARACTERS:,} characters together"
            refusal = MalformedLine(LineFault.TEXT_TOO_LONG, what)
            return Reading((_letter(refusal, body, place, {"source": shape.source}),))
    if events and not passed_over and all(isinstance(event, DeadLetter) for event in events):
        return Reading((_letter(_none_of(events), body, place, {"source": shape.source}),))
    return Reading(tuple(events), tuple(passed_over) or (() if events else (PassedOver.EMPTY_PAGE,)))


def _none_of(events: Sequence[Event]) -> MalformedLine:
    first = next(event for event in events if isinstance(event, DeadLetter))
    what = f"none of its {len(events):,} entries can be read, the first: {first.message}"
    return MalformedLine(LineFault.BAD_FIELD, what)


def _read_part(part: Any, shape: Shape, place: Place) -> Event | PassedOver:
    try:
        if not isinstance(part, dict):
            refuse(LineFault.NOT_AN_OBJECT, "an entry of the page is no object")
        if shape.read is None:
            refuse(LineFault.BAD_FIELD, f"{shape.name} within a page")
        return _of_shape(shape, part)
    except MalformedLine as malformed:
        # A letter keeps the entry without what it shares with the page: five hundred copies of that would be large.
        body = _body_of(part, shape)
        return _letter(malformed, body, place, _identity(shape, part if isinstance(part, dict) else {}, place))
    except Exception as error:
        return _named_letter(_unexpected(error), _body_of(part, shape), place, shape, part)


def _body_of(part: Any, shape: Shape) -> bytes:
    return json.dumps({"data": part} if shape.name.endswith("v2") else part).encode()


def _unexpected(error: Exception) -> MalformedLine:
    return MalformedLine(LineFault.UNEXPECTED, judged(error, read_known_good))


def _named_letter(
    malformed: MalformedLine, body: bytes, place: Place, shape: Shape | None, fields: Fields
) -> DeadLetter:
    return lettered(lambda one: _letter(malformed, body, place, _identity(shape, one, place)), fields)


def _letter(malformed: MalformedLine, body: bytes, place: Place, identity: dict[str, Any]) -> DeadLetter:
    identity = {"source": place.source, "position": place.position, **identity}
    return dead_letter(origin=place.origin, cause=malformed.fault.value, message=str(malformed), body=body, **identity)
