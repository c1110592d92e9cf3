"""Posts as a Parquet file: one flat row a post, for pandas, DuckDB, Spark and whatever else reads columns.

An export and no backup: it holds what a search would show, so no deleted post and none of a hidden account, and nothing
of the registry, thumbnails or dead letters. `COLUMNS` names every column and says what it holds;
docs/reference/parquet.md is written from it.

Memory is that of one row group. The file is written beside its place and moved there when it is whole.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.terms import hashtags_of
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.posts import EntityType, TaggedPost

if TYPE_CHECKING:
    import pyarrow

MAGIC = b"PAR1"
_ROWS_A_GROUP = 20_000


@dataclass(frozen=True, slots=True)
class ParquetColumn:
    """A column of the file.

    `type` is written as Arrow writes it, in the short form of `_arrow_type`. `of` reads the value from a post.
    """

    name: str
    type: str
    says: str
    of: Callable[[TaggedPost], Any]


def _keys(type_: EntityType) -> Callable[[TaggedPost], list[str]]:
    return lambda post: list(dict.fromkeys(entity.key for entity in post.entities if entity.type == type_))


_MEDIA_FIELDS = {"kind", "url", "alt", "sha256", "width", "height"}
_ENTITY = "struct<text: string, type: string, key: string, start: int32, end: int32, score: float, in_hashtag: bool>"
_MEDIA = "struct<kind: string, url: string, alt: string, sha256: string, width: int32, height: int32>"
_KEYS = "keys of the {} that the post names, each once: names folded, as facets and counts have them"
COLUMNS = (
    ParquetColumn("id", "string", "`<source>:<id there>`; no two rows have the same", lambda post: post.id),
    ParquetColumn("source", "string", "the network, with the host where ids are per host", lambda post: post.source),
    ParquetColumn("created_at", "timestamp[ms, tz=UTC]", "when the post was written", lambda post: post.created_at),
    ParquetColumn(
        "author_id", "string", "the account, by what never changes", lambda post: post.author and post.author.id
    ),
    ParquetColumn("author_handle", "string", "its name at that time", lambda post: post.author and post.author.handle),
    ParquetColumn("text", "string", "the text", lambda post: post.text),
    ParquetColumn("lang", "string", "the first language that the post names", lambda post: post.lang),
    ParquetColumn("url", "string", "its address", lambda post: post.url),
    ParquetColumn("reply_to", "string", "the id of the post that it answers", lambda post: post.reply_to),
    ParquetColumn(
        "revision",
        "int64",
        "which edit of the post this is; 0 where the network tells none",
        lambda post: post.revision,
    ),
    ParquetColumn("hashtags", "list<string>", "its hashtags, folded, without `#`", hashtags_of),
    ParquetColumn("person", "list<string>", _KEYS.format("people"), _keys("PER")),
    ParquetColumn("place", "list<string>", _KEYS.format("places"), _keys("LOC")),
    ParquetColumn("organisation", "list<string>", _KEYS.format("organisations"), _keys("ORG")),
    ParquetColumn("other", "list<string>", _KEYS.format("other names"), _keys("MISC")),
    ParquetColumn(
        "entities",
        f"list<{_ENTITY}>",
        "every mention, in order; `start` and `end` count code points of `text`",
        lambda post: [entity.model_dump() for entity in post.entities],
    ),
    ParquetColumn(
        "links", "list<string>", "the links that its network names", lambda post: [one.url for one in post.links]
    ),
    ParquetColumn(
        "media",
        f"list<{_MEDIA}>",
        "its photos and films, with the author's description as `alt`",
        lambda post: [one.model_dump(include=_MEDIA_FIELDS) for one in post.media],
    ),
    ParquetColumn("image_labels", "list<string>", "what the image model saw", lambda post: list(post.image_labels)),
    ParquetColumn("model", "string", "`name@version` of the tagger", lambda post: post.model),
    ParquetColumn(
        "degraded", "list<string>", "passing causes for which names may be missing", lambda post: list(post.degraded)
    ),
    ParquetColumn("untagged", "string", "why the post was left without names on purpose", lambda post: post.untagged),
)


async def write_parquet(posts: AsyncIterator[TaggedPost], path: Path, rows_a_group: int = _ROWS_A_GROUP) -> int:
    """Writes posts to a file, whole or not at all; returns how many. A file that is there is replaced.

    Raises:
        BadSettings: pyarrow is not installed.
        UnreadableInput: the file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"--format parquet needs the parquet extra, of which {error.name} is not installed: "
            "install tagstream[parquet]"
        ) from None
    schema = pyarrow.schema([(column.name, _arrow_type(pyarrow, column.type)) for column in COLUMNS])
    written, group = 0, list[TaggedPost]()
    partial = _beside(path)
    try:
        with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            async for post in posts:
                group.append(post)
                if len(group) == rows_a_group:
                    writer.write_table(_table(pyarrow, group, schema))
                    written += len(group)
                    group.clear()
            writer.write_table(_table(pyarrow, group, schema))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UnreadableInput(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return written + len(group)


def _beside(path: Path) -> Path:
    """Makes an empty file in the folder of another, with the rights that a new file has there."""
    try:
        if path.is_dir():
            raise UnreadableInput(f"{path} is a folder. Name a file in it.")
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".partial", dir=path.parent)
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(f"{path} cannot be written: {reason}. Check the folder.") from error
    return Path(name)


def _table(pyarrow: Any, posts: list[TaggedPost], schema: "pyarrow.Schema") -> "pyarrow.Table":
    columns = [
        pyarrow.array([column.of(post) for post in posts], type_)
        for column, type_ in zip(COLUMNS, schema.types, strict=True)
    ]
    return pyarrow.Table.from_arrays(columns, schema=schema)


def _arrow_type(pyarrow: Any, text: str) -> "pyarrow.DataType":
    """Returns the type of a column: `list<…>`, `struct<name: type, …>`, a time, or one that Arrow has an alias for."""
    outer, _, inner = text.rstrip(">").partition("<")
    if outer == "list":
        return pyarrow.list_(_arrow_type(pyarrow, f"{inner}>" if "<" in inner else inner))
    if outer == "struct":
        return pyarrow.struct(
            [(name, _arrow_type(pyarrow, type_)) for name, type_ in (one.split(": ") for one in inner.split(", "))]
        )
    return pyarrow.timestamp("ms", "UTC") if text.startswith("timestamp") else pyarrow.type_for_alias(text)
