"""What is read of a feed: plain, bounded data, and its form on the way out of the process that reads. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated

from pydantic import Field, TypeAdapter

Seconds = Annotated[int, Field(ge=-2_300_000_000, lt=253_370_764_800)]
"""Since 1970, from 1900 to before the year 9999."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or film of an entry, as the feed has it: everything may be empty."""

    url: str = ""
    type: str = ""
    medium: str = ""
    alt: str = ""
    width: str = ""
    height: str = ""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An entry as people read it, and how it is named and dated.

    `id` and `link` stand as in the feed, relative to `base` where that is not empty. `published` and `updated` are
    seconds since 1970, None where the feed says none that can be read. `words` is a digest of all its texts.
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

    `address` is where it was fetched from. `published` is when the feed says that it was made. `left_out` counts
    entries beyond what is read of one feed.
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
    """The document as JSON, a line for itself and one for each entry, so that no reader takes long over one."""
    head = _Head(replace(document, entries=()), len(document.entries))
    parts: list[_Head | FeedEntry] = [head, *document.entries]
    for part in parts:
        yield json.dumps(asdict(part), ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def from_lines(lines: Iterable[bytes]) -> Document:
    """The document of such lines, each of which is checked: they come from whoever read hostile bytes.

    Raises:
        ValueError: they are none that `to_lines` writes.
    """
    first, *rest = lines
    head = _HEAD.validate_json(first, strict=True)
    document = replace(head.document, entries=tuple(_ENTRY.validate_json(line, strict=True) for line in rest))
    if head.entries != len(document.entries):
        raise ValueError(f"{len(document.entries)} entries of {head.entries} are there")
    return document
