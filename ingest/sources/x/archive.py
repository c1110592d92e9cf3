"""Archives of X and Twitter, one JSON object a line: is this line one, and what does it say? Pure.

What an object has tells its form; nothing is guessed, and a line of no known form is left to its reader::

    id_str, created_at as `Mon Nov 13 08:28:36 +0000 2017`, text or full_text, user      a post of API 1.1
    delete, with a status that has an id_str                                             a deletion of API 1.1
    data with an id and a text, and no id of its own                                     a post of API v2
    data, a list of such objects, and includes or meta                                   a page of posts of API v2

Posts get the ids, revisions and positions that they have in X's live stream, so that both are one post. Positions are
ids, which rise with time over all archives.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ingest.sources.jsonl.fields import Fields, LineFault, MalformedLine, build, read_object
from ingest.sources.x.archive_fields import (
    SOURCE,
    classic_moment,
    handle_of,
    hashtags_in,
    id_of,
    is_classic_moment,
    is_id,
    language_of,
    media_named,
    member,
    members,
    page_of,
    post_name,
    repost,
    text_of,
    version_of,
)
from ingest.sources.x.post import Includes, read_post
from tagstream.posts import Author, DeadLetter, Deletion, Event, Hashtag, Media, Post, dead_letter

# X gives 500 posts a page at most. More would let one line make a hundred thousand dead letters.
MAX_PAGE_POSTS = 500
# A line without any of these is of no form of ours, and is not parsed twice.
_MARKS = (b'"id_str"', b'"data"')


def read_archive_line(body: bytes, *, origin: str, position: int) -> list[Event] | None:
    """What the line says, at least one event; None if it is not a line of such an archive.

    A post that cannot be read is a dead letter with this `origin`, in a page with its number behind it.
    """
    if not any(mark in body for mark in _MARKS):
        return None
    try:
        fields = read_object(body)
    except MalformedLine:
        return None
    data = fields.get("data")
    read: Callable[[], Event] | None = None
    if _is_classic_deletion(fields):
        read = partial(_classic_deletion, fields)
    elif _is_classic_post(fields):
        read = partial(_classic_post, fields)
    elif "id" not in fields and isinstance(data, dict) and is_id(data.get("id")) and "text" in data:
        read = partial(_modern_post, fields)
    if read is not None:
        return [_guarded(read, fields, origin, position, lambda: body)]
    if "id" not in fields and isinstance(data, list) and data and ("includes" in fields or "meta" in fields):
        return _page(fields, data, body, origin, position)
    return None


def _guarded(read: Callable[[], Event], fields: Fields, origin: str, position: int, body: Callable[[], bytes]) -> Event:
    try:
        return read()
    except MalformedLine as malformed:
        return _refused(malformed.fault, str(malformed), origin, body(), **_identity(fields, position))


def _refused(fault: LineFault, message: str, origin: str, body: bytes, **identity: Any) -> DeadLetter:
    return dead_letter(origin=origin, source=SOURCE, cause=fault.value, message=message, body=body, **identity)


def _identity(fields: Fields, position: int) -> dict[str, Any]:
    """Post, author and position of a refused line as far as they can be read, so that deletions reach it."""
    found: dict[str, Any] = {"position": position}
    data = fields.get("data")
    post: Fields = data if isinstance(data, dict) else fields
    identifier = post.get("id") if isinstance(data, dict) else fields.get("id_str")
    if is_id(identifier):
        found["position"] = int(str(identifier))
        found["post_id"] = post_name(int(str(identifier)))
    author = post.get("author_id")
    with suppress(MalformedLine):
        author = author or member(post, "user").get("id_str")
    if is_id(author):
        found["author"] = str(int(str(author)))
    return found


def _page(fields: Fields, data: list[Any], body: bytes, origin: str, position: int) -> list[Event]:
    if len(data) > MAX_PAGE_POSTS or not all(isinstance(one, dict) for one in data):
        message = f"a page must hold objects, {MAX_PAGE_POSTS} at most; this one has {len(data):,} entries"
        return [_refused(LineFault.BAD_FIELD, message, origin, body, position=position)]
    try:
        includes = Includes(member(fields, "includes"))
    except MalformedLine as malformed:
        return [_refused(malformed.fault, str(malformed), origin, body, position=position)]
    # A letter keeps the post without what it shares with the page: five hundred copies of that would be large.
    return [
        _guarded(
            partial(read_post, post, includes),
            {"data": post},
            f"{origin}#{number}",
            position,
            partial(_as_line, post),
        )
        for number, post in enumerate(data, 1)
    ]


def _as_line(post: Fields) -> bytes:
    return json.dumps({"data": post}).encode()


def _modern_post(fields: Fields) -> Post:
    return read_post(member(fields, "data"), Includes(member(fields, "includes")))


def _is_classic_deletion(fields: Fields) -> bool:
    notice = fields.get("delete")
    status = notice.get("status") if isinstance(notice, dict) else None
    return isinstance(status, dict) and is_id(status.get("id_str"))


def _classic_deletion(fields: Fields) -> Deletion:
    identifier = id_of("id_str", member(member(fields, "delete"), "status").get("id_str"))
    return Deletion(id=post_name(identifier), source=SOURCE, position=identifier)


def _is_classic_post(fields: Fields) -> bool:
    return (
        "id_str" in fields
        and is_classic_moment(fields.get("created_at"))
        and ("text" in fields or "full_text" in fields)
        and isinstance(fields.get("user"), dict)
    )


def _classic_post(fields: Fields) -> Post:
    identifier = id_of("id_str", fields.get("id_str"))
    history = fields.get("edit_history_tweet_ids") or member(fields, "edit_history").get("edit_tweet_ids")
    first, revision = version_of(identifier, history)
    said, media = _words(fields), _media(fields)
    original = member(fields, "retweeted_status")
    if original:
        said, media = repost(said, _words(original)), _media(original) or media
    user = member(fields, "user")
    handle = handle_of(user.get("screen_name"))
    answered = fields.get("in_reply_to_status_id_str")
    return build(
        Post,
        id=post_name(first),
        source=SOURCE,
        author=Author(id=str(id_of("the id_str of the user", user.get("id_str"))), handle=handle),
        created_at=classic_moment(fields["created_at"]),
        revision=revision,
        text=said[0],
        hashtags=said[1],
        lang=language_of(fields.get("lang")),
        url=page_of(identifier, handle),
        media=media,
        reply_to=None if answered is None else post_name(id_of("in_reply_to_status_id_str", answered)),
        position=identifier,
    )


def _words(fields: Fields) -> tuple[str, tuple[Hashtag, ...]]:
    """The whole text, and its hashtags: of a post that was cut at 140 characters the long form beside it."""
    extended = member(fields, "extended_tweet")
    said: Fields = extended if isinstance(extended.get("full_text"), str) else fields
    text = text_of("text", said.get("full_text") if said.get("full_text") is not None else said.get("text"))
    claims = []
    for one in members(member(said, "entities"), "hashtags"):
        span = one.get("indices")
        start, end = span if isinstance(span, list) and len(span) == 2 else (None, None)
        claims.append((one.get("text"), start, end))
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
            (one.get("type"), one.get("media_url_https"), one.get("ext_alt_text"), *_sides(one))
            for one in next((one for one in lists if one), ())
        ]
    )


def _sides(media: Fields) -> tuple[object, object]:
    original = member(media, "original_info")
    if original:
        return original.get("width"), original.get("height")
    large = member(member(media, "sizes"), "large")
    return large.get("w"), large.get("h")
