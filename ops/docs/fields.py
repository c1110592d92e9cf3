"""Tables of the fields of a contract: name, type and default come from the contract, the meaning from `MEANINGS`.

A field without a meaning, or a meaning without a field, is an error: so a contract cannot change without its page.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from ops.docs.detection_fields import DETECTION_MEANINGS
from tagstream.posts import (
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Entity,
    Erasure,
    Hashtag,
    Link,
    Media,
    Post,
    SegmentedHashtag,
    TaggedPost,
)

_VERSION = "The version of the contract. Readers accept this one and earlier ones."
_SOURCE = "Where it comes from: `bluesky`, `mastodon:HOST`, `x`, `rss:HOST`, `jsonl`, or what a plug-in calls it."
_POSITION = "Its position in the order of its own source. Erasures go by it; 0 where the source has no order."
_POST = {
    "version": _VERSION,
    "id": "`SOURCE:NATIVE_ID`. Ids of more than 256 bytes are hashed.",
    "source": _SOURCE,
    "author": "Who wrote it; null where the source does not say.",
    "created_at": "When its author's network says it was written: UTC, to the millisecond. Authors can forge it.",
    "revision": "Rises with every edit. It comes from the network's own identity of an edit; 0 where there is none.",
    "text": "The text as the network gave it. Offsets count its code points.",
    "lang": "The first of `langs`: a BCP 47 tag such as `en` or `en-US`.",
    "langs": "All languages that the post names.",
    "url": "The address of the post for people.",
    "links": "Addresses that the network names beside the text.",
    "media": "Pictures and films.",
    "reply_to": "The id of the post that it answers.",
}
_HASHTAG = {
    "text": "The hashtag as written, without `#`.",
    "start": "The offset of the `#` in the text; null where the hashtag is only listed with the post.",
    "end": "The offset after its last character; null like `start`.",
}

MEANINGS: dict[type[BaseModel], dict[str, str]] = {
    Author: {
        "id": "Never changes on its network.",
        "handle": "What people call the account; may change.",
    },
    Link: {
        "url": "The whole address.",
        "title": "The title of what stands there.",
        "description": "Its description.",
    },
    Hashtag: _HASHTAG,
    SegmentedHashtag: _HASHTAG | {"words": "The words that it was split into, in their own case."},
    Media: {
        "kind": "What it is.",
        "url": "Where the network offers it.",
        "alt": "The author's own description.",
        "sha256": "The hash of the original bytes, in hexadecimal digits.",
        "width": "In pixels, as people see it.",
        "height": "In pixels, as people see it.",
        "thumbnail": "A JPEG of at most 256 pixels a side and 64 KiB. Only on the topic `posts`; elsewhere null.",
        "reason": "Why there is no thumbnail ([the reasons](../explanation/media.md#reasons)).",
    },
    Entity: {
        "text": "The name as written: `text[start:end]` of the post.",
        "type": "A person, a place, an organisation, or another name.",
        "start": "The offset of its first character.",
        "end": "The offset after its last character.",
        "score": "The probability that the name is right: where it begins and ends, and its type.",
        "in_hashtag": "Whether it lies inside a hashtag.",
        "key": "The form by which mentions of it are counted and asked for (`entity:KEY`).",
    },
    Post: _POST | {"position": _POSITION, "hashtags": "In order of the text; then those that are only listed."},
    TaggedPost: _POST
    | {
        "hashtags": "In order of the text, each with its words.",
        "entities": "The names found, in order of the text.",
        "image_labels": "What its photos show, by the image model.",
        "model": "What answered: `NAME@VERSION`, joined by `+` where several models did.",
        "generation": "Rises with every promotion and rollback of a model. Even for a degraded answer.",
        "degraded": "What was missing when it was tagged (`photo`, `image_model`); `tagstream retag` makes it good.",
        "untagged": "Why it has no entities: its language is not read, or (for the end of a long text) its length.",
    },
    Deletion: {
        "version": _VERSION,
        "id": "The id of the post.",
        "source": _SOURCE,
        "revision": "Up to which revision the post is gone; null: for ever.",
        "position": _POSITION,
    },
    Erasure: {
        "version": _VERSION,
        "source": _SOURCE,
        "author": "The id of the account.",
        "position": "Everything of the account up to this position is gone.",
    },
    AccountStatus: {
        "version": _VERSION,
        "source": _SOURCE,
        "author": "The id of the account.",
        "hidden": "Whether the account is hidden (deactivated, suspended) or shown again.",
        "position": "Of several statuses the one with the highest position holds.",
    },
    DeadLetter: {
        "version": _VERSION,
        "origin": "Where it came from: `FILE:LINE`, or `TOPIC-PARTITION-OFFSET`. Its key.",
        "source": "The source that gave it.",
        "cause": "Why it could not be processed, as one word.",
        "message": "Why, for people.",
        "body": "Its bytes; of a larger one the first 64 KiB.",
        "size": "How many bytes it had.",
        "sha256": "The hash of all of its bytes.",
        "post_id": "The id of the post, where it could be read: deletions reach the dead letter by it.",
        "author": "The id of the author, where it could be read: erasures reach the dead letter by it.",
        "position": _POSITION,
    },
    **DETECTION_MEANINGS,
}


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    names = list(columns)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def fields_table(contract: type[BaseModel], *, without: Iterable[str] = ()) -> str:
    """The fields of a contract, each with its type, its default and what it means."""
    schema = contract.model_json_schema(mode="serialization")
    meanings = MEANINGS[contract]
    fields = schema["properties"]
    if fields.keys() != meanings.keys():
        raise LookupError(f"ops/docs/fields.py and {contract.__name__} differ in {set(fields) ^ set(meanings)}")
    required = set(schema.get("required", ()))
    return table(
        ("field", "type", "default", "meaning"),
        (
            (f"`{name}`", type_of(field), "required" if name in required else default_of(field), meanings[name])
            for name, field in fields.items()
            if name not in without
        ),
    )


def described(contract: type[BaseModel], meanings: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema of a contract, its own fields with their meaning."""
    schema = contract.model_json_schema(mode="serialization")
    for name, field in schema["properties"].items():
        field["description"] = meanings[name]
    return schema


def default_of(field: Mapping[str, Any]) -> str:
    """The default of a field of a JSON schema, as JSON."""
    if "default" not in field:
        return "required"
    default = field["default"]
    if default is None:
        return "null"
    return f"`{default!r}`".replace("'", '"').replace("False", "false").replace("()", "[]")


def type_of(field: Mapping[str, Any]) -> str:
    """The type of a field of a JSON schema, in words, with its bounds."""
    if "anyOf" in field:
        return " or ".join(type_of(option) for option in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind: str = field.get("type", "anything")
    if kind == "array":
        inner = {key: value for key, value in field["items"].items() if key != "maxLength"}
        return f"list of {type_of(inner)}{_up_to(field, 'maxItems')}"
    if kind == "string":
        return f"{_string(field)}{_up_to(field, 'maxLength', ' characters')}"
    if kind in ("integer", "number"):
        return f"{kind}{_range(field)}"
    return kind


def _string(field: Mapping[str, Any]) -> str:
    formats = {"date-time": "time, ISO 8601", "binary": "bytes"}
    return formats.get(field.get("format", ""), "string")


def _up_to(field: Mapping[str, Any], key: str, unit: str = "") -> str:
    return f", at most {field[key]:,}{unit}" if key in field else ""


def _range(field: Mapping[str, Any]) -> str:
    least = field.get("minimum", field.get("exclusiveMinimum"))
    most, below = field.get("maximum"), field.get("exclusiveMaximum")
    if most is not None:
        return f" from {least:,} to {most:,}"
    if below is not None:
        return f" from {least:,}, below {below:,}"
    return f" from {least:,}" if least is not None else ""
