"""A source that is opened before its index exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ingest.sources.wrappers.opened_early import OpenedEarly
from tagstream.errors import Retryable, UnreadableInput
from tagstream.source import Received


@dataclass
class Logged:
    """A source that writes down its calls, and raises what it is told to at each `open`."""

    name: str = "logged:"
    failures: list[Exception] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def open(self, cursor: str | None) -> None:
        self.calls.append(f"open {cursor}")
        if self.failures:
            raise self.failures.pop(0)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        del limit
        return []

    async def close(self) -> None:
        self.calls.append("close")

    def counts(self) -> Mapping[str, int]:
        return {}


async def test_it_is_opened_once() -> None:
    source = Logged()
    early = OpenedEarly(source)
    assert await early.open_early()
    await early.open(None)
    assert source.calls == ["open None"]


async def test_it_is_opened_later_where_it_was_not_opened_early() -> None:
    source = Logged()
    await OpenedEarly(source).open("7")
    assert source.calls == ["open 7"]


async def test_a_feed_that_is_away_is_tried_again() -> None:
    source = Logged(failures=[Retryable("away")])
    early = OpenedEarly(source)
    assert not await early.open_early()
    await early.open(None)
    assert source.calls == ["open None", "open None"]


async def test_a_feed_that_cannot_be_opened_says_so() -> None:
    with pytest.raises(UnreadableInput):
        await OpenedEarly(Logged(failures=[UnreadableInput("a folder")])).open_early()


async def test_a_cursor_that_another_run_saved_meanwhile_is_obeyed() -> None:
    source = Logged()
    early = OpenedEarly(source)
    await early.open_early()
    await early.open("7")
    assert source.calls == ["open None", "close", "open 7"]
