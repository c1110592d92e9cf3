"""The openers of `jsonl:` and `csv:`: a file, a folder of files, or standard input."""

import os

from ingest.sources.jsonl.folder import FolderSource
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.jsonl.table import TableOptions, table_options
from tagstream.settings import Settings


def open_jsonl(argument: str, settings: Settings) -> JsonlSource | FolderSource:
    """Returns the source of `jsonl:<argument>`; `-` is standard input."""
    return _opened(argument, settings, None)


def open_csv(argument: str, settings: Settings) -> JsonlSource | FolderSource:
    """Returns the source of `csv:<path>[?text=COLUMN&…&delimiter=tab]`; `-` is standard input.

    Raises:
        BadSettings: an option is none of a table's.
    """
    path, options = table_options(argument)
    return _opened(path, settings, options)


def _opened(path: str, settings: Settings, options: TableOptions | None) -> JsonlSource | FolderSource:
    if not os.path.isdir(path):
        return JsonlSource(path, settings.max_line_bytes, options)
    kind = "jsonl" if options is None else "csv"
    return FolderSource(path, lambda file: JsonlSource(file, settings.max_line_bytes, options), kind=kind)
