"""A post of X's API v2 on a line of its own, with what belongs to it inside (as `twarc2 flatten` writes it). Pure.

Its author, its pictures and the posts that it answers, quotes or repeats stand within it, where the API puts them
beside it, into `includes`. So it is taken apart again, and read as any other post of the API.
"""

from typing import Any

from ingest.sources.formats.json_fields import Fields
from ingest.sources.x.archive_fields import member, members
from ingest.sources.x.post import Includes, read_post
from tagstream.posts import Post


def read_flattened(fields: Fields) -> Post:
    """The post.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    taken: dict[str, list[Fields]] = {"users": [], "media": [], "tweets": []}
    data = _taken_apart(fields, taken)
    for referenced in members(fields, "referenced_tweets"):
        if "text" in referenced:
            taken["tweets"].append(_taken_apart(referenced, taken))
    return read_post(data, Includes(taken))


def _taken_apart(post: Fields, taken: dict[str, list[Fields]]) -> Fields:
    """The post with the keys of what it holds, which goes to what is taken out of it."""
    whole: dict[str, Any] = dict(post)
    author, attachments = member(post, "author"), member(post, "attachments")
    if author.get("id") is not None:
        taken["users"].append(author)
        whole.setdefault("author_id", author["id"])
    if media := members(attachments, "media"):
        taken["media"].extend(media)
        whole["attachments"] = {"media_keys": [one.get("media_key") for one in media]}
    return whole
