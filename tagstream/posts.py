"""The data contracts: the values that travel between the stages and that the index keeps.

Every offset counts code points of `Post.text`. No text here holds a lone surrogate: a source replaces each by U+FFFD
with `clean_text` before it builds a post, so that an offset means the same in every process and store.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tagstream.bounds import DEAD_LETTER_BODY_BYTES as DEAD_LETTER_BODY_BYTES
from tagstream.bounds import (
    MAX_HASHTAGS,
    MAX_LANGS,
    MAX_LINKS,
    Address,
    DeadLetterBody,
    DeadLetterIdentifier,
    DeadLetterMessage,
    DeadLetterName,
    DeadLetterOrigin,
    DeadLetterPosition,
    Description,
    Identifier,
    Label,
    Language,
    Name,
    NamedSource,
    Offset,
    Position,
    Side,
    Size,
    SourceName,
    Text,
    Title,
    first,
)
from tagstream.bounds import MAX_ID_BYTES as MAX_ID_BYTES
from tagstream.bounds import MAX_TEXT_LENGTH as MAX_TEXT_LENGTH
from tagstream.bounds import SOURCE_NAME_PATTERN as SOURCE_NAME_PATTERN
from tagstream.bounds import clean_text as clean_text

CONTRACT_VERSION: Literal[3] = 3
MAX_LABELS = 1_000
MAX_MEDIA = 4
MAX_REVISION = 2**51
MAX_THUMBNAIL_BYTES = 64 * 1024

EntityType = Literal["PER", "LOC", "ORG", "MISC"]
ENTITY_TYPES: tuple[EntityType, ...] = ("PER", "LOC", "ORG", "MISC")

_UNDECODED_BYTE = re.compile("[\udc80-\udcff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def path_as_text(path: str) -> str:
    """Returns the path as text that every store takes: %XX for a byte that is not UTF-8, to Python a lone surrogate."""
    return clean_text(_UNDECODED_BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path))


def native_id(source: str, identifier: str) -> str:
    """Returns the id under which a post of `source` is indexed: `<source>:<identifier>`, hashed if over 256 bytes."""
    full = f"{source}:{identifier}"
    if len(full.encode()) <= MAX_ID_BYTES:
        return full
    return f"{source}:sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"


def truncate_to_milliseconds(timestamp: datetime) -> datetime:
    """Returns the timestamp in UTC, cut to whole milliseconds, which every store can keep."""
    timestamp = timestamp.astimezone(UTC)
    return timestamp.replace(microsecond=timestamp.microsecond // 1000 * 1000)


def from_epoch_milliseconds(milliseconds: int) -> datetime:
    """Returns the timestamp of that many milliseconds after 1970.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_epoch_milliseconds(timestamp: datetime) -> int:
    """Returns the whole milliseconds since 1970, exactly (no floating point)."""
    return (timestamp - _EPOCH) // timedelta(milliseconds=1)


def _of_an_earlier_version(version: object) -> object:
    """Returns the present version for an earlier one, because a document of an earlier version reads as one of this.

    Each version only added to the one before: 2 `AccountStatus`; 3 bounds, `links`, `langs` and unplaced hashtags.
    """
    return CONTRACT_VERSION if type(version) is int and 1 <= version < CONTRACT_VERSION else version


class Contract(BaseModel):
    """The base of all contracts: strict types, no unknown field, never changed after it was made."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _set(contract: Contract, **values: object) -> None:
    """Sets fields of a contract that is being made, where one field decides another."""
    for name, value in values.items():
        object.__setattr__(contract, name, value)


Version = Annotated[Literal[3], BeforeValidator(_of_an_earlier_version)]
Timestamp = Annotated[datetime, Field(strict=False)]
Revision = Annotated[int, Field(ge=0, lt=MAX_REVISION)]


class Author(Contract):
    """The author of a post: `id` never changes on its network, `handle` may."""

    id: Identifier
    handle: Name | None = None


class Link(Contract):
    """An address that the network names beside the text, with the title and description of its page."""

    url: Annotated[Address, Field(min_length=1)]
    title: Title = ""
    description: Description = ""


class Hashtag(Contract):
    """A hashtag as written, without its `#`; `start` is the offset of the `#` itself.

    Both offsets are None for one that is only listed with the post and does not stand in its text.
    """

    text: Text
    start: Offset | None = None
    end: Offset | None = None

    @model_validator(mode="after")
    def _both_offsets_or_none(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("a hashtag has both start and end, or neither")
        if self.start == self.end:  # earlier versions wrote a listed hashtag so
            _set(self, start=None, end=None)
        return self

    @property
    def span(self) -> tuple[int, int] | None:
        """Its offsets in the text, None if it does not stand there."""
        return None if self.start is None or self.end is None else (self.start, self.end)

    @property
    def place(self) -> tuple[int, int]:
        """Its span, for comparing; a hashtag that is only listed comes after every other."""
        return self.span or (MAX_TEXT_LENGTH + 1, MAX_TEXT_LENGTH + 1)


class SegmentedHashtag(Hashtag):
    """A hashtag and the words it was split into, their case kept."""

    words: Annotated[tuple[Text, ...], Field(max_length=MAX_TEXT_LENGTH)]


class Media(Contract):
    """One picture or film of a post; `alt` is the author's own description.

    It has either a `thumbnail` (JPEG, at most 256 pixels a side and 64 KiB), or a `reason` for having none, or neither
    before the first attempt to fetch it. `TaggedPost` never carries the bytes. An impossible width or height is None.
    """

    kind: Literal["photo", "animation", "video"] = "photo"
    url: Address | None = None
    alt: Description | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    width: Side = None
    height: Side = None
    thumbnail: Annotated[bytes, Field(max_length=MAX_THUMBNAIL_BYTES)] | None = Field(default=None, repr=False)
    reason: Label | None = None

    def without_bytes(self) -> Self:
        """Returns the same picture without its thumbnail, for the index."""
        return self if self.thumbnail is None else self.model_copy(update={"thumbnail": None})


class Entity(Contract):
    """One name found in a post.

    Attributes:
        text: `Post.text[start:end]`.
        score: the probability that it is right: its first and last word, and its type.
        in_hashtag: whether the name lies inside a hashtag.
        key: the form by which mentions are counted (tagstream/text/entity_keys.py).
    """

    text: Text
    type: EntityType
    start: Offset
    end: Offset
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    in_hashtag: bool = False
    key: Text


class PostFields(Contract):
    """The fields that a post has before and after tagging.

    Attributes:
        lang, langs: the first language that the post names, and all of them.
        links: the links that its network names, in order. A link that only stands in the text may be missing.
    """

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: SourceName
    author: Author | None = None
    created_at: Timestamp
    revision: Revision = 0
    text: Text
    lang: Language | None = None
    langs: Annotated[tuple[Language, ...], AfterValidator(first(MAX_LANGS))] = ()
    url: Address | None = None
    links: Annotated[tuple[Link, ...], AfterValidator(first(MAX_LINKS))] = ()
    media: Annotated[tuple[Media, ...], Field(max_length=MAX_MEDIA)] = ()
    reply_to: Identifier | None = None

    @model_validator(mode="after")
    def _lang_is_the_first_of_langs(self) -> Self:
        """Fills `lang` and `langs` from each other; earlier versions had `lang` alone."""
        named = tuple(dict.fromkeys(language for language in (self.lang, *self.langs) if language is not None))
        if named:
            _set(self, lang=named[0], langs=named[:MAX_LANGS])
        return self

    @field_validator("created_at")
    @classmethod
    def _in_utc(cls, timestamp: datetime) -> datetime:
        try:
            return truncate_to_milliseconds(timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC))
        except OverflowError as error:
            raise ValueError(f"{timestamp.isoformat()} in UTC is outside the years 1 to 9999") from error

    @model_validator(mode="after")
    def _id_begins_with_its_source(self) -> Self:
        if not self.id.startswith(f"{self.source}:"):
            raise ValueError(f"id {self.id!r} must begin with its source, {self.source!r}, and a colon")
        return self


class Post(PostFields):
    """A post as its network gave it. `position` orders the posts of a source (0: the source has no order)."""

    position: Position = 0
    hashtags: Annotated[tuple[Hashtag, ...], AfterValidator(first(MAX_HASHTAGS))] = ()


class TaggedPost(PostFields):
    """A post with the entities that were found in it, as the index holds it and `posts.tagged` carries it.

    Nothing in it depends on the clock of the run, so two runs over one feed can be compared byte for byte.

    Attributes:
        model: `name@version`.
        generation: a counter that rises with every promotion and rollback of a model; even for a degraded answer.
        degraded: the passing causes for which the answer may lack something; `tagstream retag` repairs it.
        untagged: the reason for which the post, or the end of a very long one, was left without entities on purpose.
    """

    hashtags: Annotated[tuple[SegmentedHashtag, ...], AfterValidator(first(MAX_HASHTAGS))] = ()
    entities: Annotated[tuple[Entity, ...], Field(max_length=MAX_TEXT_LENGTH)] = ()
    image_labels: Annotated[tuple[Label, ...], Field(max_length=MAX_LABELS)] = ()
    model: Label
    generation: Annotated[int, Field(ge=0, lt=4095)]
    degraded: Annotated[tuple[Label, ...], Field(max_length=MAX_LABELS)] = ()
    untagged: Literal["language", "length"] | None = None


class Deletion(Contract):
    """A post that its network says is gone: up to `revision`, or for ever where that is None."""

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: NamedSource
    revision: Revision | None = None
    position: Position = 0


class Erasure(Contract):
    """An account that its network says is gone: its posts up to `position` go, later ones stay."""

    version: Version = CONTRACT_VERSION
    source: NamedSource
    author: Identifier
    position: Position


class AccountStatus(Contract):
    """An account that its network hides (deactivated, suspended) or shows again; nothing of it is deleted.

    The status with the highest `position` holds, in whatever order they arrive; of two at one position, the hiding one.
    """

    version: Version = CONTRACT_VERSION
    source: NamedSource
    author: Identifier
    hidden: bool
    position: Position


class DeadLetter(Contract):
    """An input that could not be processed, kept with the cause and its original bytes.

    No text of a dead letter is refused: each is cleaned and cut.

    Attributes:
        origin: where the input came from (`file:line`, `topic-partition-offset`); the key of the dead letter.
        body: the input, its first 64 KiB at most; `size` and `sha256` are those of the whole.
        post_id, author: known where they could be read, so that deletions and erasures reach the dead letter.
    """

    version: Version = CONTRACT_VERSION
    origin: DeadLetterOrigin
    source: DeadLetterName
    cause: DeadLetterName
    message: DeadLetterMessage
    body: DeadLetterBody = Field(repr=False)
    size: Size
    sha256: DeadLetterName
    post_id: DeadLetterIdentifier = None
    author: DeadLetterIdentifier = None
    position: DeadLetterPosition = 0


Event = Post | Deletion | Erasure | AccountStatus | DeadLetter


DELETED_GENERATION = 4095
DELETED_FOR_EVER = 2**63 - 1


def stored_version(revision: int, generation: int) -> int:
    """Returns the number that orders all answers for a post: by revision, then by generation of the model."""
    return revision << 12 | generation


def deletion_version(deletion: Deletion) -> int:
    """Returns the version up to which a deletion wins: nothing stored at or below it ever comes back."""
    if deletion.revision is None:
        return DELETED_FOR_EVER
    return stored_version(deletion.revision, DELETED_GENERATION)
