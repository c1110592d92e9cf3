"""A limit on the number of pieces in an image file: segments, blocks or chunks, and the fill between them.

A piece may be four bytes of a file and cost the library that reads it a hundred times as much as counting it. So
counting comes first and ends at the limit. The walk is Pillow's own, and as far: to the first scan or frame, where
there is one. Bytes that make no sense end the walk; the decoder refuses them.
"""

import re

# Photos have tens of pieces, the largest PNG files some thousands. So many pieces are read in 20 ms.
MOST_PIECES = 10_000
MOST_FILL_BYTES = 64 * 1024

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_SCAN, _JPEG_TABLES = 0xDA, 0xDB
_JPEG_TABLE_BYTES = 65
_JPEG_WITHOUT_LENGTH = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_JPEG_FIRST = 0xC0
_GIF_BLOCK = re.compile(rb"[!,;]")
_GIF_COMMENT = 0xFE


class TooManyPieces(Exception):
    """The file has more pieces than any photo, or more fill bytes between its pieces."""


def check_pieces(content: bytes, kind: str) -> None:
    """Checks that a file has no more pieces than photos have.

    Raises:
        TooManyPieces: it has absurdly many.
    """
    count = _Count()
    if kind == "JPEG":
        _walk_jpeg(content, count)
        count.add(content.count(b"8BIM"))  # resources within segments are read one by one as well
    elif kind == "GIF":
        _walk_gif(content, count)
    elif kind == "PNG":
        _walk_png(content, count)
    else:
        _walk_webp(content, count)


class _Count:
    def __init__(self) -> None:
        self._pieces = 0
        self._fill = 0

    def add(self, pieces: int = 1) -> None:
        self._pieces += pieces
        if self._pieces > MOST_PIECES:
            raise TooManyPieces

    def search(self, pattern: re.Pattern[bytes], content: bytes, offset: int) -> "re.Match[bytes] | None":
        """Finds where the next piece begins. The bytes before it are fill, and are searched no further than fill may
        go.
        """
        found = pattern.search(content, offset, offset + MOST_FILL_BYTES + 2)
        self._fill += (found.start() if found else min(len(content), offset + MOST_FILL_BYTES + 2)) - offset
        if self._fill > MOST_FILL_BYTES:
            raise TooManyPieces
        return found


def _walk_jpeg(content: bytes, count: _Count) -> None:
    offset = 2
    while found := count.search(_JPEG_MARKER, content, offset):
        marker = found[1][0]
        if marker == _JPEG_SCAN or marker < _JPEG_FIRST:
            return
        count.add()
        offset = found.end()
        if marker not in _JPEG_WITHOUT_LENGTH:
            length = int.from_bytes(content[offset : offset + 2], "big")
            if marker == _JPEG_TABLES:
                count.add(length // _JPEG_TABLE_BYTES)
            offset += max(2, length)


def _walk_gif(content: bytes, count: _Count) -> None:
    offset = 13
    if len(content) >= offset and content[10] & 0x80:
        offset += 6 << (content[10] & 7)
    while found := count.search(_GIF_BLOCK, content, offset):
        if found[0] != b"!":
            return
        label, first = found.end(), found.end() + 1
        offset = _skip_block(content, count, first)
        ended = offset == first + 1
        if content[label : label + 1] == bytes([_GIF_COMMENT]) and ended:
            continue
        # In any other extension the library reads on after an empty first block.
        while offset < len(content):
            began, offset = offset, _skip_block(content, count, offset)
            if offset == began + 1:
                break


def _skip_block(content: bytes, count: _Count, offset: int) -> int:
    count.add()
    return offset + 1 + (content[offset] if offset < len(content) else 0)


def _walk_png(content: bytes, count: _Count) -> None:
    offset = 8
    while offset + 8 <= len(content):
        count.add()
        offset += 12 + int.from_bytes(content[offset : offset + 4], "big")


def _walk_webp(content: bytes, count: _Count) -> None:
    offset = 12
    while offset + 8 <= len(content):
        count.add()
        length = int.from_bytes(content[offset + 4 : offset + 8], "little")
        offset += 8 + length + length % 2
