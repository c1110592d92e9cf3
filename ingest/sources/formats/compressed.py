"""The bytes of a file, compressed or not: gzip, Zstandard, bzip2, xz and zip, told by how the file begins.

Owns the meaning of an offset: it counts bytes of the content, so that a cursor is the same however the file is packed.
Owns the bound on memory: every read returns at most as much as was asked for. Going to an offset of a compressed file
reads everything before it. A file may hold several compressed parts, one after the other.

Damaged data raises `UnreadableInput`, after everything before it was returned. A file that ends too early raises
`TruncatedInput`; reading on from the cursor cures that once the rest is there. Knows nothing of lines.
"""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard

from ingest.sources.formats.zipped import MAGIC as ZIP_MAGIC
from ingest.sources.formats.zipped import ZippedBytes
from tagstream.errors import UnreadableInput

MAGIC_BYTES = 6
# Few, because the bytes taken from the file tell how far it has been read (`share_read`).
_INPUT_BYTES = 16 * 1024
# Memory that a part may ask for its tables: xz -9 needs 65 MiB, zstd without --long 8 MiB to 128 MiB.
_XZ_MEMORY_BYTES = 256 * 1024 * 1024
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024
# A block of 128 KiB may take 4 bytes in Zstandard, and the library unpacks all that it is fed: this makes 8 MiB.
_ZSTD_FEED_BYTES = 256


class TruncatedInput(UnreadableInput):
    """A compressed file that ends before its content does."""


class Decompressor(Protocol):
    """One compressed part, with the standard library's interface: `decompress` returns at most `max_length` bytes."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib, with the interface of the standard library's other decompressors."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        # After a full answer there may be more, which needs no further byte of input.
        return not self._stream.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._full = len(output) == max_length and not self._stream.eof
        return output


class _Zstandard:
    """Zstandard, fed in small pieces, because the library sets no limit on its answers."""

    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        self._input = b""
        self._input_offset = 0
        self._output = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._stream.eof and not self._output

    @property
    def needs_input(self) -> bool:
        return not self._output and self._input_offset >= len(self._input)

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data + self._input[self._input_offset :]

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._input, self._input_offset = self._input[self._input_offset :] + data, 0
        while not self._output and not self._stream.eof and self._input_offset < len(self._input):
            piece = self._input[self._input_offset : self._input_offset + _ZSTD_FEED_BYTES]
            self._input_offset += len(piece)
            self._output = memoryview(self._stream.decompress(piece))
        output, self._output = self._output[:max_length], self._output[max_length:]
        return bytes(output)


@dataclass(frozen=True, slots=True)
class Compression:
    """One format. `compress` packs bytes into a part of its own, which may be appended to a file."""

    name: str
    suffix: str
    decompressor: Callable[[], Decompressor]
    compress: Callable[[bytes], bytes]


_GZIP = Compression("gzip", ".gz", _Gzip, gzip.compress)
_ZSTANDARD = Compression("Zstandard", ".zst", _Zstandard, lambda data: zstandard.ZstdCompressor().compress(data))
_BZIP2 = Compression("bzip2", ".bz2", bz2.BZ2Decompressor, bz2.compress)
_XZ = Compression("xz", ".xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES), lzma.compress)
COMPRESSIONS = (_GZIP, _ZSTANDARD, _BZIP2, _XZ)


def compression_of(beginning: bytes) -> Compression | None:
    """Returns the compression of a file that begins with these (at least `MAGIC_BYTES`) bytes; None for a plain
    file.
    """
    if beginning.startswith(b"\x1f\x8b\x08"):
        return _GZIP
    # The second form is a skippable frame, with which parallel compressors begin.
    if beginning.startswith(b"\x28\xb5\x2f\xfd") or (beginning[1:4] == b"\x2a\x4d\x18" and beginning[0] >> 4 == 5):
        return _ZSTANDARD
    if beginning.startswith(b"BZh") and beginning[3:4] in b"123456789":
        return _BZIP2
    return _XZ if beginning.startswith(b"\xfd7zXZ\x00") else None


def compression_named(path: str) -> Compression | None:
    """Returns the compression that the suffix of the name asks for; None if it asks for none."""
    return next((compression for compression in COMPRESSIONS if path.lower().endswith(compression.suffix)), None)


class PlainBytes:
    """A reader of a file or a stream that is not compressed. It leaves the descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        """Returns the next bytes, at most `size`; none at the end."""
        return os.read(self._descriptor, size)

    def read_at(self, offset: int, size: int) -> bytes:
        """Returns bytes from an offset on; fewer than `size` only at the end. Afterwards `read` needs a `seek`."""
        return os.pread(self._descriptor, size, offset)

    def seek(self, offset: int) -> int:
        """Lets `read` go on at the offset; returns the offset, or the length of the file if that is less."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return min(offset, os.fstat(self._descriptor).st_size)

    def lost(self) -> bool:
        """Says whether the file has become shorter than what was read of it."""
        return os.fstat(self._descriptor).st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)


class CompressedBytes:
    """The content of a compressed file, with the methods of `PlainBytes`.

    `whole` is the offset in the file at which the last complete part ends that was read so far.

    Raises (from every method):
        TruncatedInput: the file ends in the middle of a part.
        UnreadableInput: the data is damaged, or needs more memory than is allowed.
    """

    def __init__(self, descriptor: int, compression: Compression, path: str) -> None:
        self._descriptor = descriptor
        self._compression = compression
        self._path = path
        self._rewind()

    def _rewind(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._part: Decompressor | None = None
        self._input = b""
        self._taken = 0
        self._position = 0
        self.whole = 0

    def read(self, size: int) -> bytes:
        """Returns the next bytes of the content, at most `size`; none at the end."""
        try:
            while (output := self._unpack(size)) == b"":
                pass
        except (zlib.error, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError, ValueError) as error:
            raise UnreadableInput(
                f"{self._path!r} is damaged after byte {self._position:,} of its content, as {self._compression.name} "
                f"({error}): what was before that has been read; restore the file to read the rest"
            ) from error
        self._position += len(output or b"")
        return output or b""

    def _unpack(self, size: int) -> bytes | None:
        """Returns some of the next bytes, perhaps none yet; None at the end."""
        if self._part is None:
            # Zeros that pad a block of a tape, or of xz, are no part.
            self._input = (self._input or self._next_input()).lstrip(b"\0")
            if not self._input:
                return None if self._at_end() else b""
            self._part = self._compression.decompressor()
        data = b""
        if self._part.needs_input:
            data = self._input or self._next_input()
            self._input = b""
            if not data:
                raise TruncatedInput(
                    f"{self._path!r} ends in the middle of its compressed data, after byte {self._position:,} of its "
                    "content: what was before that has been read; the same command goes on there when the rest is there"
                )
        output = self._part.decompress(data, size)
        if self._part.eof:
            self._input, self._part = self._part.unused_data + self._input, None
            self.whole = self._taken - len(self._input)
        return output

    def _next_input(self) -> bytes:
        data = os.read(self._descriptor, _INPUT_BYTES)
        self._taken += len(data)
        return data

    def _at_end(self) -> bool:
        return self._taken >= os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Returns bytes of the content from an offset on; fewer than `size` only at the end."""
        if self.seek(offset) < offset:
            return b""
        pieces = []
        while size and (piece := self.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def seek(self, offset: int) -> int:
        # A read that failed before the first byte of the content may have taken bytes of the file all the same.
        """Lets `read` go on at the offset of the content; returns how far the content reaches up to there."""
        if offset < self._position or not offset:
            self._rewind()
        while self._position < offset and self.read(min(_INPUT_BYTES, offset - self._position)):
            pass
        return self._position

    def lost(self) -> bool:
        """Returns False: a compressed file that was cut raises `TruncatedInput` instead."""
        return False


FileBytes = PlainBytes | CompressedBytes | ZippedBytes


def open_bytes(descriptor: int, path: str) -> FileBytes:
    """Opens the content of a regular file whose descriptor stands at its beginning.

    Raises:
        UnreadableInput: it is a zip archive without posts, or one that cannot be read.
    """
    beginning = os.pread(descriptor, MAGIC_BYTES, 0)
    if beginning.startswith(ZIP_MAGIC):
        return ZippedBytes(descriptor, path)
    compression = compression_of(beginning)
    return PlainBytes(descriptor) if compression is None else CompressedBytes(descriptor, compression, path)
