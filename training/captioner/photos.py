"""The photos and captions that the recurrent captioner is trained on."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ingest.media.decode_process import thumbnail_of
from tagstream.errors import UnreadableInput

MAX_PIXELS = 50_000_000
MAX_SIDE = 20_000
_KINDS = ("JPEG", "PNG", "WEBP", "GIF")


@dataclass(frozen=True, slots=True)
class CaptionedPhoto:
    """A thumbnail as the pipeline makes them, and its caption."""

    thumbnail: bytes
    caption: str


def read_photos(folder: Path, captions: Path) -> tuple[list[CaptionedPhoto], int]:
    """Reads the photos of a folder that have a caption; returns them and the count of those that cannot be read.

    Raises:
        UnreadableInput: the captions cannot be read, or none of them has its photo.
    """
    read, left_out = [], 0
    for name, caption in _read_captions(captions):
        try:
            read.append(CaptionedPhoto(_thumbnail(folder / name), caption))
        except MemoryError:
            raise
        except Exception:  # broken pictures raise whatever the decoder trips over
            left_out += 1
    if not read:
        raise UnreadableInput(f"{folder}: none of the photos that {captions} speaks of is there and can be read")
    return read, left_out


def _read_captions(path: Path) -> list[tuple[str, str]]:
    captions = []
    try:
        for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                said = json.loads(line)
                name, caption = said["image_id"], said["caption"]
                if not (isinstance(name, str) and isinstance(caption, str)) or Path(name).name != name:
                    raise ValueError(f"line {line_number}: image_id is the name of a file, caption a text")
                captions.append((name, caption))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(f"{path}: cannot be read as captions, a JSON object a line: {error!r}") from error
    return captions


def _thumbnail(path: Path) -> bytes:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=_KINDS) as image:
        kind = str(image.format)
    return thumbnail_of(content, kind, MAX_PIXELS, MAX_SIDE)[2]


def photos_hash(photos: Sequence[CaptionedPhoto]) -> str:
    """Returns a digest that tells one training set from another."""
    seen = hashlib.sha256()
    for photo in photos:
        seen.update(hashlib.sha256(photo.thumbnail).digest() + photo.caption.encode() + b"\n")
    return seen.hexdigest()
