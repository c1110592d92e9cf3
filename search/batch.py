"""A batch of changes, played in memory before an index writes anything.

::

    changes ─▶ PlayedBatch ─▶ touched posts, dead letters, erasures, statuses, report ─▶ the index stores them
                   │  ▲
                   ▼  │ records, erasures and statuses as the index holds them
               StoredState

Owns the order of changes: what each does to the record of a post (`search/registry.py` decides), to its author's posts
and to the dead letters. Several changes to one post or account cost one effect, and every kind of index gives the same
report. Pure: knows no store, and leaves to each index how effects are stored. Keeps invariants 3, 4 and 5.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from search.documents import clean_letter, with_zone
from search.index import Indexable, Remembered, Writable, WriteReport
from search.registry import UNSEEN, AccountVisibility, OfferOutcome, RegistryRecord, is_new_revision
from search.terms import author_key
from tagstream.posts import (
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    TaggedPost,
    clean_text,
    deletion_version,
    stored_version,
    to_epoch_milliseconds,
)


class Account(NamedTuple):
    """An account of a network: the source it belongs to, and the author's id there."""

    source: str
    author: str


class StoredPost(NamedTuple):
    """A record as the index holds it, and the key of the author of its document (None without an author)."""

    record: RegistryRecord
    author: int | None


class StoredState(Protocol):
    """The state of an index before a batch. A `PlayedBatch` asks while it plays; nothing of it changes meanwhile."""

    def post(self, post_id: str) -> StoredPost | None:
        """Returns the record of that id, None if the index never met the id."""
        ...

    def posts_of(self, author: int) -> Iterable[str]:
        """Returns the ids of the posts whose stored document has the author of that key, at least the visible ones."""
        ...

    def erased_up_to(self, account: Account) -> int | None:
        """Returns the position up to which the account is erased, None if it never was."""
        ...

    def visibility(self, account: Account) -> AccountVisibility:
        """Returns what the newest status says of the account; `NO_STATUS` without any."""
        ...

    def new_number(self, created_at: datetime, observed_at: datetime) -> int:
        """Returns the number of a post that the index meets for the first time; the batch keeps it."""
        ...

    def number_again(self, number: int) -> int:
        """Returns the number of a post that had `number` in another index; the batch keeps it."""
        ...

    def lacks_document(self, post_id: str) -> bool:
        """Returns whether the record is visible and its document was never written, because a writer was cut off."""
        ...


class Offer(NamedTuple):
    """A post of the batch as it was offered to its record: the outcome, and whether the record was visible after it."""

    change: Indexable
    outcome: OfferOutcome
    is_visible: bool


@dataclass(slots=True)
class TouchedPost:
    """A record that the batch touches.

    Attributes:
        record: the record after the changes so far.
        before: the record as the index holds it, None if it has none.
        author: the key of the author of the newest document.
        newest: the last post of the batch that replaced the record's document.
        offers: the posts offered to the record, in order.
    """

    record: RegistryRecord
    before: RegistryRecord | None = None
    author: int | None = None
    newest: TaggedPost | None = None
    offers: list[Offer] = field(default_factory=list)

    @property
    def post(self) -> TaggedPost | None:
        """The post that is to become the record's document; None where the stored document stays, or there is none."""
        return self.newest if self.record.visible else None

    @property
    def brought(self) -> dict[str, bytes]:
        """The thumbnails that came with the posts, by the SHA-256 of the photo; the first one of a photo stays."""
        brought: dict[str, bytes] = {}
        for offer in self.offers:
            for thumbnail in offer.change.thumbnails:
                brought.setdefault(thumbnail.sha256, thumbnail.jpeg)
        return brought


class PlayedBatch:
    """The effects of a batch of changes. Call `play` once, then read the attributes.

    Attributes:
        touched: the records that the changes touch, by id, in the order in which they were first touched.
        letters: the dead letters to store, by origin.
        erasures: the accounts that are erased, with the position up to which.
        statuses: the accounts of which a newer status is to be stored.
        deletions: the ids of the posts that are deleted.
    """

    def __init__(self, stored: StoredState) -> None:
        self.touched: dict[str, TouchedPost] = {}
        self.letters: dict[str, DeadLetter] = {}
        self.erasures: dict[Account, int] = {}
        self.statuses: dict[Account, AccountVisibility] = {}
        self.deletions: set[str] = set()
        self._stored = stored
        self._erased: dict[Account, int | None] = {}
        self._visibility: dict[Account, AccountVisibility] = {}
        self._counts: Counter[str] = Counter()
        self._new_revisions: set[tuple[str, int]] = set()
        self._erased_posts: set[str] = set()

    @property
    def report(self) -> WriteReport:
        """The counts of what became of the changes."""
        return WriteReport(
            **self._counts, new_revisions=frozenset(self._new_revisions), erased=frozenset(self._erased_posts)
        )

    def play(self, changes: Iterable[Writable]) -> None:
        """Applies the changes to the records, in order."""
        for change in changes:
            match change:
                case Indexable():
                    self._counts[self._offer(change).value] += 1
                case Deletion():
                    self._delete(change)
                    self._counts["tombstones"] += 1
                case Erasure():
                    self._erase(change)
                    self._counts["tombstones"] += 1
                case AccountStatus():
                    self._note_status(change)
                    self._counts["statuses"] += 1
                case DeadLetter():
                    self._counts["dead" if self._keep_letter(clean_letter(change)) else "deleted"] += 1
                case Remembered():
                    self._counts[self._remember(change)] += 1

    def refuses(self, letter: DeadLetter) -> bool:
        """Returns whether a deletion or an erasure covers the cleaned dead letter, the changes so far included."""
        if letter.post_id is not None:
            record = self._record(letter.post_id)
            if record is not None and record.refuses_letter(letter.position):
                return True
        if letter.author is not None:
            erased_up_to = self.erased_up_to(Account(letter.source, letter.author))
            return erased_up_to is not None and letter.position <= erased_up_to
        return False

    def erased_up_to(self, account: Account) -> int | None:
        """Returns the position up to which the account is erased, the changes so far included."""
        if account not in self._erased:
            self._erased[account] = self._stored.erased_up_to(account)
        return self._erased[account]

    def _offer(self, change: Indexable, *, counts_mentions: bool = True) -> OfferOutcome:
        post = change.post
        touched = self._touch(post.id)
        record = touched.record
        if record.number <= 0:
            record.number = self._stored.new_number(post.created_at, change.observed_at)
            record.observed_at = to_epoch_milliseconds(with_zone(change.observed_at))
        account = None if post.author is None else Account(post.source, post.author.id)
        version, before = stored_version(post.revision, post.generation), record.version
        outcome = record.offer(version, change.position, None if account is None else self.erased_up_to(account))
        is_hidden = account is not None and self._visibility_of(account).hidden
        if counts_mentions and not is_hidden and is_new_revision(outcome, version, before):
            self._new_revisions.add((post.id, post.revision))
        if outcome is OfferOutcome.DUPLICATE and touched.post is None and self._stored.lacks_document(post.id):
            outcome = OfferOutcome.STORED
        if outcome is OfferOutcome.STORED:
            touched.newest = post
            touched.author = None if account is None else author_key(*account)
        touched.offers.append(Offer(change, outcome, record.visible))
        return outcome

    def _remember(self, remembered: Remembered) -> str:
        """Applies what another index knew of an id; returns the field of the report that counts it."""
        record, other = self._touch(remembered.record.id).record, remembered.record
        if record.number <= 0 < other.number:
            record.number, record.observed_at = self._stored.number_again(other.number), other.observed_at
        indexable = remembered.indexable()
        if indexable is None:
            record.adopt(other)
        else:
            record.delete(other.deleted, other.deleted_position)
        if other.deleted != UNSEEN:
            self._note_deletion(record)
        return "tombstones" if indexable is None else self._offer(indexable, counts_mentions=False).value

    def _delete(self, deletion: Deletion) -> None:
        record = self._touch(deletion.id).record
        record.delete(deletion_version(deletion), deletion.position)
        self._note_deletion(record)

    def _note_deletion(self, record: RegistryRecord) -> None:
        self.deletions.add(record.id)
        post_id = clean_text(record.id)
        for origin, letter in list(self.letters.items()):
            if letter.post_id == post_id and record.refuses_letter(letter.position):
                del self.letters[origin]

    def _erase(self, erasure: Erasure) -> None:
        account = Account(clean_text(erasure.source), erasure.author)
        position = max(erasure.position, self.erased_up_to(account) or 0)
        self._erased[account] = self.erasures[account] = position
        key = author_key(*account)
        for post_id in self._stored.posts_of(key):
            self._touch(post_id)
        for touched in self.touched.values():
            if touched.author == key:
                was_visible = touched.record.visible
                touched.record.erase(position)
                if was_visible and not touched.record.visible:
                    self._erased_posts.add(touched.record.id)
        for origin, letter in list(self.letters.items()):
            if (letter.source, letter.author) == account and letter.position <= position:
                del self.letters[origin]

    def _note_status(self, status: AccountStatus) -> None:
        account = Account(clean_text(status.source), status.author)
        newest = AccountVisibility(status.position, status.hidden)
        if newest > self._visibility_of(account):
            self.statuses[account] = self._visibility[account] = newest

    def _keep_letter(self, letter: DeadLetter) -> bool:
        if self.refuses(letter):
            return False
        self.letters[letter.origin] = letter
        return True

    def _visibility_of(self, account: Account) -> AccountVisibility:
        if account not in self._visibility:
            self._visibility[account] = self._stored.visibility(account)
        return self._visibility[account]

    def _record(self, post_id: str) -> RegistryRecord | None:
        touched = self.touched.get(post_id)
        if touched is not None:
            return touched.record
        stored = self._stored.post(post_id)
        return None if stored is None else stored.record

    def _touch(self, post_id: str) -> TouchedPost:
        touched = self.touched.get(post_id)
        if touched is None:
            stored = self._stored.post(post_id)
            if stored is None:
                touched = TouchedPost(RegistryRecord(post_id))
            else:
                touched = TouchedPost(replace(stored.record), stored.record, stored.author)
            self.touched[post_id] = touched
        return touched


def posts_among(changes: Iterable[Writable]) -> Iterator[Indexable]:
    """Yields the posts among the changes, those that a backup brings included."""
    for change in changes:
        post = change.indexable() if isinstance(change, Remembered) else change
        if isinstance(post, Indexable):
            yield post
