"""The commands `tagstream dump`, `restore`, `backup` and `compact`."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import click

from search.dump_lines import DumpBegin, DumpEnd, DumpWriter, MalformedDumpLine, read_line, status_line
from search.index import Compacted, EntityIndex
from search.open import opened_index
from search.parquet import MAGIC, write_parquet
from search.restoring import Restored, restore
from search.sqlite.index import SqliteIndex
from tagstream.cli.console import note, write_lines, write_text
from tagstream.cli.errors import Interrupted
from tagstream.cli.options import (
    TagstreamCommand,
    current_settings,
    index_option,
    json_option,
    run_until_stopped,
)
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.posts import AccountStatus, TaggedPost
from tagstream.settings import Settings
from tagstream.text.terminal_text import json_for_terminals, visible

_LINES_AT_ONCE = 256
_TAIL_BYTES = 64 * 1024
_STANDARD_INPUT = "-"
_NOTE_EVERY_SECONDS = 10.0
_POSTS_ONLY = (
    "this dump holds posts and hidden accounts only: what was deleted or erased is not known from it, nor are there "
    "thumbnails, dead letters, or when its posts were seen"
)


@click.command(cls=TagstreamCommand)
@index_option
@click.option(
    "--kind",
    type=click.Choice(["all", "posts"]),
    default="all",
    show_default=True,
    help="Everything, or the posts alone: what two runs over one feed are compared by.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Lines of JSON, or an export for pandas and DuckDB, which is no backup.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="The file that --format parquet makes.")
def dump(
    index_spec: str | None, kind: Literal["all", "posts"], form: Literal["jsonl", "parquet"], output: Path | None
) -> None:
    """Print everything that an index keeps, a line of JSON each.

    A backup, as of one moment, while others may write: every tagged post, in order of id, with what the registry says
    of it and its thumbnails; deletions, erasures, hidden accounts, dead letters and cursors. `restore` reads it, and
    docs/reference/json-lines.md draws the lines. The last one says how many there are, so that a dump that was cut
    off is noticed.

    With --kind posts: the accounts that were ever hidden, as lines such as {"author": "ann", "hide": true}, then every
    tagged post. That is no backup: who restores it does not know what was deleted.

    Both hold the posts of hidden accounts: keep them as you keep the index, and show nobody what is hidden.

    With --format parquet --output FILE: the posts that a search would show, a row each, with their names in columns
    (docs/reference/parquet.md). An export: `restore` does not read it. Needs tagstream[parquet].
    """
    if (form == "parquet") != (output is not None):
        raise click.UsageError("--format parquet and --output FILE go together")
    settings = current_settings(index=index_spec)
    if output is not None:
        rows = asyncio.run(_export(settings, output))
        note(f"done: {rows:,} posts in {visible(str(output))}")
        return

    async def work() -> None:
        async with opened_index(settings) as index:
            async for lines in _in_groups(_everything(index) if kind == "all" else _posts(index)):
                write_text(lines)

    asyncio.run(work())


async def _export(settings: Settings, path: Path) -> int:
    async with opened_index(settings) as index:
        return await write_parquet(index.documents(), path)


async def _everything(index: EntityIndex) -> AsyncIterator[str]:
    """Yields the lines of a dump, which are safe to show already.

    Making them safe a second time might change them, and their hash would no longer fit.
    """
    writer = DumpWriter()
    yield writer.begin()
    async for kept in index.everything():
        for line in writer.lines(kept):
            yield line
    yield writer.end()
    if writer.unnamed_erasures:
        note(
            f"{writer.unnamed_erasures:,} erasures of accounts are not in this dump: an older tagstream kept no names "
            "with them. Their posts are gone from it as from the index."
        )


async def _posts(index: EntityIndex) -> AsyncIterator[str]:
    # The statuses come first: an index that reads the lines back shows no hidden author for a moment.
    async for status in index.account_statuses():
        yield json_for_terminals(status_line(status))
    async for post in index.documents(with_hidden=True):
        yield json_for_terminals(post.model_dump_json())


async def _in_groups(lines: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    group: list[str] = []
    async for line in lines:
        group.append(line)
        if len(group) == _LINES_AT_ONCE:
            yield group
            group = []
    yield group


@click.command("restore", cls=TagstreamCommand)
@click.argument("file", type=click.Path(allow_dash=True))
@index_option
@click.option("--incomplete", is_flag=True, help="Restore what there is of a dump that is cut off or damaged.")
@json_option
def restore_dump(file: str, index_spec: str | None, incomplete: bool, as_json: bool) -> None:
    """Write a dump into an index.

    FILE is one of `tagstream dump`, or - for standard input. The posts come back as they were tagged, with what was
    deleted, erased or hidden, thumbnails, dead letters, and the places in the sources. The index may be new or in use:
    what is newer there stays, and nothing comes back that was deleted there. To restore twice changes nothing.
    """
    settings = current_settings(index=index_spec)
    with _opened(file) as stream:
        _check(stream, file, incomplete=incomplete)
        report, stopped = run_until_stopped(lambda stop: _restore(settings, stream, stop))
    if as_json:
        write_lines([_document(report)])
    if stopped:
        raise Interrupted(f"stopped after line {report.lines:,}; the same command begins again, and loses nothing")
    _tell(report, file, incomplete=incomplete)


async def _restore(settings: Settings, stream: BinaryIO, stop: asyncio.Event) -> tuple[Restored, bool]:
    last = time.monotonic()

    def progress(report: Restored) -> None:
        nonlocal last
        if time.monotonic() - last >= _NOTE_EVERY_SECONDS:
            last = time.monotonic()
            note(f"{report.lines:,} lines | {report.outcomes['stored']:,} posts")

    async with opened_index(settings, create=True) as index:
        report = await restore(index, stream, now=datetime.now(UTC), stop=stop, progress=progress)
        return report, stop.is_set() and not report.ended


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with ExitStack() as until:
        try:
            stream = until.enter_context(open(file, "rb"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableInput(f"The dump {file} cannot be opened: {reason}.") from error
        yield stream


def _check(stream: BinaryIO, file: str, *, incomplete: bool) -> None:
    """Checks the first and the last line before an index is made, where the stream can be read ahead."""
    if not stream.seekable():
        return
    try:
        first = stream.readline(_TAIL_BYTES * 1024)
        while first and not first.strip():
            first = stream.readline(_TAIL_BYTES * 1024)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _TAIL_BYTES))
        tail = stream.read().rstrip().rpartition(b"\n")[2]
        stream.seek(0)
    except OSError as error:
        raise UnreadableInput(f"The dump {file} cannot be read: {error.strerror}.") from error
    if first.startswith(MAGIC):
        raise UnreadableInput(
            f"{file} is a Parquet file: an export, which lacks what was deleted or hidden. Restore a dump of "
            "`tagstream dump` without --format, or a copy of `tagstream backup`."
        )
    try:
        begins = read_line(first)
    except MalformedDumpLine as malformed:
        raise UnreadableInput(
            f"{file} does not begin as a dump of tagstream does: {malformed}. "
            f"A feed of JSON lines is read by: tagstream run --source jsonl:{file}"
        ) from malformed
    if not isinstance(begins, DumpBegin) and not isinstance(begins, TaggedPost | AccountStatus):
        raise UnreadableInput(f"The beginning of the dump {file} is missing.")
    if isinstance(begins, DumpBegin) and not incomplete and not _is_end(tail):
        raise UnreadableInput(
            f"The dump {file} is cut off: its last line is missing. Nothing was restored; --incomplete "
            "restores what there is."
        )


def _is_end(line: bytes) -> bool:
    try:
        return isinstance(read_line(line), DumpEnd)
    except MalformedDumpLine:
        return False


def _tell(report: Restored, file: str, *, incomplete: bool) -> None:
    """Tells what became of the dump.

    Raises:
        UnreadableInput: a part of it is missing, and `--incomplete` was not given.
    """
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in report.outcomes.items() if count)
    if not report.whole:
        note(_POSTS_ONLY)
    for fault in report.faults:
        note(f"not restored: {fault}")
    if report.fault_count > len(report.faults):
        note(f"not restored: {report.fault_count - len(report.faults):,} more")
    if report.cursors_left_out:
        note("the places in the sources were left out, because something before them is missing: read the feeds again")
    cut_off = report.whole and not report.ended
    if (cut_off or report.fault_count) and not incomplete:
        what = "is cut off" if cut_off else f"has {report.fault_count:,} fault{'s' if report.fault_count > 1 else ''}"
        raise UnreadableInput(f"The dump {file} {what}; the rest was restored: {told or 'nothing'}.")
    refused = f"; {report.fault_count:,} not restored" if report.fault_count else ""
    note(f"done: {report.lines:,} lines; {told or 'nothing to restore'}{refused}")


def _document(report: Restored) -> dict[str, object]:
    return {
        "lines": report.lines,
        **{name: count for name, count in report.outcomes.items() if count},
        "cursors": report.cursors,
        "complete": report.whole and report.ended and not report.fault_count,
        "faults": report.fault_count,
    }


@click.command(cls=TagstreamCommand)
@index_option
@json_option
def compact(index_spec: str | None, as_json: bool) -> None:
    """Remove the last traces of deleted posts from the files of an index.

    Their words may stay in inverted lists until these are merged, and their pages in free space; in stored trends and
    events, and in what the detectors keep to go on from. A run merges a little whenever it ends; this merges
    everything, leaves of trends and events what posts that are there support, and gives free space back to the disk. A
    SQLite index needs the space of a
    second copy meanwhile, and nobody else may write to it. Where somebody goes on reading what was deleted, the
    command says so and ends with 4: run it again. docs/explanation/indexes.md says what Elasticsearch does.
    """
    # Imported here: the detectors take longer to load than other commands take.
    from search.detection.compaction import compact as compacted

    settings = current_settings(index=index_spec)

    async def work() -> Compacted:
        async with opened_index(settings) as index:
            return await compacted(index)

    done = asyncio.run(work())
    if as_json:
        write_lines([{"bytes_before": done.before, "bytes_after": done.after}])
    note(f"done: {done.before:,} bytes before, {done.after:,} after")


@click.command(cls=TagstreamCommand)
@click.argument("file", type=click.Path(path_type=Path))
@index_option
def backup(file: Path, index_spec: str | None) -> None:
    """Copy a SQLite index into a new file.

    Of one moment, while a run may go on writing, and without the free space of the original. The copy is an index:
    search it, or put it in the place of the original. A dump says the same in lines that every version reads.
    """
    settings = current_settings(index=index_spec)

    async def work() -> int:
        async with opened_index(settings) as index:
            if not isinstance(index, SqliteIndex):
                raise BadSettings("Only a SQLite index is a file: use `tagstream dump`, or snapshots of the server.")
            return await index.backup(file)

    note(f"done: {asyncio.run(work()):,} bytes in {file}")
