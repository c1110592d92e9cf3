"""Drawn images: charts, scenes and cards. A feed shares a pool of them, each drawn when it is first needed."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from ingest.sources.simulate.random import Random

POOL = 48
MAX_THUMBNAIL_SIDE = 256

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """An encoded image (PNG or JPEG), what it shows, and its thumbnail (JPEG)."""

    content: bytes
    format: str
    width: int
    height: int
    shows: str
    sha256: str
    thumbnail: bytes


@lru_cache(maxsize=2 * POOL)
def picture(seed: int, number: int) -> DrawnPicture:
    """Draws image `number` (modulo the pool) of the feed with this seed."""
    random = Random(f"{seed}/picture/{number % POOL}")
    draw_kind, encoding = random.pick(_KINDS)
    size = random.pick(((480, 320), (320, 480), (400, 400), (640, 360)))
    image = Image.new("RGB", size, _colour(random, 180, 255))
    shows = draw_kind(random, ImageDraw.Draw(image), size)
    content = _encoded(image, encoding)
    small = image.copy()
    small.thumbnail((MAX_THUMBNAIL_SIDE, MAX_THUMBNAIL_SIDE))
    digest = hashlib.sha256(content).hexdigest()
    return DrawnPicture(content, encoding, *size, shows, digest, _encoded(small, "JPEG"))


def _encoded(image: Image.Image, encoding: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, encoding, **({"quality": 80} if encoding == "JPEG" else {}))
    return buffer.getvalue()


def _colour(random: Random, least: int, most: int) -> Colour:
    return random.between(least, most), random.between(least, most), random.between(least, most)


def _bars(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    count = random.between(4, 9)
    for number in range(count):
        left = 20 + number * (width - 40) // count
        right = left + (width - 40) // count - 6
        draw.rectangle((left, random.between(30, height - 60), right, height - 30), fill=_colour(random, 20, 200))
    draw.line((15, height - 30, width - 15, height - 30), fill=(0, 0, 0), width=2)
    return f"Bar chart with {count} bars"


def _curve(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    for line in range(1, 6):
        draw.line((20, line * height // 6, width - 20, line * height // 6), fill=(160, 160, 160))
    level, points = height // 2, []
    for step in range(24):
        level = min(height - 20, max(20, level + random.between(-30, 30)))
        points.append((20 + step * (width - 40) // 23, level))
    draw.line(points, fill=_colour(random, 0, 150), width=3)
    return "Line chart going " + ("up" if points[-1][1] < points[0][1] else "down")


def _hills(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    sun = random.between(40, width - 60)
    draw.ellipse((sun, 30, sun + 50, 80), fill=(250, 210, 60))
    for depth in range(3):
        top = height // 2 + depth * height // 8
        middle = random.between(0, width)
        slope = [(-width, height), (middle, top), (2 * width, height)]
        draw.polygon(slope, fill=_colour(random, 30 + 30 * depth, 90 + 30 * depth))
    return "Hills under a low sun"


def _skyline(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    draw.rectangle((0, 0, width, height), fill=_colour(random, 10, 60))
    left = 0
    while left < width:
        right = left + random.between(25, 60)
        top = random.between(height // 5, height - 60)
        draw.rectangle((left, top, right, height), fill=_colour(random, 60, 110))
        for window in range(top + 8, height - 10, 18):
            if random.chance(0.7):
                draw.rectangle((left + 6, window, left + 12, window + 8), fill=(255, 230, 140))
        left = right + 3
    return "A city skyline at night"


def _sea(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    draw.rectangle((0, height // 2, width, height), fill=(20, 70, random.between(110, 200)))
    hull = random.between(60, width - 140)
    deck = height // 2 + 10
    draw.polygon([(hull, deck), (hull + 80, deck), (hull + 60, deck + 25), (hull + 20, deck + 25)], fill=(120, 60, 30))
    draw.polygon([(hull + 40, deck - 90), (hull + 40, deck - 5), (hull + 85, deck - 5)], fill=_colour(random, 150, 255))
    return "A sailing boat on a calm sea"


def _pitch(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    draw.rectangle((0, 0, width, height), fill=(30, random.between(110, 150), 40))
    draw.rectangle((20, 20, width - 20, height - 20), outline=(255, 255, 255), width=3)
    draw.line((width // 2, 20, width // 2, height - 20), fill=(255, 255, 255), width=3)
    for team in (_colour(random, 0, 255), _colour(random, 0, 255)):
        for _ in range(11):
            x, y = random.between(25, width - 35), random.between(25, height - 35)
            draw.ellipse((x, y, x + 10, y + 10), fill=team)
    return "A football pitch seen from above"


_CARDS = ("STAY SAFE", "WE ARE HIRING", "SOLD OUT", "SAVE THE DATE", "THANK YOU", "BREAKING", "LOST DOG", "VOTE TODAY")


def _card(random: Random, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> str:
    width, height = size
    words = random.pick(_CARDS)
    draw.rectangle((12, 12, width - 12, height - 12), outline=_colour(random, 0, 120), width=6)
    draw.text((width // 8, height // 2 - 20), words, fill=(20, 20, 20), font_size=width // 11)
    return f"A card that says {words}"


_KINDS: Sequence[tuple[Callable[[Random, ImageDraw.ImageDraw, tuple[int, int]], str], str]] = (
    (_bars, "PNG"),
    (_curve, "PNG"),
    (_card, "PNG"),
    (_hills, "JPEG"),
    (_skyline, "JPEG"),
    (_sea, "JPEG"),
    (_pitch, "JPEG"),
)
