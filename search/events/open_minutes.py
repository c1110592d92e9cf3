"""The posts of the minutes that are not closed yet, bounded: a sample of the authors where there are too many.

A post waits as the set of its minute: a repeat changes nothing, a newer revision replaces, and of too many posts those
of the authors with the smallest numbers stay, in whatever order they came. Of one author a few posts wait: an author
counts once, and nobody fills the sample alone.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from search.events.same_letters import letters_of
from search.events.window import MAX_POSTS_A_MINUTE, SubjectKey, WindowPost, post_of, post_state
from search.terms import hash_key
from tagstream.detections import PostMentions, Subject

MAX_WAITING = 2 * MAX_POSTS_A_MINUTE
"""Posts of a minute at which it is cut to the sample; twice as many, so that it is cut seldom."""
MAX_POSTS_OF_AUTHOR = 10
"""The posts of one author in one minute that wait, those with the first ids."""
MAX_OPEN_POSTS = 100_000
"""Posts of all open minutes; of more, the minutes furthest ahead are forgotten: a feed cannot have reached them."""

Owns = Callable[[SubjectKey], bool]


class OpenMinute:
    """The posts of one minute, by id. `passed_over` counts those that found no room, since this object was made."""

    __slots__ = ("_by_author", "_last", "_posts", "passed_over")

    def __init__(self) -> None:
        self.passed_over = 0
        self._posts: dict[str, tuple[int, WindowPost]] = {}
        self._by_author: dict[int, list[str]] = {}  # ids in order
        self._last: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self._posts)

    def is_full_for(self, author: int | None, post_id: str) -> bool:
        """Says whether the sample is full of authors with smaller numbers."""
        return self._last is not None and (_number(author, post_id), post_id) > self._last

    def add(self, post: PostMentions, minute: int, owns: Owns | None) -> None:
        """Adds a post, if there is room for it."""
        if self.is_full_for(post.author, post.post_id):
            self.passed_over += 1
            return
        author = _number(post.author, post.post_id)
        known = self._posts.get(post.post_id)
        if known is None and not self._has_room(author, post.post_id):
            self.passed_over += 1
            return
        if known is None or known[0] < post.revision:
            self._posts[post.post_id] = (post.revision, _window_post(post, minute, author, owns))
            if len(self._posts) > MAX_WAITING:
                self._cut()

    def _has_room(self, author: int, post_id: str) -> bool:
        """Makes room for one more post of the author; says whether there is any: those with the first ids have it."""
        ids = self._by_author.setdefault(author, [])
        if len(ids) == MAX_POSTS_OF_AUTHOR:
            if post_id > ids[-1]:
                return False
            del self._posts[ids.pop()]
            self.passed_over += 1
        insort(ids, post_id)
        return True

    def _cut(self) -> None:
        ranked = sorted((post.author, post_id) for post_id, (_, post) in self._posts.items())
        kept = [(author, post_id, self._posts[post_id]) for author, post_id in ranked[:MAX_POSTS_A_MINUTE]]
        self._posts.clear()
        self._by_author.clear()
        for author, post_id, post in kept:
            self._keep(author, post_id, post)
        self._last = ranked[MAX_POSTS_A_MINUTE - 1]
        self.passed_over += len(ranked) - MAX_POSTS_A_MINUTE

    def _keep(self, author: int, post_id: str, post: tuple[int, WindowPost]) -> None:
        self._posts[post_id] = post
        insort(self._by_author.setdefault(author, []), post_id)

    def empty(self, post_id: str) -> None:
        """Takes its subjects out of a post, which keeps its place in the sample."""
        known = self._posts.get(post_id)
        if known is not None:
            revision, post = known
            owned = None if post.owned is None else ()
            self._posts[post_id] = revision, replace(post, shingles=(), subjects=(), mentions=(), owned=owned)

    def ids(self) -> Iterable[str]:
        return self._posts

    def posts(self) -> list[WindowPost]:
        """Returns the posts of the minute, or of the sample, in order of id; the minute keeps no others."""
        if len(self._posts) > MAX_POSTS_A_MINUTE:
            self._cut()
        return [post for _, (_, post) in sorted(self._posts.items())]

    def state(self) -> list[Any]:
        # Of the sample alone, which does not depend on the order of the posts; the minute itself stays as it is.
        kept = sorted(self._posts, key=lambda post_id: (self._posts[post_id][1].author, post_id))[:MAX_POSTS_A_MINUTE]
        return [[revision, post_state(post)] for revision, post in (self._posts[post_id] for post_id in sorted(kept))]

    @classmethod
    def of(cls, state: Iterable[Any]) -> "OpenMinute":
        minute = cls()
        for revision, post_values in state:
            post = post_of(post_values)
            minute._keep(post.author, post.post_id, (revision, post))
        return minute


def _number(author: int | None, post_id: str) -> int:
    """Returns the number by which an author is in the sample; a post without an author has one of its own."""
    return hash_key("post", post_id) if author is None else author


class OpenMinutes:
    """All minutes that are not closed. `passed_over` counts posts that found no room, since this object was made."""

    def __init__(self) -> None:
        self._gone = 0  # of those passed over: in minutes that are closed or forgotten
        self._minutes: dict[int, OpenMinute] = {}
        self._count = 0

    @property
    def passed_over(self) -> int:
        return self._gone + sum(waiting.passed_over for waiting in self._minutes.values())

    @property
    def first(self) -> int | None:
        return min(self._minutes, default=None)

    def add(self, post: PostMentions, minute: int, owns: Owns | None) -> None:
        waiting = self._minutes.get(minute)
        if waiting is None:
            waiting = self._minutes[minute] = OpenMinute()
        before = len(waiting)
        waiting.add(post, minute, owns)
        self._count += len(waiting) - before
        while self._count > MAX_OPEN_POSTS and len(self._minutes) > 1:
            forgotten = self._minutes.pop(max(self._minutes))
            self._count -= len(forgotten)
            self._gone += len(forgotten) + forgotten.passed_over

    def has_room(self, minute: int, author: int | None, post_id: str) -> bool:
        waiting = self._minutes.get(minute)
        return waiting is None or not waiting.is_full_for(author, post_id)

    def empty(self, post_id: str, since: int = 0) -> None:
        """Takes its subjects out of a post of the minutes from `since` on."""
        for minute, waiting in self._minutes.items():
            if minute >= since:
                waiting.empty(post_id)

    def ids(self) -> Iterator[str]:
        """Yields the ids of all posts."""
        return (post_id for waiting in self._minutes.values() for post_id in waiting.ids())

    def take(self, minute: int) -> list[WindowPost]:
        """Returns the posts of a minute, in order of id, and forgets it."""
        waiting = self._minutes.pop(minute, None)
        if waiting is None:
            return []
        self._count -= len(waiting)
        posts = waiting.posts()
        self._gone += waiting.passed_over
        return posts

    def state(self) -> list[Any]:
        return [[minute, waiting.state()] for minute, waiting in sorted(self._minutes.items())]

    @classmethod
    def of(cls, state: Iterable[Any]) -> "OpenMinutes":
        minutes = cls()
        for minute, posts in state:
            waiting = minutes._minutes[minute] = OpenMinute.of(posts)
            minutes._count += len(waiting)
        return minutes


def _window_post(post: PostMentions, minute: int, author: int, owns: Owns | None) -> WindowPost:
    mentioned: dict[SubjectKey, Subject] = {}
    for subject in post.subjects:
        mentioned.setdefault(letters_of(subject.key), subject)
    return WindowPost(
        minute=minute,
        post_id=post.post_id,
        author=author,
        named_author=post.author,
        shingles=post.shingles,
        subjects=tuple(mentioned),
        mentions=tuple((subject.type, subject.key, subject.text) for subject in mentioned.values()),
        owned=None if owns is None else tuple(index for index, one in enumerate(mentioned) if owns(one)),
    )
