"""First-story detection: Petrović, Osborne and Lavrenko, NAACL 2010.

::

    post ─▶ TF-IDF ─▶ nearest earlier post, among those with a hash in common (random hyperplanes) and the last 2,000
    far from it: a thread of its own; near: the thread of the nearest ─▶ a thread that grows is an event

Paper: 13 bits, 70 tables, 3 × tables candidates compared, threads ranked by the users who joined them within 100,000
tweets, threads of low entropy left out as spam. Departures: 24 tables, because a feed here has 40,000 posts and not 160
million; a thread is an event as soon as `min_authors` authors have joined it within minutes, because events are to be
told while they happen; the last 2,000 posts are compared where they share one of the four rarest words; word
frequencies are those of the feed so far.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from training.events.baselines.evidence import evidence
from training.events.baselines.words import WordedPost
from training.events.score import FoundEvent

BITS = 13
TABLES = 24
_BUCKET = 40
_RECENT = 2_000
_ENDS_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The nearest earlier post, by its number in the feed, and the cosine of the two; None where no post is like it."""

    number: int | None
    cosine: float


@dataclass(frozen=True, slots=True)
class FirstStoryParameters:
    """The conditions under which a post belongs to a thread, and a thread is an event.

    Attributes:
        min_cosine: of a post and its nearest neighbour, for the post to join its thread.
        min_authors, within_minutes: distinct authors who join within that time.
        min_entropy: of the words of the thread, in nats: spam repeats few words (the paper has 3.5 bits, 2.4 nats).
    """

    min_cosine: float
    min_authors: int
    within_minutes: int
    min_entropy: float


def neighbours(posts: Sequence[WordedPost], seed: int = 1) -> list[Neighbour]:
    """Finds the nearest earlier post of each post."""
    space = _Space(seed)
    return [space.add(post) for post in posts]


class _Space:
    """Posts as vectors of TF-IDF, found again by locality-sensitive hashes."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._frequency: Counter[str] = Counter()
        self._planes: dict[str, NDArray[np.float32]] = {}
        self._vectors: list[dict[str, float]] = []
        self._buckets: list[dict[int, deque[int]]] = [defaultdict(lambda: deque(maxlen=_BUCKET)) for _ in range(TABLES)]
        self._recent: dict[str, deque[int]] = {}
        self._weights = (1 << np.arange(BITS)).astype(np.int64)

    def add(self, post: WordedPost) -> Neighbour:
        """Finds the nearest neighbour of a post, then takes the post in."""
        number = len(self._vectors)
        self._frequency.update(post.words)
        vector = self._vector(post.words)
        self._vectors.append(vector)
        hashes = self._hashes(vector)
        best = self._nearest(vector, self._candidates(hashes) | self._recent_candidates(post.words, number))
        for table, value in zip(self._buckets, hashes, strict=True):
            table[value].append(number)
        for word in post.words:
            self._recent.setdefault(word, deque(maxlen=_BUCKET)).append(number)
        return best

    def _vector(self, words: Sequence[str]) -> dict[str, float]:
        total = len(self._vectors) + 1
        weights = {word: math.log((total + 1) / (self._frequency[word] + 0.5)) for word in words}
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {word: weight / norm for word, weight in weights.items()}

    def _hashes(self, vector: dict[str, float]) -> list[int]:
        total = np.zeros(BITS * TABLES, np.float32)
        for word, weight in vector.items():
            planes = self._planes.get(word)
            if planes is None:
                planes = self._planes[word] = self._random.standard_normal(BITS * TABLES, np.float32)
            total += np.float32(weight) * planes
        values: list[int] = ((total.reshape(TABLES, BITS) > 0) @ self._weights).tolist()
        return values

    def _candidates(self, hashes: Sequence[int]) -> set[int]:
        """The posts that share the most hashes with this one, three times as many as there are tables."""
        shared: Counter[int] = Counter()
        for table, value in zip(self._buckets, hashes, strict=True):
            shared.update(table.get(value, ()))
        return {number for number, _ in shared.most_common(3 * TABLES)}

    def _recent_candidates(self, words: Sequence[str], number: int) -> set[int]:
        """The last posts that share one of the rarest words: only they can be near among the last 2,000."""
        rarest = sorted(words, key=lambda word: self._frequency[word])[:4]
        return {other for word in rarest for other in self._recent.get(word, ()) if number - other <= _RECENT}

    def _nearest(self, vector: dict[str, float], candidates: set[int]) -> Neighbour:
        best, highest = None, 0.0
        for number in sorted(candidates):
            other = self._vectors[number]
            cosine = sum(weight * other[word] for word, weight in vector.items() if word in other)
            if cosine > highest:
                best, highest = number, cosine
        return Neighbour(best, highest)


@dataclass(slots=True)
class _Thread:
    first: int
    members: list[WordedPost] = field(default_factory=list)
    recent: deque[tuple[datetime, str]] = field(default_factory=deque)
    detected_at: datetime | None = None
    part: int = 0

    def add(self, post: WordedPost, within: timedelta) -> int:
        """Takes a post; returns the distinct authors within that time."""
        self.members.append(post)
        self.recent.append((post.created_at, post.author))
        while self.recent[0][0] < post.created_at - within:
            self.recent.popleft()
        return len({author for _, author in self.recent})

    def entropy(self) -> float:
        """Returns the entropy of the words of its posts, in nats."""
        counted = Counter(word for post in self.members for word in post.words)
        total = sum(counted.values())
        return -sum(count / total * math.log(count / total) for count in counted.values()) if total else 0.0

    def found(self) -> FoundEvent:
        assert self.detected_at is not None
        first, last = self.members[0], self.members[-1]
        authors = len({post.author for post in self.members})
        identifier = f"t{self.first}.{self.part}"
        return FoundEvent(
            identifier, first.text, self.detected_at, first.created_at, last.created_at, authors, evidence(self.members)
        )


def first_stories(
    posts: Sequence[WordedPost], nearest: Sequence[Neighbour], parameters: FirstStoryParameters
) -> list[FoundEvent]:
    """Joins posts to threads and returns the threads that became events.

    A thread that nobody joins for an hour ends; a later post that is near to it begins another one.
    """
    threads: list[_Thread] = []
    within = timedelta(minutes=parameters.within_minutes)
    live: dict[int, _Thread] = {}
    for number, (post, neighbour) in enumerate(zip(posts, nearest, strict=True)):
        thread = _thread_of(post, neighbour, live, parameters.min_cosine)
        if thread is None:
            thread = _Thread(number)
            threads.append(thread)
        live[number] = thread
        authors = thread.add(post, within)
        if (
            thread.detected_at is None
            and authors >= parameters.min_authors
            and thread.entropy() >= parameters.min_entropy
        ):
            thread.detected_at = post.created_at
    return [thread.found() for thread in _events(threads)]


def _events(threads: Sequence[_Thread]) -> Iterator[_Thread]:
    return (thread for thread in threads if thread.detected_at is not None)


def _thread_of(post: WordedPost, neighbour: Neighbour, live: dict[int, _Thread], min_cosine: float) -> _Thread | None:
    if neighbour.number is None or neighbour.cosine < min_cosine:
        return None
    thread = live[neighbour.number]
    return thread if post.created_at - thread.members[-1].created_at <= _ENDS_AFTER else None
