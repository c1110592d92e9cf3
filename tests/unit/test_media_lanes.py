"""Two lanes: pictures that take long keep nobody else's waiting, of their own host neither."""

import asyncio
import os
import time

import pytest
from media_server import HostileServer, answer, drawn

from ingest.media import decode
from ingest.media.album import Album, Picture
from ingest.media.decode import DecodeLimits, Decoders, TakesLonger
from ingest.media.fetch import Fetcher, FetchLimits
from ingest.media.refusals import PhotoRefused
from tagstream.photo_reasons import PhotoReason

MEMORY = 256 * 1024 * 1024


def picture(number: int, seconds: float = 0.0) -> bytes:
    """Different bytes for each number, that take so long to decode."""
    return drawn(comment=f"number {number} takes {seconds} s".encode())


@pytest.fixture
async def decoders(monkeypatch):
    """Makes decoders whose pictures take as long as they say; ends them."""
    monkeypatch.setattr(decode.decode_process, "__name__", "slow_handler")
    made = []

    def make(processes=1, **limits):
        limits = {"max_pixels": 1_000_000, "memory_bytes": MEMORY, "still_seconds": 60.0, **limits}
        made.append(Decoders(processes, DecodeLimits(**limits)))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_first_try_is_short_and_a_second_has_its_whole_time(decoders) -> None:
    pool = decoders(processor_seconds=2.0)
    assert (await pool.first_try(picture(1), "JPEG", "a")).width == 10
    with pytest.raises(TakesLonger):
        await pool.first_try(picture(2, 0.6), "JPEG", "a")
    assert (await pool.second_try(picture(2, 0.6), "JPEG", "a")).width == 10
    assert (await pool.decode(picture(2, 0.6), "JPEG")).width == 10
    with pytest.raises(PhotoRefused) as refusal:
        await pool.decode(picture(3, 9.0), "JPEG")
    assert refusal.value.reason is PhotoReason.TOO_COSTLY


async def test_quick_pictures_do_not_wait_for_slow_ones(decoders) -> None:
    """Of the same host, and with one process in each lane: only the first tries of the slow ones stand in the way."""
    pool = decoders(processor_seconds=60.0)
    await pool.decode(picture(0), "JPEG")
    slow = [asyncio.create_task(pool.decode(picture(number, 20.0), "JPEG")) for number in range(3)]
    await asyncio.sleep(0)
    began = time.process_time()
    quick = await asyncio.gather(*(pool.decode(picture(100 + number), "JPEG") for number in range(40)))
    assert len(quick) == 40
    assert not any(task.done() for task in slow)
    assert time.process_time() - began < 10
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_only_so_many_slow_pictures_wait_and_the_rest_are_late(decoders, monkeypatch) -> None:
    monkeypatch.setattr(decode, "SLOW_WAITING", 2)
    pool = decoders(processor_seconds=60.0)
    tasks = [asyncio.create_task(pool.second_try(picture(n, 0.5), "JPEG", "one.example")) for n in range(5)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refusals = [one for one in outcomes if isinstance(one, PhotoRefused)]
    assert [one.reason for one in refusals] == [PhotoReason.LATE] * 3
    assert all(one.reason.can_pass for one in refusals)


async def test_the_slow_lane_stands_behind_every_other_process(decoders) -> None:
    pool = decoders(processor_seconds=60.0)
    await pool.second_try(picture(1), "JPEG", "a")
    await pool.first_try(picture(1), "JPEG", "a")
    priorities = {os.getpriority(os.PRIO_PROCESS, pid) for pid in pool.process_ids}
    assert priorities == {os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, 0) + decode.SLOW_NICENESS}


async def test_while_a_slow_picture_is_decoded_others_of_its_host_are_fetched(decoders) -> None:
    """Its turn at the host ends with its first try; with two turns a host has one."""
    async with HostileServer() as server:
        server.answers = {f"/slow{n}.jpg": answer(picture(n, 15.0)) for n in range(3)}
        server.answers |= {f"/quick{n}.jpg": answer(picture(100 + n)) for n in range(20)}
        limits = FetchLimits(max_bytes=100_000, total_seconds=60.0, concurrency=2, patience_seconds=60.0)
        pool = decoders(processor_seconds=60.0)
        album = Album(Fetcher(limits, allowed={server.endpoint}), pool, 1_000_000)
        slow = [asyncio.create_task(album.photo(server.url(f"/slow{n}.jpg"))) for n in range(3)]
        await asyncio.sleep(0)
        quick = await asyncio.gather(*(album.photo(server.url(f"/quick{n}.jpg")) for n in range(20)))
        assert all(isinstance(one, Picture) for one in quick)
        assert not any(task.done() for task in slow)
        await album.close()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_the_same_slow_bytes_are_decoded_once(decoders, monkeypatch) -> None:
    tries = []

    def counted(attempt):
        def counting(self, *arguments):
            tries.append(attempt.__name__)
            return attempt(self, *arguments)

        return counting

    for attempt in (Decoders.first_try, Decoders.second_try):
        monkeypatch.setattr(Decoders, attempt.__name__, counted(attempt))
    async with HostileServer() as server:
        paths = [f"/{n}.jpg" for n in range(6)]
        server.answers = dict.fromkeys(paths, answer(picture(1, 0.6)))
        limits = FetchLimits(max_bytes=100_000, total_seconds=60.0, patience_seconds=60.0)
        album = Album(Fetcher(limits, allowed={server.endpoint}), decoders(processor_seconds=60.0), 1_000_000)
        photos = await asyncio.gather(*(album.photo(server.url(path)) for path in paths))
        assert len(set(photos)) == 1
        assert isinstance(photos[0], Picture)
        assert tries == ["first_try", "second_try"]
        await album.close()
