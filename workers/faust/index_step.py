"""The index stage of the distributed shape: changes ─▶ index, dead letters ─▶ posts.dead, new revisions ─▶ mentions.

Owns the effects of a batch of `posts.tagged`. Knows an index by its interface and topics by a function that publishes.
Mentions go out after the write (`mention_step.py`) and before the acknowledgement, and a repeated write names them
again: a crash in between loses none (invariants 2 and 3).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from search.index import EntityIndex, Indexable, WriteReport
from tagstream.errors import Poison
from tagstream.kafka.topics import Topics
from tagstream.posts import DeadLetter, Deletion, Erasure
from tagstream.runtime.feed_lag import FeedLag
from tagstream.runtime.metrics import EventOutcome
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import Indexing, Outgoing, dead_letter_of_record, dead_letter_record
from workers.pipeline.canaries import CanaryCheck
from workers.pipeline.canary_posts import canary_answers
from workers.pipeline.counters import Counters
from workers.pipeline.runner import Size, Stage, StageLimits
from workers.pipeline.steps import explain

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]

_RECORD_BYTES = 2048
_CANARY = ConsumedRecord("canary", 0, 0, None, None, {}, 0)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A change that was written, its place in `posts.tagged`, and (`told`) what the detectors are told of it.

    Of an erasure these are the ids of the posts that it removed. A repeated erasure removes none, so a crash between
    the write and the mentions leaves its posts in the windows of trends: no answer shows them, the index decides.
    """

    partition: int
    offset: int
    told: Indexable | Deletion | frozenset[str] | None
    size_bytes: int


def index(
    entities: EntityIndex,
    publish: Publish,
    names: Topics,
    counters: Counters,
    limits: StageLimits,
    *,
    distance: FeedLag | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Stage[Indexing, Indexed]:
    """Makes the stage that writes changes into the index, in order and so one batch at a time.

    `distance` notes how old posts are by then.
    """
    distance = FeedLag() if distance is None else distance

    async def work(values: Sequence[Indexing]) -> list[Indexed]:
        letters = [value.change for value in values if isinstance(value.change, DeadLetter)]
        changes = [value.change for value in values if not isinstance(value.change, DeadLetter)]
        report = await entities.write(changes) if changes else WriteReport()
        if kept := [record for letter in letters if (record := dead_letter_record(letter, names))]:
            await publish(kept)
        counters.fold(report)
        written_at = now()
        for value in values:
            counters.count_change(value.change)
            if isinstance(value.change, Indexable):
                distance.add(value.change.post.created_at, value.change.observed_at, written_at)
        new_revisions, erased = set(report.new_revisions), report.erased
        told = [_told(value, new_revisions) for value in values]
        # All of them with the last erasure of the batch: behind every post that it removed.
        if last := [place for place, value in enumerate(values) if isinstance(value.change, Erasure)][-1:]:
            told[last[0]] = erased
        return [_indexed(value, one) for value, one in zip(values, told, strict=True)]

    async def dead_letter(value: Indexing, error: Exception) -> Indexed:
        cause = EventOutcome.REJECTED if isinstance(error, Poison) else EventOutcome.UNEXPECTED
        if isinstance(value.change, Indexable) and value.change.post.media:  # its thumbnails came ahead of it
            await entities.discard_thumbnails([value.change])
        letter = dead_letter_of_record(value.record, cause, explain(error), value.change)
        if kept := dead_letter_record(letter, names):
            await publish([kept])
        counters.count_change(letter)
        return _indexed(value, None)

    async def examine(values: Sequence[Indexing]) -> Mapping[int, Exception]:
        return await entities.rehearse([value.change for value in values])

    async def canaries() -> list[Indexing]:
        return [Indexing(_CANARY, Indexable(post, post.created_at)) for post in canary_answers()]

    def size(value: Indexing) -> Size:
        return Size(size_bytes=_bytes_of(value))

    # No `replacement`: with the dead letter of a post its thumbnails must go, which only `dead_letter` sees to.
    return Stage("index", work, dead_letter, size, replace(limits, concurrency=1), CanaryCheck(canaries, examine))


def _indexed(value: Indexing, told: Indexable | Deletion | frozenset[str] | None) -> Indexed:
    return Indexed(value.record.partition, value.record.offset, told, _bytes_of(value))


def _told(value: Indexing, new_revisions: set[tuple[str, int]]) -> Indexable | Deletion | frozenset[str] | None:
    """Returns the change if the detectors are told of it: a new revision, once, and a deletion."""
    change = value.change
    if isinstance(change, Deletion):
        return change
    if not isinstance(change, Indexable) or (change.post.id, change.post.revision) not in new_revisions:
        return None
    new_revisions.discard((change.post.id, change.post.revision))
    return change


def _bytes_of(value: Indexing) -> int:
    return _RECORD_BYTES + 4 * len(value.record.value or b"")
