"""The evidence of an event: the first posts, the last, the most typical and most diverse; near-copies are folded.

All other posts of its pool are its reserve, so that the event outlasts the deletion of its evidence.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from search.events.copies import SIMILARITY, similarity
from tagstream.detections import MAX_EVIDENCE, MAX_RESERVE, EvidencePost

EARLIEST = 5
LATEST = 3
TYPICAL = 8
MAX_POOL = MAX_EVIDENCE + MAX_RESERVE
"""The posts from which the evidence is chosen, kept over the life of an event."""


class ChosenPosts(NamedTuple):
    """The evidence in order of time, the other posts with the best first, and the id of the most typical post."""

    evidence: tuple[EvidencePost, ...]
    reserve: tuple[EvidencePost, ...]
    typical: str | None


def with_more(pool: dict[str, EvidencePost], posts: Iterable[EvidencePost]) -> dict[str, EvidencePost]:
    """Returns the pool with more posts; the first, the last and those with most of what trends stay."""
    pool = dict(pool)
    for post in sorted(posts, key=_in_time):
        known = pool.get(post.post_id)
        if known is None or len(known.trending) < len(post.trending):
            pool[post.post_id] = post
    kept = list(pool.values())
    if len(kept) > MAX_POOL:
        first = list({post.post_id: post for post in [*_earliest(kept), *_latest(kept)]}.values())
        names = {post.post_id for post in first}
        rest = sorted((post for post in kept if post.post_id not in names), key=_most_typical_first)
        kept = first + rest[: MAX_POOL - len(first)]
    return {post.post_id: post for post in sorted(kept, key=_in_time)}


def chosen_from(pool: Iterable[EvidencePost]) -> ChosenPosts:
    """Returns the posts of a pool as evidence and as what takes its place: first the most typical, last near-copies."""
    pool = sorted(pool, key=_in_time)
    posts = _without_copies(pool)
    if not posts:
        return ChosenPosts((), (), None)
    sketches = {post.post_id: frozenset(post.shingles) for post in posts}
    holders = Counter(chain.from_iterable(sketches.values()))
    # The mean number of posts that share a run of words with it.
    likeness = {
        post_id: sum(holders[number] for number in sketch) / max(1, len(sketch)) for post_id, sketch in sketches.items()
    }
    typical = sorted(posts, key=lambda post: (-len(post.trending), -likeness[post.post_id], *_in_time(post)))
    chosen = {post.post_id: post for post in [*_earliest(posts), *_latest(posts), *typical[:TYPICAL]]}
    while len(chosen) < min(MAX_EVIDENCE, len(posts)):
        left = [post for post in typical if post.post_id not in chosen]
        covered = frozenset[int]().union(*(sketches[post_id] for post_id in chosen))
        newest = max(
            left, key=lambda post: (len(sketches[post.post_id] - covered) * min(len(post.trending), 3), post.post_id)
        )
        chosen[newest.post_id] = newest
    others = {post.post_id: post for post in [*typical, *pool] if post.post_id not in chosen}
    # Of a pool of copies few are evidence, and more are left than the contract holds.
    reserve = tuple(others.values())[:MAX_RESERVE]
    return ChosenPosts(tuple(sorted(chosen.values(), key=_in_time)), reserve, typical[0].post_id)


def _earliest(posts: Iterable[EvidencePost]) -> list[EvidencePost]:
    """Returns the first posts that mention two or more of what trends, or the very first ones."""
    ordered = sorted(posts, key=_in_time)
    return ([post for post in ordered if len(post.trending) > 1] or ordered)[:EARLIEST]


def _latest(posts: Iterable[EvidencePost]) -> list[EvidencePost]:
    """Returns the last posts that mention two or more of what trends, or the very last ones."""
    ordered = sorted(posts, key=_in_time)
    return ([post for post in ordered if len(post.trending) > 1] or ordered)[-LATEST:]


def _without_copies(posts: Iterable[EvidencePost]) -> list[EvidencePost]:
    kept: list[EvidencePost] = []
    sketches: list[frozenset[int]] = []
    for post in posts:
        sketch = frozenset(post.shingles)
        # As many must be shared at least: to count them is quicker than to estimate.
        shared = SIMILARITY * len(sketch) / 2
        if not any(len(sketch & other) >= shared and similarity(sketch, other) >= SIMILARITY for other in sketches):
            kept.append(post)
            sketches.append(sketch)
    return kept


def _in_time(post: EvidencePost) -> tuple[float, str]:
    return post.minute.timestamp(), post.post_id


def _most_typical_first(post: EvidencePost) -> tuple[int, float, str]:
    return (-len(post.trending), *_in_time(post))
