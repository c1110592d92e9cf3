"""What is remembered: shared while it is made, bounded, and forgotten in time."""

import asyncio

import pytest

from ingest.media.cache import SharedCache


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Maker:
    """Makes `value`, counting how often; waits for `gate`."""

    def __init__(self, value: str = "value", failure: Exception | None = None) -> None:
        self.times = 0
        self.gate = asyncio.Event()
        self._value, self._failure = value, failure

    async def __call__(self) -> str:
        self.times += 1
        await self.gate.wait()
        if self._failure is not None:
            raise self._failure
        return self._value


def cache_of(clock: Clock, *, max_entries: int = 100, max_bytes: int = 10_000) -> SharedCache[str]:
    return SharedCache(
        max_entries=max_entries,
        max_bytes=max_bytes,
        size_of=len,
        keep_seconds=lambda value: 0.0 if value == "fleeting" else 60.0,
        clock=clock,
    )


async def test_who_asks_at_the_same_time_shares_one_making() -> None:
    cache, make = cache_of(Clock()), Maker()
    waiting = [asyncio.create_task(cache.get("a", make)) for _ in range(5)]
    await asyncio.sleep(0)
    make.gate.set()
    assert await asyncio.gather(*waiting) == ["value"] * 5
    assert await cache.get("a", make) == "value"
    assert make.times == 1


async def test_who_is_cancelled_leaves_the_making_to_the_others() -> None:
    cache, make = cache_of(Clock()), Maker()
    first, second = (asyncio.create_task(cache.get("a", make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    make.gate.set()
    assert await second == "value"
    assert make.times == 1


async def test_an_answer_is_forgotten_in_time() -> None:
    clock = Clock()
    cache, make = cache_of(clock), Maker()
    make.gate.set()
    await cache.get("a", make)
    clock.now += 59
    await cache.get("a", make)
    assert make.times == 1
    clock.now += 1
    await cache.get("a", make)
    assert make.times == 2
    assert len(cache) == 1


async def test_what_is_not_worth_keeping_is_not_kept() -> None:
    cache, make = cache_of(Clock()), Maker("fleeting")
    make.gate.set()
    await cache.get("a", make)
    await cache.get("a", make)
    assert make.times == 2
    assert len(cache) == 0


async def test_an_error_reaches_everybody_and_is_not_kept() -> None:
    cache, make = cache_of(Clock()), Maker(failure=RuntimeError("broken"))
    make.gate.set()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            await cache.get("a", make)
    assert make.times == 2


@pytest.mark.parametrize("bounds", [{"max_entries": 3}, {"max_bytes": 3 * (len("value") + 1) + 1}])
async def test_the_least_recently_used_is_forgotten_first(bounds: dict[str, int]) -> None:
    cache = cache_of(Clock(), **bounds)
    makers = {key: Maker() for key in "abcd"}
    for make in makers.values():
        make.gate.set()
    for key in "abcad":
        await cache.get(key, makers[key])
    assert len(cache) == 3
    await cache.get("a", makers["a"])
    assert makers["a"].times == 1
    await cache.get("b", makers["b"])
    assert makers["b"].times == 2


async def test_closing_ends_what_is_being_made() -> None:
    cache, make = cache_of(Clock()), Maker()
    waiting = asyncio.create_task(cache.get("a", make))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_value_larger_than_all_the_room_is_not_kept_and_displaces_nothing() -> None:
    cache = cache_of(Clock(), max_bytes=100)
    small, large = Maker("small"), Maker("x" * 200)
    small.gate.set()
    large.gate.set()
    assert await cache.get("a", small) == "small"
    assert await cache.get("b", large) == "x" * 200
    assert await cache.get("a", small) == "small"
    assert (small.times, len(cache)) == (1, 1)
