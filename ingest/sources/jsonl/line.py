"""The format of our own JSON lines, and the reading of one line into one event. Pure: no files, no clock.

A line is an object of one of five forms::

    {"id": 7, "text": "…", "created_at": "2024-05-01T12:00:00Z"}      a post; more fields below
    {"id": 7, "delete": true}                                         a deletion, up to `revision` if there is one
    {"author": "ann", "erase": true}                                  an erasure of the posts before it
    {"author": "ann", "hide": true}                                   a status: hidden, or with `false` shown again
    {"version": 1, "source": …, "model": …, "generation": …,
     "entities": …, "id": "jsonl:7", …}                               a document of `tagstream dump`

A line is a dump document exactly when it has those five fields. Its ids then already carry their source, and the
entities that a model found in it are dropped (`dump.py` reads the other lines of a dump). In the other forms `id` and
`reply_to` are native (a string or an integer), and `source` defaults to `jsonl`. These fields may be added: `author`
(its id, or an object with `id` and `handle`), `revision`, `lang`, `langs` (a list), `url`, `hashtags` (strings; those
that the text lacks have no span), `media` (objects with `url`, `alt`, `kind`, `width`, `height`, `sha256`, `reason`;
the first four count) and `reply_to`. Null is absent. Fields of any other name are ignored: a newsroom's feed has its
own.

A field of these names with a value of the wrong type makes the line a dead letter that names the field: nobody who asks
for that field could find the post without it. A post may have a `hide` that is false. One that is true is refused:
nobody can say whether it means the post or its author.

`sequence` tells which posts come before an erasure, and which status of an author is the newest. It is an integer that
any line may have and that rises with the time of the feed, over all its files. Without it the line's number counts,
which orders the lines of one file only.

`formats/timestamps.py` reads `created_at`: ISO 8601 or RFC 2822 (UTC where it names no zone), or seconds, milliseconds,
microseconds or nanoseconds since 1970, told apart by their size.
"""

from contextlib import suppress
from typing import Any

from ingest.sources.formats.json_fields import (
    Fields,
    LineFault,
    MalformedLine,
    author_of,
    build,
    created_at,
    dumped_hashtags,
    dumped_links,
    flag,
    langs_of,
    listed_hashtags,
    media_of,
    native,
    optional_text,
    position_of,
    post_id,
    read_object,
    refuse,
    refuse_id_of_a_host,
    replied_to,
    required,
    required_author,
    required_text,
    short,
    source_of,
    source_of_native_ids,
)
from tagstream.dead_letter import dead_letter
from tagstream.posts import CONTRACT_VERSION, AccountStatus, Deletion, Erasure, Event, Hashtag, Link, Post
from tagstream.text.languages import language_tags

DEFAULT_SOURCE = "jsonl"

_DUMP_FIELDS = frozenset({"version", "source", "model", "generation", "entities"})


def read_event(body: bytes, *, origin: str, position: int, source: str = DEFAULT_SOURCE) -> Event:
    """Reads a line; returns a `DeadLetter` with this `origin` if nothing in it can be understood.

    `source` is the source of a line that names none.
    """
    fields: Fields = {}
    try:
        fields = read_object(body)
        return event_of(fields, position, source)
    except MalformedLine as malformed:
        return dead_letter(
            origin=origin,
            cause=malformed.fault.value,
            message=str(malformed),
            body=body,
            **identity_of_line(fields, position, source),
        )


def event_of(fields: Fields, line: int, default_source: str) -> Event:
    """Reads the object of a line.

    Raises:
        MalformedLine: it is none of the five forms.
    """
    position = position_of(fields, line)
    if fields.keys() >= _DUMP_FIELDS:
        return _dumped_post(fields, position)
    if _says_status(fields):
        source, author = source_of(fields, default_source), required_author(fields).id
        return build(AccountStatus, source=source, author=author, hidden=flag(fields, "hide"), position=position)
    source = source_of_native_ids(fields, default_source)
    deletes, erases = flag(fields, "delete"), flag(fields, "erase")
    if deletes and erases:
        refuse(LineFault.BAD_FIELD, "both delete and erase are true: write two lines")
    if erases:
        return build(Erasure, source=source, author=required_author(fields).id, position=position)
    if deletes:
        return build(
            Deletion, id=post_id(source, fields), source=source, revision=fields.get("revision"), position=position
        )
    return _post(fields, source, position)


def _says_status(fields: Fields) -> bool:
    """Says whether the line hides or shows an account, and is about nothing else."""
    about_posts = (
        any(flag(fields, name) for name in ("delete", "erase"))
        or fields.get("id") is not None
        or fields.get("text") is not None
    )
    if flag(fields, "hide") and about_posts:
        refuse(LineFault.BAD_FIELD, "hide is true beside something else: write author and hide on a line of their own")
    return fields.get("hide") is not None and not about_posts


def _post(fields: Fields, source: str, position: int) -> Post:
    text = required_text(fields)
    return _assemble(
        fields,
        id=post_id(source, fields),
        source=source,
        text=text,
        hashtags=listed_hashtags(fields.get("hashtags"), text),
        reply_to=replied_to(source, fields),
        position=position,
    )


def _dumped_post(fields: Fields, position: int) -> Post:
    """Reads the post of a document that `tagstream dump` wrote."""
    version = fields["version"]
    if type(version) is not int or version < 1:
        refuse(LineFault.BAD_FIELD, f"version is {short(version)}, it must be an integer from 1")
    if version > CONTRACT_VERSION:
        refuse(
            LineFault.NEWER_VERSION,
            f"version is {version}, this tagstream reads up to {CONTRACT_VERSION}: upgrade it, then requeue",
        )
    text = required_text(fields)
    reply_to = fields.get("reply_to")
    source = source_of(fields, DEFAULT_SOURCE)
    identifier = native("id", required(fields, "id"))
    refuse_id_of_a_host(source, "id", identifier.removeprefix(f"{source}:"))
    return _assemble(
        fields,
        id=identifier,
        source=source,
        text=text,
        hashtags=dumped_hashtags(fields.get("hashtags"), text),
        reply_to=None if reply_to is None else native("reply_to", reply_to),
        position=position,
        links=dumped_links(fields.get("links")),
    )


def _assemble(
    fields: Fields,
    *,
    id: str,
    source: str,
    text: str,
    hashtags: tuple[Hashtag, ...],
    reply_to: str | None,
    position: int,
    links: tuple[Link, ...] = (),
) -> Post:
    return build(
        Post,
        id=id,
        source=source,
        author=author_of(fields.get("author")),
        created_at=created_at(fields),
        revision=0 if fields.get("revision") is None else fields["revision"],
        text=text,
        langs=language_tags([optional_text(fields, "lang") or "", *langs_of(fields)]),
        url=optional_text(fields, "url"),
        links=links,
        media=media_of(fields.get("media")),
        reply_to=reply_to,
        position=position,
        hashtags=hashtags,
    )


def identity_of_line(fields: Fields, line: int, default_source: str) -> dict[str, Any]:
    """Returns the identity of a refused line, as far as it can be read, so that deletions reach it.

    It consists of source, post, author and position.
    """
    found: dict[str, Any] = {"source": default_source, "position": line}
    with suppress(MalformedLine):
        found["position"] = position_of(fields, line)
    with suppress(MalformedLine):
        found["source"] = source_of(fields, default_source)
        if fields.keys() >= _DUMP_FIELDS:
            found["post_id"] = native("id", fields.get("id"))
        else:
            found["post_id"] = post_id(found["source"], fields)
    with suppress(MalformedLine):
        author = author_of(fields.get("author"))
        found["author"] = author.id if author else None
    return found
