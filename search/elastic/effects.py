"""What a batch of changes does to what the registry knows: pure, no server in sight.

The changes are played through in order on records in memory (search/registry.py decides), as the SQLite index does,
so that several changes to one post cost one effect and both kinds of index give the same report.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from search.elastic.documents import Entry, clean_letter, day_of, in_utc, number_of_moment, post_number
from search.elastic.thumbnails import Place, note_photos
from search.index import Indexable, Remembered, Writable, WriteReport
from search.registry import NO_STATUS, UNSEEN, Outcome, Record, Standing, is_news
from search.sqlite.fts_query import hash_key
from search.thumbnails import merged
from tagstream.posts import (
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    TaggedPost,
    clean_text,
    deletion_version,
    from_epoch_milliseconds,
    stored_version,
    to_epoch_milliseconds,
)

Account = tuple[str, str]  # source, author


@dataclass
class Known:
    """What was read before: entries by post id, erased positions and standings by account, visible posts without their
    document."""

    entries: dict[str, Entry] = field(default_factory=dict)
    erased: dict[Account, int] = field(default_factory=dict)
    standings: dict[Account, Standing] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Touched:
    """An entry that a batch touches: as it was read, as it becomes, and the post that is to be its document.

    `brought` are the thumbnails that came with its posts, by photo; `strays` the places, not on the entry's list, where
    one may lie that must not.
    """

    entry: Entry
    before: tuple[object, ...] | None
    post: TaggedPost | None = None
    brought: dict[str, bytes] = field(default_factory=dict)
    strays: set[Place] = field(default_factory=set)

    @property
    def changed(self) -> bool:
        """Whether the registry has to be written."""
        return self.entry.state() != self.before

    @property
    def removed(self) -> bool:
        """Whether its document must not be there; said of any that might: an earlier removal may have been cut off."""
        return not self.entry.record.visible and self.entry.day is not None and self.entry.seen is not None


class Plan:
    """The effects of one batch. `apply` once, then read `touched`, `letters`, `erasures`, `statuses` and `report`."""

    def __init__(self, known: Known, retention_days: int) -> None:
        self.known = known
        self.touched: dict[str, Touched] = {}
        self.letters: dict[str, DeadLetter] = {}
        self.erased = dict(known.erased)
        self.erasures: dict[Account, int] = {}
        self.statuses: dict[Account, Standing] = {}
        self.deletions: set[str] = set()
        self._retention_days = retention_days
        self._report: Counter[str] = Counter()
        self._news: set[tuple[str, int]] = set()
        # What an erasure reaches: also posts that are gone, whose documents a writer that was cut off may have left.
        self._of_author: dict[int, set[str]] = {}
        for post_id, entry in known.entries.items():
            if entry.author is not None:
                self._of_author.setdefault(entry.author, set()).add(post_id)

    @property
    def report(self) -> WriteReport:
        """What became of the changes so far."""
        return WriteReport(**self._report, news=frozenset(self._news))

    def apply(self, changes: Iterable[Writable]) -> None:
        """Plays the changes through, in order."""
        for change in changes:
            match change:
                case Indexable():
                    self._report[self._post(change).value] += 1
                case Deletion():
                    self._deletion(change)
                    self._report["tombstones"] += 1
                case Erasure():
                    self._erasure(change)
                    self._report["tombstones"] += 1
                case AccountStatus():
                    self._status(change)
                    self._report["statuses"] += 1
                case DeadLetter():
                    self._report["dead" if self._letter(clean_letter(change)) else "deleted"] += 1
                case Remembered():
                    self._report[self._remembered(change)] += 1

    def refuses(self, letter: DeadLetter) -> bool:
        """Whether a deletion or an erasure covers the dead letter, as things stand now."""
        if letter.post_id is not None:
            entry = self._entry(letter.post_id)
            if entry is not None and entry.record.refuses_letter(letter.position):
                return True
        if letter.author is not None:
            erased_up_to = self.erased.get((letter.source, letter.author))
            return erased_up_to is not None and letter.position <= erased_up_to
        return False

    def stored(self) -> Sequence[Touched]:
        """Those whose document is to be written."""
        return [one for one in self.touched.values() if one.post is not None and one.entry.record.visible]

    def _post(self, change: Indexable, *, may_be_news: bool = True) -> Outcome:
        post = change.post
        touched = self._touch(post.id)
        entry, record = touched.entry, touched.entry.record
        if record.number <= 0:
            record.number = post_number(post.created_at, change.observed_at)
            record.observed_at = to_epoch_milliseconds(in_utc(change.observed_at))
            entry.day = day_of(record.number, change.observed_at, self._retention_days)
        account = None if post.author is None else (post.source, post.author.id)
        version, before = stored_version(post.revision, post.generation), record.version
        outcome = record.offer(version, change.position, None if account is None else self.erased.get(account))
        hidden = account is not None and self._standing(account).hidden
        if may_be_news and not hidden and is_news(outcome, version, before):
            self._news.add((post.id, post.revision))
        if outcome is Outcome.DUPLICATE and post.id in self.known.lost and touched.post is None:
            outcome = Outcome.STORED  # the writer before us ended between the record and its document
        if outcome is Outcome.STORED:
            touched.post = post
            self._written_by(entry, None if account is None else hash_key(*account))
        merged(touched.brought, change.thumbnails)
        touched.strays |= note_photos(entry, change, outcome, self._retention_days)
        self._settle(touched)
        return outcome

    def _remembered(self, known: Remembered) -> str:
        """Takes in what another index knew of an id; says as what it counts."""
        touched, other, indexable = self._touch(known.record.id), known.record, known.indexable()
        entry, record = touched.entry, touched.entry.record
        if record.number <= 0 < other.number:
            record.number, record.observed_at = number_of_moment(other.number), other.observed_at
            entry.day = day_of(record.number, from_epoch_milliseconds(other.observed_at), self._retention_days)
        if indexable is None:
            record.adopt(other)
        else:
            record.delete(other.deleted, other.deleted_position)
        if other.deleted != UNSEEN:
            self._deleted(touched)
        self._settle(touched)
        return "tombstones" if indexable is None else self._post(indexable, may_be_news=False).value

    def _deletion(self, deletion: Deletion) -> None:
        touched = self._touch(deletion.id)
        touched.entry.record.delete(deletion_version(deletion), deletion.position)
        self._deleted(touched)

    def _deleted(self, touched: Touched) -> None:
        self._settle(touched)
        self.deletions.add(touched.entry.record.id)
        self._drop_letters()

    def _erasure(self, erasure: Erasure) -> None:
        account = (clean_text(erasure.source), erasure.author)
        position = max(erasure.position, self.erased.get(account, erasure.position))
        self.erased[account] = self.erasures[account] = position
        for post_id in sorted(self._of_author.get(hash_key(*account), ())):
            touched = self._touch(post_id)
            touched.entry.record.erase(position)
            self._settle(touched)
        self._drop_letters()

    def _status(self, status: AccountStatus) -> None:
        account = (clean_text(status.source), status.author)
        before, said = self._standing(account), Standing(status.position, status.hidden)
        if said > before:
            self.statuses[account] = said

    def _standing(self, account: Account) -> Standing:
        return self.statuses.get(account) or self.known.standings.get(account, NO_STATUS)

    def _letter(self, letter: DeadLetter) -> bool:
        if self.refuses(letter):
            return False
        self.letters[letter.origin] = letter
        return True

    def _drop_letters(self) -> None:
        for origin in [origin for origin, letter in self.letters.items() if self.refuses(letter)]:
            del self.letters[origin]

    def _settle(self, touched: Touched) -> None:
        """Nothing is written of a post that is gone."""
        if not touched.entry.record.visible:
            touched.post = None

    def _written_by(self, entry: Entry, author: int | None) -> None:
        if entry.author is not None:
            self._of_author.get(entry.author, set()).discard(entry.record.id)
        entry.author = author
        if author is not None:
            self._of_author.setdefault(author, set()).add(entry.record.id)

    def _entry(self, post_id: str) -> Entry | None:
        touched = self.touched.get(post_id)
        return self.known.entries.get(post_id) if touched is None else touched.entry

    def _touch(self, post_id: str) -> Touched:
        touched = self.touched.get(post_id)
        if touched is None:
            entry = self.known.entries.get(post_id)
            before = None if entry is None else entry.state()
            touched = self.touched[post_id] = Touched(entry or Entry(Record(post_id)), before)
        return touched
