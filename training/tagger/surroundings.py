"""Account names and links around training posts, and posts without punctuation.

Twitter-2017 holds no address and hardly an account name as people write it, so a tagger that has learnt from it is
disturbed by both.
"""

import random
import string
from collections.abc import Sequence

from training.datasets import Example, MarkedName
from workers.tagger.words import Kind, Word

_PUNCTUATION = frozenset(".,!?;:…")
_ALPHABET = string.ascii_lowercase + string.digits + "_"


def with_surroundings(example: Example, chance: random.Random) -> Example:
    """Returns the post with account names before it, or a link after it, or both, as replies and reposts have them."""
    before, after = "", ""
    turn = chance.random()
    if turn < 0.65:
        before = " ".join(_account(chance) for _ in range(chance.randint(1, 3))) + " "
        if chance.random() < 0.2:
            before = f"RT {_account(chance)}: "
    if turn > 0.35:
        after = f" https://t.co/{_letters(10, chance)}"
    shift = len(before)
    names = tuple(MarkedName(name.start + shift, name.end + shift, name.type) for name in example.names)
    return Example(before + example.text + after, names, example.caption, example.unknown)


def without_punctuation(words: Sequence[Word], allowed: Sequence[int]) -> tuple[list[Word], list[int]]:
    """Returns words and allowed tags without full stops, commas and the like; all where there is nothing else."""
    kept = [i for i, word in enumerate(words) if word.kind is not Kind.SYMBOL or word.surface[0] not in _PUNCTUATION]
    kept = kept or list(range(len(words)))
    return [words[i] for i in kept], [allowed[i] for i in kept]


def _account(chance: random.Random) -> str:
    return "@" + _letters(chance.randint(4, 14), chance)


def _letters(number: int, chance: random.Random) -> str:
    return "".join(chance.choices(_ALPHABET, k=number))
