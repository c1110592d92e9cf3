"""The detector of trends: subjects that more authors mention than their past explains, minute by minute of the feed.

::

    add(posts) ─▶ open minutes (sets of posts) ─▶ close(minute) ─▶ window ─▶ baseline ─▶ TrendStates

Posts wait in the minute they belong to until it is closed, and a closed minute is worked through as a set. So neither
order nor repeats nor restarts change what is said. Knows nothing of clocks: who calls says which minute is over.
A deleted post leaves before the first minute that was open when its deletion came is closed, and no later minute counts
it; of earlier minutes it counts, because they may be closed before the deletion gets here, or after.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Self

from search.events.baseline import Baseline, significance
from search.events.copies import CopyGroups
from search.events.minutes import to_minute, to_number
from search.events.open_minutes import OpenMinutes, Owns
from search.events.snapshots import pack, unpack
from search.events.states import Finding, MinuteEvidence, form_in, leading_form, trend_state
from search.events.support import Support, minimum_support, support_of
from search.events.window import SubjectKey, Window, WindowPost
from tagstream.detections import PostMentions, SubjectType, TrendState

WINDOWS = (5, 15, 60)
"""A sudden event shows in five minutes, a small one in an hour."""
START_SCORE = 4.0
KEEP_SCORE = 2.0
BIAS = 1.0
COOL_DOWN = 10
"""Minutes below `KEEP_SCORE` after which a trend is over."""
WARM_UP_BLOCKS = 12
"""An hour: before it everything is new."""
REMEMBERED = 120
"""Minutes for which a deleted post is kept out: longer than a post of before can be waited for."""
MAX_REMEMBERED = 50_000
TOLD_AFTERWARDS = 120
"""Minutes told after the last trend: longer than the silence after which an event has ended."""

_KIND, _VERSION = "trends", 3


@dataclass(slots=True)
class Rise:
    """A subject that trends: since when, when it was last above `KEEP_SCORE`, and the form it is told in.

    The form stays, so that a trend has one name as long as it lasts.
    """

    started: int
    last: int
    type: SubjectType
    key: str


class TrendDetector:
    """Finds the subjects that trend; see the module."""

    def __init__(self) -> None:
        self._open = OpenMinutes()
        self._open_minute: int | None = None
        self._last_trend: int | None = None
        self._window = Window()
        self._baseline = Baseline()
        self._copies = CopyGroups()
        self._rises: dict[SubjectKey, Rise] = {}
        self._deletions: dict[str, int] = {}  # post -> minute; those to come
        self._deleted: dict[str, int] = {}  # and those that are done

    @property
    def open_minute(self) -> datetime | None:
        """The first minute that is not closed; None before the first close."""
        return None if self._open_minute is None else to_minute(self._open_minute)

    @property
    def passed_over(self) -> int:
        """The number of posts that found no room in the sample of their minute, since this object was made."""
        return self._open.passed_over

    def add(self, posts: Iterable[PostMentions], owns: Owns | None = None) -> int:
        """Takes posts of any minute and returns how many came too late: their minute is closed.

        A post that was taken before changes nothing; a newer revision of it replaces it while its minute is open.

        Args:
            owns: says for which subjects this detector answers; all if None. The rest are companions only.
        """
        late = 0
        for post in posts:
            minute = to_number(post.minute)
            if self._open_minute is not None and minute < self._open_minute:
                late += 1
                continue
            self._open.add(post, minute, owns)
        return late

    def has_room(self, minute: datetime, author: int | None, post_id: str) -> bool:
        """Says whether a post of an open minute would be taken; once it would not, it never will be."""
        return self._open.has_room(to_number(minute), author, post_id)

    def delete(self, post_id: str, minute: datetime) -> None:
        """Takes a deletion; `minute` is the first one that was open when it came."""
        since = min(to_number(minute), self._deletions.get(post_id, to_number(minute)))
        self._deletions[post_id] = since
        self._open.empty(post_id, since)

    def ids(self) -> set[str]:
        """Returns the ids of the posts that are kept."""
        return {*self._open.ids(), *(post.post_id for post in self._window.posts())}

    def purge(self, ids: Collection[str]) -> None:
        """Removes all words of these posts at once. Called when the detectors rest."""
        for post_id in ids:
            self._open.empty(post_id)
        self._remove(ids)
        for subject in [subject for subject in self._rises if self._window.mentions(subject) is None]:
            del self._rises[subject]

    def close(self, minute: datetime) -> list[tuple[datetime, list[TrendState]]]:
        """Closes every open minute up to and including `minute`, and returns those that have trends, in order.

        Minutes without trends are told for some time after one with trends, so that events end on time.
        """
        last = to_number(minute)
        if self._open_minute is None:
            self._open_minute = self._open.first
            if self._open_minute is None:
                return []
        found = []
        while self._open_minute <= last:
            number = self._next_minute_with_work(self._open_minute, last)
            states = self._close_one(number)
            self._open_minute = number + 1
            if states:
                self._last_trend = number
            if states or (self._last_trend is not None and number - self._last_trend <= TOLD_AFTERWARDS):
                found.append((to_minute(number), states))
        return found

    def _next_minute_with_work(self, first: int, last: int) -> int:
        """Returns the next minute that has posts, or in which something may end; skips the silence of an archive."""
        is_told = self._last_trend is not None and first - self._last_trend <= TOLD_AFTERWARDS
        if self._rises or self._window.oldest is not None or is_told:
            return first
        return min(last, last if self._open.first is None else self._open.first)

    def _apply_deletions(self, minute: int) -> None:
        """Removes the posts whose deletion came when this minute, or an earlier one, was open."""
        due = {post_id: since for post_id, since in self._deletions.items() if since <= minute}
        if due:
            self._deletions = {post_id: since for post_id, since in self._deletions.items() if since > minute}
            self._deleted |= dict.fromkeys(due, minute)
            self._remove(due)
        kept = sorted((since, post_id) for post_id, since in self._deleted.items() if since > minute - REMEMBERED)
        self._deleted = {post_id: since for since, post_id in kept[-MAX_REMEMBERED:]}

    def _remove(self, ids: Collection[str]) -> None:
        gone = self._window.remove(ids)
        if not gone:
            return
        for subject in {subject for post in gone for subject in post.owned_subjects()}:
            self._tell_by_what_is_left(subject)
        for group in {post.copies for post in gone}.difference(post.copies for post in self._window.posts()):
            self._copies.remove(group)

    def _tell_by_what_is_left(self, subject: SubjectKey) -> None:
        """Tells a rise by a form that a post still has; ends it where no post is left."""
        rise = self._rises.get(subject)
        left = self._window.mentions(subject)
        if rise is None:
            return
        if left is None:
            del self._rises[subject]
        elif all(form_in(post, subject) != (rise.type, rise.key) for post in left):
            rise.type, rise.key = leading_form(subject, left)

    def _close_one(self, minute: int) -> list[TrendState]:
        self._apply_deletions(minute)
        posts = [
            replace(post, copies=self._copies.group_of(post.shingles, minute))
            for post in self._open.take(minute)
            if post.post_id not in self._deleted
        ]
        self._copies.forget(minute)
        for block, leaving in self._window.add(minute, posts):
            self._learn(block, leaving)
        candidates = set(self._rises)
        for post in posts:
            candidates.update(post.owned_subjects())
        findings = []
        volumes = {minutes: self._window.volume(minute - minutes + 1) for minutes in WINDOWS}
        warm = self._baseline.blocks >= WARM_UP_BLOCKS - 0.5
        if warm:
            for subject in sorted(candidates):
                finding = self._judge(subject, minute, volumes)
                if finding is not None:
                    findings.append(finding)
        findings.sort(key=lambda finding: (-finding.score, finding.subject))
        found = MinuteEvidence(self._rises)
        return [trend_state(finding, found) for finding in findings]

    def _learn(self, block: int, posts: list[WindowPost]) -> None:
        """Gives the baseline the support of each subject in a block that leaves the window.

        Not before: no rise is measured against itself.
        """
        mentions: dict[SubjectKey, list[WindowPost]] = {}
        for post in posts:
            for subject in post.owned_subjects():
                mentions.setdefault(subject, []).append(post)
        # As in the present, so that an army of copies makes nothing expected.
        authors = {subject: support_of(some).authors if len(some) > 1 else 1 for subject, some in mentions.items()}
        self._baseline.learn(block, len(posts), authors)

    def _judge(self, subject: SubjectKey, minute: int, volumes: dict[int, int]) -> Finding | None:
        rise = self._rises.get(subject)
        mentions = self._window.mentions(subject)
        best = None if mentions is None else self._most_significant(subject, minute, mentions, volumes, rise)
        if best is None:
            if rise is not None and minute - rise.last >= COOL_DOWN:
                del self._rises[subject]
            return None
        score, minutes, mean, support = best
        known_until = minute - 1
        if rise is None:
            form = leading_form(subject, support.distinct)
            rise = self._rises[subject] = Rise(_start_of(support.posts, minute, mean / minutes), minute, *form)
            known_until = rise.started - 1
        rise.last = minute
        return Finding(subject, rise.type, rise.key, minute, minutes, rise.started, mean, score, support, known_until)

    def _most_significant(
        self, subject: SubjectKey, minute: int, mentions: deque[WindowPost], volumes: dict[int, int], rise: Rise | None
    ) -> tuple[float, int, float, Support] | None:
        """Returns score, length, expectation and support of the window in which the subject stands out most."""
        best = None
        threshold = START_SCORE if rise is None else KEEP_SCORE
        for minutes in WINDOWS:
            posts = _newer(mentions, minute - minutes)
            needed = minimum_support(volumes[minutes]) if rise is None else 2
            if len(posts) < needed:
                continue
            mean, variance = self._baseline.expected(subject, minute, minutes, volumes[minutes])
            if significance(len(posts), mean, variance, BIAS) < threshold:
                continue
            support = support_of(posts)
            score = significance(support.authors, mean, variance, BIAS)
            if support.authors >= needed and score >= threshold and (best is None or score > best[0]):
                best = (score, minutes, mean, support)
        return best

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        state = [
            self._open_minute,
            self._last_trend,
            self._open.state(),
            self._window.state(),
            self._baseline.state(),
            self._copies.state(),
            [[subject, rise.started, rise.last, rise.type, rise.key] for subject, rise in sorted(self._rises.items())],
            sorted(self._deletions.items()),
            sorted(self._deleted.items()),
        ]
        return pack(_KIND, _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the detector of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a detector of trends.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        open_minute, last_trend, waiting, window, baseline, copies, rises, deletions, deleted = state
        detector = cls()
        detector._open_minute, detector._last_trend = open_minute, last_trend
        detector._open = OpenMinutes.of(waiting)
        detector._window = Window.of(window)
        detector._baseline = Baseline.of(baseline)
        detector._copies = CopyGroups.of(copies)
        detector._rises = {subject: Rise(*values) for subject, *values in rises}
        detector._deletions, detector._deleted = dict(deletions), dict(deleted)
        return detector


def _start_of(posts: list[WindowPost], minute: int, rate: float) -> int:
    """Returns the first minute of the rise: from where the posts of the window outrun their expectation for good."""
    excess, lowest, start = 0.0, 0.0, posts[0].minute
    previous = posts[0].minute
    for post in posts:
        excess -= (post.minute - previous) * rate
        if excess < lowest:
            lowest, start = excess, post.minute
        excess += 1
        previous = post.minute
    return min(start, minute)


def _newer(posts: deque[WindowPost], minute: int) -> list[WindowPost]:
    """Returns the posts after the minute, in order; a mere look at the newest where there are many older ones."""
    newer = list(takewhile(lambda post: post.minute > minute, reversed(posts)))
    newer.reverse()
    return newer
