"""Two lanes: pictures that take long keep nobody else's waiting, of their own host neither."""

import asyncio
import io
import os
import time

import pytest
from media_server import HostileServer, answer, drawn
from PIL import Image

from ingest.media import decode, decode_process
from ingest.media.decode import DecodeLimits, DecoderPool, TakesLonger
from ingest.media.download import Downloader, DownloadLimits
from ingest.media.image_fetcher import FetchedImage, ImageFetcher
from tagstream.media_reasons import PhotoReason, PhotoRefused

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
        made.append(DecoderPool(processes, DecodeLimits(**limits)))
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


def scans(count: int) -> bytes:
    """A progressive JPEG of a million pixels whose last scan is there so often."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((1_000, 1_000)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    tables = content.rindex(b"\xff\xc4", 0, last)
    return content[:-2] + content[tables:-2] * count + content[-2:]


def test_what_takes_long_is_seen_before_it_is_decoded() -> None:
    """So that a first try costs neither the time nor, at its end, a process."""
    large = io.BytesIO()
    Image.new("L", (3_000, 3_000)).save(large, "PNG")
    for kind, content, hurry, verdict in (
        ("JPEG", scans(1), True, decode_process.FOUND),
        ("JPEG", scans(400), True, decode_process.TAKES_LONGER),
        ("JPEG", scans(400), False, decode_process.FOUND),
        ("JPEG", drawn((6_000, 6_000)), True, decode_process.FOUND),
        ("PNG", large.getvalue(), True, decode_process.TAKES_LONGER),
        ("PNG", large.getvalue(), False, decode_process.FOUND),
    ):
        header = decode_process.REQUEST.pack(decode_process.FORMATS.index(kind), hurry, 40_000_000, 30_000)
        assert decode_process.handle(header + content)[0] == verdict, (kind, hurry)


async def test_large_pictures_cost_the_quick_lane_no_process() -> None:
    pool = DecoderPool(1, DecodeLimits(40_000_000, MEMORY * 2))
    with pytest.raises(TakesLonger):
        await pool.first_try(scans(400), "JPEG", "a")
    (before,) = pool.process_ids
    assert (await pool.decode(scans(400), "JPEG")).width == 1_000
    assert before in pool.process_ids
    await pool.close()


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
        limits = DownloadLimits(max_bytes=100_000, total_seconds=60.0, concurrency=2, patience_seconds=60.0)
        pool = decoders(processor_seconds=60.0)
        image_fetcher = ImageFetcher(Downloader(limits, allowed={server.endpoint}), pool, 1_000_000)
        slow = [asyncio.create_task(image_fetcher.photo(server.url(f"/slow{n}.jpg"))) for n in range(3)]
        await asyncio.sleep(0)
        quick = await asyncio.gather(*(image_fetcher.photo(server.url(f"/quick{n}.jpg")) for n in range(20)))
        assert all(isinstance(one, FetchedImage) for one in quick)
        assert not any(task.done() for task in slow)
        await image_fetcher.close()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_the_same_slow_bytes_are_decoded_once(decoders, monkeypatch) -> None:
    tries = []

    def counted(attempt):
        def counting(self, *arguments):
            tries.append(attempt.__name__)
            return attempt(self, *arguments)

        return counting

    for attempt in (DecoderPool.first_try, DecoderPool.second_try):
        monkeypatch.setattr(DecoderPool, attempt.__name__, counted(attempt))
    async with HostileServer() as server:
        paths = [f"/{n}.jpg" for n in range(6)]
        server.answers = dict.fromkeys(paths, answer(picture(1, 0.6)))
        limits = DownloadLimits(max_bytes=100_000, total_seconds=60.0, patience_seconds=60.0)
        image_fetcher = ImageFetcher(
            Downloader(limits, allowed={server.endpoint}), decoders(processor_seconds=60.0), 1_000_000
        )
        photos = await asyncio.gather(*(image_fetcher.photo(server.url(path)) for path in paths))
        assert len(set(photos)) == 1
        assert isinstance(photos[0], FetchedImage)
        assert tries == ["first_try", "second_try"]
        await image_fetcher.close()
