"""Hostile pictures: whatever one holds, it costs bounded time and memory, and at most its own refusal."""

import asyncio
import io
import random
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from ingest.media.decode import DecodeLimits, DecoderPool, TakesLonger, memory_for
from ingest.media.sniff import sniff
from tagstream.media_reasons import PhotoReason, PhotoRefused

LIMIT = 40_000_000
MIB = 1024 * 1024
ANSWERS = {None, PhotoReason.UNDECODABLE, PhotoReason.TOO_MANY_PIXELS, PhotoReason.TOO_COSTLY}
# A picture may take 0.25 s and then 3 s of processor time, each twice if its process dies, on a machine that is busy.
SECONDS = 60.0


@pytest.fixture
async def pool():
    decoders = DecoderPool(1, DecodeLimits(LIMIT, memory_for(LIMIT), still_seconds=SECONDS))
    yield decoders
    await decoders.close()


async def outcome(pool: DecoderPool, content: bytes) -> PhotoReason | None:
    """Why it was refused, or None; anything but a refusal fails, and so does one that takes too long."""
    kind = sniff(content[:12])
    if kind is None:
        return PhotoReason.UNDECODABLE
    began = time.monotonic()
    try:
        photo = await pool.decode(content, kind)
    except PhotoRefused as refusal:
        return refusal.reason
    finally:
        assert time.monotonic() - began < SECONDS
    assert photo.width * photo.height <= LIMIT
    small = Image.open(io.BytesIO(photo.thumbnail))
    small.load()
    assert max(small.size) <= 256
    return None


def peak_bytes(pool: DecoderPool) -> int:
    """The most memory that any of the waiting processes has had."""
    statuses = [Path(f"/proc/{pid}/status") for pid in pool.process_ids]
    lines = [line for path in statuses if path.exists() for line in path.read_text("ascii").splitlines()]
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmPeak")), default=0)


def encoded(image, kind, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seeds() -> list[bytes]:
    """Small files of each format, and of each way to write it."""
    photo = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn) for turn in (0, 90, 180)]).resize((48, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "words"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    moving = {"save_all": True, "append_images": [photo.rotate(90), photo.rotate(180)]}
    return [
        encoded(photo, "JPEG", exif=exif, icc_profile=b"profile" * 30, comment=b"comment"),
        encoded(photo, "JPEG", progressive=True, exif=exif),
        encoded(photo.convert("CMYK"), "JPEG"),
        encoded(photo, "PNG", exif=exif, icc_profile=b"profile" * 30),
        encoded(photo.quantize(7), "PNG", transparency=3),
        encoded(photo.convert("L").convert("I;16"), "PNG"),
        encoded(photo, "PNG", **moving),
        encoded(photo, "WEBP", exif=exif),
        encoded(photo.convert("RGBA"), "WEBP", lossless=True),
        encoded(photo, "WEBP", **moving),
        encoded(photo, "GIF"),
        encoded(photo, "GIF", **moving),
    ]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """The file with a few things wrong: bytes, numbers, pieces doubled, left out, moved, or an end that is missing."""
    spoilt = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(spoilt))
        match dice.randrange(7):
            case 0:
                spoilt[place] ^= 1 << dice.randrange(8)
            case 1:
                spoilt[place] = dice.randrange(256)
            case 2:
                number = dice.choice((0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFE))
                spoilt[place : place + 4] = struct.pack(dice.choice("<>") + "I", number)
            case 3:
                spoilt[place : place + 2] = struct.pack(dice.choice("<>") + "H", dice.choice((0, 1, 0x7FFF, 0xFFFF)))
            case 4:
                spoilt[place:place] = spoilt[place : place + dice.randrange(64)] * dice.randint(1, 50)
            case 5:
                del spoilt[place : place + dice.randrange(1, 40)]
            case _:
                del spoilt[max(13, place) :]
        if len(spoilt) < 13:
            break
    return bytes(content[:4] + spoilt[4:])


@pytest.mark.parametrize("number", range(12))
async def test_mutated_files(number, pool) -> None:
    content, dice = seeds()[number], random.Random(number)
    assert await outcome(pool, content) is None
    for _ in range(3_000):
        assert await outcome(pool, mutated(content, dice)) in ANSWERS
    assert peak_bytes(pool) <= memory_for(LIMIT)
    assert await outcome(pool, content) is None


@pytest.mark.parametrize("number", range(12))
async def test_files_that_are_cut_off_anywhere(number, pool) -> None:
    content = seeds()[number]
    for length in range(13, len(content), max(1, len(content) // 80)):
        assert await outcome(pool, content[:length]) in ANSWERS
    assert await outcome(pool, content) is None


def png_chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return struct.pack(">I", size) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks: bytes, size=(2, 2), data: bytes | None = None) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes((size[0] * 3 + 1) * size[1])) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def squeezed(size: int) -> bytes:
    squeeze = zlib.compressobj(9)
    return b"".join(squeeze.compress(bytes(MIB)) for _ in range(size // MIB)) + squeeze.flush()


def jpeg_with(*segments: bytes) -> bytes:
    content = encoded(Image.new("RGB", (16, 16)), "JPEG")
    return content[:2] + b"".join(segments) + content[2:]


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def exif(*directories: bytes, order: bytes = b"MM\0*") -> bytes:
    return segment(0xE1, b"Exif\0\0" + order + struct.pack(">I", 8) + b"".join(directories))


def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
    packed = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    return struct.pack(">H", len(entries)) + packed + struct.pack(">I", following)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def canvas(flags: int, width: int, height: int) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes((flags, 0, 0, 0)) + sides


def gif_frames(count: int, screen: int = 8) -> bytes:
    frame = b"\x21\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    size = struct.pack("<HH", screen, screen)
    return b"GIF89a" + size + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + frame * count + b";"


def webp_frames(count: int) -> bytes:
    still = encoded(Image.new("RGB", (8, 8)), "WEBP")
    place = (0).to_bytes(6, "little") + (7).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0"
    frames = [(b"ANMF", place + still[12:])] * count
    return riff(canvas(2, 8, 8), (b"ANIM", bytes(6)), *frames)


def apng_frames(count: int) -> bytes:
    control = png_chunk(b"acTL", struct.pack(">II", count, 0))
    rows = zlib.compress(bytes(14))
    frames, number = [], 0
    for _ in range(count):
        frames.append(png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 2, 2, 0, 0, 1, 100, 0, 0)))
        frames.append(png_chunk(b"fdAT", struct.pack(">I", number + 1) + rows))
        number += 2
    whole = png(control)
    return whole[:-12] + b"".join(frames) + whole[-12:]


LOOP = directory([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x0112, 3, 1, 6 << 16)], 8)
MANY = directory([(0x0100 + number % 0x8000, 5, 0xFFFF_FFFF, 8) for number in range(5_000)], 8)
PROFILE = b"ICC_PROFILE\0"
BOMBS = {
    "GIF of 100,000 frames": lambda: gif_frames(100_000),
    "GIF whose screen is large and frame small": lambda: gif_frames(1, 6_000),
    "GIF that ends nowhere": lambda: gif_frames(1)[:-1] + b"\x21\xfe" + b"\xff" * 1_000_000,
    "GIF of empty extensions": lambda: gif_frames(1)[:19] + b"\x21\xff\0" * 1_000_000 + b";",
    "WebP of 100,000 frames": lambda: webp_frames(100_000),
    "WebP whose frame is larger than its canvas": lambda: riff(canvas(0, 1, 1), (b"VP8 ", bytes(2_000))),
    "WebP whose chunk has 2**32 - 1 bytes": lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + bytes(999),
    "WebP of a million unknown chunks": lambda: riff(canvas(0, 8, 8), *[(b"junk", b"")] * 1_000_000),
    "WebP with a profile of 8 MB": lambda: riff(canvas(32, 8, 8), (b"ICCP", bytes(8 * MIB)), (b"VP8 ", bytes(99))),
    "PNG of 10,000 frames": lambda: apng_frames(10_000),
    "PNG that says 2**32 - 1 frames": lambda: png(png_chunk(b"acTL", b"\xff" * 8)),
    "PNG whose chunk has 2**32 - 1 bytes": lambda: png(png_chunk(b"tEXt", b"a\0b", 0xFFFF_FFFF)),
    "PNG whose chunk has 2**31 - 1 bytes": lambda: png(png_chunk(b"IDAT", b"x", 0x7FFF_FFFF)),
    "PNG with a compressed text of 512 MB": lambda: png(png_chunk(b"zTXt", b"a\0\0" + squeezed(512 * MIB))),
    "PNG with 500 compressed texts": lambda: png(*[png_chunk(b"zTXt", b"a\0\0" + squeezed(MIB))] * 500),
    "PNG with an international text": lambda: png(png_chunk(b"iTXt", b"a\0\x01\0\0\0" + squeezed(512 * MIB))),
    "PNG with a profile of 512 MB": lambda: png(png_chunk(b"iCCP", b"p\0\0" + squeezed(512 * MIB))),
    "PNG with XMP and EXIF of 512 MB": lambda: png(
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + squeezed(512 * MIB))
    ),
    "PNG of a million empty chunks": lambda: png(*[png_chunk(b"teXt", b"")] * 1_000_000),
    "PNG of a million empty rows": lambda: png(*[png_chunk(b"IDAT", b"")] * 1_000_000),
    "PNG whose rows unpack to 512 MB": lambda: png(data=squeezed(512 * MIB)),
    "PNG with EXIF in a circle": lambda: png(png_chunk(b"eXIf", b"MM\0*" + struct.pack(">I", 8) + LOOP)),
    "JPEG with EXIF in a circle": lambda: jpeg_with(exif(LOOP)),
    "JPEG with EXIF of great counts": lambda: jpeg_with(exif(MANY)),
    "JPEG with EXIF 500 times": lambda: jpeg_with(*[exif(LOOP)] * 500),
    "JPEG with a profile in 255 parts": lambda: jpeg_with(
        *[segment(0xE2, PROFILE + bytes((number, 255)) + bytes(65_000)) for number in range(1, 256)]
    ),
    "JPEG with a picture of pictures": lambda: jpeg_with(
        segment(0xE2, b"MPF\0MM\0*" + struct.pack(">I", 8) + directory([(0xB001, 4, 1, 0xFFFF_FFFF)], 8))
    ),
    "JPEG of a million fill bytes": lambda: b"\xff\xd8" + b"\xff" * 5_000_000 + b"\xd9",
    "JPEG of a million comments": lambda: jpeg_with(*[segment(0xFE, b"")] * 1_000_000),
    "JPEG with resources in 100 parts": lambda: jpeg_with(
        *[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5_000)] * 100
    ),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bombs(name, pool) -> None:
    content = BOMBS[name]()
    assert len(content) < 32 * MIB
    assert await outcome(pool, content) in ANSWERS
    assert peak_bytes(pool) <= memory_for(LIMIT)
    assert await outcome(pool, seeds()[0]) is None


def crowded(kind: str, number: int) -> bytes:
    """A small picture that took as long as fifty photos, different for each number."""
    mark = struct.pack(">I", number)
    match kind:
        case "segments":
            return jpeg_with(segment(0xFE, mark), *[segment(0xE1, b"")] * 250_000)
        case "fill":
            return jpeg_with(segment(0xFE, mark), b"\xff" * 1_000_000)
        case "blocks":
            return gif_frames(1)[:19] + b"\x21\xfe\x04" + mark + b"\x01a" * 1_500_000 + b"\0" + gif_frames(1)[19:]
        case _:  # what only its cost tells
            noise = encoded(Image.effect_noise((2_700, 2_700), 60).convert("RGB"), "PNG", compress_level=1)
            return noise[:33] + png_chunk(b"tEXt", b"k\0" + mark) + noise[33:]


async def median_seconds(pool: DecoderPool, healthy: list[bytes], hostile: dict[int, bytes]) -> float:
    """When half of the healthy photos of one host are there, that were asked for at once with the hostile ones."""
    began, done = time.monotonic(), []

    async def one(content: bytes, host: str) -> None:
        try:
            await pool.first_try(content, sniff(content[:12]), host)
        except (PhotoRefused, TakesLonger):
            assert host != "good.example"
        if host == "good.example":
            done.append(time.monotonic() - began)

    tasks = []
    for number, content in enumerate(healthy):
        if number in hostile:
            tasks.append(one(hostile[number], f"{number}.hostile.example"))
        tasks.append(one(content, "good.example"))
    await asyncio.gather(*tasks)
    assert len(done) == len(healthy)
    return sorted(done)[len(done) // 2]


@pytest.mark.parametrize("kind", ["segments", "fill", "blocks", "other"])
async def test_one_hostile_picture_in_twenty_each_of_a_new_host_makes_no_healthy_one_late(kind, pool) -> None:
    """Measured beside a feed without them; each that went first and had a process started after it took as much."""
    photo = encoded(Image.effect_noise((300, 300), 40), "JPEG")
    healthy = [photo[:2] + segment(0xFE, struct.pack(">I", number)) + photo[2:] for number in range(200)]
    hostile = {number: crowded(kind, number) for number in range(0, 200, 20)}
    for content in healthy[:20]:
        await pool.first_try(content, "JPEG", "good.example")
    alone = await median_seconds(pool, healthy, {})
    assert await median_seconds(pool, healthy, hostile) < 3 * alone + 1
