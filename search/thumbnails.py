"""The thumbnails of a post that its visible document shows; the rules are the same for every kind of index.

An index keeps a thumbnail under the id of the post and the SHA-256 of the photo, never under the hash alone: authors
choose the photos of their posts, and a hash that two posts share must not let one post decide about the other's
picture. A thumbnail belongs to the newest revision that brought it: decisions about older revisions leave it alone.
"""

from search.index import Thumbnail
from tagstream.posts import Post, TaggedPost


def thumbnails_of(post: Post) -> tuple[Thumbnail, ...]:
    """Returns the thumbnails that a post brought, each photo once; without the photo's hash none can be kept."""
    found = {
        media.sha256: media.thumbnail
        for media in reversed(post.media)
        if media.sha256 is not None and media.thumbnail is not None
    }
    return tuple(Thumbnail(photo, jpeg) for photo, jpeg in found.items())


def photos_of(post: TaggedPost) -> frozenset[str]:
    """Returns the SHA-256 of each photo that a post shows."""
    return frozenset(media.sha256 for media in post.media if media.sha256 is not None)


def photo_at(post: TaggedPost, ordinal: int) -> str | None:
    """Returns the SHA-256 of the post's medium of that index, counted from 0; None if there is no photo."""
    return post.media[ordinal].sha256 if 0 <= ordinal < len(post.media) else None
