"""Image encoders of tests: versions whose files belong together around a network that is none, and their pictures."""

import io

import numpy as np
from PIL import Image

from training.image.triton_config import write_configuration
from workers.models.image_repository import LABELS, NAME, ImageDescription, open_image_version
from workers.models.version_folder import GPU_MODEL, MODEL

SHADES = ("black", "dark", "pale", "white")


def write_version(repository, version=1, generation=3, labels=SHADES, side=28, region_width=2):
    """A whole version; its network is bytes that only Triton (or a fake of it) would read."""
    folder = repository / NAME / str(version)
    folder.mkdir(parents=True)
    description = ImageDescription(
        labels=list(labels), side=side, region_width=region_width, temperature=1.0, threshold=0.5, precision=0.9,
        generation=generation,
    )  # fmt: skip
    (folder / LABELS).write_text(description.model_dump_json())
    for name in (MODEL, GPU_MODEL):
        (folder / name).write_bytes(f"{name} of version {version}".encode())
    write_configuration(repository / NAME)
    return open_image_version(repository, version)


def shade(number, width=64, height=48):
    """A thumbnail of one shade, that of `SHADES[number]`."""
    return jpeg(Image.new("RGB", (width, height), (64 * number + 32,) * 3))


def blobs(width=256, height=192, seed=1):
    """A picture of colours that run into each other."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image, **options):
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()
