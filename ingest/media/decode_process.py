"""The decoder that runs inside a sandbox: an image in, its size and thumbnail out.

Imports nothing of tagstream, so that it starts fast and holds no secret. `warm_up` imports everything that decoding
needs, because nothing can be imported once the process is locked down.

::

    request  format (1 byte), whether in a hurry (1), most pixels (4), longest side (4), content
    answer   verdict (1), width (4), height (4), thumbnail     numbers are big-endian
"""

import io
import struct
import warnings

from PIL import (
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ingest.media.pieces import TooManyPieces, check_pieces

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
FOUND, UNDECODABLE, TOO_MANY_PIXELS, TOO_COSTLY, TAKES_LONGER = range(5)
REQUEST = struct.Struct(">B?II")
ANSWER = struct.Struct(">BII")

THUMBNAIL_SIDE = 256
THUMBNAIL_BYTES = 64 * 1024
_QUALITIES = (85, 75, 60, 40, 20)
_ORIENTATION_TAG = 0x0112
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = frozenset({5, 6, 7, 8})
# Plug-ins that the warm-up's images do not reach are named here, so that they are imported too.
PLUGINS = (GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)


# Pixels that one core decodes in 0.2 s; for a JPEG in several scans, the pixels of all scans together.
QUICK_PIXELS = 8_000_000
QUICK_SCANNED_PIXELS = 160_000_000


class TooManyPixels(Exception):
    """The image says that it is larger than images may be."""


class LongWork(Exception):
    """The image says that decoding takes long, and the caller is in a hurry."""


def thumbnail_of(
    content: bytes, kind: str, max_pixels: int, max_side: int, *, hurry: bool = False
) -> tuple[int, int, bytes]:
    """Returns width and height of the image, as it is meant to be seen, and its thumbnail (JPEG, without metadata).

    Takes the first frame of an animation; puts transparency over white; raises for an image that is cut off or broken.
    """
    check_pieces(content, kind)
    if kind == "WEBP":
        _check_size(*_webp_size(content), max_pixels, max_side)
    with Image.open(io.BytesIO(content), formats=(kind,)) as image:
        width, height = image.size
        _check_size(width, height, max_pixels, max_side)
        if hurry and _takes_long(width * height, kind, content):
            raise LongWork
        orientation = _orientation(image)
        small = _over_white(_shrunk(image))
    if orientation in _TRANSPOSITIONS:
        small = small.transpose(_TRANSPOSITIONS[orientation])
    if orientation in _SIDES_SWAPPED:
        width, height = height, width
    return width, height, _encoded(small)


def _check_size(width: int, height: int, max_pixels: int, max_side: int) -> None:
    if width * height > max_pixels or max(width, height) > max_side:
        raise TooManyPixels


def _takes_long(pixels: int, kind: str, content: bytes) -> bool:
    """Says whether decoding may take long, by the image's size.

    A JPEG in one scan is decoded smaller at once, so its size hardly counts. Within a scan no marker can stand by
    chance, so markers tell the number of scans: ten, or thousands in a hostile file.
    """
    if kind != "JPEG":
        return pixels > QUICK_PIXELS
    scans = content.count(b"\xff\xda")
    return scans > 1 and pixels * scans > QUICK_SCANNED_PIXELS


def _webp_size(content: bytes) -> tuple[int, int]:
    """Reads the size from the header of a WebP: the library makes two canvases of that size before it can be asked."""
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L":
        sides = int.from_bytes(content[21:25], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except MemoryError:
        raise
    except Exception:  # EXIF is as hostile as the rest; an image without it is seen as it is stored
        return 1


def _shrunk(image: Image.Image) -> Image.Image:
    """Returns the image at 256 pixels a side at most.

    A JPEG is decoded smaller at once; modes that scale badly are converted first.
    """
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "P" or (image.mode in ("L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode.startswith(("I", "F")):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    image.load()
    return image


def _over_white(image: Image.Image) -> Image.Image:
    """Returns a new image of the pixels over white, so that nothing but pixels comes along."""
    flat = Image.new("RGB", image.size, (255, 255, 255))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat.paste(image, mask=image.getchannel("A"))
    else:
        flat.paste(image.convert("RGB"))
    return flat


def _encoded(image: Image.Image) -> bytes:
    encoded = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        encoded = buffer.getvalue()
        if len(encoded) <= THUMBNAIL_BYTES:
            break
    return encoded


def handle(request: bytes) -> bytes:
    """Answers one request."""
    kind, hurry, max_pixels, max_side = REQUEST.unpack_from(request)
    Image.MAX_IMAGE_PIXELS = max_pixels
    return answer_to(request[REQUEST.size :], FORMATS[kind], max_pixels, max_side, hurry=hurry)


def answer_to(content: bytes, kind: str, max_pixels: int, max_side: int, *, hurry: bool = False) -> bytes:
    """Returns the verdict on an image, with its size and thumbnail where it was decoded."""
    verdict, width, height, thumbnail = UNDECODABLE, 0, 0, b""
    try:
        width, height, thumbnail = thumbnail_of(content, kind, max_pixels, max_side, hurry=hurry)
        verdict = FOUND
    except LongWork:
        verdict = TAKES_LONGER
    except (TooManyPixels, Image.DecompressionBombError, Image.DecompressionBombWarning):
        verdict = TOO_MANY_PIXELS
    except (MemoryError, TooManyPieces):
        verdict = TOO_COSTLY
    except Exception as error:  # whatever error hostile bytes cause: they are no image
        if "memory" in str(error):
            verdict = TOO_COSTLY
    return ANSWER.pack(verdict, width, height) + thumbnail


def warm_up() -> None:
    """Decodes one image of each format, so that everything that is imported or allocated at first use is there."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    for kind in FORMATS:
        buffer = io.BytesIO()
        exif = Image.Exif()
        exif[_ORIENTATION_TAG] = 6
        Image.new("P" if kind == "GIF" else "RGB", (300, 2)).save(buffer, kind, exif=exif)
        answer_to(buffer.getvalue(), kind, 1_000_000, 1_000)
        answer_to(buffer.getvalue()[:-20], kind, 1_000_000, 1_000)
