"""docs/reference/index-mappings.md: the fields of the indices in Elasticsearch, and the tables of SQLite."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.docs.fields import table
from search.documents import TIME_SHIFT
from search.elastic import schema as elastic
from search.elastic.address import Names
from search.sqlite import schema as sqlite

_INDICES = (
    (
        "posts-v2-DAY`, `PREFIX-posts-v2-old",
        elastic.POST_FIELDS,
        "A document for each post. Ask the alias `PREFIX-posts`: it has all of them, without those of hidden accounts, "
        "and follows who is hidden within ten seconds, while something is written.",
    ),
    ("registry", elastic.REGISTRY_FIELDS, "A record for each id that was ever seen, and one for each erased account."),
    ("media-DAY`, `PREFIX-media-old", elastic.MEDIA_FIELDS, "A document for each thumbnail."),
    ("accounts", elastic.ACCOUNT_FIELDS, "The newest status of each account that ever had one."),
    ("dead", elastic.DEAD_FIELDS, "A document for each dead letter."),
    (
        "trends",
        elastic.TREND_FIELDS,
        "A document for each minute of each trend. Use `minute` as the time of dashboards. `authors` and `posts` are "
        "those that were counted then: what is deleted later is taken off where tagstream answers, and not here.",
    ),
    (
        "events",
        elastic.EVENT_FIELDS,
        "A document for each event: its newest state. An event that lives has no `ended_at`.",
    ),
    ("event-states", elastic.EVENT_FIELDS, "A document for each minute in which an event changed."),
    ("detectors", elastic.SNAPSHOT_FIELDS, "Snapshots of the detectors of trends and events, in parts."),
    ("cursors", elastic.CURSOR_FIELDS, "How far each source has been read."),
)

_POST_MEANINGS = {
    "id": "The post's id.",
    "version": "Its stored version: `revision << 12 | generation`.",
    "time": "Its time for tagstream: the earlier of `created_at` and `observed_at`.",
    "implausible": "Whether it claims a later time than it was seen at.",
    "author": "A hash of source and author: count distinct authors by it.",
    "words": "The terms of its texts, by tagstream's own analysis; not stored.",
    "marks": "What it has and is (`has:photo`, its source, its languages); not stored.",
    "mentions": "Its entities, one term each, type and key together.",
    "entities": "Its entities, for nested queries.",
    "entities.mention": "Type and key together.",
    "entities.type": "`PER`, `LOC`, `ORG` or `MISC`.",
    "entities.key": "The form by which it is counted.",
    "entities.text": "The name as written.",
    "entities.score": "The probability that the name is right.",
    "entities.in_hashtag": "Whether it lies in a hashtag.",
    "document": "The tagged post, as [JSON lines](json-lines.md#a-tagged-post) describe it.",
    "created_at": "Its time, as its author's network says: the time field of the data view.",
    "observed_at": "When tagstream accepted it.",
    "arrived_at": "When its first document was written.",
    "indexed_at": "When this document was written.",
    "processing_seconds": "The seconds from `observed_at` to `indexed_at`; only in the first document of a post: an "
    "edit, a new answer of a model and what a dump brings have none.",
    "lag_seconds": "The seconds from `created_at` to `indexed_at`, likewise; not in posts that are `implausible`.",
    "source": "Its source.",
    "author_id": "The author's id.",
    "author_handle": "The author's handle.",
    "lang": "Its first language.",
    "langs": "All of its languages.",
    "text": "Its text, by Elasticsearch's analyser `standard`: KQL `text: earthquake`.",
    "url": "Its address.",
    "links": "What it links to.",
    "links.url": "The address.",
    "links.title": "The title.",
    "links.description": "The description.",
    "hashtags": "Its hashtags.",
    "person": "The persons that it names, as they are written there.",
    "place": "The places that it names, likewise.",
    "organisation": "The organisations that it names, likewise.",
    "other": "The other names in it, likewise.",
    "person_key": "The persons in the form by which they are counted: small letters, without accents.",
    "place_key": "The places in that form.",
    "organisation_key": "The organisations in that form.",
    "other_key": "The other names in that form.",
    "media_kinds": "`photo`, `animation`, `video`.",
    "image_labels": "What its photos show.",
    "model": "What answered.",
    "generation": "The generation of what answered.",
    "degraded": "What was missing when it was tagged.",
    "untagged": "Why it has no entities.",
}


def mappings_page() -> str:
    """The page of what indexes look like inside."""
    names = {name.rpartition("-")[2] for name in elastic.fixed_indices(Names("PREFIX"), 0)}
    told = {name for one, _, _ in _INDICES for name in one.replace("`", "").replace(", ", "-").split("-")}
    if not names <= told:
        raise LookupError(f"ops/docs/mappings.py says nothing of {names - told}")
    parts = [
        "# Index mappings",
        "This page is for analysts who ask Elasticsearch or SQLite directly, and for people who write dashboards. "
        "It is written by `make docs` from the code. [Indexes](../explanation/indexes.md) explains why they look so.",
        "Read these stores freely; let only tagstream write to them. Fields may be added in a later version.",
        "## Elasticsearch",
        f"Schema version {elastic.SCHEMA_VERSION}. `PREFIX` is the path of the index's address, `tagstream` if there "
        "is none. `DAY` is `2026.03.01`. Every mapping is strict: a field that it lacks is refused. A field that is "
        "*kept* is in the document and cannot be searched.",
    ]
    for name, fields, meaning in _INDICES:
        rows = list(_elastic(fields))
        if fields is elastic.POST_FIELDS:
            parts += [f"### `PREFIX-{name}`", meaning, _with_meanings(rows)]
        else:
            parts += [
                f"### `PREFIX-{name}`",
                meaning,
                table(("field", "type"), ((f"`{one}`", kind) for one, kind in rows)),
            ]
    tables = (
        *sqlite.TABLES,
        *sqlite.ACCOUNT_TABLES,
        sqlite.THUMBNAIL_TABLE,
        *sqlite.DETECTION_TABLES,
        sqlite.ARRIVALS_TABLE,
        sqlite.FACETS_TABLE,
    )
    statements = "\n".join(f"{_unindented(statement)};" for statement in tables)
    parts += [
        "## SQLite",
        f"A post's *number* is its time: milliseconds since 1970, shifted by {TIME_SHIFT} bits, then a bit that "
        "says that the post claims a later time than it was seen at, then a running count.",
        f"```sql\n{statements}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _elastic(fields: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in fields.items():
        yield f"{path}{name}", _kind(field)
        yield from _elastic(field.get("properties", {}), f"{path}{name}.")


def _with_meanings(rows: list[tuple[str, str]]) -> str:
    if differ := {name for name, _ in rows} ^ _POST_MEANINGS.keys():
        raise LookupError(f"ops/docs/mappings.py and the mapping of posts differ in {differ}")
    return table(("field", "type", "meaning"), ((f"`{name}`", kind, _POST_MEANINGS[name]) for name, kind in rows))


def _kind(field: Mapping[str, Any]) -> str:
    if field.get("enabled") is False:
        return "kept"
    kind = str(field["type"])
    return f"{kind}, kept" if field.get("index") is False else kind


def _unindented(statement: str) -> str:
    return "\n".join(
        line.removeprefix("    ") if line.startswith("        ") else line for line in statement.split("\n")
    )
