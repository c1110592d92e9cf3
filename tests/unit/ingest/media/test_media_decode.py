"""Decoding: what pictures become, what is refused, and that neither a picture nor its decoder can do any harm."""

import asyncio
import io
import os
import signal
import struct
import zlib
from pathlib import Path

import pytest
from media_server import drawn, opened
from PIL import Image, PngImagePlugin

from ingest.media import decode, decode_process
from ingest.media.decode import DecodedImage, DecodeLimits, DecoderPool, memory_for
from ingest.media.sniff import sniff
from ingest.sandbox.child import Child
from tagstream.media_reasons import PhotoReason, PhotoRefused

MAX_PIXELS = 40_000_000
MIB = 1024 * 1024
ORIENTATION, GPS = 0x0112, 0x8825


@pytest.fixture
async def decoders():
    """Makes decoders with the given limits; ends them."""
    made = []

    def make(processes=1, **limits):
        limits = {"max_pixels": MAX_PIXELS, "memory_bytes": memory_for(MAX_PIXELS), "still_seconds": 60.0, **limits}
        made.append(DecoderPool(processes, DecodeLimits(**limits)))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def decoded(pool, content) -> DecodedImage:
    kind = sniff(content[:12])
    assert kind is not None
    return await pool.decode(content, kind)


async def refused(pool, content) -> PhotoReason:
    with pytest.raises(PhotoRefused) as refusal:
        await decoded(pool, content)
    return refusal.value.reason


def encoded(image, kind, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(size, mode="RGB"):
    """A picture without symmetry: dark at the top left, red to the right, green to the bottom."""
    width, height = size
    red, green = Image.linear_gradient("L").rotate(90), Image.linear_gradient("L")
    return Image.merge("RGB", (red, green, Image.new("L", (256, 256), 40))).resize((width, height)).convert(mode)


def coloured(index):
    """A picture of one entry of a palette of greys."""
    image = Image.new("P", (9, 9), index)
    image.putpalette([level for level in range(256) for _ in range(3)])
    return image


def near(colour, other, tolerance=14) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(colour, other, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_every_format_becomes_a_small_jpeg(kind, decoders) -> None:
    photo = await decoded(decoders(), encoded(gradient((800, 600)), kind))
    assert (photo.width, photo.height) == (800, 600)
    assert len(photo.thumbnail) <= 64 * 1024
    small = opened(photo.thumbnail)
    assert (small.format, small.mode, small.size) == ("JPEG", "RGB", (256, 192))
    assert near(small.getpixel((255, 191)), gradient((256, 192)).getpixel((255, 191)))
    assert not near(small.getpixel((255, 0)), small.getpixel((0, 191)))


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        pytest.param(encoded(Image.new("1", (9, 9), 1), "PNG"), (255, 255, 255), id="1 bit"),
        pytest.param(encoded(Image.new("L", (9, 9), 77), "PNG"), (77, 77, 77), id="grey"),
        pytest.param(encoded(Image.new("I;16", (9, 9), 200 * 256), "PNG"), (200, 200, 200), id="16 bit grey"),
        pytest.param(encoded(Image.new("LA", (9, 9), (0, 0)), "PNG"), (255, 255, 255), id="transparent grey"),
        pytest.param(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 128)), "PNG"), (127, 127, 127), id="half transparent"),
        pytest.param(encoded(Image.new("RGBA", (999, 99), (9, 9, 9, 0)), "WEBP"), (255, 255, 255), id="WebP"),
        pytest.param(encoded(coloured(3), "PNG", transparency=3), (255, 255, 255), id="palette"),
        pytest.param(encoded(coloured(3), "GIF", transparency=3), (255, 255, 255), id="GIF"),
        pytest.param(
            encoded(Image.new("RGB", (9, 9), 5), "PNG", transparency=(5, 0, 0)), (255, 255, 255), id="colour key"
        ),
        pytest.param(encoded(Image.new("L", (9, 9), 5), "PNG", transparency=5), (255, 255, 255), id="grey key"),
        pytest.param(encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG"), (254, 0, 0), id="CMYK"),
        pytest.param(encoded(Image.new("L", (9, 9), 60), "JPEG"), (60, 60, 60), id="grey JPEG"),
    ],
)
async def test_colours_come_out_right_over_white(content, colour, decoders) -> None:
    small = opened((await decoded(decoders(), content)).thumbnail)
    assert near(small.getpixel((4, 4)), colour, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_orientation_is_applied(orientation, kind, decoders) -> None:
    """Written as cameras do: turned back by the inverse, so that what is seen is the upright picture again."""
    inverse = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = gradient((400, 300))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    lying = upright if inverse is None else upright.transpose(inverse)
    photo = await decoded(decoders(), encoded(lying, kind, exif=exif))
    assert (photo.width, photo.height) == (400, 300)
    small, expected = opened(photo.thumbnail), gradient((256, 192))
    for place in ((5, 5), (250, 5), (5, 186), (250, 186)):
        assert near(small.getpixel(place), expected.getpixel(place)), place


@pytest.mark.parametrize("orientation", [0, 9, 65535])
async def test_an_orientation_that_makes_no_sense_is_none(orientation, decoders) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = await decoded(decoders(), encoded(gradient((40, 30)), "JPEG", exif=exif))
    assert (photo.width, photo.height) == (40, 30)


async def test_broken_exif_costs_nothing(decoders) -> None:
    for exif in (b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 999):
        assert (await decoded(decoders(), encoded(gradient((40, 30)), "JPEG", exif=exif))).width == 40


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_nothing_but_pixels_leaves(kind, decoders) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "SECRET description"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    options = {"exif": exif, "icc_profile": b"SECRET profile" * 20, "xmp": b"<x:xmpmeta>SECRET</x:xmpmeta>"}
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", "SECRET text")
        options["pnginfo"] = texts
        del options["xmp"]
    if kind == "JPEG":
        options["comment"] = b"SECRET comment"
    original = encoded(gradient((300, 200)), kind, **options)
    assert b"SECRET" in original
    assert opened(original).getexif().get_ifd(GPS)
    photo = await decoded(decoders(), original)
    small = opened(photo.thumbnail)
    assert b"SECRET" not in photo.thumbnail
    assert not small.getexif()
    assert small.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"Exif" not in photo.thumbnail
    assert b"ICC_PROFILE" not in photo.thumbnail
    assert b"http://ns.adobe.com" not in photo.thumbnail


async def test_the_same_picture_gives_the_same_bytes_in_any_process(decoders) -> None:
    content = encoded(gradient((700, 500)), "PNG")
    first, second = await decoded(decoders(), content), await decoded(decoders(), content)
    assert first == second


async def test_the_hardest_thumbnail_fits(decoders) -> None:
    noise = Image.merge("RGB", [Image.effect_noise((256, 256), 250) for _ in range(3)])
    assert len((await decoded(decoders(), encoded(noise, "PNG"))).thumbnail) <= 64 * 1024


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (30_000, 1), (1, 30_000), (256, 256), (257, 256)])
async def test_odd_sizes(size, decoders) -> None:
    photo = await decoded(decoders(), encoded(Image.new("RGB", size), "PNG"))
    assert (photo.width, photo.height) == size
    small = opened(photo.thumbnail)
    assert max(small.size) == min(max(size), 256)


async def test_of_many_frames_the_first_is_taken_and_no_other_looked_at(decoders) -> None:
    frames = [Image.new("L", (8, 8), number % 251) for number in range(10_000)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pool = decoders(processor_seconds=1)
    whole = await decoded(pool, content)
    assert (whole.width, whole.height) == (8, 8)
    assert whole == await decoded(pool, content[: len(content) // 100] + b";")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    """A PNG that says that it has this size, with these (compressed) rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def squeezed(size: int) -> bytes:
    """So many zero bytes, compressed."""
    squeeze = zlib.compressobj(9)
    return b"".join(squeeze.compress(bytes(MIB)) for _ in range(size // MIB)) + squeeze.flush()


async def test_bombs_are_refused_before_they_are_decoded(decoders) -> None:
    bombs = {
        "one colour, 50,000 pixels a side": png(50_000, 50_000, squeezed(64 * MIB)),
        "a side that is too long": png(30_001, 1, zlib.compress(bytes(90_004))),
        "the largest a PNG can say": png(2**31 - 1, 2**31 - 1, b""),
        "GIF": b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\0\0\0\0\xff\xff\xff\xff\x00\x02\x02D\x01\x00;",
    }
    pool = decoders(memory_bytes=96 * MIB, processor_seconds=1)
    for name, bomb in bombs.items():
        assert await refused(pool, bomb) is PhotoReason.TOO_MANY_PIXELS, name
    assert len(pool.process_ids) == 1


@pytest.mark.parametrize("chunk", ["VP8X", "VP8L", "VP8 "])
async def test_the_largest_webp_there_can_be_is_no_more_than_too_large(chunk, decoders) -> None:
    """It says so in its first bytes, and gigabytes of canvas are not tried before that is read."""
    kinds = {"VP8X": ("RGBA", {}), "VP8L": ("RGB", {"lossless": True}), "VP8 ": ("RGB", {})}
    mode, options = kinds[chunk]
    buffer = io.BytesIO()
    Image.new(mode, (16, 16), (1, 2, 3, 4)[: len(mode)]).save(buffer, "WEBP", **options)
    content = bytearray(buffer.getvalue())
    assert content[12:16] == chunk.encode()
    place, sides = {"VP8X": (24, b"\xff" * 6), "VP8L": (21, b"\xff\xff\xff\x0f"), "VP8 ": (26, b"\xff\x3f\xff\x3f")}[
        chunk
    ]
    content[place : place + len(sides)] = sides
    assert await refused(decoders(), bytes(content)) is PhotoReason.TOO_MANY_PIXELS


async def test_a_webp_of_as_many_pixels_as_there_may_be_fits_into_memory(decoders) -> None:
    """Of all formats it needs most: two canvases, a frame and the picture. The others: tests/deep."""
    content = encoded(Image.new("RGB", (7_000, 5_700)), "WEBP", method=0)
    assert (await decoded(decoders(processor_seconds=30.0), content)).width == 7_000


async def test_a_profile_that_unpacks_to_much_costs_little(decoders) -> None:
    bomb = png(2, 2, zlib.compress(bytes(14)), chunk(b"iCCP", b"p\0\0" + squeezed(256 * MIB)))
    pool = decoders(memory_bytes=96 * MIB, processor_seconds=2)
    assert await refused(pool, bomb) is PhotoReason.UNDECODABLE


async def test_a_picture_that_needs_more_memory_than_it_may_is_refused(decoders) -> None:
    large = encoded(Image.new("RGBA", (6_000, 6_000)), "PNG", compress_level=1)
    pool = decoders(memory_bytes=96 * MIB)
    assert await refused(pool, large) is PhotoReason.TOO_COSTLY
    assert (await decoded(pool, drawn())).width == 64
    assert (await decoded(decoders(), large)).width == 6_000


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last scan is there so many times: each makes the decoder go over all of it again."""
    content = encoded(Image.effect_noise((2_000, 2_000), 5), "JPEG", progressive=True, quality=10)
    last = content.rindex(b"\xff\xda")
    tables = content.rindex(b"\xff\xc4", 0, last)
    return content[:-2] + content[tables:-2] * scans + content[-2:]


async def test_a_picture_that_takes_too_long_is_guilty_and_its_decoder_replaced(decoders) -> None:
    pool = decoders(processor_seconds=0.2)
    assert (await decoded(pool, drawn())).width == 64
    (before,) = pool.process_ids
    assert await refused(pool, scan_bomb(3_000)) is PhotoReason.TOO_COSTLY
    assert (await decoded(pool, drawn())).width == 64
    assert pool.process_ids != (before,)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(drawn((600, 400))[:-500], id="cut off"),
        pytest.param(drawn()[:20], id="hardly begun"),
        pytest.param(drawn(kind="PNG")[:60], id="PNG cut off"),
        pytest.param(drawn(kind="WEBP")[:30], id="WebP cut off"),
        pytest.param(drawn(kind="GIF")[:20], id="GIF cut off"),
        pytest.param(b"\xff\xd8\xff" + b"<html><script>alert(1)</script>" * 99, id="a page that begins like a JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(1000), id="a PNG of zeros"),
        pytest.param(b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(1000), id="a WebP of zeros"),
        pytest.param(b"GIF89a" + b"\xff" * 1000, id="a GIF of ones"),
        pytest.param(b"\xff\xd8\xff\xe1\xff\xffExif\0\0" + b"\xff" * 99_999, id="an endless segment"),
    ],
)
async def test_what_is_broken_is_refused_and_the_decoder_lives_on(content, decoders) -> None:
    pool = decoders()
    assert await refused(pool, content) in {PhotoReason.UNDECODABLE, PhotoReason.TOO_MANY_PIXELS}
    (before,) = pool.process_ids
    assert (await decoded(pool, drawn())).width == 64
    assert pool.process_ids == (before,)


async def test_every_byte_of_a_picture_may_be_wrong(decoders) -> None:
    pool = decoders()
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        content = encoded(gradient((40, 30)), kind)
        for place in range(0, len(content), max(1, len(content) // 60)):
            spoilt = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
            if sniff(spoilt[:12]) is not None:
                try:
                    photo = await decoded(pool, spoilt)
                except PhotoRefused:
                    continue
                assert max(opened(photo.thumbnail).size) <= 256


async def test_a_picture_that_is_also_a_page_comes_out_as_a_picture_alone(decoders) -> None:
    for content in (drawn(comment=b"<script>alert(1)</script>"), drawn() + b"<script>alert(1)</script>"):
        assert b"script" not in (await decoded(decoders(), content)).thumbnail


def test_what_bytes_are_is_seen_from_their_beginning() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        assert sniff(drawn(kind=kind)[:12]) == kind
    for kind in ("BMP", "TIFF", "ICO", "PPM", "AVIF", "TGA", "PDF", "EPS"):
        assert sniff(drawn(kind=kind)[:12]) is None, kind
    for other in (
        b"",
        b"<svg",
        b"<!DOCTYPE html>",
        b"RIFF\0\0\0\0WAVE",
        b"\x00\x00\x00\x18ftypmp42",
        b"BM" + bytes(10),
    ):
        assert sniff(other) is None


async def test_decoders_that_were_killed_are_replaced(decoders) -> None:
    pool = decoders()
    first = await decoded(pool, drawn())
    (pid,) = pool.process_ids
    os.kill(pid, signal.SIGKILL)
    assert await decoded(pool, drawn()) == first
    assert pool.process_ids != (pid,)


async def test_one_death_does_not_make_a_picture_guilty_and_two_do(decoders, monkeypatch) -> None:
    pool = decoders()
    ask, deaths = Child.ask, [2]

    async def killed(self, request):
        if deaths[0]:
            deaths[0] -= 1
            os.kill(self.pid, signal.SIGKILL)
        return await ask(self, request)

    monkeypatch.setattr(Child, "ask", killed)
    assert await refused(pool, drawn()) is PhotoReason.UNDECODABLE
    deaths[0] = 1
    assert (await decoded(pool, drawn())).width == 64


async def test_a_decoder_that_stands_still_is_given_up_and_the_picture_is_not_guilty(decoders) -> None:
    pool = decoders(still_seconds=0.3)
    await decoded(pool, drawn())
    (pid,) = pool.process_ids
    os.kill(pid, signal.SIGSTOP)
    reason = await refused(pool, drawn())
    assert reason is PhotoReason.NO_DECODER
    assert reason.can_pass
    assert pool.process_ids == ()
    assert (await decoded(pool, drawn())).width == 64


async def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(decoders) -> None:
    pool = decoders()
    await decoded(pool, drawn())
    large = encoded(gradient((3_000, 3_000)), "PNG")
    task = asyncio.create_task(decoded(pool, large))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await decoded(pool, drawn((64, 48)))).width == 64


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        decode_process.ANSWER.pack(0, 10, 10),
        decode_process.ANSWER.pack(0, 10, 10) + b"GIF",
        decode_process.ANSWER.pack(0, 0, 10) + b"\xff\xd8\xff",
        decode_process.ANSWER.pack(0, 2**31, 10) + b"\xff\xd8\xff",
        decode_process.ANSWER.pack(9, 10, 10) + b"\xff\xd8\xff",
        decode_process.ANSWER.pack(0, 10, 10) + b"\xff\xd8\xff" + bytes(decode_process.THUMBNAIL_BYTES),
    ],
)
async def test_a_decoder_that_was_taken_over_is_not_believed(answer, decoders, monkeypatch, tmp_path) -> None:
    (tmp_path / "taken_over.py").write_text(f"def handle(request):\n    return {answer!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(decode.decode_process, "__name__", "taken_over")
    assert await refused(decoders(), drawn()) is PhotoReason.UNDECODABLE


async def test_decoders_that_do_not_start_are_not_started_all_the_time(decoders, monkeypatch, tmp_path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)
    starts = []
    start = asyncio.create_subprocess_exec

    async def counted(*arguments, **options):
        starts.append(arguments)
        return await start(*arguments, **options)

    monkeypatch.setattr(decode.decode_process, "__name__", "broken")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    pool = decoders()
    for _ in range(5):
        assert await refused(pool, drawn()) is PhotoReason.NO_DECODER
    assert len(starts) == 1


async def test_several_decode_at_a_time(decoders) -> None:
    pool = decoders(processes=2)
    pictures = [drawn((100 + number, 50)) for number in range(12)]
    photos = await asyncio.gather(*(decoded(pool, content) for content in pictures))
    assert [photo.width for photo in photos] == [100 + number for number in range(12)]
    assert len(set(pool.process_ids)) == 2


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads what Linux says of a process")
async def test_a_decoder_has_no_rights_left(decoders) -> None:
    pool = decoders()
    await decoded(pool, drawn())
    (pid,) = pool.process_ids
    process = Path(f"/proc/{pid}")
    assert sorted(os.listdir(process / "fd")) == ["0", "1", "2"]
    status = (process / "status").read_text(encoding="ascii")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert set((process / "environ").read_bytes().split(b"\0")) == {b"MALLOC_ARENA_MAX=1", b""}
    lines = (process / "limits").read_text(encoding="ascii").splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    for name in ("Max open files", "Max file size", "Max core file size", "Max processes"):
        assert limits[name] == ["0", "0"], name
    assert limits["Max address space"] == [str(memory_for(MAX_PIXELS))] * 2


async def test_every_format_is_decoded_under_the_filter_without_a_refusal(decoders) -> None:
    """Whatever a codec asks of the kernel is on the list: a decoder whose list lacks something would refuse all."""
    pool = decoders()
    for kind, options in (
        ("JPEG", {"progressive": True}),
        ("PNG", {"interlace": 1}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"save_all": True, "append_images": [gradient((2_000, 1_500))]}),
        ("GIF", {"save_all": True, "append_images": [Image.new("P", (2_000, 1_500), 3)]}),
    ):
        assert (await decoded(pool, encoded(gradient((2_000, 1_500)), kind, **options))).width == 2_000
