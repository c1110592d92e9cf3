"""The identifiers of the AT Protocol, and the position of an event in the life of its account. Pure.

Readers of identifiers (accounts, records, revisions, blobs) answer None for a value outside the protocol's syntax; the
caller decides what that means.

A position says which events of an account came first, whichever Jetstream server gives them. A post, an edit and a
deletion stand at the time of their commit's `rev`; an account's change of state stands at its own `time`. Both are
written once, by the account's server or the relay, and every Jetstream server repeats them. The server's `time_us` is
only a bound, because the account's server chooses both: an event dated further ahead of its arrival than clocks differ
stands where they could differ at most.

An erasure reaches `ERASURE_REACH_US` beyond its timestamp, as far as the bound lets a post be dated ahead of a relay
that takes its account down. So no choice of `rev` escapes an erasure; posts that an account wrote within that time
after its erasure go as well. There is no lower bound: the server of an account that is slow dates its posts by the same
slow clock, and one that was cut off for hours delivers late what happened long ago.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta

from tagstream.posts import MAX_ID_BYTES, MAX_REVISION, native_id

SOURCE = "bluesky"
POSTS = "app.bsky.feed.post"

_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
_RECORD_KEY = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:~-]{1,512}")
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")
_HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CID = re.compile(r"[A-Za-z0-9]{8,256}")
_DIGITS = {character: value for value, character in enumerate("234567abcdefghijklmnopqrstuvwxyz")}
_CLOCK_BITS = 10
CLOCKS_DIFFER_US = 15_000_000
ERASURE_REACH_US = 2 * CLOCKS_DIFFER_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def did_of(value: object) -> str | None:
    """Returns an account's decentralised identifier."""
    return value if isinstance(value, str) and len(value) <= 2048 and _DID.fullmatch(value) else None


def record_key_of(value: object) -> str | None:
    """Returns a record key."""
    return value if isinstance(value, str) and _RECORD_KEY.fullmatch(value) else None


def handle_of(value: object) -> str | None:
    """Returns a handle in lower case; None also for `handle.invalid`, which means that the account has no valid one."""
    if not isinstance(value, str) or len(value) > 253:
        return None
    handle = value.lower()
    return handle if _HANDLE.fullmatch(handle) and not handle.endswith(".invalid") else None


def revision_of(value: object) -> int | None:
    """Returns the microseconds since 1970 of a revision (a TID: 53 bits of time, 10 of clock, base 32).

    A time beyond the range of a `Revision`, the year 2041, becomes the highest there is: its account's later edits no
    longer count, and no other account's.
    """
    if not isinstance(value, str) or not _TID.fullmatch(value):
        return None
    number = 0
    for character in value:
        number = number << 5 | _DIGITS[character]
    return min(number >> _CLOCK_BITS, MAX_REVISION - 1)


def cid_of(blob: object) -> str | None:
    """Returns the content id of a blob, in today's form (`ref.$link`) or the form before 2023 (`cid`)."""
    if not isinstance(blob, dict):
        return None
    reference = blob.get("ref")
    cid = reference.get("$link") if isinstance(reference, dict) else blob.get("cid")
    return cid if isinstance(cid, str) and _CID.fullmatch(cid) else None


def author_id(did: str) -> str:
    """Returns the account's id here: itself, or its hash if it is longer than an id may be."""
    return did if len(did) <= MAX_ID_BYTES else f"sha256-{hashlib.sha256(did.encode()).hexdigest()}"


def post_id(did: str, record_key: str) -> str:
    """Returns the id of a post here."""
    return native_id(SOURCE, f"{did}/{record_key}")


def post_id_of_uri(uri: object) -> str | None:
    """Returns the id of the post that `at://DID/app.bsky.feed.post/KEY` names; None for a record of another kind.

    Also None for an address with its author's handle: a handle is no id, because its owner changes.
    """
    if not isinstance(uri, str) or not uri.startswith("at://"):
        return None
    match uri.removeprefix("at://").split("/"):
        case [authority, collection, key] if collection == POSTS:
            did, record_key = did_of(authority), record_key_of(key)
            return post_id(did, record_key) if did and record_key else None
    return None


def position_of_commit(revision: int | None, time_us: int) -> int:
    """Returns the position of a commit. `revision` is in microseconds; a commit without one stands where it arrived."""
    return _bounded(revision, time_us)


def position_of_dead_letter(revision: int | None, time_us: int | None) -> int:
    """Returns the position of a commit that cannot be read.

    Without a revision it is so early that no deletion after the commit misses its post.
    """
    if time_us is None:
        return 0
    return max(0, time_us - ERASURE_REACH_US) if revision is None else _bounded(revision, time_us)


def position_of_status(timestamp: object, time_us: int) -> int:
    """Returns the position of an account's change of state; `timestamp` is the event's `time` as it was sent."""
    return _bounded(microseconds_of(timestamp), time_us)


def position_of_erasure(timestamp: object, time_us: int) -> int:
    """Returns the position up to which an erasure reaches."""
    return position_of_status(timestamp, time_us) + ERASURE_REACH_US


def position_of_sync(revision: int, time_us: int) -> int:
    """Returns the position just before the revision from which the account's records are given anew."""
    return max(0, _bounded(revision, time_us) - 1)


def microseconds_of(timestamp: object) -> int | None:
    """Returns the microseconds since 1970 of a date with its zone; None for a text that is none, or before 1970."""
    if not isinstance(timestamp, str) or len(timestamp) > 64:
        return None
    try:
        microseconds = (datetime.fromisoformat(timestamp) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, TypeError):  # a TypeError: the timestamp has no zone
        return None
    return microseconds if microseconds >= 0 else None


def _bounded(timestamp_us: int | None, time_us: int) -> int:
    return time_us if timestamp_us is None else min(timestamp_us, time_us + CLOCKS_DIFFER_US)
