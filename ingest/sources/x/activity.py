"""Posts of X in the form of Activity Streams, as Gnip and X's historical archives write them. Pure.

They hold the same as posts of API 1.1 under other names, so they are renamed and read as such.
"""

import re
from typing import Any

from ingest.sources.formats.json_fields import Fields
from ingest.sources.x.archive import read_classic
from ingest.sources.x.archive_fields import member
from tagstream.posts import Post


def read_activity(fields: Fields) -> Post:
    """Reads the post.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    return read_classic(renamed(fields))


def renamed(activity: Fields) -> dict[str, Any]:
    """Returns the activity under the names of API 1.1."""
    actor = member(activity, "actor")
    body = member(activity, "long_object") or activity
    answered = _id_in(member(activity, "inReplyTo").get("link"))
    return {
        "id_str": _id_in(activity.get("id")),
        "created_at": activity.get("postedTime"),
        "full_text": body.get("body"),
        "entities": body.get("twitter_entities"),
        "extended_entities": body.get("twitter_extended_entities") or activity.get("twitter_extended_entities"),
        "lang": activity.get("twitter_lang"),
        "user": {"id_str": _id_in(actor.get("id")), "screen_name": actor.get("preferredUsername")},
        "in_reply_to_status_id_str": answered,
        "retweeted_status": renamed(member(activity, "object")) if activity.get("verb") == "share" else None,
    }


def _id_in(name: object) -> object:
    """Returns the id at the end of `tag:search.twitter.com,2005:123` or of an address; a value without one as it is."""
    if not isinstance(name, str) or len(name) > 256:
        return name
    return re.split("[:/]", name)[-1]
