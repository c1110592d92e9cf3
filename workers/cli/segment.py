"""The command `tagstream segment`: hashtags split into words."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import click

from ingest.sources.formats.lines import MAX_LINE_BYTES, Line, LineSplitter
from tagstream.cli.console import Notes, write_lines, write_text
from tagstream.cli.options import TagstreamCommand, json_option
from tagstream.errors import UnreadableInput
from tagstream.posts import clean_text
from tagstream.text.terminal_text import visible

_READ_BYTES = 128 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@click.command(cls=TagstreamCommand)
@click.argument("hashtags", nargs=-1, metavar="HASHTAG...")
@click.option("--input", "path", metavar="FILE", help="Hashtags from a file, one a line; - reads standard input.")
@json_option
def segment(hashtags: tuple[str, ...], path: str | None, as_json: bool) -> None:
    """Split hashtags into words.

    Prints each, a tab, and its words with a space between them. What could steer a terminal is shown in place of being
    printed; --json has the text as it is.
    """
    from workers.hashtags.segmenter import HashtagSegmenter

    if bool(hashtags) == (path is not None):
        raise click.UsageError("give either HASHTAGs or --input FILE")
    segmenter = HashtagSegmenter.load()
    given = (hashtag.encode(errors="surrogateescape") for hashtag in hashtags) if path is None else _lines_of(path)
    if as_json:
        texts = (clean_text(line.decode(errors="replace")) for line in given)
        write_lines({"hashtag": text, "words": list(segmenter.segment(text))} for text in texts)
        return
    write_text(_shown(line, segmenter.segment(line.decode(errors="replace"))) for line in given)


def _shown(line: bytes, words: Sequence[str]) -> str:
    return f"{visible(line.decode(errors='surrogateescape'))}\t{visible(' '.join(words))}"


def _lines_of(path: str) -> Iterator[bytes]:
    """Yields the lines of a file, without their newlines; `-` is standard input.

    Raises:
        UnreadableInput: the file cannot be read.
    """
    try:
        if path == "-":
            yield from _bodies(_split(sys.stdin.buffer))
            return
        with open(path, "rb") as stream:
            yield from _bodies(_split(stream))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnreadableInput(f"cannot read {path!r}: {error.strerror}") from error


def _split(stream: BinaryIO) -> Iterator[Line]:
    splitter = LineSplitter()
    while data := stream.read(_READ_BYTES):
        yield from splitter.feed(data)
    yield from splitter.finish()


def _bodies(lines: Iterable[Line]) -> Iterator[bytes]:
    cut = Notes()
    for line in lines:
        if line.sha256 is not None:
            cut(f"line {line.number} has {line.size:,} bytes, over {MAX_LINE_BYTES:,}: only its beginning is split")
        body = line.body.removesuffix(b"\r")
        yield body.removeprefix(_BYTE_ORDER_MARK) if line.number == 1 else body
