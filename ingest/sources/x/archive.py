"""Posts and deletions of X's API 1.1, and posts of its API v2, as archives keep them. Pure.

Posts get the ids, revisions and positions that they have in X's live stream, so that both are one post. Positions are
ids, which rise with time over all archives. An archive may have gone through other hands: ids are numbers and not text,
or dates have the form of a database. An account's own export writes every number as text, and names its author in a
file beside its posts.
"""

import json
from contextlib import suppress
from typing import Any

from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, build, refuse
from ingest.sources.x.archive_fields import (
    SOURCE,
    count_of,
    handle_of,
    hashtags_in,
    id_of,
    is_id,
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
from ingest.sources.x.post import Includes, read_post
from tagstream.posts import Author, DeadLetter, Deletion, Event, Hashtag, Media, Post


def identity_of(fields: Fields) -> dict[str, Any]:
    """Returns post, author and position of a refused document, as far as they can be read: so deletions reach it."""
    found: dict[str, Any] = {}
    data = fields.get("data")
    post: Fields = data if isinstance(data, dict) else fields
    identifier = next((post[name] for name in ("id_str", "id", "_id", "tweet_id") if is_id(post.get(name))), None)
    if identifier is not None:
        found["position"] = int(identifier)
        found["post_id"] = post_name(int(identifier))
    author = post.get("author_id")
    with suppress(MalformedLine):
        user = member(post, "user")
        author = author or user.get("id_str") or user.get("id")
    if is_id(author):
        found["author"] = str(int(str(author)))
    return found


def read_account(content: bytes) -> Author | None:
    """Reads the account of an account's own export; returns None where the content does not say it."""
    try:
        document = json.loads(content)
        account = document[0]["account"]
        identifier = account["accountId"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return Author(id=str(int(identifier)), handle=handle_of(account.get("username"))) if is_id(identifier) else None


def of_account(event: Event, account: Author) -> Event:
    """Returns the event with the account of the export that holds it, where the event names no author."""
    if isinstance(event, Post) and event.author is None and event.source == SOURCE:
        page = page_of(event.position, account.handle)
        return event.model_copy(update={"author": account, "url": page})
    if isinstance(event, DeadLetter) and event.author is None and event.source == SOURCE:
        return event.model_copy(update={"author": account.id})
    return event


def read_modern(fields: Fields) -> Post:
    """Reads the post of an API v2 answer that holds one.

    Raises:
        MalformedLine: a field has a value that makes no sense.
    """
    return read_post(member(fields, "data"), Includes(member(fields, "includes")))


def read_deletion(fields: Fields) -> Deletion:
    """Reads the deletion of a post."""
    status = member(member(fields, "delete"), "status")
    identifier = id_of("the id of what is deleted", _first(status, "id_str", "id"))
    return Deletion(id=post_name(identifier), source=SOURCE, position=identifier)


def read_named(fields: Fields) -> Post:
    """Reads a post of a data set that has its id and its words alone; its date is in the id."""
    identifier = id_of("tweet_id", fields.get("tweet_id"))
    text = text_of("the text", _first(fields, "tweet_text", "text"))
    date_text = _first(fields, "created_at", "tweet_date", "date")
    created_at = timestamp_of_id(identifier) if date_text is None else written_at("created_at", date_text)
    if created_at is None:
        refuse(LineFault.MISSING_FIELD, f"created_at is missing, and the id {identifier} is too old to say it")
    user = fields.get("user")  # a data set may keep anything there
    author = _author(fields) if isinstance(user, dict) and is_id(_first(user, "id_str", "id")) else None
    return build(
        Post,
        id=post_name(identifier),
        source=SOURCE,
        author=author,
        created_at=created_at,
        text=text,
        hashtags=hashtags_in(text, ()),
        # Of a table with addresses of photos; a data set of lines may keep anything there.
        media=_media(fields) if isinstance(fields.get("extended_entities"), dict) else (),
        lang=language_of(fields.get("lang")),
        url=page_of(identifier, author.handle if author else None),
        position=identifier,
    )


def read_classic(fields: Fields) -> Post:
    """Reads a post of API 1.1.

    Raises:
        MalformedLine: a field is missing, or has a value that makes no sense.
    """
    identifier = id_of("the id", _first(fields, "id_str", "id", "_id"))
    first, revision = version_of(identifier, _history(fields))
    words, media, links = _words(fields), _media(fields), links_in(_whole(fields))
    original = member(fields, "retweeted_status")
    if original:
        words, media = repost(words, _words(original)), _media(original) or media
        links = links_in(_whole(original)) or links
    author = _author(fields)
    answered = _first(fields, "in_reply_to_status_id_str", "in_reply_to_status_id")
    return build(
        Post,
        id=post_name(first),
        source=SOURCE,
        author=author,
        created_at=written_at("created_at", fields.get("created_at")),
        revision=revision,
        text=words[0],
        hashtags=words[1],
        lang=language_of(fields.get("lang")),
        url=page_of(identifier, author.handle if author else None),
        links=links,
        media=media,
        # Tables with a missing number write every number with a fraction: the last digits of ids are lost.
        reply_to=None
        if answered is None or isinstance(answered, float)
        else post_name(id_of("the id of the post it answers", answered)),
        position=identifier,
    )


def _first(fields: Fields, *names: str) -> Any:
    """Returns the value of the first of these names that has one."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _author(fields: Fields) -> Author | None:
    """Reads the author; returns None in an account's own export, which does not name its account."""
    if fields.get("user") is None:
        return None
    user = member(fields, "user")
    identifier = id_of("the id of the user", _first(user, "id_str", "id"))
    return Author(id=str(identifier), handle=handle_of(user.get("screen_name")))


def _history(fields: Fields) -> object:
    """Returns the ids of all versions of the post, from wherever an archive keeps them."""
    if fields.get("edit_history_tweet_ids"):
        return fields["edit_history_tweet_ids"]
    of_export = member(fields, "edit_info")
    return (
        member(fields, "edit_history").get("edit_tweet_ids")
        or member(of_export, "initial").get("editTweetIds")
        or member(member(of_export, "edit"), "editControlInitial").get("editTweetIds")
    )


def _whole(fields: Fields) -> Fields:
    """Returns the object with all the words: the long form beside a post that was cut at 140 characters."""
    extended = member(fields, "extended_tweet")
    return extended if isinstance(extended.get("full_text"), str) else fields


def _words(fields: Fields) -> tuple[str, tuple[Hashtag, ...]]:
    """Returns the whole text and its hashtags."""
    words = _whole(fields)
    text = text_of("the text", _first(words, "full_text", "text"))
    claims = []
    for tag in members(member(words, "entities"), "hashtags"):
        span = tag.get("indices")
        start, end = map(count_of, span) if isinstance(span, list) and len(span) == 2 else (None, None)
        claims.append((tag.get("text"), start, end))
    return text, hashtags_in(text, claims)


def _media(fields: Fields) -> tuple[Media, ...]:
    extended = member(fields, "extended_tweet")
    lists = [
        members(member(holder, name), "media")
        for holder in (extended, fields)
        for name in ("extended_entities", "entities")
    ]
    return media_named(
        [
            (item.get("type"), item.get("media_url_https"), item.get("ext_alt_text"), *_sides(item))
            for item in next(filter(None, lists), ())
        ]
    )


def _sides(media: Fields) -> tuple[object, object]:
    original = member(media, "original_info")
    if original:
        return original.get("width"), original.get("height")
    large = member(member(media, "sizes"), "large")
    return large.get("w"), large.get("h")
