"""The contracts of trends and events: what the detector reads and what it says, minute by minute of the feed's clock.

::

    TaggedPost ─▶ PostMentions ─▶ mentions detector ─▶ MinuteOfTrends ─▶ event detector ─▶ DetectedEvent
                  (`mentions`)                          (`trends`)

A *subject* is what posts can be about: a named entity, a hashtag or a word. No contract here holds the text of a post,
so a deletion has to reach nothing but ids.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tagstream.bounds import Identifier
from tagstream.posts import ENTITY_TYPES, Contract, Revision, Timestamp

SubjectType = Literal["PER", "LOC", "ORG", "MISC", "HASHTAG", "WORD"]
SUBJECT_TYPES: tuple[SubjectType, ...] = ("PER", "LOC", "ORG", "MISC", "HASHTAG", "WORD")

MAX_SUBJECTS = 32
"""The most subjects of one post that count: a hostile post may name a thousand."""
MAX_KEY_LENGTH = 256
MAX_SHINGLES = 16
MAX_EVIDENCE = 20
MAX_RESERVE = 40
"""The posts of an event that wait to take the place of evidence that is deleted or hidden."""
MAX_FORMS = 8
MAX_NEW = 1_000
"""More new authors of one subject in one minute are a sample of them."""

Key = Annotated[str, Field(max_length=MAX_KEY_LENGTH)]
Minute = Annotated[datetime, Field(strict=False)]
Count = Annotated[int, Field(ge=0)]
Shingles = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(max_length=MAX_SHINGLES)]


class Subject(Contract):
    """A named entity, a hashtag or a word of a post.

    Attributes:
        key: the form by which it is counted: an entity's key, a hashtag's words, a folded word.
        text: its spelling in the post.
    """

    type: SubjectType
    key: Key
    text: Key


class PostMentions(Contract):
    """The subjects of one revision of a post.

    Attributes:
        author: a hash of source and author; None for a post without one, which is its own author.
        minute: the UTC minute of the earlier of the post's own time and its acceptance.
        shingles: the smallest hashes of its runs of words (bottom-k sketch), by which near-copies are told.
    """

    post_id: Identifier
    revision: Revision = 0
    author: int | None = None
    minute: Minute
    shingles: Shingles = ()
    subjects: Annotated[tuple[Subject, ...], Field(max_length=MAX_SUBJECTS)] = ()


class DeletedPost(Contract):
    """A post that its network deleted; `minute` is the first one that was open when the feed said so."""

    post_id: Identifier
    minute: Minute


class MentionBatch(Contract):
    """One record of the topic `mentions`: posts with at least one subject that its partition owns.

    Attributes:
        source_partition: the partition of `posts.tagged` that the posts come from.
        watermark: the newest minute up to which that partition has been read; None before it is known.
        deleted: deleted posts, named to every partition: any may have counted them.
    """

    version: Literal[2] = 2
    source_partition: Count
    watermark: Minute | None = None
    posts: tuple[PostMentions, ...] = ()
    deleted: tuple[DeletedPost, ...] = ()


class EvidencePost(Contract):
    """A post that mentions a trending subject, as evidence of it.

    Attributes:
        trending: the keys, as it has them, of the trending subjects that it mentions; of an event, of its own. A name
            stays as long as a piece of the evidence, or of the reserve of an event, mentions it.
    """

    post_id: Identifier
    author: int | None = None
    minute: Minute
    shingles: Shingles = ()
    trending: Annotated[tuple[Key, ...], Field(max_length=MAX_SUBJECTS)] = ()


class Companion(Contract):
    """A subject that the same posts mention, and how many of them do; near-copies count once."""

    type: SubjectType
    key: Key
    text: Key
    posts: Count


class SubjectForm(Contract):
    """One way in which posts mention a subject, in its commonest spelling, and how many of them do."""

    type: SubjectType
    key: Key
    text: Key
    posts: Count


class TrendState(Contract):
    """A subject that more authors mention than its past explains, at the end of one minute.

    Its identity is (type, key, minute): the state of a later minute never changes that of an earlier one.

    Attributes:
        type, key: of the form that most posts had when the rise began; all forms of the same letters count as one.
        text: the commonest spelling.
        minute: the closed minute.
        started_at: the first minute of this rise.
        window_minutes: the length of the window that ends with the minute.
        authors: distinct authors in the window; accounts that copy one text count once.
        posts: posts in the window.
        expected: the authors that the past lets expect.
        score: the deviations by which `authors` exceeds that.
        forms: the types and keys that count as the subject, most posts first; at most `MAX_FORMS`.
        companions: the subjects mentioned with it, most posts first, in the newest distinct posts of the window.
        counted: the number of these posts.
        evidence: posts of the window, at most `MAX_EVIDENCE`.
        new_authors, new_posts: hashes of the authors and posts since the state before, at most `MAX_NEW`, the smallest;
            by them an event counts over its whole life.
    """

    type: SubjectType
    key: Key
    text: Key
    minute: Minute
    started_at: Minute
    window_minutes: Annotated[int, Field(ge=1)]
    authors: Count
    posts: Count
    expected: Annotated[float, Field(ge=0)]
    score: float
    forms: Annotated[tuple[SubjectForm, ...], Field(max_length=MAX_FORMS)] = ()
    companions: tuple[Companion, ...] = ()
    counted: Count = 0
    evidence: Annotated[tuple[EvidencePost, ...], Field(max_length=MAX_EVIDENCE)] = ()
    new_authors: Annotated[tuple[int, ...], Field(max_length=MAX_NEW)] = ()
    new_posts: Annotated[tuple[int, ...], Field(max_length=MAX_NEW)] = ()


class MinuteOfTrends(Contract):
    """One record of the topic `trends`: everything that trends in one partition at the end of a minute, or nothing.

    It also says that the partition has closed every minute up to this one: those without a record have no trends.

    Attributes:
        closed: False where more is to be said of the minute: deletions ahead of a record that cannot hold them all.
    """

    version: Literal[1] = 1
    partition: Count
    minute: Minute
    trends: tuple[TrendState, ...] = ()
    deleted: tuple[DeletedPost, ...] = ()
    closed: bool = True


class EventSubject(Contract):
    """A subject of an event, with the posts and distinct authors of the event that mention it."""

    type: SubjectType
    key: Key
    text: Key
    posts: Count
    authors: Count


class DetectedEvent(Contract):
    """An event as it stands at the end of one minute: subjects that trend together.

    Its identity is (id, minute); `id` stays while the event lives.

    Attributes:
        minute: the closed minute whose state this is.
        names: the names of its leading subjects; with a sentence of the typical post they make its title.
        detected_at: when it was first said, by the feed's clock.
        started_at: the minute of the first post that mentions two of its subjects, of those that were its evidence.
        peak_at: the minute of the most authors so far.
        ended_at: None while it lives.
        merged_into: the id of the event that it became part of, if that is how it ended.
        subjects: most posts first; entities, hashtags and words.
        authors: distinct authors over its whole life, estimated.
        posts: its posts so far; near-copies count once.
        score: the highest significance of its subjects.
        evidence: at most `MAX_EVIDENCE` posts: the earliest, the most typical, the most diverse; near-copies folded.
        reserve: at most `MAX_RESERVE` other posts, the best first; they take the place of evidence that may not be
            seen. What is stored has it, an answer never.
        typical: the id of the most typical post, None while there is none.
    """

    version: Literal[1] = 1
    id: Annotated[str, Field(min_length=1, max_length=64)]
    minute: Minute
    names: tuple[Key, ...]
    detected_at: Minute
    started_at: Minute
    peak_at: Minute
    ended_at: Timestamp | None = None
    merged_into: str | None = None
    subjects: tuple[EventSubject, ...]
    authors: Count
    posts: Count
    score: float
    evidence: Annotated[tuple[EvidencePost, ...], Field(max_length=MAX_EVIDENCE)] = ()
    reserve: Annotated[tuple[EvidencePost, ...], Field(max_length=MAX_RESERVE)] = ()
    typical: Identifier | None = None

    @property
    def entities(self) -> tuple[EventSubject, ...]:
        """Its subjects that are named entities."""
        return tuple(subject for subject in self.subjects if subject.type in ENTITY_TYPES)
