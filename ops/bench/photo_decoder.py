"""The benchmark of a photo decoder on one core: `python -m ops.bench.photo_decoder [PHOTOS] [SIDE]`.

Draws a photo-like JPEG and decodes it again and again, all the way that every photo goes: over the pipe, into the
process without rights, and back.
"""

import asyncio
import io
import resource
import sys
import time

from PIL import Image

from ingest.media.decode import DecodeLimits, DecoderPool, memory_for

PHOTOS = 1000
SIDE = 512
_PIXELS = 40_000_000


def drawn_photo(side: int) -> bytes:
    """Returns a JPEG with smooth areas and fine grain, as cameras and phones make them."""
    smooth = Image.radial_gradient("L").resize((side, side))
    grain = Image.effect_noise((side, side), 40)
    photo = Image.merge("RGB", (smooth, Image.blend(smooth, grain, 0.3), grain))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


async def measure(photos: int, side: int) -> None:
    """Prints the rate by the clock and by the core, and the memory of the decoder."""
    content = drawn_photo(side)
    decoders = DecoderPool(1, DecodeLimits(_PIXELS, memory_for(_PIXELS)))
    await decoders.decode(content, "JPEG")
    began = time.perf_counter()
    for _ in range(photos):
        await decoders.decode(content, "JPEG")
    seconds = time.perf_counter() - began
    await decoders.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"JPEG, {side} px a side, {len(content):,} bytes: {photos / seconds:,.0f} photos/s through one decoder")
    print(f"of one core {photos / (used.ru_utime + used.ru_stime):,.0f} photos/s, peak {used.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(measure(*(*arguments, *(PHOTOS, SIDE)[len(arguments) :])))
