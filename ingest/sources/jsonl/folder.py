"""A feed from the files of posts in a folder and in the folders within it, one after the other, in order of name.

A file is of posts if its name ends as one (`.jsonl`, `.json`, `.csv`, `.js`, `.zip`, …, compressed or not); others are
counted (`passed_over_file`), hidden ones and links to folders left out. A link to a file outside the folder is left out
and counted (`link_outside`): a folder of somebody else could name any file that we may read. Each file is read as
`jsonl:FILE` reads it. One that cannot be read at all is a dead letter with the reason, and the next one is read.

The cursor is `<files>:<fingerprint>:<name>:<cursor within the file>`: so many files were read before the file of that
name, and their names and sizes have that fingerprint. A folder in which one of them was changed, or another one put
before that place, is refused: something would be left out in silence. Files that come after it are read on.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from urllib.parse import quote, unquote

from ingest.sources.jsonl.source import JsonlSource
from tagstream.dead_letter import dead_letter
from tagstream.errors import CorruptState, UnreadableInput
from tagstream.posts import path_as_text
from tagstream.source import Received, Share

_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_TABLES = (".csv", ".tsv")
_POSTS = (".jsonl", ".ndjson", ".json", ".js", ".zip", *_TABLES)
_UNREAD = "unread"
UNREADABLE_FILE = "unreadable_file"
MAX_FILES = 100_000
MOST_TOLD = 20

Listed = tuple[str, int]
"""The path of a file within the folder, and its size."""


class FolderSource:
    """The posts of the files in one folder."""

    def __init__(self, path: str, open_file: Callable[[str], JsonlSource], *, kind: str) -> None:
        """Lists the folder; `open_file` makes the source of a file, `kind` (`jsonl` or `csv`) says which are read.

        Raises:
            UnreadableInput: it has no file of posts, or cannot be read.
        """
        self._path = path
        self._place = path_as_text(os.path.abspath(path))
        self.name = f"{kind}:{self._place}"
        self._open_file = open_file
        self._endings = _TABLES if kind == "csv" else _POSTS
        self._files: list[Listed] = []
        self._digests: list[str] = [""]
        self._at = 0
        self._within: str | None = None
        self._file: JsonlSource | None = None
        self._gathered: Counter[str] = Counter()
        self._refused = 0
        self._first_refused: list[str] = []
        self._passed_over = self._links_outside = 0
        self._first_passed_over: list[str] = []
        self._begun = 0.0
        self._ended = False
        self._list()  # at once: what cannot be read is refused before a server is asked

    async def open(self, cursor: str | None) -> None:
        """Lists the files, and goes to the one that the cursor names.

        Raises:
            UnreadableInput: there are none, or the files before the cursor are others than then.
            CorruptState: the cursor is not one of a folder.
        """
        self._list()
        self._digests = list(_digests(self._files))
        if cursor is not None:
            self._at, self._within = self._place_of(cursor)
            self._begun = self._share(0.0)

    def _list(self) -> None:
        self._files, self._passed_over, self._first_passed_over, self._links_outside = _listed(
            self._path, self._endings
        )
        if not self._files:
            endings = ", ".join(self._endings)
            raise UnreadableInput(
                f"no file in {self._path!r} is of posts: their names end in {endings}, compressed or not"
                + (f"; {self._links_outside:,} links to files outside it are not read" if self._links_outside else "")
            )

    def _place_of(self, cursor: str) -> tuple[int, str]:
        number, colon, rest = cursor.partition(":")
        digest, _, rest = rest.partition(":")
        name, end, within = rest.partition(":")
        if not colon or not end or not number.isdecimal():
            raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of a folder")
        at = int(number)
        there = self._files[at][0] if at < len(self._files) else None
        if there != unquote(name, errors="surrogateescape") or self._digests[at] != digest:
            raise UnreadableInput(
                f"the files in {self._path!r} before {unquote(name)!r} are not those that were read: one was changed, "
                "removed or added. Use a new index, or read new files by themselves"
            )
        return at, within

    async def next_batch(self, limit: int) -> Sequence[Received]:
        while not self._ended and self._at < len(self._files):
            try:
                if self._file is None:
                    await self._begin_file()
                received = [] if self._file is None else await self._file.next_batch(limit)
            except UnreadableInput as error:
                return [await self._give_up(error)]
            if received:
                return [Received(one.event, self._cursor(one.cursor), one.supersedes) for one in received]
            await self._leave_file()
        return []

    async def _begin_file(self) -> None:
        within, self._within = self._within, None
        if within == _UNREAD:
            return
        self._file = self._open_file(os.path.join(self._path, self._files[self._at][0]))
        try:
            await self._file.open(within)
        except BaseException:
            self._within = within
            raise

    async def _leave_file(self) -> None:
        if self._file is not None:
            self._gathered.update(self._file.counts())
            await self._file.close()
            self._file = None
        self._at += 1

    async def _give_up(self, error: UnreadableInput) -> Received:
        """Returns the dead letter of a file that cannot be read, or not any further."""
        name = self._files[self._at][0]
        self._refused += 1
        if len(self._first_refused) < MOST_TOLD:
            self._first_refused.append(f"{name!r} was refused: {error}")
        letter = dead_letter(
            origin=path_as_text(os.path.join(self._place, name)),
            source="jsonl",
            cause=UNREADABLE_FILE,
            message=str(error),
            body=path_as_text(name).encode(),
        )
        received = Received(letter, self._cursor(_UNREAD))
        await self._leave_file()
        return received

    def _cursor(self, within: str) -> str:
        name = quote(self._files[self._at][0], safe="/", errors="surrogateescape")
        return f"{self._at}:{self._digests[self._at]}:{name}:{within}"

    def counts(self) -> Mapping[str, int]:
        counts = Counter(self._gathered)
        counts.update((self._file or self._open_file(self._path)).counts())
        return {**counts, "passed_over_file": self._passed_over, "link_outside": self._links_outside}

    def unread_files(self) -> list[str]:
        """Returns a line for each file that was refused or passed over, at most `MOST_TOLD`; then how to see more."""
        endings = ", ".join(self._endings)
        passed_over = [
            f"{name!r} was passed over: its name ends in none of {endings}" for name in self._first_passed_over
        ]
        lines = [*self._first_refused, *passed_over][:MOST_TOLD]
        if more := self._refused + self._passed_over - len(lines):
            lines.append(f"{more:,} more files were refused or passed over")
        if self._refused:
            lines.append(f"`tagstream dead-letters list --cause {UNREADABLE_FILE}` shows the files that were refused")
        return lines

    def share_read(self) -> Share | None:
        """Returns how much of the files was handed over, by their bytes on the disk."""
        if not self._files:
            return None
        share = None if self._file is None else self._file.share_read()
        return Share(self._begun, self._share(0.0 if share is None else share.read))

    def _share(self, of_file: float) -> float:
        total = sum(size for _, size in self._files) or 1
        before = sum(size for _, size in self._files[: self._at])
        size = self._files[self._at][1] if self._at < len(self._files) else 0
        return min(1.0, (before + of_file * size) / total)

    async def close(self) -> None:
        self._ended = True
        if self._file is not None:
            await self._file.close()


def _listed(folder: str, endings: tuple[str, ...]) -> tuple[list[Listed], int, list[str], int]:
    """Returns the files of posts in order of name, how many others there are, and how many links lead outside.

    Of the others it returns the first names, too.

    Raises:
        UnreadableInput: the folder cannot be listed, or holds more files than `MAX_FILES`.
    """
    found: list[Listed] = []
    others = outside = 0
    first_others: list[str] = []
    within = os.path.join(os.path.realpath(folder), "")

    def refuse(error: OSError) -> None:
        raise UnreadableInput(f"cannot read the folder {error.filename!r}: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            if os.path.islink(path) and not os.path.realpath(path).startswith(within):
                outside += 1
                continue
            if _plain(name).endswith(endings):
                found.append((os.path.relpath(path, folder), os.path.getsize(path)))
            else:
                others += 1
                if len(first_others) < MOST_TOLD:
                    first_others.append(os.path.relpath(path, folder))
            if len(found) > MAX_FILES:
                raise UnreadableInput(f"{folder!r} holds more than {MAX_FILES:,} files of posts: read a part of it")
    return sorted(found), others, first_others, outside


def _plain(name: str) -> str:
    """Returns the name in small letters, without the ending of a compressed file."""
    plain = name.lower()
    return next((plain.removesuffix(ending) for ending in _COMPRESSED if plain.endswith(ending)), plain)


def _digests(files: Sequence[Listed]) -> Iterator[str]:
    """Yields the fingerprint of the files before each file."""
    digest = blake2b(digest_size=8)
    for name, size in files:
        yield digest.hexdigest()
        digest.update(f"{name}\0{size}\0".encode(errors="surrogateescape"))
