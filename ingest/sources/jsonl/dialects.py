"""The dialects of posts in files: one row for each form that a document may have, told by its own fields. Pure.

Every dialect is one row of `DIALECTS`. A document belongs to the first dialect of which it has `enough`: each field
that has the type expected there counts by its weight, because many dialects share names (`source`, `user`,
`created_at`). A document of no dialect is read as a line of our own format; a refusal then says which dialect is
nearest, and which field stands in the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.sources.bluesky import files as bluesky
from ingest.sources.bluesky.identifiers import SOURCE as BLUESKY
from ingest.sources.formats.json_fields import Fields, LineFault, refuse, short
from ingest.sources.formats.timestamps import timestamp_of
from ingest.sources.jsonl.reading import PassedOverDocument
from ingest.sources.mastodon import files as mastodon
from ingest.sources.mastodon.files import SOURCE as MASTODON
from ingest.sources.x import archive as x
from ingest.sources.x.activity import read_activity
from ingest.sources.x.archive_fields import SOURCE as X
from ingest.sources.x.archive_fields import is_id, member
from ingest.sources.x.compliance import read_compliance
from ingest.sources.x.flattened import read_flattened
from ingest.sources.x.notices import NOTICES, notice_of
from ingest.sources.x.post import Includes, read_post
from ingest.sources.x.scraped import read_page_post, read_row
from ingest.sources.x.thin import is_dated_by_its_id, is_thin_classic, is_thin_modern
from tagstream.posts import Event

Test = Callable[[Any], bool]
Read = Callable[[Fields], Event | PassedOverDocument]


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """A check of one field that tells a dialect.

    `path` may go into objects and lists (`data.0.id`), and name several fields (`full_text|text`). `kind` says in words
    what the value must be; `fits` checks it. `about` is the field that a message names where `fits` checks the whole
    document.
    """

    path: str
    kind: str
    fits: Test
    weight: int = 1
    about: str = ""

    def of(self, fields: Fields) -> object:
        """Returns the field's value, None where there is none; the whole document for an empty path."""
        found = (_inner(fields, path) for path in self.path.split("|"))
        return next((value for value in found if value is not None), None)

    def blamed(self, fields: Fields) -> tuple[str, object]:
        """Returns the name and the value of the field that a message blames where the check fails."""
        return self.path.replace("|", " or ") or self.about, self.of(fields) if self.path else fields.get(self.about)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. A document of one item is `read`; a document of several gives its `parts`, each with its dialect.

    `without` names fields that no document of the dialect has, `names` fields of which it may have one alone. `source`
    is the source of a dead letter; `identity` returns as much of a refused document's identity as can be read.
    """

    name: str
    fields: tuple[FieldCheck, ...]
    enough: int
    read: Read | None = None
    parts: Callable[[Fields], list[tuple[Any, "Dialect"]]] | None = None
    without: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    source: str = X
    identity: Callable[[Fields], Mapping[str, Any]] = x.identity_of

    def score(self, fields: Fields) -> int:
        """Returns the sum of the weights of the fields that fit."""
        if any(name in fields for name in self.without):
            return 0
        return sum(field.weight for field in self.fields if field.fits(field.of(fields)))

    def tells(self, fields: Fields) -> bool:
        """Says whether enough fields fit."""
        return self.score(fields) >= self.enough


def dialect_of(fields: Fields) -> Dialect | None:
    """Returns the dialect of the document; None if it belongs to none."""
    names = fields.keys()
    for dialect, all_names, telling in _BY_NAMES:
        # Most documents are of no dialect here, and their names alone tell.
        if all_names.isdisjoint(names):
            continue
        if sum(weight for some, weight in telling if not some.isdisjoint(names)) < dialect.enough:
            continue
        if dialect.tells(fields):
            return dialect
    return None


def nearest(fields: Fields) -> str:
    """Says which dialect a document of none is nearest to, and what stands in the way; empty if it is near to none."""
    dialect = max(DIALECTS, key=lambda candidate: candidate.score(fields) / candidate.enough)
    if 2 * dialect.score(fields) < dialect.enough:
        return ""
    missing = [(field, *field.blamed(fields)) for field in dialect.fields if not field.fits(field.of(fields))]
    wrong, name, value = next((check for check in missing if check[2] is not None), missing[0])
    what = "is missing" if value is None else f"is {short(value)}"
    return f"; it is nearest to {dialect.name}, but {name} {what}, it should be {wrong.kind}"


def unwrapped(fields: Fields) -> Fields:
    """Returns the document inside the wrapping of an account's own export or a database; else the document itself."""
    for name in ("tweet", "_source", "doc", "message"):
        inner = fields.get(name)
        if isinstance(inner, dict) and "text" not in fields and ("text" in inner or dialect_of(inner) is not None):
            return inner
    return fields


def _inner(fields: Fields, path: str) -> object:
    value: object = fields
    for name in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def _is(*kinds: type) -> Test:
    return lambda value: type(value) in kinds


def _begins(beginning: str) -> Test:
    return lambda value: isinstance(value, str) and value.startswith(beginning)


def _equals(wanted: object) -> Test:
    return lambda value: type(value) is type(wanted) and value == wanted


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value[:8])


def _are_users(value: object) -> bool:
    """Says whether the items are accounts, each with its name, and none a post."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and _is_user(item) for item in value)


def _is_user(one: Fields) -> bool:
    return not {"username", "screen_name"}.isdisjoint(one) and {"text", "full_text"}.isdisjoint(one)


def _is_text_id(value: object) -> bool:
    return isinstance(value, str) and is_id(value)


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 100 and all(map(is_id, value))


def _is_classic_moment(value: object) -> bool:
    return isinstance(value, str) and value[:3].isalpha() and value[-4:].isdigit() and timestamp_of(value) is not None


def _page(fields: Fields) -> list[tuple[Any, Dialect]]:
    includes = Includes(member(fields, "includes"))
    post = Dialect("a post of X's API v2", (), 0, read=lambda data: read_post(data, includes))
    return [(item, post) for item in fields["data"]]


def _each(name: str) -> Callable[[Fields], list[tuple[Any, Dialect]]]:
    """Returns the parts of a page whose entries tell their own dialects."""

    def parts(fields: Fields) -> list[tuple[Any, Dialect]]:
        return [(item, (dialect_of(item) if isinstance(item, dict) else None) or NO_POST) for item in fields[name]]

    return parts


def _notice(fields: Fields) -> PassedOverDocument:
    return notice_of(fields) or PassedOverDocument.INFO


def _compliance(fields: Fields) -> Event | PassedOverDocument:
    event, _ = read_compliance(fields)
    return event or PassedOverDocument.COMPLIANCE


def _no_post(fields: Fields) -> Event:
    refuse(
        LineFault.BAD_FIELD, f"an entry with the fields {short(', '.join(list(fields)[:8]))}, which is no known form"
    )


def _is_page_of_x(value: object) -> bool:
    return (
        isinstance(value, str) and value.startswith(("https://twitter.com/", "https://x.com/")) and "/status/" in value
    )


_OBJECT, _OBJECTS, _TEXT = "an object", "a list of objects", "a string"
_ID = "the digits of an id of X"
_object, _text = _is(dict), _is(str)

NO_POST = Dialect("a post", (), 0, read=_no_post, identity=lambda _: {})

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "a notice of X's streams",
        (FieldCheck("", "an object with one telling field", lambda fields: notice_of(fields) is not None),),
        1,
        read=_notice,
        names=NOTICES,
        identity=lambda _: {},
    ),
    Dialect(
        "a deletion of X's API 1.1",
        (FieldCheck("delete.status.id_str|delete.status.id", _ID, is_id),),
        1,
        read=x.read_deletion,
    ),
    Dialect(
        "an event of X's compliance streams",
        (FieldCheck("data", "an object with one event", lambda data: isinstance(data, dict) and _has_event(data)),),
        1,
        read=_compliance,
        identity=lambda _: {},
    ),
    Dialect(
        "a post of X's API 1.1",
        (
            FieldCheck("id_str", _ID, _is_text_id, 2),
            FieldCheck("user.screen_name|user.id_str", _TEXT, _text),
            FieldCheck("user", _OBJECT, _object),
            FieldCheck("created_at", "a date such as Thu May 02 10:00:00 +0000 2024", _is_classic_moment),
            FieldCheck("full_text", _TEXT, _text),
            FieldCheck("entities", _OBJECT, _object),
            FieldCheck("extended_entities|extended_tweet|retweeted_status|quoted_status", _OBJECT, _object),
            FieldCheck("truncated|favorited|retweeted", "true or false", _is(bool)),
            FieldCheck("retweet_count|favorite_count", "a number", _is(int, str)),
            FieldCheck("", "an object with a screen_name", is_thin_classic, 4, about="user"),
        ),
        4,
        read=x.read_classic,
        without=("objectType",),
        names=("user", "id_str", "full_text", "entities"),
    ),
    Dialect(
        "a page of posts of X's API 1.1, or of Mastodon",
        (FieldCheck("statuses", _OBJECTS, _are_objects),),
        1,
        parts=_each("statuses"),
        without=("text",),
    ),
    Dialect(
        "a post of X's API v2",
        (
            FieldCheck("data.id", _ID, is_id, 2),
            FieldCheck("data.text", _TEXT, _text, 2),
            FieldCheck("includes", _OBJECT, _object),
            FieldCheck("matching_rules", "a list", _is(list)),
        ),
        3,
        read=x.read_modern,
        without=("text",),
    ),
    Dialect(
        "a page of users of X",
        (
            FieldCheck("data|users", "a list of users", _are_users, 2),
            FieldCheck("data.id", _ID, is_id),
            FieldCheck("data.username", _TEXT, _text),
        ),
        2,
        read=lambda _: PassedOverDocument.USERS,
        without=("text", "id"),
        identity=lambda _: {},
    ),
    Dialect(
        "a page of posts of X's API v2",
        (
            FieldCheck("data", _OBJECTS, _are_objects, 2),
            FieldCheck("data.0.text", _TEXT, _text, 2),
            FieldCheck("data.0.id", _ID, is_id),
            FieldCheck("includes", _OBJECT, _object),
            FieldCheck("meta", _OBJECT, _object),
        ),
        3,
        parts=_page,
        without=("text",),
    ),
    Dialect(
        "an answer of X without posts",
        (FieldCheck("meta.result_count", "0", _equals(0)),),
        1,
        read=lambda _: PassedOverDocument.EMPTY_PAGE,
        without=("text", "data"),
    ),
    Dialect(
        "an answer of X with errors alone",
        (
            FieldCheck("errors", _OBJECTS, _are_objects, 3),
            FieldCheck("type", "the address of a problem", _begins("https://api."), 2),
            FieldCheck("title", _TEXT, _text),
            FieldCheck("detail", _TEXT, _text),
        ),
        3,
        read=lambda _: PassedOverDocument.ERRORS,
        without=("text", "data", "id"),
    ),
    Dialect(
        "a post of X's API v2 on a line of its own",
        (
            FieldCheck("edit_history_tweet_ids", "a list of ids", _are_ids, 3),
            FieldCheck("__twarc", _OBJECT, _object, 3),
            FieldCheck("", "the date that its id says", is_dated_by_its_id, 4, about="created_at"),
            FieldCheck("", _ID, is_thin_modern, 4, about="author_id"),
            FieldCheck("referenced_tweets.0.type", _TEXT, _text, 2),
            FieldCheck("public_metrics", _OBJECT, _object, 2),
            FieldCheck("attachments.media_keys", "a list", _is(list), 2),
            FieldCheck("context_annotations", "a list", _is(list), 2),
            FieldCheck("author_id", _ID, is_id),
            FieldCheck("author.username", _TEXT, _text),
            FieldCheck("conversation_id", _ID, is_id),
            FieldCheck("reply_settings", _TEXT, _text),
            FieldCheck("possibly_sensitive", "true or false", _is(bool)),
        ),
        4,
        read=read_flattened,
        without=("user", "data"),
        names=("created_at", "author_id", "public_metrics", "source"),
    ),
    Dialect(
        "a post of X as an activity",
        (
            FieldCheck("objectType", "the word activity", _equals("activity"), 2),
            FieldCheck("actor.preferredUsername", _TEXT, _text, 2),
            FieldCheck("id", "tag:search.twitter.com and a number", _begins("tag:search.twitter.com"), 3),
            FieldCheck("body", _TEXT, _text),
            FieldCheck("postedTime", _TEXT, _text),
        ),
        4,
        read=read_activity,
    ),
    Dialect(
        "a post of X as snscrape writes it",
        (
            FieldCheck("user.username", _TEXT, _text, 2),
            FieldCheck("rawContent|content", _TEXT, _text, 2),
            FieldCheck("url", "the address of a post of X", _is_page_of_x, 2),
            FieldCheck("date", _TEXT, _text),
        ),
        6,
        read=read_page_post,
    ),
    Dialect(
        "a post of X as twint writes it",
        (
            FieldCheck("tweet", _TEXT, _text, 2),
            FieldCheck("username", _TEXT, _text),
            FieldCheck("user_id", _ID, is_id),
            FieldCheck("conversation_id", _ID, is_id),
        ),
        4,
        read=read_row,
    ),
    Dialect(
        "a post of X in a data set",
        (FieldCheck("tweet_id", _ID, is_id, 2), FieldCheck("tweet_text|text", _TEXT, _text)),
        3,
        read=x.read_named,
        without=("id",),
    ),
    Dialect(
        "a page of posts of Bluesky",
        (
            FieldCheck("feed.0.post.uri", "an address that begins with at://", _begins("at://"), 3),
            FieldCheck("feed", _OBJECTS, _are_objects, 2),
            FieldCheck("cursor", _TEXT, _text),
        ),
        3,
        parts=_each("feed"),
    ),
    Dialect(
        "a page of posts that were searched for on Bluesky",
        (
            FieldCheck("posts.0.uri", "an address that begins with at://", _begins("at://"), 3),
            FieldCheck("posts", _OBJECTS, _are_objects, 2),
            FieldCheck("cursor|hitsTotal", "a string or a number", _is(str, int)),
        ),
        3,
        parts=_each("posts"),
    ),
    Dialect(
        "a page of records of Bluesky",
        (
            FieldCheck("records.0.uri", "an address that begins with at://", _begins("at://"), 3),
            FieldCheck("records", _OBJECTS, _are_objects, 2),
            FieldCheck("cursor", _TEXT, _text),
        ),
        3,
        parts=_each("records"),
    ),
    Dialect(
        "an entry of a timeline of Bluesky",
        (
            FieldCheck("post.uri", "an address that begins with at://", _begins("at://"), 2),
            FieldCheck("post.record", _OBJECT, _object, 2),
        ),
        3,
        read=bluesky.read_entry,
        source=BLUESKY,
        identity=bluesky.identity_of_entry,
    ),
    Dialect(
        "a post of Bluesky",
        (
            FieldCheck("uri", "an address that begins with at://", _begins("at://"), 2),
            FieldCheck("record", _OBJECT, _object, 2),
            FieldCheck("author.did", _TEXT, _text),
        ),
        4,
        read=bluesky.read_view,
        source=BLUESKY,
        identity=bluesky.identity_of,
    ),
    Dialect(
        "a record of Bluesky",
        (
            FieldCheck("uri", "an address that begins with at://", _begins("at://"), 2),
            FieldCheck("value", _OBJECT, _object, 2),
            FieldCheck("value.$type", _TEXT, _text),
        ),
        4,
        read=bluesky.read_record,
        source=BLUESKY,
        identity=bluesky.identity_of,
    ),
    Dialect(
        "an event of Bluesky's Jetstream",
        (
            FieldCheck("did", "the identifier of an account", _begins("did:"), 2),
            FieldCheck("time_us", "microseconds since 1970", _is(int), 2),
            FieldCheck("kind", _TEXT, _text),
        ),
        4,
        read=bluesky.read_frame,
        source=BLUESKY,
        identity=lambda _: {},
    ),
    Dialect(
        "a status of Mastodon",
        (
            FieldCheck("account.acct", _TEXT, _text, 2),
            FieldCheck("account.id", "an id", _is(str, int)),
            FieldCheck("content", _TEXT, _text, 2),
            FieldCheck("visibility", _TEXT, _text),
            FieldCheck("media_attachments", "a list", _is(list)),
            FieldCheck("uri|url", _TEXT, _text),
        ),
        5,
        read=mastodon.read_document,
        source=MASTODON,
        identity=mastodon.identity_of,
    ),
)


def _has_event(data: Mapping[str, Any]) -> bool:
    return len(data) == 1 and all(isinstance(event, dict) and "event_at" in event for event in data.values())


def _names_of(dialect: Dialect, field: FieldCheck) -> frozenset[str]:
    """Returns the names of which a document has one, if it has this field."""
    return frozenset(path.partition(".")[0] for path in field.path.split("|") if path) or frozenset(dialect.names)


_BY_NAMES = tuple(
    (dialect, frozenset().union(*(names for names, _ in telling)), telling)
    for dialect in DIALECTS
    for telling in [[(_names_of(dialect, field), field.weight) for field in dialect.fields]]
)
