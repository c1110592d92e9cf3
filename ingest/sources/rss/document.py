"""The content of a feed as plain, bounded data, and its form on the way out of the reading process. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated

from pydantic import Field, TypeAdapter

Seconds = Annotated[int, Field(ge=-2_300_000_000, lt=253_370_764_800)]
"""Seconds since 1970, from the year 1900 to before the year 9999."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or film of an entry, as the feed has it; every field may be empty."""

    url: str = ""
    type: str = ""
    medium: str = ""
    alt: str = ""
    width: str = ""
    height: str = ""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An entry as people read it, with its names and dates.

    `id` and `link` stand as in the feed, relative to `base` where that is not empty. `published` and `updated` are
    seconds since 1970, None where the feed has no date that can be read. `words` is a digest of all its texts.
    """

    id: str = ""
    link: str = ""
    base: str = ""
    title: str = ""
    text: str = ""
    words: str = ""
    author: str = ""
    language: str = ""
    published: Seconds | None = None
    updated: Seconds | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A feed: its entries in its own order, and how often it says that it changes (`every_seconds`).

    It was fetched from `address`. `published` is when the feed says that it was made. `left_out` counts entries beyond
    those that are read of one feed.
    """

    address: str = ""
    title: str = ""
    language: str = ""
    every_seconds: float | None = None
    published: Seconds | None = None
    left_out: Annotated[int, Field(ge=0)] = 0
    entries: tuple[FeedEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Head:
    document: Document
    entries: int


_HEAD, _ENTRY = TypeAdapter(_Head), TypeAdapter(FeedEntry)


def to_lines(document: Document) -> Iterator[bytes]:
    """Writes the document as JSON: one line for itself and one for each entry, so that no line takes long to read."""
    head = _Head(replace(document, entries=()), len(document.entries))
    parts: list[_Head | FeedEntry] = [head, *document.entries]
    for part in parts:
        yield json.dumps(asdict(part), ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def from_lines(lines: Iterable[bytes]) -> Document:
    """Reads a document from such lines, and checks each: they come from a process that read hostile bytes.

    Raises:
        ValueError: they are none that `to_lines` writes.
    """
    first, *rest = lines
    head = _HEAD.validate_json(first, strict=True)
    document = replace(head.document, entries=tuple(_ENTRY.validate_json(line, strict=True) for line in rest))
    if head.entries != len(document.entries):
        raise ValueError(f"{len(document.entries)} entries of {head.entries} are there")
    return document
