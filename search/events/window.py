"""The posts of the last minutes, and which of them mention a subject.

Bounded: at most `MAX_POSTS_A_MINUTE` posts of a minute, of a sample of the authors where there are more, and no more
minutes than hold `MAX_POSTS` posts.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from search.events.same_letters import letters_of
from tagstream.detections import SubjectType

BLOCK = 5
"""Minutes that leave together, and are learnt as one."""
WINDOW_MINUTES = 60
SHORTEST_WINDOW = 5
MAX_POSTS = 20_000
MAX_POSTS_A_MINUTE = MAX_POSTS // SHORTEST_WINDOW

SubjectKey = str
"""What counts as one subject: the letters of its key (`search/events/same_letters.py`)."""
Mention = tuple[SubjectType, str, str]
"""Type, key and spelling of a subject in a post."""


@dataclass(frozen=True, slots=True)
class WindowPost:
    """A post of the window.

    Attributes:
        author: a post without an author is its own.
        subjects: each once.
        mentions: how the post has each of them.
        owned: the indexes of the subjects that this detector answers for; None for all.
        copies: its group of near-copies, once its minute is closed.
    """

    minute: int
    post_id: str
    author: int
    named_author: int | None
    shingles: tuple[int, ...]
    subjects: tuple[SubjectKey, ...]
    mentions: tuple[Mention, ...]
    owned: tuple[int, ...] | None
    copies: int = -1

    def owned_subjects(self) -> Iterator[SubjectKey]:
        if self.owned is None:
            return iter(self.subjects)
        return (self.subjects[index] for index in self.owned)


class Window:
    """The posts of the last minutes by subject, oldest first."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, list[WindowPost]]] = deque()
        self._posts: dict[SubjectKey, deque[WindowPost]] = {}
        self._count = 0

    def add(self, minute: int, posts: list[WindowPost]) -> list[tuple[int, list[WindowPost]]]:
        """Adds the posts of a minute, which is later than every one before; returns the blocks that leave for it."""
        if posts:
            self._minutes.append((minute, posts))
            self._count += len(posts)
            for post in posts:
                for subject in post.owned_subjects():
                    mentions = self._posts.get(subject)
                    if mentions is None:
                        mentions = self._posts[subject] = deque()
                    mentions.append(post)
        leaving = []
        while self._minutes and self._may_leave(self._minutes[0][0] // BLOCK, minute):
            leaving.append(self._forget(self._minutes[0][0] // BLOCK))
        return leaving

    def _may_leave(self, block: int, minute: int) -> bool:
        last = (block + 1) * BLOCK - 1
        return last <= minute - WINDOW_MINUTES or (self._count > MAX_POSTS and last <= minute - SHORTEST_WINDOW)

    def _forget(self, block: int) -> tuple[int, list[WindowPost]]:
        """Forgets a block, all of it at once, so that the past is learnt in whole blocks."""
        gone: list[WindowPost] = []
        while self._minutes and self._minutes[0][0] // BLOCK == block:
            gone += self._minutes.popleft()[1]
        self._count -= len(gone)
        for post in gone:
            for subject in post.owned_subjects():
                mentions = self._posts[subject]
                mentions.popleft()
                if not mentions:
                    del self._posts[subject]
        return block, gone

    def remove(self, ids: Collection[str]) -> list[WindowPost]:
        """Removes the posts of these ids, as if they had never been; returns those that were there."""
        gone: list[WindowPost] = []
        minutes: deque[tuple[int, list[WindowPost]]] = deque()
        for minute, posts in self._minutes:
            found = [post for post in posts if post.post_id in ids]
            left = [post for post in posts if post.post_id not in ids] if found else posts
            gone += found
            if left:
                minutes.append((minute, left))
        self._minutes = minutes
        self._count -= len(gone)
        for subject in {subject for post in gone for subject in post.owned_subjects()}:
            mentions = deque(post for post in self._posts.pop(subject) if post.post_id not in ids)
            if mentions:
                self._posts[subject] = mentions
        return gone

    def posts(self) -> Iterator[WindowPost]:
        """Yields all posts, oldest minute first."""
        return (post for _, posts in self._minutes for post in posts)

    def mentions(self, subject: SubjectKey) -> deque[WindowPost] | None:
        """Returns the posts that mention the subject, oldest minute first."""
        return self._posts.get(subject)

    def volume(self, since: int) -> int:
        """Returns the number of posts of the minutes from `since` on."""
        count = 0
        for minute, posts in reversed(self._minutes):
            if minute < since:
                break
            count += len(posts)
        return count

    @property
    def oldest(self) -> int | None:
        return self._minutes[0][0] if self._minutes else None

    def state(self) -> list[Any]:
        return [[minute, [post_state(post) for post in posts]] for minute, posts in self._minutes]

    @classmethod
    def of(cls, state: Iterable[Any]) -> "Window":
        window = cls()
        for minute, posts in state:
            window.add(int(minute), [post_of(post) for post in posts])
        return window


def post_state(post: WindowPost) -> list[Any]:
    return [
        post.minute,
        post.post_id,
        post.author,
        post.named_author,
        post.shingles,
        post.mentions,
        post.owned,
        post.copies,
    ]


def post_of(state: Any) -> WindowPost:
    minute, post_id, author, named_author, shingles, mentions, owned, copies = state
    return WindowPost(
        minute=minute,
        post_id=post_id,
        author=author,
        named_author=named_author,
        shingles=tuple(shingles),
        subjects=tuple(letters_of(key) for _, key, _ in mentions),
        mentions=tuple((kind, key, text) for kind, key, text in mentions),
        owned=None if owned is None else tuple(owned),
        copies=copies,
    )
