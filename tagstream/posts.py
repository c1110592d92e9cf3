"""The data contracts: what travels between the stages, and what the index keeps.

Every offset counts code points of `Post.text`. No text here holds a lone surrogate: sources replace each by
U+FFFD with `clean_text` before they build a post, so that an offset means the same in every process and store.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tagstream.safe_text import normalise

CONTRACT_VERSION: Literal[2] = 2
MAX_ID_BYTES = 256
MAX_MEDIA = 4
MAX_REVISION = 2**51
MAX_THUMBNAIL_BYTES = 64 * 1024
MAX_TEXT_LENGTH = 100_000

EntityType = Literal["PER", "LOC", "ORG", "MISC"]
ENTITY_TYPES: tuple[EntityType, ...] = ("PER", "LOC", "ORG", "MISC")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNDECODED_BYTE = re.compile("[\udc80-\udcff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clean_text(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD; its length in code points does not change."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def path_as_text(path: str) -> str:
    """The path as text that every store takes: a byte that is not UTF-8 (to Python a lone surrogate) as %XX."""
    return clean_text(_UNDECODED_BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path))


def native_id(source: str, identifier: str) -> str:
    """The id under which a post of `source` is indexed: `<source>:<identifier>`, hashed if over 256 bytes."""
    full = f"{source}:{identifier}"
    if len(full.encode()) <= MAX_ID_BYTES:
        return full
    return f"{source}:sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"


def fold_key(text: str) -> str:
    """The form by which mentions of one entity are counted together: NFKC, case folded, single spaces, no `#`."""
    folded = normalise("NFKC", text).casefold()
    return " ".join(folded.replace("#", " ").split())


def truncate_to_milliseconds(moment: datetime) -> datetime:
    """The moment in UTC, its microseconds cut to whole milliseconds (what every store keeps)."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def from_epoch_milliseconds(milliseconds: int) -> datetime:
    """The moment that many milliseconds after 1970.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, exactly (no floating point)."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _of_the_version_before(version: object) -> object:
    """Version 2 added `AccountStatus` and changed no other contract, so what indices and files hold of 1 reads as 2."""
    return CONTRACT_VERSION if type(version) is int and version == CONTRACT_VERSION - 1 else version


class Contract(BaseModel):
    """What all contracts share: strict types, no unknown field, never changed after it was made."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Version = Annotated[Literal[2], BeforeValidator(_of_the_version_before)]
Moment = Annotated[datetime, Field(strict=False)]
Span = Annotated[int, Field(ge=0)]
Position = Annotated[int, Field(ge=0, lt=2**63)]
Revision = Annotated[int, Field(ge=0, lt=MAX_REVISION)]
Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_BYTES)]
SOURCE_NAME_PATTERN = r"^[a-z0-9][a-z0-9.\-]*(:[A-Za-z0-9.\-]+)?$"
SourceName = Annotated[str, Field(pattern=SOURCE_NAME_PATTERN, max_length=128)]


class Author(Contract):
    """Who wrote a post: `id` never changes on its network, `handle` may."""

    id: Identifier
    handle: Annotated[str, Field(max_length=256)] | None = None


class Hashtag(Contract):
    """A hashtag as written, without its `#`; `start` is the offset of the `#` itself."""

    text: str
    start: Span
    end: Span


class SegmentedHashtag(Hashtag):
    """A hashtag and the words it was split into, their case kept."""

    words: tuple[str, ...]


class Media(Contract):
    """One picture or film of a post; `alt` is the author's own description.

    Either `thumbnail` (JPEG, at most 256 pixels a side and 64 KiB) is there, or `reason` says why not, or nothing
    has tried to fetch it yet. `TaggedPost` never carries the bytes.
    """

    kind: Literal["photo", "animation", "video"] = "photo"
    url: Annotated[str, Field(max_length=4096)] | None = None
    alt: Annotated[str, Field(max_length=10_000)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None
    thumbnail: Annotated[bytes, Field(max_length=MAX_THUMBNAIL_BYTES)] | None = Field(default=None, repr=False)
    reason: str | None = None

    def without_bytes(self) -> Self:
        """The same, for the index: no thumbnail."""
        return self if self.thumbnail is None else self.model_copy(update={"thumbnail": None})


class Entity(Contract):
    """One name found in a post.

    `text` is `Post.text[start:end]`; `score` the marginal probability of its tags; `in_hashtag` whether it lies
    inside a hashtag; `key` its folded form, by which mentions are counted.
    """

    text: str
    type: EntityType
    start: Span
    end: Span
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    in_hashtag: bool = False
    key: str


class PostFields(Contract):
    """What a post is before and after tagging."""

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: SourceName
    author: Author | None = None
    created_at: Moment
    revision: Revision = 0
    text: Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
    lang: Annotated[str, Field(max_length=35)] | None = None
    url: Annotated[str, Field(max_length=4096)] | None = None
    media: Annotated[tuple[Media, ...], Field(max_length=MAX_MEDIA)] = ()
    reply_to: Identifier | None = None

    @field_validator("created_at")
    @classmethod
    def _in_utc(cls, moment: datetime) -> datetime:
        try:
            return truncate_to_milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except OverflowError as error:
            raise ValueError(f"{moment.isoformat()} in UTC is outside the years 1 to 9999") from error

    @model_validator(mode="after")
    def _id_begins_with_its_source(self) -> Self:
        if not self.id.startswith(f"{self.source}:"):
            raise ValueError(f"id {self.id!r} must begin with its source, {self.source!r}, and a colon")
        return self


class Post(PostFields):
    """A post as its network gave it. `position` is its place in its source's own order (0: the source has none)."""

    position: Position = 0
    hashtags: tuple[Hashtag, ...] = ()


class TaggedPost(PostFields):
    """A post with what was found in it: what the index holds and `posts.tagged` carries.

    Nothing in it depends on the clock of the run, so two runs over one feed can be compared byte for byte.
    `model` is `name@version`; `generation` rises with every promotion and rollback of a model and is even for a
    degraded answer; `untagged` says why a post was deliberately left without entities.
    """

    hashtags: tuple[SegmentedHashtag, ...] = ()
    entities: tuple[Entity, ...] = ()
    image_labels: tuple[str, ...] = ()
    model: str
    generation: Annotated[int, Field(ge=0, lt=4095)]
    degraded: tuple[str, ...] = ()
    untagged: Literal["language"] | None = None


class Deletion(Contract):
    """The network says that a post is gone. `revision` None: for ever; else up to that revision."""

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: str
    revision: Revision | None = None
    position: Position = 0


class Erasure(Contract):
    """The network says that an account is gone: everything of it up to `position` goes, what comes later stays."""

    version: Version = CONTRACT_VERSION
    source: str
    author: Identifier
    position: Position


class AccountStatus(Contract):
    """The network says that an account is hidden (deactivated, suspended) or shown again; nothing of it is deleted.

    Of several the one with the highest `position` holds, in whatever order they arrive; of two at one position the
    one that hides.
    """

    version: Version = CONTRACT_VERSION
    source: str
    author: Identifier
    hidden: bool
    position: Position


class DeadLetter(Contract):
    """Something that could not be processed, kept with its cause and its original bytes.

    `origin` names where it came from (`file:line`, `topic-partition-offset`) and is its key. Of something too large
    only the first 64 KiB are kept in `body`; `size` and `sha256` are of the whole. `post_id` and `author` where they
    could be read, so that deletions and erasures reach it.
    """

    version: Version = CONTRACT_VERSION
    origin: str
    source: str
    cause: str
    message: str
    body: bytes = Field(repr=False)
    size: Span
    sha256: str
    post_id: str | None = None
    author: str | None = None
    position: Position = 0


Event = Post | Deletion | Erasure | AccountStatus | DeadLetter

DEAD_LETTER_BODY_BYTES = 64 * 1024


def dead_letter(
    *,
    origin: str,
    source: str,
    cause: str,
    message: str,
    body: bytes,
    post_id: str | None = None,
    author: str | None = None,
    position: int = 0,
) -> DeadLetter:
    """A dead letter for `body`, of which at most 64 KiB are kept."""
    return DeadLetter(
        origin=origin,
        source=source,
        cause=cause,
        message=message,
        body=body[:DEAD_LETTER_BODY_BYTES],
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        post_id=post_id,
        author=author,
        position=position,
    )


DELETED_GENERATION = 4095
DELETED_FOR_EVER = 2**63 - 1


def stored_version(revision: int, generation: int) -> int:
    """The one number that orders all answers for a post: a newer revision first, then a newer model."""
    return revision << 12 | generation


def deletion_version(deletion: Deletion) -> int:
    """The version up to which a deletion wins: nothing stored at or below it ever comes back."""
    if deletion.revision is None:
        return DELETED_FOR_EVER
    return stored_version(deletion.revision, DELETED_GENERATION)
