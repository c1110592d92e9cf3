"""The codec of the contracts: MessagePack between the stages, JSON on topics that anybody may read (`posts.tagged`).

A MessagePack message is the map `{"kind", "version", "body"}`; a JSON message is the document itself, with its
`version`. A reader accepts every version up to that of this code. A newer version is `NewerVersion`, which stops the
process, because discarding such messages would lose them: upgrade the consumers first. Any other fault of the bytes is
`MalformedPost`, and no bytes raise anything else. A message that cannot be encoded is `MalformedPost`, too.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
from pydantic import ValidationError

from tagstream.errors import MalformedPost, NewerVersion, Unencodable
from tagstream.posts import (
    CONTRACT_VERSION,
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Post,
    TaggedPost,
    clean_text,
)
from tagstream.text.json_text import why_not_json

Message = Post | TaggedPost | Deletion | Erasure | AccountStatus | DeadLetter

KINDS: dict[str, type[Message]] = {
    "post": Post,
    "tagged": TaggedPost,
    "deletion": Deletion,
    "erasure": Erasure,
    "account_status": AccountStatus,
    "dead_letter": DeadLetter,
}
_NAMES = {contract: name for name, contract in KINDS.items()}

KIB = 1024
MAX_BYTES: dict[str, int] = {
    "post": 512 * KIB,
    "tagged": 1024 * KIB,
    "deletion": 8 * KIB,
    "erasure": 8 * KIB,
    "account_status": 8 * KIB,
    "dead_letter": 1024 * KIB,
}
_MAX_ANY_BYTES = max(MAX_BYTES.values())

# Errors about values that no message can hold: integers beyond 64 bits, lone surrogates, values nested without end.
_UNENCODABLE = (OverflowError, ValueError, TypeError, RecursionError)

# Errors that hostile bytes may cause: a contract's refusal, a date outside the calendar, values nested without end.
_UNREADABLE = (ValidationError, OverflowError, RecursionError)

# One entry a version that is still read: it turns the body of a kind into the body of the next version. A new kind is
# a new version too: a reader of the one before would keep it as a dead letter, and its effect would be lost.
UPGRADES: dict[int, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    1: lambda _, body: body,  # 2 added the kind account_status, and left the others as they were
    2: lambda _, body: body,  # 3 added fields that may be missing; what it bounds, the contracts let go or refuse
}


def encode(message: Message) -> bytes:
    """Returns the message as MessagePack.

    Raises:
        MalformedPost: the message is larger than its kind may be.
        Unencodable: the message holds a value that MessagePack cannot hold.
    """
    kind = _NAMES[type(message)]
    try:
        body = message.model_dump(exclude={"version"})
        packed: bytes = msgpack.packb({"kind": kind, "version": CONTRACT_VERSION, "body": body}, datetime=True)
    except _UNENCODABLE as error:
        raise _unencodable(kind, error) from error
    _check_size(kind, len(packed))
    return packed


def decode(data: bytes) -> Message:
    """Returns the message in these MessagePack bytes.

    Raises:
        MalformedPost: the bytes hold no message, or one that is too large.
        NewerVersion: a newer tagstream wrote them.
    """
    if len(data) > _MAX_ANY_BYTES:
        raise MalformedPost(f"a message of {len(data)} bytes: at most {_MAX_ANY_BYTES} are allowed")
    kind, version, body = _envelope(data)
    _check_size(kind, len(data))
    body = _upgraded(kind, version, body)
    try:
        return KINDS[kind].model_validate({**body, "version": CONTRACT_VERSION})
    except _UNREADABLE as error:
        raise MalformedPost(f"a message of kind {kind!r}: {describe(error)}") from error


def _envelope(data: bytes) -> tuple[str, int, dict[str, Any]]:
    try:
        # Tuples, because the contracts are strict; timestamp 3 gives datetimes in UTC.
        envelope = msgpack.unpackb(data, use_list=False, timestamp=3)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise MalformedPost(f"{len(data)} bytes that are not MessagePack: {error or type(error).__name__}") from error
    if not isinstance(envelope, dict) or envelope.keys() != {"kind", "version", "body"}:
        raise MalformedPost("a message must be a map of exactly kind, version and body")
    kind, body = envelope["kind"], envelope["body"]
    version = _readable_version(envelope["version"])
    if not isinstance(kind, str) or kind not in KINDS:
        raise MalformedPost(f"a message of kind {str(kind)[:40]!r}: the kinds are {', '.join(KINDS)}")
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise MalformedPost(f"the body of a {kind} must be a map with names as keys")
    return kind, version, body


def encode_json(message: Message) -> bytes:
    """Returns the message as one line of JSON, without the newline.

    Raises:
        MalformedPost: the message is larger than its kind may be.
        Unencodable: the message holds a value that JSON cannot hold.
    """
    kind = _NAMES[type(message)]
    try:
        line = message.model_dump_json().encode()
    except _UNENCODABLE as error:
        raise _unencodable(kind, error) from error
    _check_size(kind, len(line))
    return line


def encode_dead_letter(letter: DeadLetter) -> tuple[bytes, bytes]:
    """Returns key and message of the dead letter; fields that its contract would not take are cleaned and cut again."""
    try:
        return letter.origin.encode(), encode(letter)
    except (MalformedPost, UnicodeError):
        kept = DeadLetter.model_validate(dict(letter))
        return kept.origin.encode(), encode(kept)


def decode_json(data: bytes, kind: str = "tagged") -> Message:
    """Returns the message of a kind in this JSON document.

    Raises:
        MalformedPost: the document holds no message, or one that is too large; or the kind is unknown.
        NewerVersion: a newer tagstream wrote it, perhaps of a newer kind.
    """
    contract = KINDS.get(kind)
    _check_size(kind if contract else "tagged", len(data))
    if contract is None:
        _readable_version(_object(data).get("version"))
        raise MalformedPost(f"a message of kind {kind[:40]!r}: the kinds are {', '.join(KINDS)}")
    try:
        return contract.model_validate_json(data)
    except _UNREADABLE as error:
        first_error = error
    # Only now is it worth asking for the version: nearly every document is of this one.
    document = _object(data)
    version = _readable_version(document.get("version"))
    if version == CONTRACT_VERSION:
        raise MalformedPost(f"a {kind} message: {describe(first_error)}") from first_error
    body = {**_upgraded(kind, version, document), "version": CONTRACT_VERSION}
    try:
        return contract.model_validate_json(json.dumps(body))
    except _UNREADABLE as error:
        raise MalformedPost(f"a {kind} message of version {version}: {describe(error)}") from error


def readable(event: Event) -> bytes:
    """Returns any event as JSON for a dead letter; a value that JSON cannot hold is written as Python prints it."""
    try:
        return event.model_dump_json().encode()
    except _UNENCODABLE:
        return json.dumps(event.model_dump(), default=str).encode()


def _unencodable(kind: str, error: Exception) -> Unencodable:
    # Without the value: a lone surrogate in a message could not be shown, either.
    problem = "a lone surrogate" if isinstance(error, UnicodeError) else clean_text(str(error))[:200]
    return Unencodable(f"a message of kind {kind!r} cannot be encoded: {problem}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedPost(f"a message of {len(data)} bytes: {why_not_json(error)}") from error
    if not isinstance(document, dict):
        raise MalformedPost("a message must be a JSON object")
    return document


def _readable_version(version: object) -> int:
    if not isinstance(version, int) or isinstance(version, bool):
        raise MalformedPost(f"a message whose version is {str(version)[:40]!r}, not a number")
    if version > CONTRACT_VERSION:
        raise NewerVersion(
            f"a message of version {version} was written by a newer tagstream; this one reads up to "
            f"{CONTRACT_VERSION}: upgrade it first"
        )
    if version != CONTRACT_VERSION and version not in UPGRADES:
        raise MalformedPost(f"a message of version {version} is too old to be read")
    return version


def _upgraded(kind: str, version: int, body: Mapping[str, Any]) -> dict[str, Any]:
    upgraded = dict(body)
    for step in range(version, CONTRACT_VERSION):
        upgraded = UPGRADES[step](kind, upgraded)
    return upgraded


def _check_size(kind: str, size: int) -> None:
    if size > MAX_BYTES[kind]:
        raise MalformedPost(f"a message of kind {kind!r} has {size} bytes: at most {MAX_BYTES[kind]} are allowed")


def describe(error: ValidationError | OverflowError | RecursionError) -> str:
    """Returns the first fault, in one line, without the value, which may be hostile and long."""
    if isinstance(error, RecursionError):
        return "values nested too deep"
    if isinstance(error, OverflowError):
        return "a date outside the years 1 to 9999"
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])[:80]
    return f"{path or 'the document'}: {first['msg'][:300]}"
