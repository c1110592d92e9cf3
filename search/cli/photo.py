"""The command `tagstream photo`, which writes the thumbnail of a post's photo to a file."""

import asyncio
import sys
from pathlib import Path

import click

from search.open import opened_index
from tagstream.cli.console import note, write_bytes
from tagstream.cli.options import TagstreamCommand, current_settings, index_option
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.posts import MAX_MEDIA, clean_text
from tagstream.text.terminal_text import visible

_STANDARD_OUTPUT = "-"
_SHOWN_LENGTH = 300


@click.command(cls=TagstreamCommand)
@click.argument("post_id", metavar="POST_ID")
@click.option(
    "--ordinal",
    type=click.IntRange(0, MAX_MEDIA - 1),
    default=0,
    show_default=True,
    help="Which of the post's media, counted from 0.",
)
@index_option
@click.option("--output", metavar="FILE", required=True, help="Where the JPEG goes; - for standard output.")
def photo(post_id: str, ordinal: int, index_spec: str | None, output: str) -> None:
    """Write the thumbnail of a post's photo: a JPEG of at most 256 pixels a side.

    POST_ID is as `search --json` names it. There is no thumbnail of a post that was deleted or whose author is hidden,
    nor of a photo that was not fetched; `reason` among the media of a post says why.
    """
    settings = current_settings(index=index_spec)
    if output == _STANDARD_OUTPUT and is_terminal():
        raise BadSettings("--output -: a JPEG is nothing for a terminal. Name a file, or send it on through a pipe")

    async def work() -> bytes | None:
        async with opened_index(settings) as index:
            return await index.thumbnail(clean_text(post_id), ordinal)

    jpeg = asyncio.run(work())
    shown = f"photo {ordinal} of {visible(post_id, _SHOWN_LENGTH)}"
    if jpeg is None:
        raise UnreadableInput(
            f"there is no {shown} in the index. `tagstream search has:photo --json` lists posts with their media"
        )
    _write(jpeg, output)
    note(f"{shown}: {len(jpeg):,} bytes")


def is_terminal() -> bool:
    """Returns whether standard output is a terminal."""
    return sys.stdout.isatty()


def _write(jpeg: bytes, output: str) -> None:
    """Writes the bytes to the file, or to standard output.

    Raises:
        BadSettings: the file cannot be written.
    """
    if output == _STANDARD_OUTPUT:
        write_bytes(jpeg)
        return
    try:
        Path(output).write_bytes(jpeg)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadSettings(f"--output {visible(output)}: cannot be written: {reason}") from error
