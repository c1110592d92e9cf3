"""The words of a post that no name holds, by rule: training reads its labels so, and serving rules names out there.

They are addresses, @-mentions, pictures and their short codes, bullets, and signs that part what stands in a row (`|`,
`>`, `…`); the `RT` of a repost's header; the markers of a list or poll (`1.`, `B)`, `[x]`); and a quotation mark right
after another.
"""

from collections.abc import Container, Sequence

from workers.tagger.words import LINE_BREAK, Kind, Word

_NEVER = frozenset((Kind.URL, Kind.MENTION, Kind.SHORTCODE))
# Arrows, technical signs, boxes, dingbats and pictures; not the operators, whose minus stands for a hyphen.
_PICTURE_BLOCKS = ((0x2190, 0x21FF), (0x2300, 0x27BF), (0x2900, 0x2BFF), (0x1F000, 0x1FAFF))
_BORDERS = frozenset("•‣⁃∙|‖¦<>«»‹›[]{}~=…").union(
    chr(code) for first, last in _PICTURE_BLOCKS for code in range(first, last + 1)
)
_QUOTES = frozenset('"“”„‟')
_CLOSERS = frozenset(").:-/")
_POSSESSIVES = frozenset(("'s", "’s", "'S", "’S"))
_LONGEST_MARKER = 4
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}

_Style = tuple[str, str]


def words_outside_names(text: str, words: Sequence[Word]) -> list[int]:
    """Returns the indices of the words that no name holds, in no order. Takes time linear in the length of the text."""
    outside: list[int] = []
    closers: list[int] = []
    for index, (surface, _, _, kind) in enumerate(words):
        if kind is _WORD:  # nearly all: this loop is a tenth of what surrounds the network
            continue
        if kind is _SYMBOL:
            if surface in _CLOSERS:
                closers.append(index)
            elif surface[0] in _BORDERS or surface[0].isnumeric() or surface.startswith(".."):
                outside.append(index)
                if surface == "]" and _is_box(words, index):
                    outside.append(index - 1)
            elif index and (_is_second_quote(words, index) or _is_spaced_dot(words, index)):
                outside.append(index)
        elif kind in _NEVER or (kind is _REPOST and index + 1 < len(words) and words[index + 1].kind is _MENTION):
            outside.append(index)
    if len(closers) > 1:
        outside += _markers(text, words, closers)
    return outside


def within_borders(name: Sequence[int], words: Sequence[Word], outside: Container[int]) -> Sequence[int]:
    """Returns the words of an annotated name without those at its ends that no name holds, and without a possessive."""
    start, end = 0, len(name)
    while end - start > 1 and (name[end - 1] in outside or words[name[end - 1]].surface in _POSSESSIVES):
        end -= 1
    while end - start > 1 and name[start] in outside:
        start += 1
    return name[start:end]


_WORD, _SYMBOL, _REPOST, _MENTION, _NUMBER = Kind.WORD, Kind.SYMBOL, Kind.REPOST, Kind.MENTION, Kind.NUMBER


def _is_box(words: Sequence[Word], index: int) -> bool:
    """Says whether `]` ends a box to tick, such as `[x]`."""
    return index > 1 and words[index - 2].surface == "[" and len(words[index - 1].surface) == 1


def _is_second_quote(words: Sequence[Word], index: int) -> bool:
    return words[index].surface[0] in _QUOTES and words[index - 1].surface[0] in _QUOTES


def _is_spaced_dot(words: Sequence[Word], index: int) -> bool:
    """Says whether a middle dot stands free; in a word it is a letter of Catalan."""
    return (
        words[index].surface[0] == "·"
        and words[index - 1].end < words[index].start
        and (index + 1 == len(words) or words[index].end < words[index + 1].start)
    )


def _markers(text: str, words: Sequence[Word], closers: Sequence[int]) -> list[int]:
    """Returns the markers before `closers` that count: two of one style with numbers in a row make a list."""
    markers: list[int] = []
    last: dict[_Style, tuple[int, int]] = {}
    for closer in closers:
        if not closer:
            continue
        for number, style in _readings(text, words, closer - 1):
            before = last.get(style)
            if before is not None and number == before[1] + 1:
                markers += before[0], closer - 1
            last[style] = closer - 1, number
    return markers


def _readings(text: str, words: Sequence[Word], marker: int) -> list[tuple[int, _Style]]:
    """Returns the numbers that a word may have as a marker, and its style: the sign after it and the kind of number."""
    surface, start, end, kind = words[marker]
    closer = words[marker + 1]
    if closer.start != end or len(surface) > _LONGEST_MARKER:
        return []
    first = marker - (marker > 0 and words[marker - 1].surface == "(" and words[marker - 1].end == start)
    begins_line = not first or LINE_BREAK.search(text, words[first - 1].start, words[first].start) is not None
    stands_free = begins_line or words[first - 1].end < words[first].start
    ends_free = closer.surface == ")" or marker + 2 == len(words) or words[marker + 2].start > closer.end
    if not stands_free or not ends_free or (closer.surface == "/" and not begins_line):
        return []
    if kind is _NUMBER:
        return [(int(surface), (closer.surface, "number"))] if surface.isdecimal() and len(surface) < 3 else []
    if kind is not _WORD or (closer.surface == "." and not begins_line):  # the initials of a name have dots, too
        return []
    found = [(ord(surface), (closer.surface, "letter"))] if len(surface) == 1 else []
    numeral = _ROMAN.get(surface.lower()) if begins_line else None
    return [*found, (numeral, (closer.surface, "roman"))] if numeral else found
