"""Frames of a Jetstream server that are compressed with zstd and a dictionary.

The dictionary of the first generation is a file of the server's own repository (`pkg/models/zstd_dictionary`), so it is
not shipped here: a setting names it. A server of the second generation hands out its own. Owns the limit on the size of
a decompressed frame: a few bytes can stand for gigabytes, and what they claim of themselves is not believed.
"""

from pathlib import Path

import aiohttp
import zstandard

from ingest.sources.bluesky.opened import FrameFault, MalformedFrame
from tagstream.errors import BadSettings, UnreadableInput

MAX_DICTIONARY_BYTES = 4 * 1024 * 1024
_MAGIC = (0xEC30A437).to_bytes(4, "little")
# Servers compress with a window of 128 KiB; the window is memory that a frame makes us set aside.
_MAX_WINDOW_BYTES = 8 * 1024 * 1024


class FrameDecompressor:
    """Decompresses the frames of one dictionary, each to at most `largest_bytes`."""

    def __init__(self, dictionary: bytes, largest_bytes: int) -> None:
        self._dictionary = content = zstandard.ZstdCompressionDict(dictionary)
        self.dictionary_id = content.dict_id()
        self._largest_bytes = largest_bytes
        self._decompressor = zstandard.ZstdDecompressor(dict_data=content, max_window_size=_MAX_WINDOW_BYTES)

    def decompress(self, body: bytes) -> bytes:
        """Returns the content of the frame.

        Raises:
            MalformedFrame: it is not zstd, is cut short, or is larger than allowed.
            BadSettings: it was made with another dictionary, and so is every frame.
        """
        try:
            header = zstandard.get_frame_parameters(body)
            named = header.dict_id
            if named not in (0, self.dictionary_id):
                raise BadSettings(
                    f"the Bluesky server compresses with the dictionary {named} and not with {self.dictionary_id}: "
                    "let bluesky_zstd_dictionary name that of the server, or unset it"
                )
            content = self._content(body, header.content_size)
        except zstandard.ZstdError as error:
            raise MalformedFrame(FrameFault.BAD_COMPRESSION, f"the frame is no zstd frame: {error}") from error
        if len(content) > self._largest_bytes:
            raise MalformedFrame(
                FrameFault.FRAME_TOO_LARGE,
                f"the frame of {len(body):,} bytes would be more than {self._largest_bytes:,} decompressed",
            )
        # The reader gives what there is of a frame that was cut short, without a word.
        if header.content_size not in (zstandard.CONTENTSIZE_UNKNOWN, len(content)):
            raise MalformedFrame(
                FrameFault.BAD_COMPRESSION, f"the frame says {header.content_size:,} bytes and holds {len(content):,}"
            )
        return content

    def read_known_good(self) -> None:
        """Decompresses a known good frame."""
        self.decompress(zstandard.ZstdCompressor(dict_data=self._dictionary).compress(b"{}"))

    def _content(self, body: bytes, claimed: int) -> bytes:
        """Returns the content, at most one byte over the limit; a frame that tells its size costs no more than that."""
        if claimed <= self._largest_bytes:  # no size at all is the largest number that there is
            return self._decompressor.decompress(body)
        with self._decompressor.stream_reader(body, read_across_frames=False) as reader:
            return reader.read(self._largest_bytes + 1)


async def handed_out(session: aiohttp.ClientSession, url: str, largest_bytes: int) -> FrameDecompressor | None:
    """Returns a decompressor with the dictionary that a server hands out there now; None if it hands out none.

    Raises:
        aiohttp.ClientError, OSError: the server does not answer.
    """
    async with session.get(url) as response:
        if response.status != 200:
            return None
        content = bytearray()
        async for piece in response.content.iter_chunked(64 * 1024):
            content += piece
            if len(content) > MAX_DICTIONARY_BYTES:
                return None
    try:
        return FrameDecompressor(bytes(content), largest_bytes) if content.startswith(_MAGIC) else None
    except zstandard.ZstdError:
        return None


def read_dictionary(path: Path) -> bytes:
    """Reads the dictionary in that file.

    Raises:
        UnreadableInput: it cannot be read.
        BadSettings: it is no zstd dictionary.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DICTIONARY_BYTES + 1)
    except OSError as error:
        raise UnreadableInput(f"the zstd dictionary {path} cannot be read: {error.strerror or error}") from error
    if not _is_dictionary(content):
        raise BadSettings(f"{path}, which bluesky_zstd_dictionary names, is no zstd dictionary of at most 4 MiB")
    return content


def _is_dictionary(content: bytes) -> bool:
    if not content.startswith(_MAGIC) or len(content) > MAX_DICTIONARY_BYTES:
        return False
    try:
        FrameDecompressor(content, 1)
    except zstandard.ZstdError:
        return False
    return True
