"""The support of a subject in a window: distinct authors, of whom those who copy one text count as one."""

import math
from dataclasses import dataclass

from search.events.copies import groups_of_copies
from search.events.window import WindowPost

MIN_SUPPORT = 5
SUPPORT_A_ROOT = 0.25
"""Of the root of the posts in the window: chance brings more authors together in a fast feed than in a slow one."""
SAMPLE = 200
"""The authors whose texts are compared; of more, those with the smallest numbers stand for all."""
COPIED = 3
"""The texts of a sample that make an army, which counts once; rarer ones stand for their share of all."""


@dataclass(frozen=True, slots=True)
class Support:
    """Attributes:
    authors: distinct authors, or distinct texts if there are fewer.
    posts: all posts, by minute and id.
    distinct: one post of each author and text of the sample, by minute and id.
    """

    authors: int
    posts: list[WindowPost]
    distinct: list[WindowPost]


def minimum_support(volume: int) -> int:
    """Returns the authors whom a trend needs in a window with `volume` posts."""
    return max(MIN_SUPPORT, math.ceil(SUPPORT_A_ROOT * math.sqrt(volume)))


def support_of(posts: list[WindowPost]) -> Support:
    """Returns the support of posts that are in order of minute."""
    by_author: dict[int, WindowPost] = {}
    for post in posts:
        by_author.setdefault(post.author, post)
    authors = len(by_author)
    sample = (
        [by_author[author] for author in sorted(by_author)[:SAMPLE]] if authors > SAMPLE else list(by_author.values())
    )
    groups = groups_of_copies(post.shingles for post in sample)
    sizes: dict[int, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    armies = sum(size >= COPIED for size in sizes.values())
    others = len(sizes) - armies
    distinct, seen = [], set()
    for post, group in zip(sample, groups, strict=True):
        if group not in seen:
            seen.add(group)
            distinct.append(post)
    distinct.sort(key=lambda post: (post.minute, post.post_id))
    return Support(armies + round(others * authors / max(1, len(sample))), posts, distinct)
