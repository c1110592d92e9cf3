"""Posts of X from programs that read its pages (snscrape and twint) and not its API. Pure.

They hold the same as posts of API 1.1 under other names, so they are renamed and read as such. Where a program wrote
the date with a zone by name, the id tells the date.
"""

from typing import Any

from ingest.sources.formats.json_fields import Fields
from ingest.sources.formats.timestamps import timestamp_of
from ingest.sources.x.archive import read_classic
from ingest.sources.x.archive_fields import is_id, member, members, timestamp_of_id
from tagstream.posts import Post


def read_page_post(fields: Fields) -> Post:
    """Reads the post in an object of snscrape.

    Raises (as the other):
        MalformedLine: a field has a value that makes no sense.
    """
    return read_classic(_of_page(fields))


def read_row(fields: Fields) -> Post:
    """Reads the post in an object of twint, which has all its fields side by side."""
    return read_classic(
        {
            "id": fields.get("id"),
            "created_at": _date(fields.get("created_at"), fields.get("id")),
            "full_text": fields.get("tweet"),
            "user": _user(fields.get("user_id"), fields.get("username")),
            "lang": fields.get("language"),
            "entities": {"hashtags": _hashtags(fields.get("hashtags"))},
            "extended_entities": {"media": [_photo(address, None) for address in _list(fields.get("photos"))]},
        }
    )


def _of_page(fields: Fields) -> dict[str, Any]:
    user = member(fields, "user")
    original = member(fields, "retweetedTweet")
    pictures = [
        (item.get("fullUrl") or item.get("previewUrl"), item.get("altText")) for item in members(fields, "media")
    ]
    return {
        "id": fields.get("id"),
        "created_at": _date(fields.get("date"), fields.get("id")),
        "full_text": fields.get("rawContent") or fields.get("content"),
        "user": _user(user.get("id") or user.get("id_"), user.get("username")),
        "lang": fields.get("lang"),
        "entities": {"hashtags": _hashtags(fields.get("hashtags"))},
        "extended_entities": {"media": [_photo(*picture) for picture in pictures if picture[0] is not None]},
        "in_reply_to_status_id": fields.get("inReplyToTweetId"),
        "retweeted_status": _of_page(original) if original and not original.get("retweetedTweet") else None,
    }


def _date(written: object, identifier: object) -> object:
    """Returns the date as written or, where that has no clear meaning, the date of the id."""
    made_at = timestamp_of_id(int(str(identifier))) if is_id(identifier) and timestamp_of(written) is None else None
    return written if made_at is None else made_at.isoformat()


def _user(identifier: object, name: object) -> dict[str, Any] | None:
    return {"id": identifier, "screen_name": name} if is_id(identifier) else None


def _hashtags(names: object) -> list[dict[str, Any]]:
    return [{"text": name} for name in _list(names)]


def _photo(url: object, description: object) -> dict[str, Any]:
    return {"type": "photo", "media_url_https": url, "ext_alt_text": description}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
