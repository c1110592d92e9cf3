"""docs/reference/topics.md and docs/reference/schemas/: what is on Kafka, with a JSON schema of each contract."""

import json
from datetime import UTC, datetime
from typing import Any

from ops.docs.fields import MEANINGS, described, fields_table, table
from ops.docs.json_lines import EXAMPLE
from search.index import Indexable
from tagstream.codec import KINDS, MAX_BYTES
from tagstream.kafka.topics import ENVELOPE_BYTES, KIND, OBSERVED_AT, POSITION, Topic, open_topics
from tagstream.posts import AccountStatus, Deletion, Erasure, Post
from tagstream.settings import Settings
from workers.faust.mentions import mentions_of

_Fields = dict[str, tuple[dict[str, Any], str]]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# The two values that no contract describes. Their fields are compared with what the code writes.
_MENTION: _Fields = {
    "version": ({"const": 1}, "The version of this form."),
    "key": ({"type": "string", "maxLength": 256}, "The key of the entity."),
    "type": ({"enum": ["PER", "LOC", "ORG", "MISC"]}, "Its type."),
    "author": ({"type": ["string", "null"]}, "The author's id; null for a post without one."),
    "minute": ({"type": "string"}, "The UTC minute of the earlier of the post's own time and its acceptance."),
    "post_id": ({"type": "string"}, "The id of the post."),
    "revision": ({"type": "integer", "minimum": 0}, "The revision of the post."),
    "companions": (
        {"type": "array", "maxItems": 32, "items": {"type": "array", "minItems": 2, "maxItems": 2}},
        "The other entities of the post, each as `[type, key]`.",
    ),
}
_CURSOR: _Fields = {
    "cursor": ({"type": ["string", "null"]}, "Where reading of the source goes on."),
    "owner": ({"type": "string"}, "Which process saved it: the newest owner of a source stops the others."),
    "saved_at": ({"type": "string", "format": "date-time"}, "When it was saved, in UTC."),
}


def topics_page() -> str:
    """The page of the topics."""
    topics = list(open_topics(Settings()))
    parts = [
        "# Topics",
        "This page is for people who read tagstream's topics with a consumer of their own, or set up the broker. "
        "It is written by `make docs` from `tagstream/kafka/topics.py` and the contracts. "
        "[Broker](../explanation/broker.md) explains what the topics guarantee.",
        "`tagstream ingest` and `tagstream worker` make the topics that are missing. `topic_prefix` stands before "
        "every name. Keys are raw UTF-8.",
        table(
            ("topic", "partitions", "key", "value", "kept", "largest value"),
            (
                (
                    f"`{topic.name}`",
                    "`partitions`" if topic.partitions > 1 else "1",
                    topic.key,
                    topic.value,
                    "compacted" if topic.retention_hours is None else f"{topic.retention_hours} h",
                    f"{topic.max_value_bytes // 1024:,} KiB",
                )
                for topic in topics
            ),
        ),
        f"A broker's limit for a record (`max.message.bytes`) is {ENVELOPE_BYTES // 1024} KiB above the largest value.",
        "## Headers",
        "Their values are ASCII.",
        table(
            ("header", "on", "meaning"),
            (
                (
                    f"`{OBSERVED_AT}`",
                    "`posts`, `posts.tagged`, `mentions`",
                    "When the post was accepted, in milliseconds since 1970.",
                ),
                (f"`{POSITION}`", "`posts.tagged`", "The post's position in the order of its source."),
                (
                    f"`{KIND}`",
                    "`posts.tagged`",
                    "Which contract the value is: `tagged`, `deletion`, `erasure` or `account_status`.",
                ),
            ),
        ),
        "A record's own timestamp is when it was published; only retention looks at it.",
        "## Values",
        'On `posts` and `posts.dead` a value is MessagePack: the map `{"kind", "version", "body"}`, in which '
        "`kind` names the contract and `body` holds its fields without `version`. Times are MessagePack timestamps, "
        "bytes are bytes. On the other topics a value is JSON. Readers accept every version up to their own; a newer "
        "one stops them: upgrade consumers first.",
        table(
            ("kind", "largest message", "JSON schema"),
            (
                (f"`{kind}`", f"{MAX_BYTES[kind] // 1024:,} KiB", f"[schemas/{kind}.json](schemas/{kind}.json)")
                for kind in KINDS
            ),
        ),
        "The fields of a tagged post and of a dead letter are described in [JSON lines](json-lines.md).",
    ]
    for contract in (Post, Deletion, Erasure, AccountStatus):
        parts += [f"### {contract.__name__}", _linked(fields_table(contract))]
    parts += [
        "### `mentions`",
        "One record for each entity of a post that is new in the index. Delivery is at least once: a repeat has the "
        "same `post_id`, `revision`, `type` and `key`. Schema: [schemas/mention.json](schemas/mention.json).",
        _fields(_MENTION),
        "### `cursors`",
        "The newest value of a key is how far its source has been read. Schema: "
        "[schemas/cursor.json](schemas/cursor.json).",
        _fields(_CURSOR),
        "## Settings of the topics",
        "\n".join(_settings(topic) for topic in topics),
    ]
    return "\n\n".join(parts) + "\n"


SCHEMAS = (*KINDS, "mention", "cursor")


def schema_file(name: str) -> str:
    """The text of docs/reference/schemas/NAME.json."""
    if name in KINDS:
        return _text(described(KINDS[name], MEANINGS[KINDS[name]]))
    if name == "cursor":
        return _text(_schema("A saved cursor", _CURSOR))
    written = mentions_of(Indexable(EXAMPLE, datetime(2024, 5, 1, tzinfo=UTC)), open_topics(Settings()))
    mention = json.loads(written[0].value)
    if mention.keys() != _MENTION.keys():
        raise LookupError(f"ops/docs/topics.py and the mentions differ in {set(mention) ^ set(_MENTION)}")
    return _text(_schema("A mention of an entity", _MENTION))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": _DIALECT} | schema, indent=2, ensure_ascii=False) + "\n"


def _linked(fields: str) -> str:
    """The table, whose contracts are described on the page of JSON lines."""
    return fields.replace("](#hashtag)", "](json-lines.md#segmentedhashtag)").replace("](#", "](json-lines.md#")


def _schema(title: str, fields: _Fields) -> dict[str, Any]:
    properties = {name: field | {"description": meaning} for name, (field, meaning) in fields.items()}
    return {"title": title, "type": "object", "properties": properties, "required": list(fields)}


def _fields(fields: _Fields) -> str:
    return table(("field", "meaning"), ((f"`{name}`", meaning) for name, (_, meaning) in fields.items()))


def _settings(topic: Topic) -> str:
    told = ", ".join(f"`{name}={value}`" for name, value in topic.settings.items())
    return f"- `{topic.name}`: {told}"
