"""A post of X in the form of Activity Streams, as Gnip and X's historical archives write it. Pure.

It says the same as a post of API 1.1 under other names, so it is renamed, and read as one.
"""

import re
from typing import Any

from ingest.sources.formats.json_fields import Fields
from ingest.sources.x.archive import read_classic
from ingest.sources.x.archive_fields import member
from tagstream.posts import Post


def read_activity(fields: Fields) -> Post:
    """The post.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    return read_classic(renamed(fields))


def renamed(activity: Fields) -> dict[str, Any]:
    """The activity in the names of API 1.1."""
    actor = member(activity, "actor")
    said = member(activity, "long_object") or activity
    answered = _number(member(activity, "inReplyTo").get("link"))
    return {
        "id_str": _number(activity.get("id")),
        "created_at": activity.get("postedTime"),
        "full_text": said.get("body"),
        "entities": said.get("twitter_entities"),
        "extended_entities": said.get("twitter_extended_entities") or activity.get("twitter_extended_entities"),
        "lang": activity.get("twitter_lang"),
        "user": {"id_str": _number(actor.get("id")), "screen_name": actor.get("preferredUsername")},
        "in_reply_to_status_id_str": answered,
        "retweeted_status": renamed(member(activity, "object")) if activity.get("verb") == "share" else None,
    }


def _number(name: object) -> object:
    """The id at the end of `tag:search.twitter.com,2005:123` or an address; what holds none as it is."""
    if not isinstance(name, str) or len(name) > 256:
        return name
    return re.split("[:/]", name)[-1]
