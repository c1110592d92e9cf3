"""Conversion of one frame of a Jetstream server into an event. Pure, except that handles are remembered.

::

    commit    create, update ─▶ Post        delete ─▶ Deletion up to its revision
    account   active ─▶ shown               deleted, taken down ─▶ Erasure        any other state ─▶ hidden
    identity  ─▶ the handle that later posts of the account carry
    sync      ─▶ Erasure of the account's posts before; all its present records follow as commits
    info, error ─▶ a notice: the server's word about the stream itself

The protocol: github.com/bluesky-social/jetstream and the lexicons `app.bsky.feed.post` and
`com.atproto.sync.subscribeRepos`. Whether an account is seen is decided by `active` alone, as atproto.com/specs/account
asks; the status only says whether its posts are to be deleted. An account that is throttled or out of step but active
is seen.

Reading has two steps, so that an unwanted frame costs little: `open` reads its time and its number, `event` its
content. Owns the meaning of a frame. Knows nothing of connections. A frame that is not of the protocol is a
`DeadLetter` whose origin follows from its content, so that it is the same from every server and at every replay.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError

from ingest.sources.bluesky.clock import JetstreamClock
from ingest.sources.bluesky.handles import Handles
from ingest.sources.bluesky.identifiers import (
    POSTS,
    SOURCE,
    author_id,
    did_of,
    handle_of,
    position_of_commit,
    position_of_dead_letter,
    position_of_erasure,
    position_of_status,
    position_of_sync,
    post_id,
    record_key_of,
    revision_of,
)
from ingest.sources.bluesky.links import links_of
from ingest.sources.bluesky.opened import (
    LARGEST_READ_BYTES,
    Fields,
    FrameFault,
    MalformedFrame,
    Opened,
    opened,
    refuse,
    unreadable,
)
from ingest.sources.bluesky.record import (
    CLOCKS_DIFFER,
    IMAGES,
    created_at,
    hashtags,
    languages_of,
    media_of,
    replied_to,
)
from ingest.sources.error_isolation import identified_dead_letter, isolate_error
from ingest.sources.formats.json_fields import MalformedLine, short
from tagstream.dead_letter import dead_letter
from tagstream.posts import (
    MAX_REVISION,
    MAX_TEXT_LENGTH,
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Post,
    clean_text,
)

_KINDS = frozenset({"commit", "account", "identity", "sync"})
_ERASING = frozenset({"deleted", "takendown", "tombstoned"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN_GOOD = (
    b'{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","time_us":1725911162329308,"kind":"commit","commit":{"rev":'
    b'"3l3qo2vutsw2b","operation":"create","collection":"app.bsky.feed.post","rkey":"3l3qo2vuowo2b","record":'
    b'{"text":"Rain in #Porto","langs":["en"],"createdAt":"2024-09-09T19:45:59.102Z"}}}'
)


class PassedOverFrame(StrEnum):
    """The closed list of valid frames that say nothing of a post."""

    IDENTITY = "identity"
    OTHER_KIND = "other_kind"
    OTHER_COLLECTION = "other_collection"
    LANGUAGE = "language"
    EARLIER = "earlier"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Frame:
    """The content of a frame: `event` None if there is nothing to store; `time_us` None if it could not be read."""

    event: Event | None
    time_us: int | None


class FrameReader:
    """A reader of the frames of one feed.

    `languages` are the primary subtags to keep (`und`: none named), all if empty. `passed_over` counts frames without
    an event. The handles of the accounts that were last heard of are remembered.
    """

    def __init__(
        self,
        languages: frozenset[str] = frozenset(),
        images: str = IMAGES,
        largest_bytes: int = LARGEST_READ_BYTES,
    ) -> None:
        self.passed_over: Counter[PassedOverFrame] = Counter()
        self.handles = Handles()
        self.clock = JetstreamClock()
        self._languages = languages
        self._images = images
        self._largest_bytes = largest_bytes

    def read(self, body: bytes) -> Frame:
        """Reads a frame; returns a dead letter if it is not of the protocol, whatever its bytes are."""
        opened = self.open(body)
        return Frame(self.event(opened), opened.time_us)

    def open(self, body: bytes) -> Opened:
        """Reads the time and the number of a frame."""
        try:
            return opened(body, self._largest_bytes)
        except Exception as error:
            return unreadable(body, unexpected(error))

    def event(self, opened: Opened) -> Event | None:
        """Returns the event to be stored, if the frame holds one."""
        if opened.notice is not None:
            self.passed_over[PassedOverFrame.NOTICE] += 1
            return None
        try:
            if opened.fault is not None:
                raise opened.fault
            return self._read(opened.fields, opened.time_us)
        except (MalformedLine, MalformedFrame) as malformed:
            return _dead_letter(opened, opened.fields, malformed)
        except Exception as error:
            failed = unexpected(error)
            return identified_dead_letter(lambda fields: _dead_letter(opened, fields, failed), opened.fields)

    def _read(self, fields: Fields, time_us: int | None) -> Event | None:
        kind, did = fields.get("kind"), did_of(fields.get("did"))
        if isinstance(kind, str) and kind not in _KINDS:
            # An answer to a heartbeat, or another kind of a newer server; it need not even have an account.
            self.passed_over[PassedOverFrame.OTHER_KIND] += 1
            return None
        if time_us is None:
            refuse(FrameFault.BAD_ENVELOPE, f"time_us is {short(fields.get('time_us'))}, no microseconds since 1970")
        if did is None:
            refuse(FrameFault.BAD_ENVELOPE, f"did is {short(fields.get('did'))}, no identifier of an account")
        seen_us = self.clock.take(time_us)
        match kind:
            case "commit":
                return self._commit(_part(fields, "commit", FrameFault.BAD_COMMIT), did, seen_us)
            case "account":
                return self._account(_part(fields, "account", FrameFault.BAD_ACCOUNT), did, seen_us)
            case "sync":
                return _sync(_part(fields, "sync", FrameFault.BAD_SYNC), did, seen_us)
            case "identity":
                self._identity(_part(fields, "identity", FrameFault.BAD_ENVELOPE), did)
                return None
        return refuse(FrameFault.BAD_ENVELOPE, f"kind is {short(kind)}, it must be a string")

    def _commit(self, commit: Fields, did: str, time_us: int) -> Event | None:
        if commit.get("collection") != POSTS:
            self.passed_over[PassedOverFrame.OTHER_COLLECTION] += 1
            return None
        key = record_key_of(commit.get("rkey"))
        if key is None:
            refuse(FrameFault.BAD_COMMIT, f"rkey is {short(commit.get('rkey'))}, no key of a record")
        revision = revision_of(commit.get("rev"))
        operation = commit.get("operation")
        if operation == "delete":
            return _deletion(did, key, revision, time_us)
        if operation not in ("create", "update"):
            refuse(FrameFault.BAD_COMMIT, f"operation is {short(operation)}, it must be create, update or delete")
        if revision is None:
            refuse(FrameFault.BAD_COMMIT, f"rev is {short(commit.get('rev'))}, no timestamp identifier")
        record = _part(commit, "record", FrameFault.BAD_RECORD)
        if not self._keeps(record):
            if operation == "update":  # an edit that leaves the languages removes the post that was stored before
                return _deletion(did, key, revision, time_us)
            self.passed_over[PassedOverFrame.LANGUAGE] += 1
            return None
        return self._post(record, did, key, revision, time_us)

    def _keeps(self, record: Fields) -> bool:
        if not self._languages:
            return True
        named = languages_of(record) or ("und",)
        return any(tag.partition("-")[0].lower() in self._languages for tag in named)

    def _post(self, record: Fields, did: str, key: str, revision: int, time_us: int) -> Post:
        text = record.get("text")
        if not isinstance(text, str):
            refuse(FrameFault.BAD_RECORD, f"text is {short(text)}, it must be a string")
        if len(text) > MAX_TEXT_LENGTH:
            refuse(FrameFault.TEXT_TOO_LONG, f"text has {len(text):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
        text = clean_text(text)
        author = author_id(did)
        url = f"https://bsky.app/profile/{did}/post/{key}"
        try:
            return Post(
                id=post_id(did, key),
                source=SOURCE,
                author=Author(id=author, handle=self.handles.of(did)),
                created_at=created_at(record, _committed(revision, time_us)),
                revision=revision,
                text=text,
                langs=languages_of(record),
                url=url if len(url) <= 4096 else None,
                links=links_of(record),
                media=media_of(record, did, self._images),
                reply_to=replied_to(record),
                position=position_of_commit(revision, time_us),
                hashtags=hashtags(record, text),
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            refuse(FrameFault.BAD_RECORD, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")

    def _account(self, account: Fields, did: str, time_us: int) -> Event:
        if account.get("did", did) != did:
            refuse(FrameFault.BAD_ACCOUNT, f"the account is {short(account.get('did'))}, the frame speaks of {did}")
        active, status = account.get("active"), account.get("status")
        if not isinstance(active, bool):
            refuse(FrameFault.BAD_ACCOUNT, f"active is {short(active)}, it must be true or false")
        author = author_id(did)
        if not active and isinstance(status, str) and status in _ERASING:
            self.handles.forget(did)
            return Erasure(source=SOURCE, author=author, position=position_of_erasure(account.get("time"), time_us))
        position = position_of_status(account.get("time"), time_us)
        return AccountStatus(source=SOURCE, author=author, hidden=not active, position=position)

    def _identity(self, identity: Fields, did: str) -> None:
        self.passed_over[PassedOverFrame.IDENTITY] += 1
        self.handles.learn(did, handle_of(identity.get("handle")))


def _part(fields: Fields, name: str, fault: FrameFault) -> Fields:
    part = fields.get(name)
    if not isinstance(part, dict):
        refuse(fault, f"{name} is {short(part)}, it must be an object")
    return part


def _sync(sync: Fields, did: str, time_us: int) -> Erasure:
    """Erases the account's posts before a revision: its records were counted anew, and the valid ones follow."""
    if sync.get("did", did) != did:
        refuse(FrameFault.BAD_SYNC, f"the account is {short(sync.get('did'))}, the frame speaks of {did}")
    revision = revision_of(sync.get("rev"))
    if revision is None:
        refuse(FrameFault.BAD_SYNC, f"rev is {short(sync.get('rev'))}, no timestamp identifier")
    return Erasure(source=SOURCE, author=author_id(did), position=position_of_sync(revision, time_us))


def _committed(revision: int, time_us: int) -> datetime:
    """Returns when the account's server took a commit, by its revision, which every Jetstream server repeats.

    It is the time of the Jetstream server only where the revision lies in its future, because the account chooses it.
    """
    differ_us = CLOCKS_DIFFER // timedelta(microseconds=1)
    return _EPOCH + timedelta(microseconds=revision if revision <= time_us + differ_us else time_us)


def _deletion(did: str, key: str, revision: int | None, time_us: int) -> Deletion:
    """Makes a deletion; without a sensible revision, the network's clock says which posts came before it."""
    return Deletion(
        id=post_id(did, key),
        source=SOURCE,
        revision=min(time_us, MAX_REVISION - 1) if revision is None else revision,
        position=position_of_commit(revision, time_us),
    )


def unexpected(error: Exception) -> MalformedFrame:
    """Returns the fault of a frame over which our code failed.

    Raises:
        Fatal: our code fails on any frame.
    """
    return MalformedFrame(FrameFault.UNEXPECTED, isolate_error(error, _read_known_good))


def _read_known_good() -> None:
    known = opened(_KNOWN_GOOD, LARGEST_READ_BYTES)
    FrameReader()._read(known.fields, known.time_us)


def _dead_letter(opened: Opened, fields: Fields, malformed: MalformedLine | MalformedFrame) -> DeadLetter:
    """Makes the dead letter of a frame, with post, author and position as far as they can be read."""
    body = opened.body
    commit = fields.get("commit")
    did = did_of(fields.get("did"))
    key, revision = None, None
    if isinstance(commit, dict):
        key, revision = record_key_of(commit.get("rkey")), revision_of(commit.get("rev"))
    return dead_letter(
        origin=f"{SOURCE}:sha256-{hashlib.sha256(body).hexdigest()}",
        source=SOURCE,
        cause=malformed.fault.value,
        message=str(malformed),
        body=body,
        post_id=post_id(did, key) if did and key else None,
        author=author_id(did) if did else None,
        position=position_of_dead_letter(revision, opened.time_us),
    )
