"""The record of a post, and the rules that decide which version of the post is visible. Pure: knows no store.

The same set of posts, deletions and erasures leaves the same record, whatever their order: *the newest revision
decides*. The newest revision is visible unless a deletion covers its version or an erasure its position; an older
revision never takes its place. An author may be hidden besides (`AccountVisibility`), which no record knows.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tagstream.posts import DELETED_FOR_EVER

UNSEEN = -1
_GENERATION_BITS = 12


class OfferOutcome(Enum):
    """The outcome of offering a post to its record; the values are fields of `WriteReport`."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    STALE = "stale"
    DELETED = "deleted"


class AccountVisibility(NamedTuple):
    """The visibility of an account's posts, as a status at a position of the source says.

    The greatest of all statuses of an account holds. So their order of arrival does not matter, and of two statuses at
    one position the hiding one wins.
    """

    position: int
    hidden: bool


NO_STATUS = AccountVisibility(UNSEEN, hidden=False)


def is_new_revision(outcome: OfferOutcome, version: int, before: int) -> bool:
    """Returns whether the entity mentions of an offered post are to be counted.

    Args:
        outcome: the outcome of the offer.
        version: the stored version of the post.
        before: the version of its record before the offer.
    """
    if outcome is OfferOutcome.STORED:
        return before == UNSEEN or version >> _GENERATION_BITS > before >> _GENERATION_BITS
    return outcome is OfferOutcome.DUPLICATE


@dataclass(slots=True)
class RegistryRecord:
    """The record of one id in the registry, which outlasts the post.

    Attributes:
        id: the id of the post.
        number: the post's time as a number (`search/documents.py`), fixed when the post is first met; 0 or less while
            only a deletion was met.
        version: the newest stored version, `UNSEEN` before the first.
        position: the position of that version in its source.
        observed_at: when the post was first accepted, in milliseconds since 1970.
        deleted: the version up to which the post is deleted, `UNSEEN` if it never was.
        deleted_position: the position of the deletion in its source.
        visible: whether the newest version is the document that searches see.
    """

    id: str
    number: int = 0
    version: int = UNSEEN
    position: int = 0
    observed_at: int = 0
    deleted: int = UNSEEN
    deleted_position: int = UNSEEN
    visible: bool = False

    @property
    def decided_revision(self) -> int:
        """The newest revision that is stored or deleted; `UNSEEN` if there is none."""
        return max(self.version, self.deleted) >> _GENERATION_BITS

    def offer(self, version: int, position: int, erased_up_to: int | None) -> OfferOutcome:
        """Applies a post of that stored version and position; STORED means that the post is now the document.

        The position belongs to the revision: a new answer of a model to the same revision inherits it, wherever the
        answer came from.

        Args:
            version: the stored version: the revision and the generation of the model.
            position: the position of the post in its source.
            erased_up_to: the position up to which the author's posts are erased, None if they are not.
        """
        if version <= self.deleted:
            return OfferOutcome.DELETED
        same_revision = self.version != UNSEEN and version >> _GENERATION_BITS == self.version >> _GENERATION_BITS
        if version < self.version and not same_revision:
            return OfferOutcome.STALE
        self.position = max(position, self.position) if same_revision else position
        if erased_up_to is not None and self.position <= erased_up_to:
            self.version = max(version, self.version)
            self.visible = False
            return OfferOutcome.DELETED
        if self.visible and version <= self.version:
            return OfferOutcome.DUPLICATE if version == self.version else OfferOutcome.STALE
        self.version, self.visible = version, True
        return OfferOutcome.STORED

    def delete(self, version: int, position: int) -> None:
        """Deletes every version up to `version`, for ever."""
        self.deleted = max(version, self.deleted)
        self.deleted_position = max(position, self.deleted_position)
        if self.version <= self.deleted:
            self.visible = False

    def adopt(self, other: "RegistryRecord") -> None:
        """Merges the record of another index in which the post is not visible: the newest revision decides."""
        if other.version > self.version:
            self.version, self.position, self.visible = other.version, other.position, False
        self.delete(other.deleted, other.deleted_position)

    def erase(self, position: int) -> None:
        """Hides the post if its position is covered: the author's posts up to `position` are erased."""
        if self.position <= position:
            self.visible = False

    def refuses_letter(self, position: int) -> bool:
        """Returns whether a deletion covers a dead letter of this post at `position`."""
        return self.deleted == DELETED_FOR_EVER or position <= self.deleted_position
