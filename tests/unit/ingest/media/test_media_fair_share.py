"""Turns by cost: who has taken most waits longest, and nobody is forgotten or counted twice."""

import asyncio
from contextlib import suppress

import pytest

from ingest.media import fair_share
from ingest.media.fair_share import FairShare, QueueFull


class Bench:
    """Runs what takes a given time on turns, by a clock of its own: as many at a time as there are turns."""

    def __init__(self, slots: int = 1, **options) -> None:
        self.now = 0.0
        self.slots = FairShare(slots, clock=lambda: self.now, **options)
        self.order: list[str] = []
        self.done_at: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._running: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def ask(self, name: str, seconds: float, label: str = "") -> "asyncio.Task[None]":
        self._tasks.append(asyncio.create_task(self._do(name, seconds, label or name)))
        return self._tasks[-1]

    async def _do(self, name: str, seconds: float, label: str) -> None:
        async with self.slots.slot(name):
            self.order.append(label)
            ended = asyncio.Event()
            self._count += 1
            self._running.append((self.now + seconds, self._count, ended))
            await ended.wait()
            self.done_at[label] = self.now

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def step(self) -> bool:
        """To the end of the next thing that ends."""
        await self.settle()
        if not self._running:
            return False
        first = min(self._running)
        self._running.remove(first)
        self.now = first[0]
        first[2].set()
        await self.settle()
        return True

    async def run(self) -> None:
        while await self.step():
            pass
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_slow_ones_wait_for_each_other_and_not_the_quick_for_them() -> None:
    bench = Bench()
    for number in range(20):
        bench.ask("slow", 3.0, f"slow{number}")
    for number in range(100):
        bench.ask("quick", 0.01, f"quick{number}")
    await bench.run()
    assert max(bench.done_at[f"quick{number}"] for number in range(100)) < 3.0 + 100 * 0.01 + 0.001


async def test_equals_take_turns() -> None:
    bench = Bench()
    for number in range(5):
        for name in ("a", "b", "c"):
            bench.ask(name, 1.0, f"{name}{number}")
    await bench.run()
    for start in range(0, 15, 3):
        assert {label[0] for label in bench.order[start : start + 3]} == {"a", "b", "c"}


async def test_who_comes_late_has_saved_nothing_up() -> None:
    """Else a host that was quiet for an hour would have the decoders to itself for as long."""
    bench = Bench()
    for number in range(50):
        bench.ask("old", 1.0, f"old{number}")
    for _ in range(20):
        await bench.step()
    for number in range(50):
        bench.ask("new", 1.0, f"new{number}")
    bench.order.clear()
    for _ in range(20):
        await bench.step()
    assert 9 <= sum(label.startswith("new") for label in bench.order) <= 12


async def known(bench: Bench, name: str, seconds: float = 0.01) -> None:
    for _ in range(fair_share.SLOTS_TO_BE_KNOWN):
        bench.ask(name, seconds, f"{name} early")
        await bench.step()
    bench.order.clear()


async def test_new_names_without_end_have_no_more_turns_than_a_known_one() -> None:
    """Each as new as the last: a name costs nothing where a name server answers to all of a domain."""
    bench = Bench()
    await known(bench, "good")
    for number in range(200):
        bench.ask("good", 0.01, f"good{number}")
    for number in range(20):
        bench.ask(f"new{number}", 0.25)
    await bench.run()
    first_half = bench.order[:100]
    assert sum(label.startswith("new") for label in first_half) <= 5
    assert bench.done_at["good199"] < 200 * 0.01 + 10 * 0.25


async def test_what_was_taken_while_nobody_waited_is_not_held_against_a_name() -> None:
    """Else a host that was there for an hour would stand behind every new one for as long as it worked."""
    bench = Bench()
    for _ in range(20):
        await known(bench, "good", 1.0)
    bench.ask("good", 1.0, "good0")
    await bench.settle()
    for number in range(40):
        bench.ask(f"new{number}", 1.0)
        bench.ask("good", 1.0, f"good{number + 1}")
    bench.order.clear()
    for _ in range(20):
        await bench.step()
    assert 8 <= sum(label.startswith("good") for label in bench.order) <= 12


async def test_a_name_that_becomes_known_is_not_ahead_of_others_by_it() -> None:
    bench = Bench()
    await known(bench, "good")
    for number in range(100):
        bench.ask("good", 0.25, f"good{number}")
    for name in range(10):
        for number in range(fair_share.SLOTS_TO_BE_KNOWN):
            bench.ask(f"new{name}", 0.25, f"new{name}-{number}")
    for _ in range(40):
        await bench.step()
    assert sum(label.startswith("good") for label in bench.order) >= 15


async def test_only_so_many_wait_and_of_one_name_half_of_them() -> None:
    bench = Bench(max_waiting=4)
    held = bench.ask("a", 1.0)
    await bench.settle()
    waiting = [bench.ask("a", 1.0) for _ in range(3)]
    await bench.settle()
    assert isinstance(waiting[2].exception(), QueueFull)
    others = [bench.ask(name, 1.0) for name in ("b", "c", "d")]
    await bench.settle()
    assert isinstance(others[2].exception(), QueueFull)
    await bench.run()
    assert held.done()
    assert len(bench.done_at) == 3
    assert len(bench.order) == 5


@pytest.mark.parametrize("moment", ["waiting", "given", "holding"])
async def test_who_is_cancelled_leaves_the_turn_to_the_next(moment) -> None:
    bench = Bench()
    bench.ask("a", 1.0)
    await bench.settle()
    left = bench.ask("b", 1.0)
    await bench.settle()
    if moment == "holding":
        await bench.step()
    if moment == "given":
        bench.slots._grant_next()
    left.cancel()
    with suppress(asyncio.CancelledError):
        await left
    bench.ask("c", 1.0)
    await bench.run()
    assert "c" in bench.done_at
    assert bench.slots._waiting == 0


async def test_who_is_cancelled_in_the_pass_in_which_a_turn_ends_is_left_out() -> None:
    slots = FairShare(1)
    ended = asyncio.Event()

    async def hold(name: str) -> str:
        async with slots.slot(name):
            await ended.wait()
            return name

    holder, *waiting = [asyncio.create_task(hold(name)) for name in ("held", "left", "left too", "last")]
    for _ in range(3):
        await asyncio.sleep(0)
    ended.set()  # the holder goes on in the next pass, and so do those that are cancelled in this one
    for left in waiting[:2]:
        left.cancel()
    done = await asyncio.wait_for(asyncio.gather(holder, *waiting, return_exceptions=True), 10)
    assert (done[0], done[3]) == ("held", "last")
    assert [type(one) for one in done[1:3]] == [asyncio.CancelledError] * 2
    assert (slots._free, slots._waiting) == (1, 0)


async def test_names_are_bounded_and_those_in_use_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(fair_share, "MAX_NAMES", 3)
    bench = Bench(slots=2)
    bench.ask("held", 5.0)
    await bench.settle()
    for number in range(20):
        bench.ask(f"host{number}", 0.1)
        await bench.step()
    assert len(bench.slots._shares) <= 3
    assert "held" in bench.slots._shares
    await bench.run()
