"""Words that may have been meant by another: those that one letter more, less or other makes, or two swapped ones."""

import unicodedata
from collections.abc import Iterator

MIN_LENGTH = 4
MAX_LENGTH = 32
_LATIN = "abcdefghijklmnopqrstuvwxyz"
# The small letters of alphabets that folded words keep.
_ALPHABETS = (_LATIN, "абвгґдеёєжзиіїйклмнопрстуфхцчшщъыьэюяў", "αβγδεζηθικλμνξοπρστυφχψω", "אבגדהוזחטיכלמנסעפצקרשת")


def may_be_misspelt(word: str) -> bool:
    """Returns whether other spellings of a folded word are worth a look: it is neither short, long nor a number."""
    return MIN_LENGTH <= len(word) <= MAX_LENGTH and word.isalpha() and unicodedata.category(word[0]) in ("Ll", "Lo")


def edits(word: str) -> Iterator[str]:
    """Yields every word at one edit from a folded word, each once, in its own alphabet."""
    letters = next((one for one in _ALPHABETS if word[:1] in one), _LATIN) if word else ""
    found: set[str] = {word}
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        made = [before + after[1:], before + after[1:2] + after[:1] + after[2:]] if after else []
        made += [before + letter + after for letter in letters]
        made += [before + letter + after[1:] for letter in letters] if after else []
        for one in made:
            if one not in found and one:
                found.add(one)
                yield one
