"""Conversion of a post of X's API v2 (`data` with its `includes`) into a `Post`. Pure.

A repost is a post of its own, with the words and images of the original after `RT @name: `. Of a quoting post only its
own words count. Long posts are read whole (`note_tweet`). The names of accounts and the images stand in `includes`,
which `FIELDS` asks for; what is missing there is missing in the post. Other fields are ignored, because X adds some
every year.
"""

from collections.abc import Mapping
from typing import Any

from ingest.sources.formats.json_fields import Fields, LineFault, build, refuse, short
from ingest.sources.x.archive_fields import (
    SOURCE,
    handle_of,
    hashtags_in,
    id_of,
    language_of,
    links_in,
    media_named,
    member,
    members,
    page_of,
    post_name,
    repost,
    text_of,
    timestamp_of_id,
    version_of,
    written_at,
)
from tagstream.posts import Author, Hashtag, Link, Media, Post

# The fields that a request must ask for, so that nothing of a post is missing.
FIELDS = {
    "tweet.fields": "attachments,author_id,created_at,edit_history_tweet_ids,entities,id,lang,note_tweet,"
    "referenced_tweets,text",
    "expansions": "attachments.media_keys,author_id,referenced_tweets.id,referenced_tweets.id.attachments.media_keys",
    "media.fields": "alt_text,height,media_key,preview_image_url,type,url,width",
    "user.fields": "id,username",
}


class Includes:
    """The parts beside the posts of an answer: their authors, images and originals, each under its key."""

    def __init__(self, includes: Fields) -> None:
        self.users = _by_key(includes, "users", "id")
        self.media = _by_key(includes, "media", "media_key")
        self.posts = _by_key(includes, "tweets", "id")
        self._read: dict[int, tuple[str, tuple[Hashtag, ...]]] = {}

    def words_of(self, original: Fields) -> tuple[str, tuple[Hashtag, ...]]:
        """Returns the words of one of these posts, read once: a whole page may repeat it."""
        if id(original) not in self._read:
            self._read[id(original)] = _words(original)
        return self._read[id(original)]


def read_post(data: Fields, includes: Includes) -> Post:
    """Reads the post.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    identifier = id_of("id", data.get("id"))
    first, revision = version_of(identifier, data.get("edit_history_tweet_ids"))
    words = _words(data)
    media, links = _media(data, includes), _links(data)
    original = _referenced(data, includes, "retweeted")
    if original:
        words, media = repost(words, includes.words_of(original)), _media(original, includes) or media
        links = _links(original) or links
    author = _author(data, includes)
    answered = next((post for post in members(data, "referenced_tweets") if post.get("type") == "replied_to"), None)
    return build(
        Post,
        id=post_name(first),
        source=SOURCE,
        author=author,
        created_at=_created_at(data, identifier),
        revision=revision,
        text=words[0],
        hashtags=words[1],
        lang=language_of(data.get("lang")),
        url=page_of(identifier, author.handle if author else None),
        links=links,
        media=media,
        reply_to=None if answered is None else post_name(id_of("the id of the post it answers", answered.get("id"))),
        position=identifier,
    )


def _created_at(data: Fields, identifier: int) -> Any:
    if data.get("created_at") is not None:
        return written_at("created_at", data["created_at"])
    timestamp = timestamp_of_id(identifier)
    if timestamp is None:
        refuse(LineFault.MISSING_FIELD, f"created_at is missing, and the id {identifier} is too old to say it")
    return timestamp


def _words(data: Fields) -> tuple[str, tuple[Hashtag, ...]]:
    """Returns the whole text and its hashtags."""
    note = member(data, "note_tweet")
    words = note if isinstance(note.get("text"), str) else data
    text = text_of("text", words.get("text"))
    entities = member(words, "entities")
    claims = [(tag.get("tag"), tag.get("start"), tag.get("end")) for tag in members(entities, "hashtags")]
    return text, hashtags_in(text, claims)


def _links(data: Fields) -> tuple[Link, ...]:
    note = member(data, "note_tweet")
    return links_in(note if isinstance(note.get("text"), str) else data)


def _author(data: Fields, includes: Includes) -> Author | None:
    if data.get("author_id") is None:
        return None
    identifier = str(id_of("author_id", data["author_id"]))
    user = includes.users.get(identifier, {})
    return Author(id=identifier, handle=handle_of(user.get("username")))


def _media(data: Fields, includes: Includes) -> tuple[Media, ...]:
    keys = member(data, "attachments").get("media_keys") or []
    if not isinstance(keys, list):
        refuse(LineFault.BAD_FIELD, f"media_keys is {short(keys)}, it must be a list")
    described = []
    for item in (includes.media[key] for key in keys if isinstance(key, str) and key in includes.media):
        address = item.get("url") or item.get("preview_image_url")
        described.append((item.get("type"), address, item.get("alt_text"), item.get("width"), item.get("height")))
    return media_named(described)


def _referenced(data: Fields, includes: Includes, relation: str) -> Fields:
    """Returns the included post to which this one stands in that relation; an empty object where there is none."""
    for post in members(data, "referenced_tweets"):
        if post.get("type") == relation and isinstance(post.get("id"), str | int):
            return includes.posts.get(str(post["id"]), {})
    return {}


def _by_key(includes: Fields, kind: str, key: str) -> Mapping[str, Fields]:
    return {str(item[key]): item for item in members(includes, kind) if isinstance(item.get(key), str | int)}
