"""The format of an image file, told by its first bytes. What a server or a file name calls the file is never asked."""

from typing import Literal

Format = Literal["JPEG", "PNG", "WEBP", "GIF"]
SNIFFED_BYTES = 12


def sniff(beginning: bytes) -> Format | None:
    """Returns the format of an image from its first 12 bytes; None if it is none of the four that are accepted."""
    if beginning.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if beginning.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if beginning.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP":
        return "WEBP"
    return None
