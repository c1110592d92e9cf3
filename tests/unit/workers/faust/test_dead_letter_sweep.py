"""Deletions and erasures reach the letters of a broker through the index, whichever came first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from search.open import open_index
from tagstream.dead_letter import dead_letter
from tagstream.errors import BrokerUnavailable
from tagstream.posts import DeadLetter, Deletion, Erasure
from workers.faust.dead_letter_sweep import keep_swept, sweep_dead_letters


class ListLetters:
    """The letters of a broker, in memory."""

    def __init__(self, letters: Sequence[DeadLetter]) -> None:
        self.present = {letter.origin: letter for letter in letters}
        self.after_a_reading: Callable[[], None] = lambda: None

    async def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]:
        for letter in list(self.present.values()):
            if cause in (None, letter.cause):
                yield letter
        self.after_a_reading()

    async def drop(self, origins: Sequence[str]) -> None:
        for origin in origins:
            self.present.pop(origin, None)


def letter(number: int, author: str | None = None) -> DeadLetter:
    return dead_letter(
        origin=f"posts-0-{number}",
        source="jsonl",
        cause="untaggable",
        message="no",
        body=b"{}",
        post_id=f"jsonl:{number}",
        author=author,
        position=number,
    )


async def test_letters_of_what_is_gone_are_dropped_and_no_others(tmp_path: Path) -> None:
    index = await open_index(f"sqlite:{tmp_path / 'index.db'}", create=True)
    letters = ListLetters([letter(number, "a" if number > 200 else "b") for number in range(300)])
    try:
        await index.write([letters.present["posts-0-7"]])
        await index.write([Deletion(id="jsonl:7", source="jsonl"), Deletion(id="jsonl:150", source="jsonl")])
        await index.write([Erasure(source="jsonl", author="a", position=250)])
        assert await sweep_dead_letters(letters, index) == 2 + 50
        left = {f"posts-0-{number}" for number in range(300) if number not in (7, 150) and not 201 <= number <= 250}
        assert letters.present.keys() == left
        assert {one.origin async for one in index.dead_letters()} == left
        assert await sweep_dead_letters(letters, index) == 0
    finally:
        await index.close()


async def test_a_letter_requeued_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    index = await open_index(f"sqlite:{tmp_path / 'index.db'}", create=True)
    letters = ListLetters([letter(1), letter(2)])
    letters.after_a_reading = lambda: letters.present.pop("posts-0-1", None) and None
    try:
        assert await sweep_dead_letters(letters, index) == 0
        assert [one.origin async for one in index.dead_letters()] == ["posts-0-2"]
    finally:
        await index.close()


async def test_sweeps_come_again_where_they_are_due_and_outlive_an_outage(tmp_path: Path) -> None:
    index = await open_index(f"sqlite:{tmp_path / 'index.db'}", create=True)
    letters = ListLetters([letter(1), letter(2)])
    await index.write([Deletion(id="jsonl:1", source="jsonl")])
    asked, said = 0, asyncio.Queue[str]()

    def is_due() -> bool:
        nonlocal asked
        asked += 1
        assert asked > 1 or letters.present.keys() == {"posts-0-1", "posts-0-2"}
        return asked > 1

    def outage() -> None:
        letters.after_a_reading = lambda: None
        raise BrokerUnavailable("gone")

    letters.after_a_reading = outage
    sweeping = asyncio.create_task(keep_swept(letters, index, 0.001, is_due=is_due, say=said.put_nowait))
    try:
        assert "gone" in await asyncio.wait_for(said.get(), 10)
        assert await asyncio.wait_for(said.get(), 10) == "1 dead letters of deleted posts were dropped"
        assert letters.present.keys() == {"posts-0-2"}
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        await index.close()
