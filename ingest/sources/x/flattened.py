"""Posts of X's API v2 on lines of their own, with everything that belongs to them inside (`twarc2 flatten`). Pure.

Author, images and the posts that it answers, quotes or repeats stand within such a post; the API puts them beside it,
into `includes`. So the post is taken apart again, and read as any other post of the API.
"""

from typing import Any

from ingest.sources.formats.json_fields import Fields
from ingest.sources.x.archive_fields import member, members
from ingest.sources.x.post import Includes, read_post
from tagstream.posts import Post


def read_flattened(fields: Fields) -> Post:
    """Reads the post.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    includes: dict[str, list[Fields]] = {"users": [], "media": [], "tweets": []}
    data = _unflattened(fields, includes)
    for referenced in members(fields, "referenced_tweets"):
        if "text" in referenced:
            includes["tweets"].append(_unflattened(referenced, includes))
    return read_post(data, Includes(includes))


def _unflattened(post: Fields, includes: dict[str, list[Fields]]) -> Fields:
    """Returns the post with the keys of its parts, and moves the parts into `includes`."""
    restored: dict[str, Any] = dict(post)
    author, attachments = member(post, "author"), member(post, "attachments")
    if author.get("id") is not None:
        includes["users"].append(author)
        restored.setdefault("author_id", author["id"])
    if media := members(attachments, "media"):
        includes["media"].extend(media)
        restored["attachments"] = {"media_keys": [item.get("media_key") for item in media]}
    return restored
