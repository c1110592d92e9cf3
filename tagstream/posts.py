"""The data contracts: what travels between the stages, and what the index keeps.

Every offset counts code points of `Post.text`. No text here holds a lone surrogate: sources replace each by
U+FFFD with `clean_text` before they build a post, so that an offset means the same in every process and store.
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
    """The path as text that every store takes: a byte that is not UTF-8 (to Python a lone surrogate) as %XX."""
    return clean_text(_UNDECODED_BYTE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", path))


def native_id(source: str, identifier: str) -> str:
    """The id under which a post of `source` is indexed: `<source>:<identifier>`, hashed if over 256 bytes."""
    full = f"{source}:{identifier}"
    if len(full.encode()) <= MAX_ID_BYTES:
        return full
    return f"{source}:sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"


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


def _of_an_earlier_version(version: object) -> object:
    """Each version only added to the one before: 2 `AccountStatus`, 3 bounds, `links`, `langs` and unplaced hashtags.

    So what indices and files hold of an earlier one reads as this one.
    """
    return CONTRACT_VERSION if type(version) is int and 1 <= version < CONTRACT_VERSION else version


class Contract(BaseModel):
    """What all contracts share: strict types, no unknown field, never changed after it was made."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _set(contract: Contract, **values: object) -> None:
    """Sets fields of a contract that is being made, for what one field says of another."""
    for name, value in values.items():
        object.__setattr__(contract, name, value)


Version = Annotated[Literal[3], BeforeValidator(_of_an_earlier_version)]
Moment = Annotated[datetime, Field(strict=False)]
Revision = Annotated[int, Field(ge=0, lt=MAX_REVISION)]


class Author(Contract):
    """Who wrote a post: `id` never changes on its network, `handle` may."""

    id: Identifier
    handle: Name | None = None


class Link(Contract):
    """An address that the network names beside the text, with the title and description of what stands there."""

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
        if self.start == self.end:  # so earlier versions wrote one that is only listed
            _set(self, start=None, end=None)
        return self

    @property
    def span(self) -> tuple[int, int] | None:
        """Where it stands in the text, None if it does not."""
        return None if self.start is None or self.end is None else (self.start, self.end)

    @property
    def place(self) -> tuple[int, int]:
        """Its span, for comparing; one that is only listed comes after every text."""
        return self.span or (MAX_TEXT_LENGTH + 1, MAX_TEXT_LENGTH + 1)


class SegmentedHashtag(Hashtag):
    """A hashtag and the words it was split into, their case kept."""

    words: Annotated[tuple[Text, ...], Field(max_length=MAX_TEXT_LENGTH)]


class Media(Contract):
    """One picture or film of a post; `alt` is the author's own description.

    Either `thumbnail` (JPEG, at most 256 pixels a side and 64 KiB) is there, or `reason` says why not, or nothing
    has tried to fetch it yet. `TaggedPost` never carries the bytes. A side that no picture has is none.
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
        """The same, for the index: no thumbnail."""
        return self if self.thumbnail is None else self.model_copy(update={"thumbnail": None})


class Entity(Contract):
    """One name found in a post.

    `text` is `Post.text[start:end]`; `score` the marginal probability of its tags; `in_hashtag` whether it lies
    inside a hashtag; `key` the form by which mentions are counted (tagstream/text/entity_keys.py).
    """

    text: Text
    type: EntityType
    start: Offset
    end: Offset
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    in_hashtag: bool = False
    key: Text


class PostFields(Contract):
    """What a post is before and after tagging.

    `langs` are all languages that it names, `lang` the first of them. `links` are those that its network names, in
    order; what merely stands in the text need not be among them.
    """

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: SourceName
    author: Author | None = None
    created_at: Moment
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
        """Whoever names one language or several need not say it twice; earlier versions knew one."""
        named = tuple(dict.fromkeys(one for one in (self.lang, *self.langs) if one is not None))
        if named:
            _set(self, lang=named[0], langs=named[:MAX_LANGS])
        return self

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
    hashtags: Annotated[tuple[Hashtag, ...], AfterValidator(first(MAX_HASHTAGS))] = ()


class TaggedPost(PostFields):
    """A post with what was found in it: what the index holds and `posts.tagged` carries.

    Nothing in it depends on the clock of the run, so two runs over one feed can be compared byte for byte.
    `model` is `name@version`; `generation` rises with every promotion and rollback of a model and is even for a
    degraded answer; `untagged` says why a post, or the end of one that is very long, was deliberately left without
    entities.
    """

    hashtags: Annotated[tuple[SegmentedHashtag, ...], AfterValidator(first(MAX_HASHTAGS))] = ()
    entities: Annotated[tuple[Entity, ...], Field(max_length=MAX_TEXT_LENGTH)] = ()
    image_labels: Annotated[tuple[Label, ...], Field(max_length=MAX_LABELS)] = ()
    model: Label
    generation: Annotated[int, Field(ge=0, lt=4095)]
    degraded: Annotated[tuple[Label, ...], Field(max_length=MAX_LABELS)] = ()
    untagged: Literal["language", "length"] | None = None


class Deletion(Contract):
    """The network says that a post is gone. `revision` None: for ever; else up to that revision."""

    version: Version = CONTRACT_VERSION
    id: Identifier
    source: NamedSource
    revision: Revision | None = None
    position: Position = 0


class Erasure(Contract):
    """The network says that an account is gone: everything of it up to `position` goes, what comes later stays."""

    version: Version = CONTRACT_VERSION
    source: NamedSource
    author: Identifier
    position: Position


class AccountStatus(Contract):
    """The network says that an account is hidden (deactivated, suspended) or shown again; nothing of it is deleted.

    Of several the one with the highest `position` holds, in whatever order they arrive; of two at one position the
    one that hides.
    """

    version: Version = CONTRACT_VERSION
    source: NamedSource
    author: Identifier
    hidden: bool
    position: Position


class DeadLetter(Contract):
    """Something that could not be processed, kept with its cause and its original bytes.

    `origin` names where it came from (`file:line`, `topic-partition-offset`) and is its key. Of something too large
    only the first 64 KiB are kept in `body`; `size` and `sha256` are of the whole. `post_id` and `author` where they
    could be read, so that deletions and erasures reach it. No text of it is refused: each is cleaned, and cut.
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
    """The one number that orders all answers for a post: a newer revision first, then a newer model."""
    return revision << 12 | generation


def deletion_version(deletion: Deletion) -> int:
    """The version up to which a deletion wins: nothing stored at or below it ever comes back."""
    if deletion.revision is None:
        return DELETED_FOR_EVER
    return stored_version(deletion.revision, DELETED_GENERATION)
