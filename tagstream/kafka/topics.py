"""The topics of the distributed shape: their names, partitions, limits, keys and values.

::

    ingest ─▶ posts ─▶ tag ─▶ posts.tagged ─▶ index ─▶ mentions ─▶ trends ─▶ events, in the index
                 │                                        └── detectors ──┘ (their snapshots)
                 └─ posts.dead ◀─ every process, for what it cannot process
    ingest ◀─▶ cursors

Every key is raw UTF-8, so that the default partitioner of every client sends equal keys to one partition. `posts` and
`posts.tagged` have the same number of partitions and the same keys, so the order of one post's revisions and deletions
holds across both. Values are MessagePack (`tagstream/codec.py`), but JSON on `posts.tagged`, `mentions`,
`trends` and `cursors`.

A record on `posts` and `posts.tagged` carries headers, whose values are ASCII: `observed_at`, when the post was
accepted, in ms since 1970; on `posts.tagged` also `position`, the post's position in its source's own order, and
`kind` (`tagged`, `deletion`, `erasure` or `account_status`). The index needs them, and a `TaggedPost` holds none. The
record's own timestamp is when it was published on that topic, and only retention looks at it: taken for `observed_at`
it would let a broker throw away, right after an outage, what the outage held up.

Knows nothing of clients. `tagstream/kafka/admin.py` makes the topics; no broker may make them by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tagstream.codec import KIB, MAX_BYTES
from tagstream.posts import AccountStatus, Deletion, Erasure, Post, from_epoch_milliseconds, to_epoch_milliseconds
from tagstream.settings import Settings

OBSERVED_AT = "observed_at"
POSITION = "position"
KIND = "kind"

# A batch of one record with its key and headers; a broker's limit counts them, ours does not.
ENVELOPE_BYTES = 16 * KIB

_HOUR_MS = 3_600_000
_END_OF_TIME_MS = 10**14  # the year 5138: what lies further on is no time at which anything was accepted

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_hours` None: compacted, the newest value of each key stays and a null deletes the key.

    `max_value_bytes` is the largest value that we put there. `key` and `value` say what they are, for readers.
    """

    name: str
    partitions: int
    retention_hours: int | None
    max_value_bytes: int
    key: str
    value: str

    @property
    def max_message_bytes(self) -> int:
        """The size of record that the broker must accept and a consumer must fetch."""
        return self.max_value_bytes + ENVELOPE_BYTES

    @property
    def cleanup_policy(self) -> str:
        """The cleanup policy, by the broker's name."""
        return "delete" if self.retention_hours is not None else "compact"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the topic, by the broker's names."""
        common = {
            "cleanup.policy": self.cleanup_policy,
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "CreateTime",
        }
        if self.retention_hours is not None:
            # An open segment is never deleted: what is older than the retention must not lie in one for a week.
            return common | {
                "retention.ms": str(self.retention_hours * _HOUR_MS),
                "segment.ms": str(6 * _HOUR_MS),
            }
        # A null must reach the bytes of what it deletes within a day, however little is written there. And a start
        # reads the whole topic: it must not wade through a week of values that were replaced.
        return common | {
            "segment.ms": str(6 * _HOUR_MS),
            "segment.bytes": str(4 * KIB * KIB),
            "max.compaction.lag.ms": str(24 * _HOUR_MS),
            "min.cleanable.dirty.ratio": "0.1",
        }


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of an installation."""

    posts: Topic
    tagged: Topic
    mentions: Topic
    trends: Topic
    detectors: Topic
    dead: Topic
    cursors: Topic

    def __iter__(self) -> Iterator[Topic]:
        return iter((self.posts, self.tagged, self.mentions, self.trends, self.detectors, self.dead, self.cursors))


def open_topics(settings: Settings) -> Topics:
    """Returns the topics of an installation; those of posts have `settings.partitions`, the others one."""
    prefix, partitions = settings.topic_prefix, settings.partitions
    return Topics(
        posts=Topic(
            name=f"{prefix}posts",
            partitions=partitions,
            retention_hours=72,
            max_value_bytes=MAX_BYTES["post"],
            key="the post's id; of a deletion the id of what it deletes, of an erasure or a status the author's id",
            value="Post, Deletion, Erasure or AccountStatus, MessagePack",
        ),
        tagged=Topic(
            name=f"{prefix}posts.tagged",
            partitions=partitions,
            retention_hours=72,
            max_value_bytes=MAX_BYTES["tagged"],
            key="as on posts",
            value="TaggedPost, Deletion, Erasure or AccountStatus, JSON",
        ),
        mentions=Topic(
            name=f"{prefix}mentions",
            partitions=partitions,
            retention_hours=24,
            max_value_bytes=512 * KIB,
            key="the partition of `posts.tagged` that the posts come from",
            value="MentionBatch, JSON",
        ),
        trends=Topic(
            name=f"{prefix}trends",
            partitions=1,
            retention_hours=24,
            max_value_bytes=3 * KIB * KIB,
            key="the partition of `mentions` that it is said of",
            value="MinuteOfTrends, JSON",
        ),
        detectors=Topic(
            name=f"{prefix}detectors",
            partitions=1,
            retention_hours=None,
            max_value_bytes=KIB * KIB,
            key="the detector, a slot and the number of the chunk",
            value="a chunk of the detector's snapshot, MessagePack",
        ),
        dead=Topic(
            name=f"{prefix}posts.dead",
            partitions=1,
            retention_hours=None,
            max_value_bytes=MAX_BYTES["dead_letter"],
            key="the dead letter's origin: topic-partition-offset, or where it stood in its feed",
            value="DeadLetter, MessagePack; null: processed, or deleted by its network",
        ),
        cursors=Topic(
            name=f"{prefix}cursors",
            partitions=1,
            retention_hours=None,
            max_value_bytes=64 * KIB,
            key="the source's name",
            value="its cursor and who saved it, JSON",
        ),
    )


def key_of(event: Post | Deletion | Erasure | AccountStatus) -> bytes:
    """Returns the key of an event on `posts` and `posts.tagged`.

    An erasure or a status of an account has the account as key, and goes to one partition: the index applies it to all
    posts of the account, whenever they come.
    """
    return (event.author if isinstance(event, Erasure | AccountStatus) else event.id).encode()


def headers(observed_at: datetime, *, position: int | None = None, kind: str | None = None) -> Headers:
    """Returns the headers of a record; `position` and `kind` where the value itself does not hold them."""
    given: Headers = [(OBSERVED_AT, b"%d" % to_epoch_milliseconds(observed_at))]
    if position is not None:
        given.append((POSITION, b"%d" % position))
    if kind is not None:
        given.append((KIND, kind.encode("ascii")))
    return given


def observed_at(given: Mapping[str, bytes] | Iterable[tuple[str, bytes]] | None, timestamp_ms: int) -> datetime:
    """Returns the time at which a post was accepted: its header, or the record's timestamp without a readable one."""
    return from_epoch_milliseconds(_number(given, OBSERVED_AT, timestamp_ms, below=_END_OF_TIME_MS))


def position(given: Mapping[str, bytes] | Iterable[tuple[str, bytes]] | None) -> int:
    """Returns the post's position in its source's own order; 0 without such a header."""
    return _number(given, POSITION, 0, below=2**63)


def _number(
    given: Mapping[str, bytes] | Iterable[tuple[str, bytes]] | None, name: str, otherwise: int, *, below: int
) -> int:
    value = dict(given or ()).get(name, b"")
    number = int(value) if value.isdigit() and len(value) < 20 else below
    return number if number < below else otherwise
