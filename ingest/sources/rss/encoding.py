"""The decoding of a document, whatever encoding it claims. Pure.

Servers and documents often name an encoding that is not theirs. Bytes that are UTF-8 throughout are taken as UTF-8,
because text in another encoding hardly ever is; otherwise the document's own claim counts, then the server's, then
Windows-1252, which is the encoding of most other documents and gives every byte a meaning.
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
# As browsers read them: text that claims to be Latin-1 is in truth in the larger set.
_LARGER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
# The first use ASCII bytes for something else; the second are no encodings of text.
_ONLY_IF_SAID = frozenset({"iso2022_jp", "hz", "iso2022_kr"})
_REFUSED = frozenset({"utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap"})
_FALLBACK = "cp1252"


def decoded(body: bytes, content_type: str) -> str:
    """Returns the text; bytes without a character in its encoding become U+FFFD. Never raises."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    wide = _wide(body)
    if wide is not None:
        return body.decode(wide, "replace")
    declared, served = _DECLARED.search(body[:1024]), _CHARSET.search(content_type)
    named_encodings = [
        known
        for name in (declared[1].decode() if declared else "", served[1] if served else "")
        if name and (known := _known(name)) is not None
    ]
    if not any(name in _ONLY_IF_SAID for name in named_encodings):
        named_encodings.insert(0, "utf-8")
    for name in named_encodings:
        try:
            return body.decode(name)
        except (UnicodeDecodeError, ValueError):
            continue
    return body.decode(_mended(body, named_encodings), "replace")


def _mended(body: bytes, named_encodings: list[str]) -> str:
    """Chooses an encoding for bytes that fit none: UTF-8 with a few broken bytes, else the first one named."""
    broken = body.decode("utf-8", "replace").count("\ufffd")
    multibyte = sum(1 for byte in body if byte >= 0xC0)
    if broken * 10 < multibyte:
        return "utf-8"
    return next((encoding for encoding in named_encodings if encoding != "utf-8"), _FALLBACK)


def _wide(body: bytes) -> str | None:
    """Recognises UTF-16 or UTF-32 without a mark, by the zeros around the first `<`."""
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
