"""The beginning of a feed: the time from which its posts follow one another, whatever a few of them claim.

Pages and archives hold posts dated 1970, and a feed of a year must not seem to last fifty. The end of a feed is told by
its authors (`CLOCK_AUTHORS` in `search/trends.py`).
"""

from collections.abc import Sequence

_STRAY_SHARE = 50
_STRAY_POSTS = 3
_MOST_READ = 9_000
_LEAST_GAP = 86_400_000  # milliseconds
_GAP_SHARE = 4


def oldest_read(posts: int) -> int:
    """Returns how many of the oldest posts are to be given to `beginning`, of so many posts in all."""
    return min(posts // _STRAY_SHARE + _STRAY_POSTS, posts // 2, _MOST_READ) + 1


def beginning(oldest: Sequence[int], newest: int) -> int:
    """Returns the time of the feed's first post, in milliseconds.

    The last of the oldest posts given is taken for one of the feed. From there the feed reaches back as far as no gap
    is longer than a day, or than a quarter of what is known of the feed.

    Args:
        oldest: the times of the oldest posts, oldest first: at least one.
        newest: the time of the newest post.
    """
    first = oldest[-1]
    for time in reversed(oldest[:-1]):
        if first - time > max(_LEAST_GAP, (newest - first) // _GAP_SHARE):
            break
        first = time
    return min(first, newest)
