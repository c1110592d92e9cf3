"""The effects of a batch of changes on registry, documents and thumbnails in Elasticsearch. Pure: needs no server.

`search/batch.py` plays the changes on what was read of the registry (`KnownState`). `Effects` adds what only this kind
of index keeps of a post: the day of its document, the places of its thumbnails, and what a writer that was cut off may
have left.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from search.batch import Account, PlayedBatch, StoredPost, TouchedPost
from search.documents import first_of_its_time, post_number
from search.elastic.documents import RegistryEntry, day_of
from search.elastic.thumbnails import Place, note_photos
from search.index import Writable
from search.registry import NO_STATUS, AccountVisibility
from tagstream.posts import TaggedPost, from_epoch_milliseconds


@dataclass
class KnownState:
    """A `StoredState` that was read before the batch; complete before the first batch is played on it.

    Attributes:
        entries: the entries of the registry, by post id.
        erased: the position up to which an account is erased.
        statuses: what the newest status says of an account.
        lost: the ids of posts that are visible in the registry and whose document was never written.
    """

    entries: dict[str, RegistryEntry] = field(default_factory=dict)
    erased: dict[Account, int] = field(default_factory=dict)
    statuses: dict[Account, AccountVisibility] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def post(self, post_id: str) -> StoredPost | None:
        """Returns the record of that id, with the author of the document that was last stored for it."""
        entry = self.entries.get(post_id)
        return None if entry is None else StoredPost(entry.record, entry.author)

    def posts_of(self, author: int) -> Sequence[str]:
        """Returns the ids of the author's posts; also of posts that are gone, whose documents may still be there."""
        return self._posts_by_author.get(author, ())

    def erased_up_to(self, account: Account) -> int | None:
        """Returns the position up to which the account is erased, None if it never was."""
        return self.erased.get(account)

    def visibility(self, account: Account) -> AccountVisibility:
        """Returns what the newest status says of the account."""
        return self.statuses.get(account, NO_STATUS)

    def new_number(self, created_at: datetime, observed_at: datetime) -> int:
        """Returns the post's time: here posts of one millisecond share a number."""
        return post_number(created_at, observed_at)

    def number_again(self, number: int) -> int:
        """Returns the time alone of a number that counted the posts of a millisecond."""
        return first_of_its_time(number)

    def lacks_document(self, post_id: str) -> bool:
        """Returns whether the writer before ended between the record and its document."""
        return post_id in self.lost

    @cached_property
    def _posts_by_author(self) -> dict[int, list[str]]:
        found: defaultdict[int, list[str]] = defaultdict(list)
        for post_id in sorted(self.entries):
            author = self.entries[post_id].author
            if author is not None:
                found[author].append(post_id)
        return dict(found)


@dataclass(slots=True)
class EntryEffect:
    """An entry of the registry that a batch touches.

    Attributes:
        entry: the entry after the batch.
        before: the state of the entry that was read, None if there is none.
        post: the post that is to become its document, None if the document stays or is to go.
        brought: the thumbnails that came with its posts, by the SHA-256 of the photo.
        strays: the places off the entry's list where a thumbnail may lie that must not.
        arrives: whether the post becomes visible: an edit of one that is, or a new answer, is no arrival.
    """

    entry: RegistryEntry
    before: tuple[object, ...] | None
    post: TaggedPost | None
    brought: dict[str, bytes]
    strays: set[Place]
    arrives: bool = False

    @property
    def changed(self) -> bool:
        """Whether the registry has to be written."""
        return self.entry.state() != self.before

    @property
    def removed(self) -> bool:
        """Whether its document must not be there; true of any that might: an earlier removal may have been cut off."""
        return not self.entry.record.visible and self.entry.day is not None and self.entry.seen is not None


class Effects:
    """The effects of a batch of changes on what is known.

    Attributes:
        batch: the played changes: their report, dead letters, erasures and statuses.
        entries: the entries that the changes touch, by post id.
    """

    def __init__(self, known: KnownState, changes: Iterable[Writable], retention_days: int) -> None:
        self.batch = PlayedBatch(known)
        self.batch.play(changes)
        self.entries = {
            post_id: _effect(touched, known.entries.get(post_id), retention_days, is_lost=post_id in known.lost)
            for post_id, touched in self.batch.touched.items()
        }

    def stored(self) -> Sequence[EntryEffect]:
        """Returns those whose document is to be written."""
        return [effect for effect in self.entries.values() if effect.post is not None]


def _effect(touched: TouchedPost, known: RegistryEntry | None, retention_days: int, *, is_lost: bool) -> EntryEffect:
    record, author = touched.record, touched.author
    if known is None:
        entry = RegistryEntry(record, author=author)
    else:
        entry = replace(known, record=record, author=author, photos=dict(known.photos))
    if entry.day is None and record.number > 0:
        entry.day = day_of(record.number, from_epoch_milliseconds(record.observed_at), retention_days)
    strays: set[Place] = set()
    for offer in touched.offers:
        strays |= note_photos(entry, offer, retention_days)
    state = None if known is None else known.state()
    was_visible = touched.before is not None and touched.before.visible and not is_lost
    arrives = touched.post is not None and not was_visible
    return EntryEffect(entry, state, touched.post, touched.brought, strays, arrives)
