"""A module for a sandbox in place of the one that decodes: a picture takes as long as it says itself.

It says so in a comment, `takes 1.5 s`, by processor time; what it answers is a thumbnail of one pixel.
"""

import io
import re
import time

from PIL import Image, JpegImagePlugin

from ingest.media import decode_process

assert JpegImagePlugin


def _thumbnail() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "JPEG")
    return buffer.getvalue()


THUMBNAIL = _thumbnail()


def handle(request: bytes) -> bytes:
    seconds = re.search(rb"takes ([0-9.]+) s", request)
    until = time.process_time() + (float(seconds[1]) if seconds else 0.0)
    while time.process_time() < until:
        pass
    return decode_process.ANSWER.pack(decode_process.FOUND, 10, 10) + THUMBNAIL
