"""docs/reference/topics.md and docs/reference/schemas/: what is on Kafka, with a JSON schema of each contract."""

import json
from typing import Any

from pydantic import BaseModel

from ops.docs.fields import MEANINGS, described, fields_table, table
from tagstream.codec import KINDS, MAX_BYTES
from tagstream.detections import DeletedPost, MentionBatch, MinuteOfTrends, PostMentions, Subject
from tagstream.kafka.topics import ENVELOPE_BYTES, KIND, OBSERVED_AT, POSITION, Topic, open_topics
from tagstream.posts import AccountStatus, Deletion, Erasure, Post
from tagstream.settings import Settings

_Fields = dict[str, tuple[dict[str, Any], str]]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DETECTION: dict[type[BaseModel], dict[str, str]] = {
    MentionBatch: {
        "version": "The version of this form. Records of version 1 are passed over.",
        "source_partition": "The partition of `posts.tagged` that the posts come from.",
        "watermark": "The newest minute up to which that partition has been read; null before it is known. It stands "
        "on the last record of a batch, behind all its posts.",
        "posts": "Posts with at least one subject that the record's partition owns.",
        "deleted": "Posts that their network deleted, each named to one partition.",
    },
    PostMentions: {
        "post_id": "The id of the post.",
        "revision": "The revision of the post.",
        "author": "A number that stands for source and author; null for a post without one.",
        "minute": "The UTC minute of the earlier of the post's own time and its acceptance.",
        "shingles": "The smallest hashes of its words and pairs of words, by which near-copies are told.",
        "subjects": "What it is about: named entities, hashtags and words.",
    },
    Subject: {
        "type": "`PER`, `LOC`, `ORG`, `MISC`, `HASHTAG` or `WORD`.",
        "key": "The form by which it is counted.",
        "text": "Its spelling in the post.",
    },
    DeletedPost: {
        "post_id": "The id of the post.",
        "minute": "The first minute that was open when the feed said so.",
    },
    MinuteOfTrends: {
        "version": "The version of this form.",
        "partition": "The partition of `mentions`, which has closed every minute up to this one.",
        "minute": "The minute.",
        "trends": "The subjects that trend at its end.",
        "deleted": "As on `mentions`.",
        "closed": "False where more of the minute follows, and it is not closed yet.",
    },
}
# The value that no contract describes. Its fields are compared with what the code writes.
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
                    "`posts`, `posts.tagged`",
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
        "Batches of posts that are new in the index, in the order of their partition. A subject belongs to the "
        "partition that a hash of its key names, and a batch that moves the watermark goes to all. Delivery is at "
        "least once: a repeat has the same `post_id` and `revision`. Schema: "
        "[schemas/mention.json](schemas/mention.json).",
        *(f"#### {one.__name__}\n\n{_meanings(one)}" for one in (MentionBatch, PostMentions, Subject, DeletedPost)),
        "### `trends`",
        "What the partitions of `mentions` say of closed minutes, oldest first within a partition. A repeat says the "
        "same. Schema: [schemas/trends.json](schemas/trends.json).",
        _meanings(MinuteOfTrends),
        "### `detectors`",
        "Snapshots of the detectors in chunks, MessagePack: `[name, offset, number, chunks, data]`. A snapshot holds "
        "everything up to the offset of the topic that its detector reads. For tagstream alone.",
        "### `cursors`",
        "The newest value of a key is how far its source has been read. Schema: "
        "[schemas/cursor.json](schemas/cursor.json).",
        _fields(_CURSOR),
        "## Settings of the topics",
        "\n".join(_settings(topic) for topic in topics),
    ]
    return "\n\n".join(parts) + "\n"


SCHEMAS = (*KINDS, "mention", "trends", "cursor")


def schema_file(name: str) -> str:
    """The text of docs/reference/schemas/NAME.json."""
    if name in KINDS:
        return _text(described(KINDS[name], MEANINGS[KINDS[name]]))
    if name == "cursor":
        return _text(_schema("A saved cursor", _CURSOR))
    return _text((MentionBatch if name == "mention" else MinuteOfTrends).model_json_schema())


def _meanings(contract: type[BaseModel]) -> str:
    """The fields of a contract of the detectors.

    Raises:
        LookupError: a field has no meaning here, or a meaning no field.
    """
    meanings = _DETECTION[contract]
    if meanings.keys() != contract.model_fields.keys():
        raise LookupError(
            f"ops/docs/topics.py and {contract.__name__} differ in {set(meanings) ^ set(contract.model_fields)}"
        )
    return table(("field", "meaning"), ((f"`{name}`", meaning) for name, meaning in meanings.items()))


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
