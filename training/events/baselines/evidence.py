"""The posts by which a baseline shows an event: the first ten, and ten spread over the rest; copies are shown once."""

from collections.abc import Iterable, Sequence

from tagstream.detections import MAX_EVIDENCE
from training.events.baselines.words import WordedPost


def evidence(posts: Sequence[WordedPost]) -> tuple[str, ...]:
    """Returns the ids of at most 20 of the posts, which are in order of time."""
    different = without_copies(posts)
    earliest, later = different[: MAX_EVIDENCE // 2], different[MAX_EVIDENCE // 2 :]
    wanted = MAX_EVIDENCE - len(earliest)
    spread = later if len(later) <= wanted else [later[number * len(later) // wanted] for number in range(wanted)]
    return tuple(post.id for post in [*earliest, *spread])


def without_copies(posts: Iterable[WordedPost]) -> list[WordedPost]:
    """Leaves out each post whose words are exactly those of an earlier one."""
    first: dict[tuple[str, ...], WordedPost] = {}
    for post in posts:
        first.setdefault(post.words, post)
    return list(first.values())
