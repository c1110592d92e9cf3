"""The posts in a zip archive: an account's own export of X, or an archive that holds one file of posts.

The content is that of the chosen files, one after the other; of every file but the first, what stands before its array
(`window.YTD.tweets.part1 = `) is left out. So an offset counts bytes of the content, as it does in every other file.
Nothing is unpacked onto the disk. Knows nothing of posts.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from tagstream.errors import UnreadableInput

MAGIC = b"PK\x03\x04"
_MAX_MEMBERS = 100_000
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
_MAX_ACCOUNT_BYTES = 64 * 1024
_PIECE_BYTES = 64 * 1024
_EXPORTED = re.compile(r"(?:.*/)?(?:data/tweets?(?:-part([0-9]{1,6}))?|data/js/tweets/([0-9]{4}_[0-9]{2}))\.js")
_POSTS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".js")
# In the files of Excel: .xlsx and .xlsm, .xlsb.
_WORKBOOKS = frozenset({"xl/workbook.xml", "xl/workbook.bin"})
_ASSIGNMENT = re.compile(rb"\s*(?:var\s+)?[A-Za-z_][\w.]{0,200}\s*=\s*")
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError)


class ZippedBytes:
    """The content of the files of posts in an archive, with the methods of `PlainBytes`.

    Raises (from every method):
        UnreadableInput: the archive is damaged, encrypted or packed in a way that is not read.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self._path = path
        with self._our_errors():
            file = os.fdopen(descriptor, "rb", closefd=False)
            _refuse_large_directory(file, path)
            self._archive = zipfile.ZipFile(file)
        self.members = _chosen(self._archive.namelist(), path)
        self._pieces = self._content()
        self._held = b""
        self._position = 0

    def account(self) -> bytes:
        """Returns what an account's export says of its account; nothing where there is none that can be read."""
        folders = {member.rpartition("data/")[0] for member in self.members if _EXPORTED.fullmatch(member)}
        if len(folders) != 1:  # none, or the exports of several accounts
            return b""
        try:
            with self._archive.open(f"{folders.pop()}data/account.js") as file:
                content = file.read(_MAX_ACCOUNT_BYTES + 1)
        except (KeyError, *_DAMAGE):
            return b""
        return content[_assigned(content) :] if len(content) <= _MAX_ACCOUNT_BYTES else b""

    def read(self, size: int) -> bytes:
        """Returns the next bytes of the content, at most `size`; none at the end."""
        with self._our_errors():
            while not self._held:
                piece = next(self._pieces, None)
                if piece is None:
                    return b""
                self._held = piece
        output, self._held = self._held[:size], self._held[size:]
        self._position += len(output)
        return output

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
        """Lets `read` go on at the offset of the content; returns how far the content reaches up to there."""
        if offset < self._position:
            self._pieces, self._held, self._position = self._content(), b"", 0
        while self._position < offset and self.read(min(_PIECE_BYTES, offset - self._position)):
            pass
        return self._position

    def lost(self) -> bool:
        """Returns False: an archive that was cut cannot be read at all."""
        return False

    def _content(self) -> Iterator[bytes]:
        for index, member in enumerate(self.members):
            with self._archive.open(member) as file:
                beginning = file.read(_PIECE_BYTES)
                yield beginning[_assigned(beginning) :] if index else beginning
                while piece := file.read(_PIECE_BYTES):
                    yield piece
            yield b"\n"

    def _our_errors(self) -> "_OurErrors":
        return _OurErrors(self._path)


class _OurErrors:
    """A block in which every error of the archive becomes ours."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _DAMAGE):
            why = "it is encrypted" if "encrypted" in str(error) else str(error) or type(error).__name__
            raise UnreadableInput(
                f"{self._path!r} is a zip archive that cannot be read ({why}): unpack it, and name the file in it that "
                "holds the posts"
            ) from error


def _refuse_large_directory(file: IO[bytes], path: str) -> None:
    """Refuses an archive whose list of files would fill the memory; the end of the archive says how long it is."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 66_000))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    directory_bytes = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise UnreadableInput(f"{path!r} lists too many files: unpack it, and name the file that holds the posts")


def _chosen(names: Sequence[str], path: str) -> list[str]:
    """Returns the files to read, in order.

    Raises:
        UnreadableInput: none of them holds posts, or it cannot be told which.
    """
    if not _WORKBOOKS.isdisjoint(names):
        raise UnreadableInput(f"{path!r} is a spreadsheet of Excel: save it as CSV, and name that file (csv:PATH)")
    exported = [(match, name) for name in names[:_MAX_MEMBERS] if (match := _EXPORTED.fullmatch(name))]
    if exported:
        return [name for _, name in sorted(exported, key=lambda found: (int(found[0][1] or 0), found[0][2] or ""))]
    files = [name for name in names[:_MAX_MEMBERS] if name.lower().endswith(_POSTS) and "__MACOSX/" not in name]
    if len(files) == 1:
        return files
    found = "no file of posts" if not files else f"{len(files)} files: {', '.join(map(repr, files[:8]))}"
    raise UnreadableInput(
        f"{path!r} is a zip archive without an account's export (data/tweets.js), and holds {found}. Unpack it, and "
        "name the file that holds the posts"
    )


def _assigned(beginning: bytes) -> int:
    match = _ASSIGNMENT.match(beginning)
    return match.end() if match else 0
