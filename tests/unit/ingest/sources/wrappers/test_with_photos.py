"""Photos on posts: order and cursors stay, nobody waits too long, nothing is lost, everything has a reason."""

import asyncio
import random
import re
from contextlib import suppress

import pytest
from media_server import HostileServer, answer, drawn, endless, opened, raw, redirect
from pipeline_fakes import ListSource, post

from ingest.media.decode import DecodeLimits, DecoderPool, memory_for
from ingest.media.download import Downloader, DownloadLimits
from ingest.media.image_fetcher import FetchedImage, ImageFetcher, open_image_fetcher
from ingest.sources.network.source import FeedUnavailable, NetworkSource
from ingest.sources.wrappers.with_photos import WithPhotos, wants_fetching, with_photos
from tagstream.dead_letter import dead_letter
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.media_reasons import FOUND, PhotoCounts, PhotoReason
from tagstream.posts import Deletion, Media
from tagstream.settings import REPOSITORY, Settings, load_settings

PICTURE = FetchedImage("0" * 64, 640, 480, b"\xff\xd8\xff")


class ScriptedAlbum:
    """Answers each URL as `answers` says, after its gate has opened; `busiest` is how many were asked at a time."""

    def __init__(self, answers=None, default=PICTURE):
        self.answers = answers or {}
        self.gates = {}
        self.asked = []
        self.busy = self.busiest = 0
        self.closed = False
        self._default = default

    async def photo(self, url):
        self.asked.append(url)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            if url in self.gates:
                await self.gates[url].wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.busy -= 1
        return self.answers.get(url, self._default)

    async def close(self):
        self.closed = True


def with_photo(number, url=None, **fields):
    return post(number, media=(Media(url=url or f"https://p.example/{number}.jpg", alt=f"photo {number}", **fields),))


def illustrated(source, image_fetcher, *, wait_seconds=60.0, max_ahead=100):
    return WithPhotos(source, image_fetcher, wait_seconds=wait_seconds, max_ahead=max_ahead)


async def until(condition):
    """Lets the others work until it holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def everything(source, limit=7, received=None):
    """All events to the end, added to `received` batch by batch."""
    received = [] if received is None else received
    while batch := await source.next_batch(limit):
        assert len(batch) <= limit
        received.extend(batch)
    assert await source.next_batch(limit) == []
    return received


async def test_the_same_events_in_the_same_order_with_the_same_cursors() -> None:
    chance = random.Random(5)
    letter = dead_letter(origin="o", source="jsonl", cause="c", message="m", body=b"x")
    events = []
    for number in range(300):
        kinds = (with_photo(number), post(number), Deletion(id=f"jsonl:{number}", source="jsonl"), letter)
        events.append(chance.choice(kinds))
    image_fetcher = ScriptedAlbum()
    image_fetcher.gates = {f"https://p.example/{number}.jpg": asyncio.Event() for number in range(300)}
    source = illustrated(ListSource(events), image_fetcher)
    gates = list(image_fetcher.gates.values())
    chance.shuffle(gates)

    async def open_gates():
        for gate in gates:
            gate.set()
            await asyncio.sleep(0)

    opening = asyncio.create_task(open_gates())
    received = await everything(source)
    await opening
    assert [one.cursor for one in received] == [str(number + 1) for number in range(300)]
    for given, one in zip(events, received, strict=True):
        if getattr(given, "media", ()):
            (photo,) = one.event.media
            assert (photo.sha256, photo.width, photo.height) == ("0" * 64, 640, 480)
            assert (photo.thumbnail, photo.reason, photo.alt) == (b"\xff\xd8\xff", None, given.media[0].alt)
            assert one.event.model_copy(update={"media": given.media}) == given
        else:
            assert one.event is given
    await source.close()


async def test_photos_of_many_posts_are_fetched_at_a_time_but_not_of_endlessly_many() -> None:
    image_fetcher = ScriptedAlbum()
    gate = asyncio.Event()
    image_fetcher.gates = {f"https://p.example/{number}.jpg": gate for number in range(200)}
    inner = ListSource([with_photo(number) for number in range(200)])
    source = illustrated(inner, image_fetcher, max_ahead=50)
    first = asyncio.create_task(source.next_batch(10))
    await until(lambda: inner.given == 50)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (inner.given, image_fetcher.busiest) == (50, 50)
    gate.set()
    assert len([*await first, *await everything(source)]) == 200
    assert image_fetcher.busiest == 50
    await source.close()


async def test_what_is_read_ahead_is_bounded_in_bytes_too(monkeypatch) -> None:
    monkeypatch.setattr("ingest.sources.wrappers.with_photos.MAX_AHEAD_BYTES", 10 * 64 * 1024)
    monkeypatch.setattr("ingest.sources.wrappers.with_photos.READ_EVENTS", 1)
    image_fetcher = ScriptedAlbum()
    gate = asyncio.Event()
    image_fetcher.gates = {f"https://p.example/{number}.jpg": gate for number in range(40)}
    inner = ListSource([with_photo(number) for number in range(40)])
    source = illustrated(inner, image_fetcher)
    first = asyncio.create_task(source.next_batch(10))
    for _ in range(200):
        await asyncio.sleep(0)
    assert inner.given == 10
    gate.set()
    assert len([*await first, *await everything(source)]) == 40
    await source.close()


async def test_a_post_does_not_wait_longer_than_its_limit() -> None:
    image_fetcher = ScriptedAlbum()
    image_fetcher.gates["https://p.example/0.jpg"] = asyncio.Event()
    source = illustrated(ListSource([with_photo(number) for number in range(3)]), image_fetcher, wait_seconds=0.2)
    received = await everything(source)
    assert [one.event.media[0].reason for one in received] == ["late", None, None]
    assert source.photos.snapshot()["late"] == 1
    assert source.photos.snapshot()[FOUND] == 2
    await source.close()


@pytest.mark.parametrize("reason", PhotoReason)
async def test_a_post_goes_on_without_its_photo_and_says_why(reason) -> None:
    source = illustrated(ListSource([with_photo(1)]), ScriptedAlbum(default=reason))
    ((one,),) = [await everything(source)]
    assert one.event.media == (Media(url="https://p.example/1.jpg", alt="photo 1", reason=reason.value),)
    assert {name: number for name, number in source.photos.snapshot().items() if number} == {reason.value: 1}
    await source.close()


async def test_one_photo_of_four_can_fail() -> None:
    urls = [f"https://p.example/{letter}.png" for letter in "abcd"]
    image_fetcher = ScriptedAlbum({urls[2]: PhotoReason.GONE})
    source = illustrated(ListSource([post(1, media=tuple(Media(url=url) for url in urls))]), image_fetcher)
    (one,) = await everything(source)
    assert [(photo.url, photo.reason) for photo in one.event.media] == list(
        zip(urls, (None, None, "gone", None), strict=True)
    )
    assert image_fetcher.busiest == 4
    await source.close()


@pytest.mark.parametrize(
    ("media", "wanted"),
    [
        (Media(url="https://p.example/anything"), True),
        (Media(), False),
        (Media(alt="described"), False),
        (Media(url="https://p.example/a.jpg", thumbnail=b"\xff"), False),
        (Media(url="https://p.example/a.jpg", reason="gone"), False),
        (Media(kind="video", url="https://p.example/a.mp4"), False),
        (Media(kind="video", url="https://p.example/playlist.m3u8?image=.jpg"), False),
        (Media(kind="video", url="https://p.example/preview.JPG?size=2#x"), True),
        (Media(kind="animation", url="https://p.example/a.gif"), True),
        (Media(kind="animation", url="https://p.example/a"), False),
    ],
)
async def test_what_is_fetched(media, wanted) -> None:
    assert wants_fetching(media) is wanted
    image_fetcher = ScriptedAlbum()
    source = illustrated(ListSource([post(1, media=(media,))]), image_fetcher)
    (one,) = await everything(source)
    assert bool(image_fetcher.asked) is wanted
    if not wanted:
        assert one.event.media == (media,)
    await source.close()


async def test_a_cancelled_call_loses_nothing() -> None:
    chance = random.Random(3)
    image_fetcher = ScriptedAlbum()
    source = illustrated(ListSource([with_photo(number) for number in range(100)]), image_fetcher, max_ahead=9)
    received = []
    while True:
        task = asyncio.create_task(source.next_batch(3))
        for _ in range(chance.randrange(8)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            if not (batch := await task):
                break
            received.extend(batch)
    assert [one.cursor for one in received] == [str(number + 1) for number in range(100)]
    await source.close()


class FailingSource(ListSource):
    """Fails, once or for good, after its first events."""

    def __init__(self, events, after, error, *, times):
        super().__init__(events)
        self._after, self._error, self._times = after, error, times

    async def next_batch(self, limit):
        if self.given >= self._after and self._times:
            self._times -= 1
            raise self._error
        return await super().next_batch(min(limit, self._after - self.given) if self._times else limit)


async def test_an_outage_of_the_source_is_said_in_its_place_and_passes() -> None:
    inner = FailingSource([with_photo(number) for number in range(20)], 8, FeedUnavailable("away"), times=2)
    source = illustrated(inner, ScriptedAlbum())
    received = []
    for _ in range(2):
        with pytest.raises(FeedUnavailable, match="away"):
            await everything(source, 5, received)
        assert len(received) == 8
    await everything(source, received=received)
    assert [one.cursor for one in received] == [str(number + 1) for number in range(20)]
    await source.close()


async def test_a_source_that_cannot_go_on_says_so_after_what_it_gave() -> None:
    inner = FailingSource([with_photo(number) for number in range(20)], 8, UnreadableInput("torn"), times=99)
    source = illustrated(inner, ScriptedAlbum())
    received = []
    for _ in range(2):
        with pytest.raises(UnreadableInput, match="torn"):
            await everything(source, 3, received)
        assert len(received) == 8
    await source.close()


async def test_closing_is_prompt_and_closes_everything() -> None:
    image_fetcher, inner = ScriptedAlbum(), ListSource([with_photo(number) for number in range(9)], live=True)
    image_fetcher.gates["https://p.example/0.jpg"] = asyncio.Event()
    source = illustrated(inner, image_fetcher)
    await source.open("0")
    waiting = asyncio.create_task(source.next_batch(5))
    await until(lambda: image_fetcher.busy)
    await source.close()
    assert await waiting == []
    assert (inner.closed, image_fetcher.closed, image_fetcher.busy) == (True, True, 0)
    assert await source.next_batch(5) == []
    await source.close()


async def test_it_opens_at_the_cursor_and_is_named_as_its_source() -> None:
    inner = ListSource([with_photo(number) for number in range(9)])
    source = illustrated(inner, ScriptedAlbum())
    assert source.name == inner.name
    await source.open("7")
    assert [one.cursor for one in await everything(source)] == ["8", "9"]
    await source.close()


def test_every_reason_is_counted_from_zero_and_says_whether_it_can_pass() -> None:
    assert PhotoCounts().snapshot() == {FOUND: 0, **{reason.value: 0 for reason in PhotoReason}}
    assert {reason for reason in PhotoReason if reason.can_pass} == {
        PhotoReason.TIMEOUT,
        PhotoReason.UNREACHABLE,
        PhotoReason.SERVER_ERROR,
        PhotoReason.HOST_BUSY,
        PhotoReason.LATE,
        PhotoReason.NO_DECODER,
    }


async def test_photos_are_fetched_for_networks_and_for_files_only_where_that_is_said() -> None:
    file, network = ListSource([]), NetworkSource("bluesky:example")
    assert with_photos(file, Settings()) is file
    assert with_photos(network, load_settings({"TAGSTREAM_MEDIA_FETCH": "false"})) is network
    for source, settings in ((network, Settings()), (file, load_settings({"TAGSTREAM_MEDIA_FETCH": "true"}))):
        wrapped = with_photos(source, settings)
        assert isinstance(wrapped, WithPhotos)
        await wrapped.close()


def test_an_allow_list_that_is_none_is_refused() -> None:
    for pair in ("localhost:80", "10.0.0.0/8", "127.0.0.1"):
        with pytest.raises(BadSettings, match="MEDIA_ALLOWED"):
            load_settings({"TAGSTREAM_MEDIA_ALLOWED": f"127.0.0.1:80,{pair}"})
    with pytest.raises(BadSettings, match="999"):
        with_photos(
            ListSource([]), load_settings({"TAGSTREAM_MEDIA_ALLOWED": "999.0.0.1:80", "TAGSTREAM_MEDIA_FETCH": "1"})
        )


@pytest.fixture
async def server():
    async with HostileServer() as one:
        yield one


def album_for(server, **options):
    limits = {"max_bytes": 100_000, "total_seconds": 1.0, "stall_seconds": 0.5, **options}
    decoders = DecoderPool(1, DecodeLimits(1_000_000, memory_for(1_000_000)))
    return ImageFetcher(Downloader(DownloadLimits(**limits), allowed={server.endpoint}), decoders, 1_000_000)


async def test_a_photo_is_fetched_once_and_its_bytes_decoded_once(server, monkeypatch) -> None:
    decodings = []
    decode = DecoderPool.first_try

    async def counted(self, content, kind, host):
        decodings.append((kind, host))
        return await decode(self, content, kind, host)

    monkeypatch.setattr(DecoderPool, "first_try", counted)
    server.answers = {path: answer(drawn((300, 200))) for path in ("/a.jpg", "/b.jpg")}
    image_fetcher = album_for(server)
    photos = await asyncio.gather(
        *(image_fetcher.photo(server.url(path)) for path in ("/a.jpg", "/b.jpg") for _ in range(10))
    )
    assert len(set(photos)) == 1
    assert (photos[0].width, photos[0].height) == (300, 200)
    assert max(opened(photos[0].thumbnail).size) == 256
    assert await image_fetcher.photo(server.url("/a.jpg")) == photos[0]
    assert sorted(request.path for request in server.requests) == ["/a.jpg", "/b.jpg"]
    assert len(decodings) == 1
    await image_fetcher.close()


async def test_a_failure_is_remembered_for_a_while(server) -> None:
    image_fetcher = album_for(server)
    for _ in range(3):
        assert await image_fetcher.photo(server.url("/gone.jpg")) is PhotoReason.GONE
    assert len(server.requests) == 1
    await image_fetcher.close()


async def test_a_defect_of_ours_costs_the_photo_and_not_the_feed(server, monkeypatch) -> None:
    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(DecoderPool, "first_try", broken)
    server.answers["/a.jpg"] = answer(drawn())
    image_fetcher = album_for(server)
    assert await image_fetcher.photo(server.url("/a.jpg")) is PhotoReason.DEFECT
    await image_fetcher.close()


async def test_closing_an_album_in_the_middle_of_everything(server) -> None:
    server.answers["/slow.jpg"] = raw(b"", then_close=False)
    server.answers["/a.jpg"] = answer(drawn((900, 900)))
    image_fetcher = album_for(server, total_seconds=60.0, stall_seconds=60.0)
    paths = ["/slow.jpg", "/a.jpg", "/slow.jpg?2"]
    waiting = [asyncio.create_task(image_fetcher.photo(server.url(path))) for path in paths]
    await server.until_busy(1)
    await image_fetcher.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)


async def test_a_feed_of_good_and_hostile_photos(server) -> None:
    """From posts to posts through the real fetcher and decoder: each gets what its photo deserves, in order."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    server.answers = {
        "/good.jpg": answer(drawn((400, 300))),
        "/good.png": answer(drawn((30, 40), kind="PNG"), headers=["Content-Type: text/html"]),
        "/page.jpg": answer(b"<html></html>", headers=["Content-Type: image/jpeg"]),
        "/picture.jpg": answer(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        "/half.jpg": raw(head + drawn((400, 300))[:-200]),
        "/dropped.jpg": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + drawn()),
        "/endless.jpg": endless(head + drawn(), bytes(10_000)),
        "/silent.jpg": raw(b"", then_close=False),
        "/inside.jpg": redirect("http://[::ffff:10.0.0.1]/"),
        "/bomb.png": answer(drawn((3_000, 3_000), kind="PNG")),
    }
    expected = {
        "/good.jpg": None,
        "/good.png": None,
        "/page.jpg": "not_an_image",
        "/picture.jpg": "not_an_image",
        "/half.jpg": "undecodable",
        "/dropped.jpg": "unreachable",
        "/endless.jpg": "too_large",
        "/silent.jpg": "timeout",
        "/inside.jpg": "refused_address",
        "/bomb.png": "too_many_pixels",
        "/nothing.jpg": "gone",
    }
    posts = [with_photo(number, server.url(path)) for number, path in enumerate(expected)]
    posts += [with_photo(98, "http://169.254.169.254/latest/meta-data/"), with_photo(99, "file:///etc/passwd")]
    source = illustrated(ListSource(posts), album_for(server))
    received = await everything(source)
    assert [one.event.id for one in received] == [one.id for one in posts]
    reasons = [one.event.media[0].reason for one in received]
    assert reasons == [*expected.values(), "refused_address", "bad_url"]
    for one in received:
        (photo,) = one.event.media
        assert (photo.thumbnail is None) == (photo.reason is not None)
    assert source.photos.snapshot()[FOUND] == 2
    assert sum(source.photos.snapshot().values()) == len(posts)
    await source.close()


async def test_the_settings_make_an_album_that_works(server) -> None:
    server.answers["/a.jpg"] = answer(drawn())
    address, port = server.endpoint
    image_fetcher = open_image_fetcher(
        load_settings({"TAGSTREAM_MEDIA_ALLOWED": f"{address}:{port}", "TAGSTREAM_MEDIA_MAX_PIXELS": "10000"})
    )
    assert isinstance(await image_fetcher.photo(server.url("/a.jpg")), FetchedImage)
    server.answers["/b.png"] = answer(drawn((101, 100), kind="PNG"))
    assert await image_fetcher.photo(server.url("/b.png")) is PhotoReason.TOO_MANY_PIXELS
    await image_fetcher.close()


def test_the_page_lists_every_reason_and_whether_it_can_pass() -> None:
    page = (REPOSITORY / "docs" / "explanation" / "media.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (yes)? ?\|$", page, re.MULTILINE)
    assert rows == [(reason.value, "yes" if reason.can_pass else "") for reason in PhotoReason]
