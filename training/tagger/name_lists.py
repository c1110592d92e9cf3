"""Posts that are lists, polls and line-ups of names, which the tweet sets hardly hold.

::

    "Line-up: • Coldplay • Radiohead"   "Who wins? A) Merkel B) Scholz"   "Kyiv | Lviv | Odesa"   a name on each line
"""

import random
from collections.abc import Sequence

from training.datasets import Example, MarkedName

_HEADERS = (
    "Line-up:", "Tonight:", "Who wins?", "Who would you vote for?", "Poll:", "Cities on the list:", "My top picks:",
    "Guests:", "Next stops", "Results", "Candidates:", "Results so far:", "Where to go next?", "Name City",
    "Speakers today", "Transfers:", "Reading list:", "Vote now!", "Who is better?", "Today's birthdays:", "", "", "",
    "",
)  # fmt: skip
_MARKERS = ("• ", "- ", "* ", "▪ ", "[ ] ", "✅ ", "👉 ", "> ")
_BETWEEN = (" | ", " · ", " / ", ", ", "; ", " → ", " vs ", " or ", " ... ")
_NUMBERED = ("{}. ", "{}) ", "({}) ", "{}: ", "{}/ ")
_AFTER = ("", "", "", "?", " :)", " 🔥", " (new)", " - live", " 2", " x")


def list_of_names(pool: Sequence[tuple[str, str]], chance: random.Random) -> Example:
    """Returns a post of two to six names of `pool` (text, type) in one of the manners of a list."""
    texts = chance.sample(pool, min(len(pool), chance.randint(2, 6)))
    written, names = chance.choice(_HEADERS), []
    before, between = _manner(len(texts), chance)
    if written:
        written += "\n" if "\n" in between else " "
    after = chance.choice(_AFTER)
    for index, (text, kind) in enumerate(texts):
        written += (between if index else "") + before[index]
        names.append(MarkedName(len(written), len(written) + len(text), kind))
        written += text + after
    return Example(written, tuple(names))


def _manner(items: int, chance: random.Random) -> tuple[list[str], str]:
    """Returns what stands before each item, and what stands between items."""
    turn = chance.random()
    break_or_space = chance.choice(("\n", "\n", " ", "\n\n"))
    if turn < 0.25:
        return [""] * items, chance.choice(_BETWEEN)
    if turn < 0.45:
        return [""] * items, "\n"
    if turn < 0.7:
        return [chance.choice(_MARKERS)] * items, break_or_space
    form = chance.choice(_NUMBERED)
    first = chance.choice("1Aa")
    return [form.format(chr(ord(first) + index)) for index in range(items)], break_or_space
