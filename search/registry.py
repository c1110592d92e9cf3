"""Which version of a post may be seen: the rules every index keeps, without any store.

A record says what is known of one id. Whatever the order in which posts, deletions and erasures arrive, the same
set of them leaves the same answer: *the newest revision decides*. It is visible unless a deletion covers its version
or an erasure its position; an older revision never comes back in its place. Whether its author is hidden is asked
beside that, of what `AccountVisibility` keeps.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tagstream.posts import DELETED_FOR_EVER

UNSEEN = -1
_GENERATION_BITS = 12


class OfferOutcome(Enum):
    """What became of a post that was offered; the values are fields of `WriteReport`."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    STALE = "stale"
    DELETED = "deleted"


class AccountVisibility(NamedTuple):
    """What a status says of an account. The greatest of all that were ever said holds: so their order does not matter,
    and of two at one position the one that hides wins."""

    position: int
    hidden: bool


NO_STATUS = AccountVisibility(UNSEEN, hidden=False)


def is_new_revision(outcome: OfferOutcome, version: int, before: int) -> bool:
    """Whether the mentions of a post are to be counted; `before` is its record's version before it was offered."""
    if outcome is OfferOutcome.STORED:
        return before == UNSEEN or version >> _GENERATION_BITS > before >> _GENERATION_BITS
    return outcome is OfferOutcome.DUPLICATE


@dataclass(slots=True)
class RegistryRecord:
    """What the registry keeps of one id, for longer than the post itself.

    `number` orders posts by time and is fixed at first sight (0 or less: only a deletion was seen). `version` is the
    newest stored version, `position` its place in its source, `deleted` the version up to which the post is gone
    and `deleted_position` where its source said so.
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
        """The newest revision of which it is decided whether it may be seen; `UNSEEN` if there is none."""
        return max(self.version, self.deleted) >> _GENERATION_BITS

    def offer(self, version: int, position: int, erased_up_to: int | None) -> OfferOutcome:
        """Takes in a post of that stored version and position; STORED means that its document is now the answer.

        `erased_up_to` is the position up to which its author's posts are erased. The position belongs to the
        revision: a new answer of a model to the same revision, from wherever it came, inherits it.
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
        """Everything up to `version` is gone for ever."""
        self.deleted = max(version, self.deleted)
        self.deleted_position = max(position, self.deleted_position)
        if self.version <= self.deleted:
            self.visible = False

    def adopt(self, other: "RegistryRecord") -> None:
        """Takes in what another registry says of an id of which nothing may be seen: the newest revision decides."""
        if other.version > self.version:
            self.version, self.position, self.visible = other.version, other.position, False
        self.delete(other.deleted, other.deleted_position)

    def erase(self, position: int) -> None:
        """The author's posts up to `position` are gone."""
        if self.position <= position:
            self.visible = False

    def refuses_letter(self, position: int) -> bool:
        """Whether a dead letter of this post at `position` may not be kept: what it holds was deleted."""
        return self.deleted == DELETED_FOR_EVER or position <= self.deleted_position
