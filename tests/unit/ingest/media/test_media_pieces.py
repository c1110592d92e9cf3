"""Files in absurdly many pieces: counted before they are read, and no photo is taken for one."""

import io
import struct
import time
import zlib

import pytest
from PIL import Image

from ingest.media import decode_process
from ingest.media.pieces import MOST_PIECES, TooManyPieces, check_pieces


def drawn(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("P" if kind == "GIF" else "RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jpeg(inserted: bytes) -> bytes:
    content = drawn("JPEG")
    return content[:2] + inserted + content[2:]


def gif(inserted: bytes) -> bytes:
    content = drawn("GIF")
    place = 13 + (6 << (content[10] & 7))
    return content[:place] + inserted + content[place:]


def png(inserted: bytes) -> bytes:
    content = drawn("PNG")
    return content[:33] + inserted + content[33:]


APP1 = b"\xff\xe1\0\x02"
RESOURCES = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5_000
TABLES = b"\xff\xdb" + struct.pack(">H", 2 + 65 * 1_000) + b"\0" * 65 * 1_000
HOSTILE = {
    "empty segments": ("JPEG", jpeg(APP1 * 250_000)),
    "segments without a length": ("JPEG", jpeg(b"\xff\xd0" * 500_000)),
    "fill bytes": ("JPEG", jpeg(b"\xff" * 1_000_000)),
    "fill bytes and nothing else": ("JPEG", b"\xff\xd8" + b"\xff" * 8_000_000),
    "bytes that are no marker": ("JPEG", jpeg(APP1 + bytes(8_000_000))),
    "escaped bytes": ("JPEG", jpeg(APP1 + b"\xff\0" * 4_000_000)),
    "a little fill between segments": ("JPEG", jpeg((APP1 + b"\xff" * 100) * 2_000)),
    "resources within segments": (
        "JPEG",
        jpeg((b"\xff\xed" + struct.pack(">H", len(RESOURCES) + 2) + RESOURCES) * 20),
    ),
    "tables within segments": ("JPEG", jpeg(TABLES * 30)),
    "blocks of a comment": ("GIF", gif(b"\x21\xfe" + b"\x01a" * 1_500_000 + b"\0")),
    "blocks of an application": ("GIF", gif(b"\x21\xff" + b"\x01a" * 1_500_000 + b"\0")),
    "empty comments": ("GIF", gif(b"\x21\xfe\0" * 1_000_000)),
    "extensions that begin empty": ("GIF", gif(b"\x21\xff\0\0" * 1_000_000)),
    "bytes between blocks": ("GIF", gif(b"\x01" * 8_000_000)),
    "empty chunks": ("PNG", png(chunk(b"teXt") * 600_000)),
    "chunks of no data": ("PNG", png(chunk(b"IDAT") * 600_000)),
    "chunks of a WebP": ("WEBP", drawn("WEBP") + b"junk\0\0\0\0" * 1_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_absurdly_many_pieces_are_refused_before_they_are_read(name) -> None:
    kind, content = HOSTILE[name]
    began = time.process_time()
    with pytest.raises(TooManyPieces):
        check_pieces(content, kind)
    assert time.process_time() - began < 0.2
    for hurry in (False, True):
        answer = decode_process.answer_to(content, kind, 1_000_000, 30_000, hurry=hurry)
        assert answer[0] == decode_process.TOO_COSTLY


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        pytest.param("JPEG", jpeg(APP1 * (MOST_PIECES // 2)), id="half as many segments"),
        pytest.param("JPEG", jpeg(b"\xff" * 60_000), id="a page of fill"),
        pytest.param("JPEG", drawn("JPEG", restart_marker_blocks=1), id="a restart after every block"),
        pytest.param("JPEG", drawn("JPEG", progressive=True, icc_profile=bytes(500_000)), id="a profile in parts"),
        pytest.param("JPEG", drawn("JPEG") + bytes(8_000_000), id="something behind it"),
        pytest.param("GIF", gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 4_000 + b"\0"), id="a comment of a megabyte"),
        pytest.param(
            "GIF", drawn("GIF", save_all=True, append_images=[Image.new("P", (256, 256), 9)] * 200), id="an animation"
        ),
        pytest.param("PNG", png(chunk(b"teXt") * 5_000), id="five thousand chunks"),
        pytest.param("WEBP", drawn("WEBP", icc_profile=bytes(10_001)), id="a WebP with a profile"),
    ],
)
def test_what_a_photo_may_hold_is_read(kind, content) -> None:
    answer = decode_process.answer_to(content, kind, 1_000_000, 30_000, hurry=True)
    assert decode_process.ANSWER.unpack_from(answer) == (decode_process.FOUND, 256, 256)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "PNG", "WEBP"])
def test_a_file_that_is_cut_off_anywhere_is_walked_to_its_end(kind) -> None:
    content = drawn(kind)
    for length in range(0, len(content), 7):
        check_pieces(content[:length], kind)
