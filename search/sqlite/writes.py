"""One write to the SQLite index: a batch of changes in, the final state of every touched row out, in one transaction.

The changes are first played through on records in memory (search/registry.py decides), so that several changes to
one post or account cost one effect, and then written table by table; what searches see of that is the affair of
`postings.py`. FTS5 gets its rows in order of number: it starts a new segment whenever a number is not above the
one before.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic_core import PydanticSerializationError

from search.index import Indexable, Remembered, SourceCursor, Writable, WriteReport
from search.limits import MAX_MOMENT
from search.registry import NO_STATUS, UNSEEN, Outcome, Record, Standing, is_news
from search.sqlite import postings, thumbnails
from search.sqlite.fts_query import hash_key
from search.sqlite.schema import DEAD_LETTER_COLUMNS, IMPLAUSIBLE_TIME, TIME_SHIFT
from search.thumbnails import merged
from tagstream.errors import RejectedDocument
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

# A clock that is a little ahead is common and moves nothing; a date further ahead says nothing about the time.
_TOLERATED_AHEAD = timedelta(minutes=5)
_RECORD_COLUMNS = ("id", "number", "version", "position", "observed_at", "deleted", "deleted_position", "visible")
_SELECT_RECORD = (
    f"SELECT {', '.join(_RECORD_COLUMNS)}, author FROM registry LEFT JOIN documents USING (number) WHERE id = ?"
)


def apply(connection: sqlite3.Connection, changes: Sequence[Writable], cursor: SourceCursor | None) -> WriteReport:
    """Applies the changes in order, then the cursor. The caller holds the transaction.

    Raises:
        RejectedDocument: a post that cannot be written, by its id; nothing may be committed then.
    """
    batch = _Batch(connection)
    report: Counter[str] = Counter()
    for change in changes:
        match change:
            case Indexable():
                report[batch.post(change).value] += 1
            case Deletion():
                batch.deletion(change)
                report["tombstones"] += 1
            case Erasure():
                batch.erasure(change)
                report["tombstones"] += 1
            case AccountStatus():
                batch.status(change)
                report["statuses"] += 1
            case DeadLetter():
                report["dead" if batch.letter(change) else "deleted"] += 1
            case Remembered():
                report[batch.remembered(change)] += 1
    batch.flush()
    if cursor is not None:
        connection.execute(
            "INSERT INTO cursors VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position",
            (cursor.source, cursor.position),
        )
    return WriteReport(**report, news=frozenset(batch.news))


def drop_dead_letters(connection: sqlite3.Connection, origins: Iterable[str]) -> int:
    """Removes dead letters by origin and says how many were there. The caller holds the transaction."""
    rows = [(origin,) for origin in origins]
    return connection.executemany("DELETE FROM dead_letters WHERE origin = ?", rows).rowcount if rows else 0


def author_key(source: str, author: str) -> int:
    """The number that stands for an author: distinct ones are counted by it, and an erasure finds its posts by it."""
    return hash_key(source, author)


@dataclass(slots=True)
class _Touched:
    """A record of this batch, what the tables hold of it now, and the post they are to hold.

    `row` is its row of the registry (None: there is none yet), `author` the key of the author of its visible post,
    `brought` the thumbnails that came with its posts, by photo.
    """

    record: Record
    row: tuple[object, ...] | None = None
    author: int | None = None
    post: TaggedPost | None = None
    was_visible: bool = False
    brought: dict[str, bytes] = field(default_factory=dict)


class _Batch:
    """The records that one write touches, as its changes so far leave them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._touched: dict[str, _Touched] = {}
        self._erased: dict[tuple[str, str], int | None] = {}
        self._stored_standings: dict[tuple[str, str], Standing] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._last_number: dict[int, int] = {}
        self._taken: set[int] = set()
        self._letters: dict[str, DeadLetter] = {}
        self.news: set[tuple[str, int]] = set()

    def post(self, change: Indexable, *, may_be_news: bool = True) -> Outcome:
        post = change.post
        touched = self._record(post.id)
        record = touched.record
        merged(touched.brought, change.thumbnails)
        if record.number <= 0:
            record.number = self._new_number(post.created_at, change.observed_at)
            record.observed_at = to_epoch_milliseconds(_in_utc(change.observed_at))
        account = None if post.author is None else (post.source, post.author.id)
        erased_up_to = None if account is None else self._erased_up_to(*account)
        version, before = stored_version(post.revision, post.generation), record.version
        outcome = record.offer(version, change.position, erased_up_to)
        hidden = account is not None and self._standing(account).hidden
        if may_be_news and not hidden and is_news(outcome, version, before):
            self.news.add((post.id, post.revision))
        if outcome is Outcome.STORED:
            touched.post = post
            touched.author = None if account is None else author_key(*account)
        return outcome

    def remembered(self, known: Remembered) -> str:
        """Takes in what another index knew of an id; says as what it counts."""
        record, other = self._record(known.record.id).record, known.record
        if record.number <= 0 < other.number:
            record.number, record.observed_at = self._number_again(other.number), other.observed_at
        indexable = known.indexable()
        if indexable is None:
            record.adopt(other)
        else:
            record.delete(other.deleted, other.deleted_position)
        if other.deleted != UNSEEN:
            self._drop_letters(record)
        return "tombstones" if indexable is None else self.post(indexable, may_be_news=False).value

    def deletion(self, deletion: Deletion) -> None:
        record = self._record(deletion.id).record
        record.delete(deletion_version(deletion), deletion.position)
        self._drop_letters(record)

    def _drop_letters(self, record: Record) -> None:
        """Leaves no dead letter that a deletion of its post covers."""
        post_id = record.id
        for origin, letter in list(self._letters.items()):
            if letter.post_id == post_id and record.refuses_letter(letter.position):
                del self._letters[origin]
        for origin, position in self._connection.execute(
            "SELECT origin, position FROM dead_letters WHERE post_id = ?", (post_id,)
        ).fetchall():
            if record.refuses_letter(position):
                drop_dead_letters(self._connection, [origin])

    def erasure(self, erasure: Erasure) -> None:
        source, author = clean_text(erasure.source), erasure.author
        position = max(erasure.position, self._erased_up_to(source, author) or 0)
        self._erased[source, author] = position
        self._connection.execute(
            "INSERT INTO erasures VALUES (?, ?, ?) "
            "ON CONFLICT (source, author) DO UPDATE SET position = excluded.position",
            (source, author, position),
        )
        key = author_key(source, author)
        stored = self._connection.execute(
            "SELECT registry.id FROM documents JOIN registry USING (number) WHERE author = ?", (key,)
        ).fetchall()
        for (post_id,) in stored:
            self._record(post_id)
        for touched in self._touched.values():
            if touched.author == key:
                touched.record.erase(position)
        for origin, letter in list(self._letters.items()):
            if (letter.source, letter.author) == (source, author) and letter.position <= position:
                del self._letters[origin]
        self._connection.execute(
            "DELETE FROM dead_letters WHERE author = ? AND source = ? AND position <= ?", (author, source, position)
        )

    def status(self, status: AccountStatus) -> None:
        account = (clean_text(status.source), status.author)
        self._standings[account] = max(self._standing(account), Standing(status.position, status.hidden))

    def letter(self, letter: DeadLetter) -> bool:
        """Whether the dead letter may be kept: not if a deletion or an erasure covers it."""
        letter = _clean(letter)
        if letter.post_id is not None:
            known = self._known(letter.post_id)
            if known is not None and known.record.refuses_letter(letter.position):
                return False
        if letter.author is not None:
            erased_up_to = self._erased_up_to(letter.source, letter.author)
            if erased_up_to is not None and letter.position <= erased_up_to:
                return False
        self._letters[letter.origin] = letter
        return True

    def flush(self) -> None:
        """Writes the final state of everything touched."""
        self._write_registry()
        ordered = sorted(self._touched.values(), key=lambda touched: touched.record.number)
        removed = [one for one in ordered if one.was_visible and (one.post is not None or not one.record.visible)]
        added = [one for one in ordered if one.post is not None and one.record.visible]
        if removed:
            self._remove(removed)
        self._write_standings()
        self._add(added)
        self._settle_thumbnails()
        self._connection.executemany(
            f"INSERT INTO dead_letters ({', '.join(DEAD_LETTER_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (origin) DO UPDATE SET "
            + ", ".join(f"{column} = excluded.{column}" for column in DEAD_LETTER_COLUMNS),
            [tuple(getattr(one, column) for column in DEAD_LETTER_COLUMNS) for one in self._letters.values()],
        )

    def _write_registry(self) -> None:
        unnumbered = [one.record for one in self._touched.values() if one.record.number == 0]
        if unnumbered:  # deletions of posts that were never seen
            lowest = self._connection.execute("SELECT min(number) FROM registry").fetchone()[0] or 0
            for below, record in enumerate(unnumbered, start=1):
                record.number = min(lowest, 0) - below
        new, changed = [], []
        for one in self._touched.values():
            row = _row(one.record)
            if one.row is None:
                new.append(row)
            elif one.row != row:
                changed.append((*row, one.record.id))
        self._connection.executemany(
            f"INSERT INTO registry ({', '.join(_RECORD_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", new
        )
        assignments = ", ".join(f"{column} = ?" for column in _RECORD_COLUMNS)
        self._connection.executemany(f"UPDATE registry SET {assignments} WHERE id = ?", changed)

    def _remove(self, removed: Sequence[_Touched]) -> None:
        numbers = [one.record.number for one in removed]
        self._connection.executemany("DELETE FROM documents WHERE number = ?", [(number,) for number in numbers])
        postings.remove(self._connection, numbers)

    def _write_standings(self) -> None:
        """After what is gone is removed and before what is new is added: only what stays is hidden or shown."""
        for account, standing in self._standings.items():
            if standing == (before := self._stored_standings[account]):
                continue
            self._connection.execute(
                "INSERT INTO account_statuses VALUES (?, ?, ?, ?) ON CONFLICT (source, author) "
                "DO UPDATE SET position = excluded.position, hidden = excluded.hidden",
                (*account, *standing),
            )
            if standing.hidden != before.hidden:
                change = postings.hide_author if standing.hidden else postings.show_author
                change(self._connection, author_key(*account))

    def _add(self, added: Sequence[_Touched]) -> None:
        documents, seen = [], []
        authors = {one.author for one in added if one.author is not None}
        hidden = {author for author in authors if postings.is_hidden(self._connection, author)}
        for one in added:
            post, number = one.post, one.record.number
            assert post is not None
            documents.append((number, one.author, _document(post)))
            if one.author not in hidden:
                seen.append((number, one.author, post))
        self._connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", documents)
        postings.add(self._connection, seen)

    def _settle_thumbnails(self) -> None:
        for one in self._touched.values():
            thumbnails.settle(self._connection, one.record, one.post, one.brought)

    def _record(self, post_id: str) -> _Touched:
        known = self._known(post_id)
        if known is None:
            known = self._touched[post_id] = _Touched(Record(post_id))
        return known

    def _known(self, post_id: str) -> _Touched | None:
        touched = self._touched.get(post_id)
        if touched is None:
            found = self._connection.execute(_SELECT_RECORD, (post_id,)).fetchone()
            if found is not None:
                *row, author = found
                record = Record(*row)
                record.visible = bool(record.visible)
                touched = _Touched(record, tuple(row), author, was_visible=record.visible)
                self._touched[post_id] = touched
        return touched

    def _erased_up_to(self, source: str, author: str) -> int | None:
        key = (source, author)
        if key not in self._erased:
            row = self._connection.execute(
                "SELECT position FROM erasures WHERE source = ? AND author = ?", key
            ).fetchone()
            self._erased[key] = None if row is None else row[0]
        return self._erased[key]

    def _standing(self, account: tuple[str, str]) -> Standing:
        """What is known of the account, this batch's changes so far included."""
        if account not in self._standings:
            row = self._connection.execute(
                "SELECT position, hidden FROM account_statuses WHERE source = ? AND author = ?", account
            ).fetchone()
            standing = NO_STATUS if row is None else Standing(row[0], bool(row[1]))
            self._stored_standings[account] = self._standings[account] = standing
        return self._standings[account]

    def _new_number(self, created_at: datetime, observed_at: datetime) -> int:
        """The next free number at the post's time, min(created_at, observed_at), which is fixed from here on."""
        created_at, observed_at = _in_utc(created_at), _in_utc(observed_at)
        moment = to_epoch_milliseconds(min(created_at, observed_at))
        implausible = IMPLAUSIBLE_TIME if created_at - observed_at > _TOLERATED_AHEAD else 0
        return self._free_number(min(max(moment, 1), MAX_MOMENT) << TIME_SHIFT | implausible)

    def _number_again(self, number: int) -> int:
        """The number that a post had in another index, or where that is taken the next free one at its time."""
        slot = number & -IMPLAUSIBLE_TIME
        is_taken = self._connection.execute("SELECT 1 FROM registry WHERE number = ?", (number,)).fetchone()
        if is_taken or number in self._taken:
            return self._free_number(slot)
        self._last_number[slot] = max(number, self._last_of(slot))
        self._taken.add(number)
        return number

    def _free_number(self, slot: int) -> int:
        while True:
            number = self._last_of(slot) + 1
            if number < slot + IMPLAUSIBLE_TIME:
                self._last_number[slot] = number
                self._taken.add(number)
                return number
            slot += 1 << TIME_SHIFT  # half a million posts claim this millisecond: the next one

    def _last_of(self, slot: int) -> int:
        """The highest number that is taken of a slot, the one before it if none is."""
        if slot not in self._last_number:
            last = self._connection.execute(
                "SELECT max(number) FROM registry WHERE number >= ? AND number < ?", (slot, slot + IMPLAUSIBLE_TIME)
            ).fetchone()[0]
            self._last_number[slot] = slot - 1 if last is None else last
        return self._last_number[slot]


def _document(post: TaggedPost) -> str:
    try:
        return post.model_dump_json()
    except PydanticSerializationError as error:
        raise RejectedDocument(f"Post {post.id!r} cannot be written as JSON: {error}.") from error


def _clean(letter: DeadLetter) -> DeadLetter:
    """The letter without lone surrogates, which no store takes: a dead letter is never refused for its content."""
    texts = {name: value for name, value in letter if isinstance(value, str) and not value.isascii()}
    return letter.model_copy(update={name: clean_text(value) for name, value in texts.items()}) if texts else letter


def _row(record: Record) -> tuple[object, ...]:
    return tuple(getattr(record, column) for column in _RECORD_COLUMNS)


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
