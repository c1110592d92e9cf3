"""Conversion of a status of Mastodon's API into a `Post`. Pure.

The text of a post is the text that people read, in their order: the content warning (`spoiler_text`, which is plain
text), a blank line, the content, a blank line, the options of a poll, each on a line. Hashtags are those that the
server linked, and those that our own rule finds; one that is only listed in `tags` has no span. The line by which a
server repeats the address of a quoted post (`quote-inline`) is left out, as it is on the page.

Among the attachments images, loops and films count, with the author's description. One that this server has not fetched
(`unknown`) counts as an image at its own address.

The entities: docs.joinmastodon.org/entities/Status, MediaAttachment, Account, Tag, Poll. Only `public` statuses are
read: `unlisted` ones ask not to be found by search, and the others are not for us. A reblog has no words of its own and
is passed over; its original comes by itself where this server's timeline has it.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from ingest.sources.formats.html_text import HtmlText, html_to_text
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, build, native, refuse, short
from ingest.sources.formats.link_card import link_of
from tagstream.dead_letter import dead_letter
from tagstream.posts import (
    MAX_MEDIA,
    MAX_REVISION,
    MAX_TEXT_LENGTH,
    Author,
    DeadLetter,
    Hashtag,
    Link,
    Media,
    Post,
    clean_text,
    native_id,
)
from tagstream.text.hashtags import Claim, hashtags_named
from tagstream.text.languages import language_tag

MAX_ALT_LENGTH = 10_000
MAX_URL_LENGTH = 4096
MAX_ID_BYTES = 256
MAX_TAGS = 1_024
# Reading 200,000 characters of hostile HTML takes half a second, during which nothing else runs.
MAX_CONTENT_LENGTH = 200_000
_KINDS: Mapping[str, str] = {"image": "photo", "unknown": "photo", "gifv": "animation", "video": "video"}
_LEFT_OUT = frozenset({"quote-inline"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PassedOverStatus(StrEnum):
    """The closed list of reasons for which a valid item gives no post."""

    REBLOG = "reblog"
    NOT_PUBLIC = "not_public"
    OTHER_EVENT = "other_event"


def read_status(fields: Fields, source: str) -> Post | PassedOverStatus:
    """Reads the post; returns the reason where there is none.

    Raises:
        MalformedLine: it is no status.
    """
    identifier = status_id(fields.get("id"))
    if fields.get("reblog") is not None:
        return PassedOverStatus.REBLOG
    visibility = fields.get("visibility")
    if not isinstance(visibility, str):
        refuse(LineFault.MISSING_FIELD, f"visibility is {short(visibility)}, it must be a string")
    if visibility != "public":
        return PassedOverStatus.NOT_PUBLIC
    warning, content = _string(fields, "spoiler_text").strip(), _content(fields)
    text, start = _joined(warning, content.text, _poll_options(fields.get("poll")))
    if len(text) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"the text has {len(text):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
    reply_to = fields.get("in_reply_to_id")
    return build(
        Post,
        id=native_id(source, identifier),
        source=source,
        author=_author(fields.get("account")),
        created_at=_timestamp(fields, "created_at"),
        revision=_revision(fields),
        text=text,
        lang=language_tag(_short_text(fields.get("language"), 35) or ""),
        url=_address(fields.get("url")) or _address(fields.get("uri")),
        links=_links(fields.get("card")),
        media=_media(fields.get("media_attachments")),
        reply_to=None if reply_to in (None, "") else native_id(source, status_id(reply_to)),
        position=int(identifier) if is_number(identifier) and len(identifier) < 20 and int(identifier) < 2**63 else 0,
        hashtags=_hashtags(text, content, start, fields.get("tags")),
    )


def status_id(value: object) -> str:
    """Reads the id of a status or an account: any text, because servers of many kinds speak this protocol.

    Mastodon's own are numbers; others have UUIDs, ULIDs, or what their database makes.

    Raises:
        MalformedLine: it is none.
    """
    identifier = native("id", value)
    if len(identifier.encode()) > MAX_ID_BYTES or any(character.isspace() for character in identifier):
        refuse(LineFault.BAD_ID, f"id is {short(value)}, it must be a word of at most {MAX_ID_BYTES} bytes")
    return identifier


def is_number(identifier: str) -> bool:
    """Says whether an id is one of those that rise with time; the order of other ids is unknown."""
    return identifier.isascii() and identifier.isdigit()


def dead_letter_of_status(
    body: bytes, malformed: MalformedLine, *, origin: str, source: str, fields: Fields
) -> DeadLetter:
    """Makes the dead letter of an item that is no status, with as much of its identity as can be read."""
    identity: dict[str, Any] = {}
    try:
        identity["post_id"] = native_id(source, status_id(fields.get("id")))
        identity["author"] = _author(fields.get("account")).id
    except MalformedLine:
        pass
    return dead_letter(
        origin=origin, source=source, cause=malformed.fault.value, message=str(malformed), body=body, **identity
    )


def _string(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be a string")
    return clean_text(value)


def _content(fields: Fields) -> HtmlText:
    content = fields.get("content", 0)
    if content is None:  # some servers say so of a post that is a picture alone
        content = ""
    if not isinstance(content, str):
        refuse(LineFault.MISSING_FIELD, f"content is {short(fields.get('content'))}, it must be a string of HTML")
    if len(content) > MAX_CONTENT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"content has {len(content):,} characters, the limit is {MAX_CONTENT_LENGTH:,}")
    return html_to_text(content, left_out=_LEFT_OUT)


def _joined(warning: str, content: str, options: list[str]) -> tuple[str, int]:
    """The text, and where the content begins in it."""
    parts = [part for part in (warning, content, "\n".join(options)) if part]
    return "\n\n".join(parts), len(warning) + 2 if warning else 0


def _poll_options(poll: object) -> list[str]:
    options = poll.get("options") if isinstance(poll, dict) else None
    titles = [option.get("title") for option in _objects(options)]
    return [clean_text(title).strip() for title in titles if isinstance(title, str) and title.strip()]


def _author(account: object) -> Author:
    if not isinstance(account, dict):
        refuse(LineFault.MISSING_FIELD, f"account is {short(account)}, it must be an object with an id")
    identifier = status_id(account.get("id"))
    return Author(id=identifier, handle=_short_text(account.get("acct"), 256))


def _timestamp(fields: Fields, name: str) -> datetime:
    try:
        timestamp = datetime.fromisoformat(fields[name])
        return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        refuse(LineFault.BAD_CREATED_AT, f"{name} is {short(fields.get(name))}, it must be a date as ISO 8601 has it")


def _revision(fields: Fields) -> int:
    if fields.get("edited_at") is None:
        return 0
    revision = (_timestamp(fields, "edited_at") - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= revision < MAX_REVISION:
        refuse(LineFault.BAD_FIELD, f"edited_at is {short(fields['edited_at'])}, it must be in the years 1970 to 2041")
    return revision


def _links(card: object) -> tuple[Link, ...]:
    """Returns the page of which the status shows a card."""
    link = link_of(card.get("url"), card.get("title"), card.get("description")) if isinstance(card, dict) else None
    return () if link is None else (link,)


def _media(attachments: object) -> tuple[Media, ...]:
    found = []
    for attachment in _objects(attachments):
        kind = _KINDS.get(str(attachment.get("type")))
        url = _address(attachment.get("url")) or _address(attachment.get("remote_url"))
        description = attachment.get("description")
        alt = clean_text(description)[:MAX_ALT_LENGTH] if isinstance(description, str) and description.strip() else None
        if kind is not None and (url or alt):
            found.append(build(Media, kind=kind, url=url, alt=alt, **_size(attachment.get("meta"))))
        if len(found) == MAX_MEDIA:
            break
    return tuple(found)


def _size(meta: object) -> dict[str, int]:
    original = meta.get("original") if isinstance(meta, dict) else None
    if not isinstance(original, dict):
        return {}
    sides = {side: original.get(side) for side in ("width", "height")}
    return {side: length for side, length in sides.items() if type(length) is int and length >= 1}


def _hashtags(text: str, content: HtmlText, start: int, tags: object) -> tuple[Hashtag, ...]:
    """Returns the hashtags that the server linked, those of our rule elsewhere in the text, then those only listed."""
    linked = [
        Hashtag(text=text[start + link.start + 1 : start + link.end], start=start + link.start, end=start + link.end)
        for link in content.links
        if ("hashtag" in link.classes or "tag" in link.rel) and _is_hashtag(content.text[link.start : link.end])
    ]
    claims: list[Claim] = [(hashtag.text, *hashtag.place) for hashtag in linked]
    for tag in islice(_objects(tags), MAX_TAGS):
        name = clean_text(tag["name"]).lstrip("#＃").strip() if isinstance(tag.get("name"), str) else ""
        if name:
            claims.append((build(Hashtag, text=name).text, None, None))
    return hashtags_named(text, claims)


def _is_hashtag(text: str) -> bool:
    return text[:1] in ("#", "＃") and len(text) > 1 and not any(sign.isspace() or sign in "#＃" for sign in text[1:])


def _objects(value: object) -> Iterable[Fields]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _short_text(value: object, longest: int) -> str | None:
    return clean_text(value) if isinstance(value, str) and 0 < len(value) <= longest else None


def _address(value: object) -> str | None:
    """Returns an address of the web; any other address would be offered to people as a link."""
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH:
        return None
    return clean_text(value) if value.startswith(("https://", "http://")) else None
