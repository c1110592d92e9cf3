"""The support of a subject in a window: distinct authors, of whom those who copy one text count as one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search.events.window import WindowPost

MIN_SUPPORT = 5
SUPPORT_A_ROOT = 0.25
"""Of the root of the posts in the window: chance brings more authors together in a fast feed than in a slow one."""
UNRECOGNISED = 0.1
"""The copies that go unrecognised, as a share of the changed ones that are: up to a tenth of an army.

A text that many repeat as it is, as retweets do, goes unrecognised nowhere.
"""


@dataclass(frozen=True, slots=True)
class Support:
    """The posts of a window that mention a subject.

    Attributes:
        posts: all of them, by minute and id.
        distinct: those of an author and a text that no earlier one has.
        authors: their number, less the copies that pass for texts of their own.
    """

    posts: list[WindowPost]
    distinct: list[WindowPost]
    authors: int


def minimum_support(volume: int) -> int:
    """Returns the authors whom a trend needs in a window with `volume` posts."""
    return max(MIN_SUPPORT, math.ceil(SUPPORT_A_ROOT * math.sqrt(volume)))


def support_of(posts: Iterable[WindowPost]) -> Support:
    """Returns the support of posts that are in order of minute and id."""
    posts = list(posts)
    authors: set[int] = set()
    texts: dict[int, tuple[int, ...]] = {}
    distinct = []
    changed = 0
    for post in posts:
        if post.author not in authors:
            if post.copies not in texts:
                distinct.append(post)
            elif texts[post.copies] != post.shingles:
                changed += 1
        authors.add(post.author)
        texts.setdefault(post.copies, post.shingles)
    return Support(posts, distinct, max(1, len(distinct) - round(UNRECOGNISED * changed)))
