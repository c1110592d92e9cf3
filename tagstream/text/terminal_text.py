"""Text from outside that is safe on a terminal, and JSON that is safe to `cat`: neither steers, hides nor reorders.

A post, a file name or an exception may hold escape sequences, marks that turn the reading order, characters that
nobody sees, or ten thousand accents on one letter. `visible` shows them in place of letting them act;
`json_for_terminals` writes them as JSON's own escapes, so that the value stays the same.

Invisible characters that belong to a script stay: the joiners of emoji and of Indic, Arabic and Mongolian
words, the variants of emoji and of Han, the tags of a flag.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import regex

# Hebrew with cantillation and Tibetan stacks need about half of it.
MAX_MARKS = 8
_CONTROL_PICTURES = 0x2400
_DELETE_PICTURE = "\u2421"
# Beyond these planes stand ideographs, private characters, and tags with the variants of ideographs.
_LOOKED_AT = (range(0x80, 0x20000), range(0xE0000, 0xE1000))

_UNSAFE = r"[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--\p{PCM}]"
_MARKS = r"[\p{M}--\p{Default_Ignorable_Code_Point}]"
_JOINING_SCRIPTS = (
    "Arab", "Syrc", "Nkoo", "Mong", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh",
    "Khmr", "Mymr", "Tibt",
)  # fmt: skip
_JOINED = "".join(rf"\p{{scx={script}}}" for script in _JOINING_SCRIPTS)
_FINE = rf"""
    (?<=[\p{{Extended_Pictographic}}\p{{EMod}}\uFE0F])\u200D(?=\p{{Extended_Pictographic}})
  | (?<=[{_JOINED}])[\u200C\u200D]
  | (?<=[\p{{Emoji}}\p{{S}}\p{{Han}}])[\uFE00-\uFE0F]
  | (?<=\p{{Han}})[\U000E0100-\U000E01EF]
  | (?<=\p{{scx=Mong}})[\u180B-\u180F]
  | (?<=\U0001F3F4)[\U000E0030-\U000E007A]{{2,6}}\U000E007F
"""


def visible(text: str, limit: int | None = None) -> str:
    """Returns the text in one line, with everything visible that could steer a terminal or deceive its reader.

    Control characters become their pictures (`␛`), others the escapes by which JSON writes them (`\\u202e`), newlines
    and tabs a space. Of a text longer than `limit` code points the beginning is shown.
    """
    cut = limit is not None and len(text) > limit
    shown = text[:limit] if cut else text
    if not (shown.isascii() and shown.isprintable()):
        shown = _patterns().line.sub(_shown, shown)
    return f"{shown}…" if cut else shown


def visible_lines(text: str) -> str:
    """Returns a text of several lines likewise; its newlines and tabs stay."""
    return _patterns().paragraph.sub(_shown, text)


def json_for_terminals(document: str) -> str:
    """Returns the same JSON value as the document, without a character that would act on a terminal."""
    if document.isascii() and "\x7f" not in document:
        return document
    patterns = _patterns()
    return patterns.document.sub(_escaped, document) if patterns.suspects(document) else document


class _Patterns(NamedTuple):
    """The compiled patterns: `document`, `line` and `paragraph` find what is replaced, the others rule it out fast."""

    document: "regex.Pattern[str]"
    line: "regex.Pattern[str]"
    paragraph: "regex.Pattern[str]"
    unsafe: re.Pattern[str]
    many_marks: re.Pattern[str]
    far_letter: re.Pattern[str]
    many_far_marks: re.Pattern[str]

    def suspects(self, text: str) -> bool:
        """Says whether there may be something to replace, thirty times as fast as finding it."""
        if self.unsafe.search(text) or self.many_marks.search(text):
            return True
        return self.far_letter.search(text) is not None and self.many_far_marks.search(text) is not None


@cache
def _patterns() -> _Patterns:
    # Imported and made when first needed: both take a moment, and plain English needs neither.
    import regex

    everything = "".join(chr(code) for codes in _LOOKED_AT for code in codes)

    def ranges(characters: str, among: str = everything) -> str:
        return "".join(f"{run[0][0]}-{run[0][-1]}" for run in regex.finditer(f"(?V1){characters}+", among))

    found = rf"""
        (?P<fine>{_FINE}) | (?P<marks>(?<=\p{{M}}{{{MAX_MARKS}}}){_MARKS}+) | (?P<unsafe>{_UNSAFE})
    """
    flags = regex.V1 | regex.VERBOSE
    near = ranges(_MARKS, "".join(map(chr, range(0x80, 0x10000))))
    return _Patterns(
        document=regex.compile(found, flags),
        line=regex.compile(rf"(?P<space>\r\n|[\n\t]) | {found}", flags),
        paragraph=regex.compile(rf"(?P<fine>\r\n|[\n\t]) | {found}", flags),
        unsafe=re.compile(f"[\x7f{ranges(_UNSAFE)}]"),
        # Classes beyond the first plane are slow to look through, and all of these marks are.
        many_marks=re.compile(f"[{near}]{{{MAX_MARKS + 1}}}"),
        far_letter=re.compile("[\U00010000-\U0001efff]"),
        many_far_marks=re.compile(f"[{ranges(_MARKS)}]{{{MAX_MARKS + 1}}}"),
    )


def _shown(match: "regex.Match[str]") -> str:
    match match.lastgroup:
        case "fine":
            return match[0]
        case "space":
            return " "
        case "marks":
            return f"(+{len(match[0]):,} marks)"
    code = ord(match[0])
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return _DELETE_PICTURE
    if 0xDC80 <= code <= 0xDCFF:  # a byte of an argument or a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped(match: "regex.Match[str]") -> str:
    if match.lastgroup == "fine":
        return match[0]
    units = match[0].encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
