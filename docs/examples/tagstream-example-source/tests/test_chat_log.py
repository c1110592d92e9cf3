"""The example keeps the contract of every source."""

from pathlib import Path

from tagstream_example_source import open_example

from tagstream.settings import Settings
from tagstream.source import Source
from tagstream.testing import SourceContract

GOOD = "2026-03-01T10:00:0{}Z ann Angela Merkel lands in #NewYorkCity, {}\n"


def source_of(folder: Path, lines: bytes, name: str = "chat.log") -> Source:
    path = folder / name
    path.write_bytes(lines)
    return open_example(str(path), Settings())


class TestChatLog(SourceContract):
    def make_source(self, folder: Path) -> Source:
        return source_of(folder, "\n".join(GOOD.format(number, number) for number in range(8)).encode())

    def make_another_source(self, folder: Path) -> Source:
        lines = "never ann hello\n" + "\n".join(GOOD.format(number, number) for number in range(8))
        return source_of(folder, lines.encode(), "another.log")

    def make_malformed_source(self, folder: Path) -> Source:
        good = GOOD.format(1, 1).encode()
        return source_of(folder, good + b"one two\nnever ann hello\n\xff\xfe\xfd x y\n" + good)
