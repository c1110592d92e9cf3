"""The option `tagstream tag --photo`: a file becomes the photo of a post, and the image model looks at it.

The file is decoded as a photo of a feed is, by processes without rights and into the same thumbnail. So its labels are
those that a feed would give.
"""

import asyncio
import hashlib
import stat
from pathlib import Path

from ingest.media.decode import DecodedImage, DecodeLimits, DecoderPool, memory_for
from ingest.media.sniff import SNIFFED_BYTES, Format, sniff
from tagstream.cli.console import note
from tagstream.errors import BadSettings, Poison, Retryable, UnreadableInput
from tagstream.media_reasons import PhotoRefused
from tagstream.posts import Media, Post
from tagstream.settings import Settings
from workers.images.interface import ImageModel, captions_of
from workers.images.step import image_context_of
from workers.open_models import open_image_model
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext


def with_photo(post: Post, path: Path, settings: Settings) -> tuple[Post, ImageContext]:
    """Returns the post with the photo, its `alt` kept, and the image context of the photo.

    Raises:
        UnreadableInput: the file cannot be read.
        BadSettings: the file is no photo that the pipeline would accept.
    """
    content = _content(path, settings.media_max_bytes)
    decoded = asyncio.run(_decoded(path, content, settings))
    photo = Media(
        alt=post.media[0].alt if post.media else None,
        sha256=hashlib.sha256(content).hexdigest(),
        width=decoded.width,
        height=decoded.height,
        thumbnail=decoded.thumbnail,
    )
    post = post.model_copy(update={"media": (photo,)})
    image_model = open_image_model(settings)
    if image_model is None:
        note("there is no image model here, so the photo has no labels")
        return post, NO_IMAGE_CONTEXT
    return post, _context_of(post, decoded.thumbnail, image_model)


def _content(path: Path, most: int) -> bytes:
    try:
        # Opening a pipe waits for its writer, and a device may have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableInput(f"--photo {path}: no regular file. Write the photo into one first")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UnreadableInput(f"--photo {path}: cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise BadSettings(f"--photo {path}: more than {most:,} bytes: make it smaller, or raise media_max_bytes")
    return content


async def _decoded(path: Path, content: bytes, settings: Settings) -> DecodedImage:
    kind: Format | None = sniff(content[:SNIFFED_BYTES])
    if kind is None:
        raise BadSettings(f"--photo {path}: neither JPEG, PNG, WebP nor GIF")
    limits = DecodeLimits(settings.media_max_pixels, memory_for(settings.media_max_pixels))
    decoders = DecoderPool(1, limits, filter_required=settings.sandbox_required)
    try:
        return await decoders.decode(content, kind)
    except PhotoRefused as refusal:
        raise BadSettings(f"--photo {path}: {refusal.reason.value}: {refusal}") from refusal
    finally:
        await decoders.close()


def _context_of(post: Post, thumbnail: bytes, image_model: ImageModel) -> ImageContext:
    try:
        labels = image_model([thumbnail])
    except (Retryable, Poison) as error:
        note(f"the image model does not answer, so the text is tagged without it: {error}")
        return image_context_of(post, None)
    try:
        captions = captions_of(image_model, [thumbnail])
    except (Retryable, Poison) as error:
        note(f"the captioner does not answer, so the text is tagged with the labels: {error}")
        return image_context_of(post, labels, [None])
    for caption in filter(None, captions):
        note(f"the captioner says: {caption}")
    return image_context_of(post, labels, captions)
