"""Recording of a source to a file while it is read, and the format of the file's lines.

::

    source ─▶ events ─▶ appended to the file ─▶ the run that asked for them

A batch is handed on only when the file holds it, so every event that was accepted anywhere is in the recording, also
after a kill. The source gives again what a killed run had not accepted; such events stand in the recording twice, which
is harmless. Each line is an object::

    {"recorded": "post", "event": {…}}        all fields of the contract, bytes as base64
    … "supersedes": "…"                       where `Received` has it

`jsonl:` reads it back as exactly the same events, with their sources, ids, revisions and positions. A name that ends in
.gz, .zst, .bz2 or .xz compresses: each batch is a part of its own, so that the file is whole after every batch, and the
rest that a kill left can be cut off. An event whose line is longer than `MAX_LINE_BYTES`, which `jsonl:` would not
read, is recorded as the dead letter that it would be there, with the cause `oversized`.
"""

import asyncio
import base64
import binascii
import fcntl
import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ingest.sources.error_isolation import UNEXPECTED, isolate_error
from ingest.sources.formats.compressed import (
    MAGIC_BYTES,
    CompressedBytes,
    TruncatedInput,
    compression_named,
    open_bytes,
)
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, read_object, refuse, short
from ingest.sources.formats.lines import MAX_LINE_BYTES
from ingest.sources.formats.zipped import ZippedBytes
from tagstream.dead_letter import dead_letter, dead_letter_of
from tagstream.errors import BadSettings, Fatal, UnreadableInput
from tagstream.posts import (
    CONTRACT_VERSION,
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Post,
    clean_text,
    path_as_text,
)
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.source import Received, Source

OVERSIZED = "oversized"
_CONTRACTS: dict[str, type[Event]] = {
    "post": Post,
    "deletion": Deletion,
    "erasure": Erasure,
    "account_status": AccountStatus,
    "dead_letter": DeadLetter,
}
_NAMES = {contract: name for name, contract in _CONTRACTS.items()}
_BEGINNING = b'{"recorded": "'
_READ_BYTES = 128 * 1024


def recorded_line(event: Event, supersedes: str | None = None) -> bytes:
    """Returns the line of an event, without its newline; at most `MAX_LINE_BYTES`."""
    try:
        line = _line(event, supersedes)
    except Exception as error:
        line = _line(_unexpected(event, error), supersedes)
    return line if len(line) <= MAX_LINE_BYTES else _line(_oversized(event, line), supersedes)


def _line(event: Event, supersedes: str | None) -> bytes:
    fields: dict[str, Any] = {"recorded": _NAMES[type(event)], "event": event.model_dump()}
    if supersedes is not None:
        fields["supersedes"] = supersedes
    # A lone surrogate, which no contract should hold, becomes the escape that JSON has for it.
    return json.dumps(fields, ensure_ascii=False, default=_as_json).encode(errors="backslashreplace")


def _unexpected(event: Event, error: Exception) -> DeadLetter:
    known_good = Deletion(id="jsonl:7", source="jsonl")
    return _dead_letter(
        event, UNEXPECTED, isolate_error(error, lambda: _line(known_good, None)), repr(event).encode(errors="replace")
    )


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"no contract holds a {type(value).__name__}")


def _oversized(event: Event, line: bytes) -> DeadLetter:
    what = f"its line would have {len(line):,} bytes, the limit is {MAX_LINE_BYTES:,}; its beginning is kept"
    return _dead_letter(event, OVERSIZED, what, line)


def _dead_letter(event: Event, cause: str, message: str, body: bytes) -> DeadLetter:
    origin = f"recording:{event.source}:{getattr(event, 'id', '')}"
    return dead_letter_of(event, origin=origin, cause=cause, message=message, body=body)


def read_recorded_line(body: bytes, *, origin: str, position: int) -> tuple[Event, str | None] | None:
    """Reads a line of a recording: the event and the origin that it supersedes. Returns None for any other line.

    A damaged line is a dead letter with this `origin`.
    """
    if not body.startswith(_BEGINNING):
        return None
    try:
        fields = read_object(body)
        return _recorded(fields), _superseded(fields)
    except MalformedLine as malformed:
        return (
            dead_letter(
                origin=origin,
                source="jsonl",
                cause=malformed.fault.value,
                message=str(malformed),
                body=body,
                position=position,
            ),
            None,
        )


def _superseded(fields: Fields) -> str | None:
    value = fields.get("supersedes")
    if value is not None and not isinstance(value, str):
        refuse(LineFault.BAD_FIELD, f"supersedes is {short(value)}, it must be a string")
    return value


def _recorded(fields: Fields) -> Event:
    name, values = fields["recorded"], fields.get("event")
    if not isinstance(name, str) or name not in _CONTRACTS:
        refuse(LineFault.BAD_FIELD, f"recorded is {short(name)}, it must be one of {', '.join(_CONTRACTS)}")
    if not isinstance(values, dict):
        refuse(LineFault.BAD_FIELD, f"event is {short(values)}, it must be an object")
    version = values.get("version")
    if type(version) is int and version > CONTRACT_VERSION:
        refuse(
            LineFault.NEWER_VERSION,
            f"version is {version}, this tagstream reads up to {CONTRACT_VERSION}: upgrade it, then requeue",
        )
    try:
        event: Event = _CONTRACTS[name].model_validate(_as_contract(values))
    except (ValidationError, OverflowError, RecursionError) as error:
        raise MalformedLine(
            LineFault.BAD_FIELD, clean_text(f"a recorded {name} that cannot be one: {_first_problem(error)}")
        ) from error
    return event


def _first_problem(error: ValidationError | OverflowError | RecursionError) -> str:
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg'][:200]}"


_BYTES = ("body", "thumbnail")


def _as_contract(value: Any, name: str = "") -> Any:
    """Converts JSON to the types of strict contracts: lists to tuples, base64 to bytes where a field holds bytes."""
    if isinstance(value, dict):
        return {key: _as_contract(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_as_contract(item) for item in value)
    if name in _BYTES and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            refuse(LineFault.BAD_FIELD, f"{name} is not base64")
    return value


class RecordingSource:
    """A source, recorded to a file: a new one, or a recording that is appended to. One process writes it at a time.

    Raises (from `open` and `next_batch`, beside the source's own errors):
        BadSettings: the file is not a recording, is the source itself, or another process writes it.
        UnreadableInput: the file cannot be opened, or its content is damaged.
        Fatal: the file cannot be written any more; no event was handed on that it does not hold.
    """

    def __init__(self, source: Source, path: str) -> None:
        self.name = source.name
        self._source = source
        self._path = path
        self._compression = compression_named(path)
        self._descriptor: int | None = None
        self._ready: deque[Received] = deque()
        self._unwritten: Sequence[Received] = ()
        self._writing: asyncio.Future[None] | None = None

    async def open(self, cursor: str | None) -> None:
        if self._descriptor is None:
            self._writing = in_daemon_thread(self._open, "recorder")
            await asyncio.shield(self._writing)
            self._writing = None
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        if not self._ready:
            if self._writing is None:
                self._unwritten = await self._source.next_batch(limit)
                if not self._unwritten:
                    return []
                self._writing = in_daemon_thread(self._write, "recorder")
            # Shielded and kept: if this call is cancelled, the next one goes on with what is being written.
            await asyncio.shield(self._writing)
            self._ready.extend(self._unwritten)
            self._writing = None
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    async def close(self) -> None:
        await self._source.close()
        if (writing := self._writing) is not None:  # a read that goes on meanwhile forgets it
            await asyncio.wait({writing})
            if not writing.cancelled():
                writing.exception()  # retrieved, or asyncio would print it
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self) -> None:
        place = path_as_text(os.path.abspath(self._path))
        if self.name in (f"csv:{place}", f"jsonl:{place}"):
            raise BadSettings(f"{self._path!r} is the feed itself: record it under another name")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableInput(f"cannot record to {self._path!r}: {reason}") from error
        try:
            self._claim(descriptor)
            os.ftruncate(descriptor, self._whole(descriptor))
            os.lseek(descriptor, 0, os.SEEK_END)
        except OSError as error:
            os.close(descriptor)
            raise UnreadableInput(f"cannot record to {self._path!r}: {error.strerror}; name a file") from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _claim(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(f"another process records to {self._path!r} now: name another file") from error

    def _whole(self, descriptor: int) -> int:
        """Returns the number of whole bytes in the file; what a kill left after them was never handed on."""
        size = os.fstat(descriptor).st_size
        if not size or (self._compression is not None and size < MAGIC_BYTES):
            return 0
        content = open_bytes(descriptor, self._path)
        packed = isinstance(content, CompressedBytes)
        if packed != (self._compression is not None) or isinstance(content, ZippedBytes):
            raise BadSettings(f"{self._path!r} is not compressed as its name says: name another file to record to")
        seen, end, offset = b"", 0, 0
        try:
            while data := content.read(_READ_BYTES):
                seen = seen or data[: len(_BEGINNING)]
                newline = data.rfind(b"\n")
                end = offset + newline + 1 if newline >= 0 else end
                offset += len(data)
        except TruncatedInput:
            pass
        if not _BEGINNING.startswith(seen):
            raise BadSettings(f"{self._path!r} is there and is no recording: name another file to record to")
        return content.whole if isinstance(content, CompressedBytes) else end

    def _write(self) -> None:
        if self._descriptor is None:
            raise Fatal(f"the recording {self._path!r} is closed")
        lines = b"".join(recorded_line(item.event, item.supersedes) + b"\n" for item in self._unwritten)
        data = memoryview(lines if self._compression is None else self._compression.compress(lines))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            raise Fatal(f"cannot record to {self._path!r} any more: {error.strerror}. Make room, then go on") from error
