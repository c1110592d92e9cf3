"""One event as it is followed: what it is made of, how it grows, and what belongs to it."""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import datasketches

from search.events.communities import shares_of_companions
from search.events.evidence import chosen_from, with_more
from search.events.leading_names import names_of
from search.events.minutes import to_minute, to_number
from search.events.same_letters import letters_of
from search.events.window import SubjectKey
from search.terms import hash_key
from tagstream.detections import DetectedEvent, EventSubject, EvidencePost, SubjectType, TrendState

MAX_MEMBERS = 48
LEADING = 5
MIN_LINK = 0.1
"""The share of a subject's posts that must name a second subject of an event for it to belong.

The second, because two events in one place have the place in common: by the strongest link alone they would be one.
"""
_LOG2_COUNTERS = 10  # about 3 % off, 1 KiB


def new_sketch() -> datasketches.hll_sketch:
    return datasketches.hll_sketch(_LOG2_COUNTERS, datasketches.tgt_hll_type.HLL_8)


@dataclass(slots=True)
class Member:
    """A subject of an event at its height, in its first form."""

    type: SubjectType
    key: str
    text: str
    posts: int
    authors: int
    score: float
    last: int


@dataclass(slots=True)
class FollowedEvent:
    """The state of an event; numbers of minutes, see `DetectedEvent` for their meaning."""

    id: str
    detected: int
    started: int
    last: int
    peak: int
    peak_authors: int = 0
    ended: bool = False
    members: dict[SubjectKey, Member] = field(default_factory=dict)
    authors: datasketches.hll_sketch = field(default_factory=new_sketch)
    posts: datasketches.hll_sketch = field(default_factory=new_sketch)
    forgotten: int = 0
    pool: dict[str, EvidencePost] = field(default_factory=dict)
    score: float = 0.0

    def affinity(self, community: Sequence[TrendState]) -> float:
        """Returns the share of a community's subjects that belong to the event, by the root of their authors."""
        total = belonging = 0.0
        for trend in community:
            weight = trend.authors**0.5
            total += weight
            if letters_of(trend.key) in self.members or self._is_linked(trend):
                belonging += weight
        return belonging / total

    def is_led_by(self, community: Sequence[TrendState]) -> bool:
        """Says whether the community has one of the event's leading subjects: lesser ones are of many events."""
        return self._leading_in(community) > 0

    def is_part_of(self, community: Sequence[TrendState]) -> bool:
        """Says whether the community has half of the event's leading subjects: two events may share a place."""
        return 2 * self._leading_in(community) >= min(LEADING, len(self.members))

    def _leading_in(self, community: Sequence[TrendState]) -> int:
        leading = sorted(self.members, key=lambda subject: (-self.members[subject].authors, subject))[:LEADING]
        return len(set(leading).intersection(letters_of(trend.key) for trend in community))

    def _is_linked(self, trend: TrendState) -> bool:
        shares = sorted(share for other, share in shares_of_companions(trend).items() if other in self.members)
        return len(shares) > 1 and shares[-2] >= MIN_LINK

    def grow(self, community: Sequence[TrendState], minute: int) -> None:
        """Takes in the trends of a minute."""
        self.last = minute
        self.ended = False
        for trend in community:
            new = Member(trend.type, trend.key, trend.text, 0, 0, 0.0, minute)
            member = self.members.setdefault(letters_of(trend.key), new)
            if trend.authors > member.authors:
                member.text = trend.text
            member.posts = max(member.posts, trend.posts)
            member.authors = max(member.authors, trend.authors)
            member.score = max(member.score, trend.score)
            member.last = minute
            self.score = max(self.score, trend.score)
        self._count(community)
        self._forget_the_least()
        own = self._own(post for trend in community for post in trend.evidence)
        self._count_evidence(own)
        self.pool = with_more(self.pool, own)
        self.started = min((self.started, *(to_number(post.minute) for post in own)))
        authors = max(trend.authors for trend in community)
        if authors > self.peak_authors:
            self.peak, self.peak_authors = minute, authors

    def _count(self, community: Sequence[TrendState]) -> None:
        # In order, because the estimate of a sketch depends a little on the order of what it is given.
        for author in sorted({author for trend in community for author in trend.new_authors}):
            self.authors.update(author)
        for post in sorted({post for trend in community for post in trend.new_posts}):
            self.posts.update(post)

    def _count_evidence(self, posts: Iterable[EvidencePost]) -> None:
        """Counts the posts that an event, or a subject that joins it, came from: to its trend they are not new."""
        for post in sorted(posts, key=lambda post: post.post_id):
            number = hash_key("post", post.post_id)
            self.authors.update(number if post.author is None else post.author)
            self.posts.update(number)

    def _own(self, posts: Iterable[EvidencePost]) -> list[EvidencePost]:
        """Returns the posts that mention two subjects of the event: one may be a place that it shares with another."""
        needed = min(2, len(self.members))
        fullest: dict[str, EvidencePost] = {}
        for post in posts:  # each is evidence of several trends
            known = fullest.get(post.post_id)
            if known is None or len(known.trending) < len(post.trending):
                fullest[post.post_id] = post
        own = []
        for post in fullest.values():
            mine = tuple(key for key in post.trending if letters_of(key) in self.members)
            if len(mine) >= needed:
                own.append(post if mine == post.trending else post.model_copy(update={"trending": mine}))
        return own

    def _forget_the_least(self) -> None:
        ranked = sorted(self.members, key=lambda subject: (-self.members[subject].authors, subject))
        self.members = {subject: self.members[subject] for subject in ranked[:MAX_MEMBERS]}

    def absorb(self, other: "FollowedEvent") -> None:
        """Takes in an event that became part of this one."""
        for subject, member in other.members.items():
            mine = self.members.setdefault(subject, member)
            mine.posts = max(mine.posts, member.posts)
            mine.authors = max(mine.authors, member.authors)
            mine.score = max(mine.score, member.score)
            mine.last = max(mine.last, member.last)
        self._forget_the_least()
        self.authors = _united(self.authors, other.authors)
        self.posts = _united(self.posts, other.posts)
        self.forgotten += other.forgotten
        if other.peak_authors > self.peak_authors:
            self.peak, self.peak_authors = other.peak, other.peak_authors
        self.started = min(self.started, other.started)
        self.detected = min(self.detected, other.detected)
        self.score = max(self.score, other.score)
        self.pool = with_more(self.pool, other.pool.values())

    def forget(self, post_ids: Set[str]) -> bool:
        """Takes deleted posts out of evidence and counts, as far as they are evidence; says whether any was."""
        gone = [self.pool.pop(post_id) for post_id in self.pool.keys() & post_ids]
        self.forgotten += len(gone)
        if gone:
            self._keep_supported(_subjects_of(gone))
        return bool(gone)

    def purge(self, post_ids: Set[str]) -> None:
        """Forgets deleted posts, and every subject that no post of the pool mentions."""
        self.forget(post_ids)
        self._keep_supported(self.members)

    def _keep_supported(self, doubtful: Collection[SubjectKey]) -> None:
        """Takes out those of these subjects that no post of the pool mentions; without any post, all of them.

        The event then belongs to nothing and ends in silence, unless the same rise begins it again.
        """
        gone = set(doubtful).difference(_subjects_of(self.pool.values())) if self.pool else set(self.members)
        self.members = {subject: one for subject, one in self.members.items() if subject not in gone}

    def detected_event(self, minute: int, merged_into: str | None = None) -> DetectedEvent:
        """Returns the contract of the event as it stands at the end of a minute."""
        subjects = tuple(
            EventSubject(type=one.type, key=one.key, text=one.text, posts=one.posts, authors=one.authors)
            for _, one in sorted(self.members.items(), key=lambda item: (-item[1].posts, item[0]))
        )
        chosen = chosen_from(self.pool.values())
        return DetectedEvent(
            id=self.id,
            minute=to_minute(minute),
            names=names_of(subjects),
            detected_at=to_minute(self.detected),
            started_at=to_minute(self.started),
            peak_at=to_minute(self.peak),
            ended_at=to_minute(self.last) if self.ended else None,
            merged_into=merged_into,
            subjects=subjects,
            authors=_estimate(self.authors, 0),
            posts=_estimate(self.posts, self.forgotten),
            score=self.score,
            evidence=chosen.evidence,
            reserve=chosen.reserve,
            typical=chosen.typical,
        )

    def state(self) -> list[Any]:
        return [
            self.id,
            self.detected,
            self.started,
            self.last,
            self.peak,
            self.peak_authors,
            self.ended,
            [
                [subject, one.type, one.key, one.text, one.posts, one.authors, one.score, one.last]
                for subject, one in sorted(self.members.items())
            ],
            self.authors.serialize_updatable(),
            self.posts.serialize_updatable(),
            self.forgotten,
            [
                [post.post_id, post.author, to_number(post.minute), post.shingles, post.trending]
                for post in self.pool.values()
            ],
            self.score,
        ]

    @classmethod
    def of(cls, state: Any) -> "FollowedEvent":
        *times, ended, members, authors, posts, forgotten, pool, score = state
        event = cls(*times)
        event.ended = ended
        event.members = {subject: Member(*values) for subject, *values in members}
        event.authors = datasketches.hll_sketch.deserialize(authors)
        event.posts = datasketches.hll_sketch.deserialize(posts)
        event.forgotten = forgotten
        event.pool = {
            post_id: EvidencePost(
                post_id=post_id,
                author=author,
                minute=to_minute(minute),
                shingles=tuple(shingles),
                trending=tuple(trending),
            )
            for post_id, author, minute, shingles, trending in pool
        }
        event.score = score
        return event


def event_id(leading: TrendState, rose: int) -> str:
    """Returns the id of an event: a hash of its leading subject and the minute in which its first subject rose."""
    name = f"{letters_of(leading.key)}\0{rose}"
    return blake2b(name.encode(), digest_size=8).hexdigest()


def _subjects_of(posts: Iterable[EvidencePost]) -> set[SubjectKey]:
    return {letters_of(key) for post in posts for key in post.trending}


def _united(first: datasketches.hll_sketch, second: datasketches.hll_sketch) -> datasketches.hll_sketch:
    union = datasketches.hll_union(_LOG2_COUNTERS)
    union.update(first)
    union.update(second)
    return union.get_result(datasketches.tgt_hll_type.HLL_8)


def _estimate(sketch: datasketches.hll_sketch, less: int) -> int:
    estimate: float = sketch.get_estimate()
    return max(0, round(estimate) - less)
