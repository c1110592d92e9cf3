"""The state of the SQLite index that a batch asks about, read as it asks; and the numbers that it gives to new posts.

A number is a post's time (`search/documents.py`) and a running count below it, so no two posts share a number. A post
keeps its number for ever.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from search.batch import Account, StoredPost
from search.documents import IMPLAUSIBLE_TIME, TIME_SHIFT, first_of_its_time, post_number
from search.registry import NO_STATUS, AccountVisibility, RegistryRecord

RECORD_COLUMNS = ("id", "number", "version", "position", "observed_at", "deleted", "deleted_position", "visible")
_SELECT_RECORD = (
    f"SELECT {', '.join(RECORD_COLUMNS)}, author FROM registry LEFT JOIN documents USING (number) WHERE id = ?"
)


class SqliteStoredState:
    """A `StoredState` over the writer's connection. The caller holds the transaction, and writes after the batch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_number: dict[int, int] = {}
        self._taken: set[int] = set()

    def post(self, post_id: str) -> StoredPost | None:
        """Returns the record of that id, with the author of its visible document."""
        row = self._connection.execute(_SELECT_RECORD, (post_id,)).fetchone()
        if row is None:
            return None
        *values, author = row
        record = RegistryRecord(*values)
        record.visible = bool(record.visible)
        return StoredPost(record, author)

    def posts_of(self, author: int) -> Sequence[str]:
        """Returns the ids of the visible posts of the author of that key."""
        rows = self._connection.execute(
            "SELECT registry.id FROM documents JOIN registry USING (number) WHERE author = ?", (author,)
        )
        return [post_id for (post_id,) in rows]

    def erased_up_to(self, account: Account) -> int | None:
        """Returns the position up to which the account is erased, None if it never was."""
        row = self._connection.execute(
            "SELECT position FROM erasures WHERE source = ? AND author = ?", account
        ).fetchone()
        return None if row is None else row[0]

    def visibility(self, account: Account) -> AccountVisibility:
        """Returns what the newest status says of the account."""
        row = self._connection.execute(
            "SELECT position, hidden FROM account_statuses WHERE source = ? AND author = ?", account
        ).fetchone()
        return NO_STATUS if row is None else AccountVisibility(row[0], bool(row[1]))

    def new_number(self, created_at: datetime, observed_at: datetime) -> int:
        """Returns the next free number at the post's time."""
        return self._free_number(post_number(created_at, observed_at))

    def number_again(self, number: int) -> int:
        """Returns the number that a post had in another index, or where that is taken the next free one at its time."""
        slot = first_of_its_time(number)
        is_taken = self._connection.execute("SELECT 1 FROM registry WHERE number = ?", (number,)).fetchone()
        if is_taken or number in self._taken:
            return self._free_number(slot)
        self._last_number[slot] = max(number, self._last_of(slot))
        self._taken.add(number)
        return number

    def lacks_document(self, post_id: str) -> bool:  # noqa: ARG002
        """Returns False: a record and its document are one transaction."""
        return False

    def _free_number(self, slot: int) -> int:
        while True:
            number = self._last_of(slot) + 1
            if number < slot + IMPLAUSIBLE_TIME:
                self._last_number[slot] = number
                self._taken.add(number)
                return number
            slot += 1 << TIME_SHIFT  # half a million posts claim this millisecond: the next one

    def _last_of(self, slot: int) -> int:
        """Returns the highest taken number of a slot, the number before the slot if none is taken."""
        if slot not in self._last_number:
            last = self._connection.execute(
                "SELECT max(number) FROM registry WHERE number >= ? AND number < ?", (slot, slot + IMPLAUSIBLE_TIME)
            ).fetchone()[0]
            self._last_number[slot] = slot - 1 if last is None else last
        return self._last_number[slot]
