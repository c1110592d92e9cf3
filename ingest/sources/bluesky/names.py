"""The names of the AT Protocol that a post of Bluesky needs: accounts, records, revisions, blobs. Pure.

Each reader answers None for what is not of the protocol's syntax; what that means is for its caller to say.
"""

import hashlib
import re

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


def did_of(value: object) -> str | None:
    """An account's decentralised identifier."""
    return value if isinstance(value, str) and len(value) <= 2048 and _DID.fullmatch(value) else None


def record_key_of(value: object) -> str | None:
    return value if isinstance(value, str) and _RECORD_KEY.fullmatch(value) else None


def handle_of(value: object) -> str | None:
    """A handle in lower case; None for `handle.invalid` too, which says that an account has none that is valid."""
    if not isinstance(value, str) or len(value) > 253:
        return None
    handle = value.lower()
    return handle if _HANDLE.fullmatch(handle) and not handle.endswith(".invalid") else None


def revision_of(value: object) -> int | None:
    """The microseconds since 1970 of a revision (a TID: 53 bits of time, 10 of clock, base 32).

    One beyond what a `Revision` holds, the year 2041, becomes the highest there is: its account's later edits no
    longer count, and no other account's.
    """
    if not isinstance(value, str) or not _TID.fullmatch(value):
        return None
    number = 0
    for character in value:
        number = number << 5 | _DIGITS[character]
    return min(number >> _CLOCK_BITS, MAX_REVISION - 1)


def cid_of(blob: object) -> str | None:
    """The content id of a blob, in today's form (`ref.$link`) or the one of before 2023 (`cid`)."""
    if not isinstance(blob, dict):
        return None
    reference = blob.get("ref")
    cid = reference.get("$link") if isinstance(reference, dict) else blob.get("cid")
    return cid if isinstance(cid, str) and _CID.fullmatch(cid) else None


def author_id(did: str) -> str:
    """The account's id here: itself, or its hash if it is longer than an id may be."""
    return did if len(did) <= MAX_ID_BYTES else f"sha256-{hashlib.sha256(did.encode()).hexdigest()}"


def post_id(did: str, record_key: str) -> str:
    return native_id(SOURCE, f"{did}/{record_key}")


def post_id_of_uri(uri: object) -> str | None:
    """The id of the post that `at://DID/app.bsky.feed.post/KEY` names; None for a record of another kind.

    None for one named by its author's handle as well: a handle is not an id, and its owner changes.
    """
    if not isinstance(uri, str) or not uri.startswith("at://"):
        return None
    match uri.removeprefix("at://").split("/"):
        case [authority, collection, key] if collection == POSTS:
            did, record_key = did_of(authority), record_key_of(key)
            return post_id(did, record_key) if did and record_key else None
    return None
