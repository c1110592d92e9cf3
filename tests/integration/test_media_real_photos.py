"""Photographs as cameras and phones make them, where the data sets have some: each is decoded, none is too hard."""

import io

import pytest
from PIL import Image

from ingest.media.decode import DecodeLimits, DecoderPool, memory_for
from ingest.media.sniff import sniff
from tagstream.settings import Settings

FOLDER = Settings().data / "photos"
PHOTOS = sorted(path for path in FOLDER.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif"))


@pytest.mark.skipif(not PHOTOS, reason=f"there are no photos in {FOLDER}")
async def test_real_photos_become_thumbnails() -> None:
    decoders = DecoderPool(1, DecodeLimits(Settings().media_max_pixels, memory_for(Settings().media_max_pixels)))
    try:
        for path in PHOTOS:
            content = path.read_bytes()
            kind = sniff(content[:12])
            assert kind is not None, path
            photo = await decoders.decode(content, kind)
            with Image.open(path) as original, Image.open(io.BytesIO(photo.thumbnail)) as small:
                assert {photo.width, photo.height} == set(original.size), path
                assert max(small.size) == min(256, max(original.size)), path
                assert small.getexif() == {}, path
                assert abs(small.width * photo.height - small.height * photo.width) <= max(original.size), path
    finally:
        await decoders.close()
    assert len(PHOTOS) > 3
