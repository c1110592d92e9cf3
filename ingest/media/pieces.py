"""Of how many pieces a file says that it is: segments, blocks or chunks, and the fill between them.

A piece may be four bytes of a file and costs the library that reads it a hundred times what counting it does, so
counting comes first and ends at the limit. It walks as Pillow does, and as far: to the first scan or frame, where
there is one. What makes no sense ends the walk, and is the decoder's to refuse.
"""

import re

# Photos have tens of pieces, a PNG of the largest files some thousands. So many are read in 20 ms.
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
    """The file is in more pieces, or has more fill between them, than any photo."""


def check_pieces(content: bytes, kind: str) -> None:
    """Nothing for a file of as many pieces as photos have.

    Raises:
        TooManyPieces: it has absurdly many.
    """
    count = _Count()
    if kind == "JPEG":
        _walk_jpeg(content, count)
        count.add(content.count(b"8BIM"))  # resources within segments are read one by one, too
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

    def search(self, pattern: re.Pattern[bytes], content: bytes, place: int) -> "re.Match[bytes] | None":
        """Where the next piece begins; what stands before it is fill, and looked through no further than it may go."""
        found = pattern.search(content, place, place + MOST_FILL_BYTES + 2)
        self._fill += (found.start() if found else min(len(content), place + MOST_FILL_BYTES + 2)) - place
        if self._fill > MOST_FILL_BYTES:
            raise TooManyPieces
        return found


def _walk_jpeg(content: bytes, count: _Count) -> None:
    place = 2
    while found := count.search(_JPEG_MARKER, content, place):
        marker = found[1][0]
        if marker == _JPEG_SCAN or marker < _JPEG_FIRST:
            return
        count.add()
        place = found.end()
        if marker not in _JPEG_WITHOUT_LENGTH:
            length = int.from_bytes(content[place : place + 2], "big")
            if marker == _JPEG_TABLES:
                count.add(length // _JPEG_TABLE_BYTES)
            place += max(2, length)


def _walk_gif(content: bytes, count: _Count) -> None:
    place = 13
    if len(content) >= place and content[10] & 0x80:
        place += 6 << (content[10] & 7)
    while found := count.search(_GIF_BLOCK, content, place):
        if found[0] != b"!":
            return
        label, first = found.end(), found.end() + 1
        place = _after_block(content, count, first)
        ended = place == first + 1
        if content[label : label + 1] == bytes([_GIF_COMMENT]) and ended:
            continue
        # Of any other extension the library reads on after a first block that is empty.
        while place < len(content):
            began, place = place, _after_block(content, count, place)
            if place == began + 1:
                break


def _after_block(content: bytes, count: _Count, place: int) -> int:
    count.add()
    return place + 1 + (content[place] if place < len(content) else 0)


def _walk_png(content: bytes, count: _Count) -> None:
    place = 8
    while place + 8 <= len(content):
        count.add()
        place += 12 + int.from_bytes(content[place : place + 4], "big")


def _walk_webp(content: bytes, count: _Count) -> None:
    place = 12
    while place + 8 <= len(content):
        count.add()
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
