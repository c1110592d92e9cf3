"""The bytes of a document as text, whatever they are said to be in. Pure.

Servers and documents often name an encoding that is not theirs. What is UTF-8 throughout is taken as such, because
text in another encoding hardly ever is; else the document's own word counts, then the server's, then Windows-1252,
which is what most of the rest is in and in which every byte means something.
"""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# As browsers read them; what is said to be Latin-1 is the larger set in truth.
_LARGER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
# These keep ASCII for something else, or are no encodings of text.
_ONLY_IF_SAID = frozenset({"iso2022_jp", "hz", "iso2022_kr"})
_REFUSED = frozenset({"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap"})
_FALLBACK = "cp1252"


def decoded(body: bytes, content_type: str) -> str:
    """The text; what its encoding has no character for is U+FFFD. Never raises."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    wide = _wide(body)
    if wide is not None:
        return body.decode(wide, "replace")
    declared, served = _DECLARED.search(body[:1024]), _CHARSET.search(content_type)
    said = [
        known
        for name in (declared[1].decode() if declared else "", served[1] if served else "")
        if name and (known := _known(name)) is not None
    ]
    if not any(name in _ONLY_IF_SAID for name in said):
        said.insert(0, "utf-8")
    for name in said:
        try:
            return body.decode(name)
        except (UnicodeDecodeError, ValueError):
            continue
    return body.decode(_mended(body, said), "replace")


def _mended(body: bytes, said: list[str]) -> str:
    """The encoding of what is wholly in none that it could be: UTF-8 with a few broken bytes, else the first said."""
    broken = body.decode("utf-8", "replace").count("\ufffd")
    multibyte = sum(1 for byte in body if byte >= 0xC0)
    if broken * 10 < multibyte:
        return "utf-8"
    return next((encoding for encoding in said if encoding != "utf-8"), _FALLBACK)


def _wide(body: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by the zeros in what begins with `<`."""
    for beginning, encoding in (
        (b"<\0\0\0", "utf-32-le"),
        (b"\0\0\0<", "utf-32-be"),
        (b"<\0", "utf-16-le"),
        (b"\0<", "utf-16-be"),
    ):
        if body.startswith(beginning):
            return encoding
    return None


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
        b"".decode(found)
    except (LookupError, ValueError):
        return None
    # UTF-16 is told by its zeros; a document that names it in bytes of ASCII is in something else.
    if found in _REFUSED or found.startswith(("utf-16", "utf-32")):
        return None
    return _LARGER.get(found, found)
