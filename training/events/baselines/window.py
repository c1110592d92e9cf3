"""The posts of the last minutes, by their words, as a clock goes on."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from training.events.baselines.words import WordedPost

STEP = timedelta(minutes=5)


class WordWindow:
    """The posts of the last `length` of a feed, by word.

    With `fold_copies`, a post whose words are exactly those of an earlier post of the window is left out.
    """

    def __init__(self, length: timedelta, *, fold_copies: bool) -> None:
        self._length = length
        self._fold_copies = fold_copies
        self._posts: deque[WordedPost] = deque()
        self._copied: dict[tuple[str, ...], int] = defaultdict(int)
        self.by_word: dict[str, deque[WordedPost]] = {}

    def add(self, post: WordedPost) -> None:
        """Takes the next post."""
        self._posts.append(post)
        self._copied[post.words] += 1
        if not self._fold_copies or self._copied[post.words] == 1:
            for word in post.words:
                self.by_word.setdefault(word, deque()).append(post)

    def advance(self, now: datetime) -> None:
        """Forgets what is older than the window."""
        oldest = now - self._length
        while self._posts and self._posts[0].created_at < oldest:
            post = self._posts.popleft()
            self._copied[post.words] -= 1
            if not self._copied[post.words]:
                del self._copied[post.words]
            for word in post.words:
                held = self.by_word.get(word)
                if held and held[0] is post:
                    held.popleft()
                    if not held:
                        del self.by_word[word]


def steps(posts: Sequence[WordedPost], step: timedelta = STEP) -> Iterator[tuple[datetime, list[WordedPost]]]:
    """Yields the end of each step of a feed, and the posts of that step."""
    if not posts:
        return
    first = posts[0].created_at
    end = first.replace(minute=first.minute // 5 * 5, second=0, microsecond=0) + step
    of_step: list[WordedPost] = []
    for post in posts:
        while post.created_at >= end:
            yield end, of_step
            end, of_step = end + step, []
        of_step.append(post)
    yield end, of_step
