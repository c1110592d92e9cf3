"""The places of a text that a query found: the words that it asks for, as they are written."""

from collections.abc import Iterator

import regex

from search.query import AllOf, AnyOf, NameWords, ParsedQuery, Part
from tagstream.text.analysis import Phrase, terms

MAX_TEXT_LENGTH = 4_000
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’.][\p{L}\p{M}\p{N}]+)*|\p{Extended_Pictographic}")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}]")


def highlights(query: ParsedQuery, text: str) -> list[tuple[int, int]]:
    """Returns the places of the words that a query asks for, in order and apart; not of those that it leaves out.

    Of words side by side each is marked, wherever it stands.
    """
    wanted, beginnings = set[str](), set[str]()
    for words, prefix in _asked(query.clauses):
        wanted.update(words[:-1] if prefix else words)
        beginnings.update(words[-1:] if prefix else ())
    if not wanted and not beginnings:
        return []
    found: list[tuple[int, int]] = []
    for match in _WORD.finditer(text[:MAX_TEXT_LENGTH]):
        for start, end in sorted(_pieces(match[0], wanted, beginnings)):
            first, last = match.start() + start, match.start() + end
            touches = bool(found) and first <= found[-1][1] and start > 0
            if touches or (found and first < found[-1][1]):
                found[-1] = (found[-1][0], max(found[-1][1], last))
            else:
                found.append((first, last))
    return found


def _asked(parts: tuple[Part, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    for part in parts:
        match part:
            case AllOf(inner) | AnyOf(inner):
                yield from _asked(inner)
            case Phrase(words, prefix) | NameWords(words, _, prefix):
                yield words, prefix


def _pieces(word: str, wanted: set[str], beginnings: set[str]) -> Iterator[tuple[int, int]]:
    """Yields the places in a word of a text: all of it, or characters of a script without spaces."""
    if not _UNSPACED.search(word):
        held = terms(word)
        if wanted.intersection(held) or any(term.startswith(one) for one in beginnings for term in held):
            yield 0, len(word)
        return
    for length in (2, 1):
        for at in range(len(word) - length + 1):
            folded = terms(word[at : at + length])
            if folded and (folded[0] in wanted or (length == 1 and folded[0] in beginnings)):
                yield at, at + length
