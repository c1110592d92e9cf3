"""Which thumbnails of a post its visible document shows: the same question for every kind of index.

A thumbnail is kept under its post's id and its photo's SHA-256, never under the hash alone: whoever writes a post
chooses its photos, and a hash that two posts share must not let one of them decide about the other's picture. It
belongs to a revision, the newest that brought it: what is decided about older revisions does not touch it.
"""

from search.index import Thumbnail
from tagstream.posts import Post, TaggedPost


def thumbnails_of(post: Post) -> tuple[Thumbnail, ...]:
    """The thumbnails that a post brought, each photo once; one without the hash of its photo cannot be kept."""
    found = {
        media.sha256: media.thumbnail
        for media in reversed(post.media)
        if media.sha256 is not None and media.thumbnail is not None
    }
    return tuple(Thumbnail(*one) for one in found.items())


def photos_of(post: TaggedPost) -> frozenset[str]:
    """The SHA-256 of each photo that a post shows."""
    return frozenset(media.sha256 for media in post.media if media.sha256 is not None)


def photo_at(post: TaggedPost, ordinal: int) -> str | None:
    """The SHA-256 of the post's medium of that number, counted from 0; None where there is no such photo."""
    return post.media[ordinal].sha256 if 0 <= ordinal < len(post.media) else None
