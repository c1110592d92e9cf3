"""Every format up to the limit of pixels, and not beyond it: in the memory that a decoder has for that limit."""

import functools
import io

import pytest
from PIL import Image

from ingest.media.decode import DecodeLimits, DecoderPool, memory_for
from ingest.media.sniff import sniff
from tagstream.media_reasons import PhotoReason, PhotoRefused

LIMIT = 40_000_000
JUST_BELOW, JUST_ABOVE = (7_000, 5_700), (7_000, 5_730)
KINDS = {
    "JPEG": ("JPEG", "RGB", {}),
    "progressive JPEG": ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    "JPEG of inks": ("JPEG", "CMYK", {"progressive": True}),
    "PNG": ("PNG", "RGB", {"compress_level": 1}),
    "PNG with transparency": ("PNG", "RGBA", {"compress_level": 1}),
    "PNG of 16 bit": ("PNG", "I;16", {"compress_level": 1}),
    "PNG of a palette": ("PNG", "P", {"compress_level": 1, "transparency": 0}),
    "WebP": ("WEBP", "RGB", {"method": 0}),
    "WebP with transparency": ("WEBP", "RGBA", {"method": 0}),
    "WebP without loss": ("WEBP", "RGBA", {"method": 0, "lossless": True, "quality": 0}),
    "WebP that moves": ("WEBP", "RGBA", {"method": 0, "save_all": True}),
    "GIF": ("GIF", "P", {}),
    "GIF that moves": ("GIF", "P", {"save_all": True}),
}


@functools.cache
def texture(size, mode):
    """Smooth, with some structure everywhere."""
    tile = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn) for turn in (0, 90, 180)])
    image = tile.resize(size, Image.Resampling.NEAREST)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size, Image.Resampling.NEAREST))
        return image
    return image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)


def picture(name, size) -> bytes:
    kind, mode, options = KINDS[name]
    if "save_all" in options:
        options = {**options, "append_images": [Image.new(mode, size), texture(size, mode).rotate(180)]}
    buffer = io.BytesIO()
    texture(size, mode).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
async def pool():
    """As the settings make it."""
    decoders = DecoderPool(1, DecodeLimits(LIMIT, memory_for(LIMIT), processor_seconds=30.0, still_seconds=300.0))
    yield decoders
    await decoders.close()


@pytest.mark.parametrize("name", KINDS)
async def test_a_picture_just_below_the_limit_is_decoded(name, pool) -> None:
    content = picture(name, JUST_BELOW)
    photo = await pool.decode(content, sniff(content[:12]))
    assert (photo.width, photo.height) == JUST_BELOW


@pytest.mark.parametrize("name", KINDS)
async def test_and_one_just_above_it_has_too_many_pixels(name, pool) -> None:
    content = picture(name, JUST_ABOVE)
    with pytest.raises(PhotoRefused) as refusal:
        await pool.decode(content, sniff(content[:12]))
    assert refusal.value.reason is PhotoReason.TOO_MANY_PIXELS
