"""Rules for the capitals of hashtags, applied to the language model's answers where the model knows too little.

* **Parts**: an unknown word with capitals inside is cut at them if the whole hashtag is written in parts
  (`#JeSuisCharlie`), or if the word begins with a short word of some language (`#ElPaís`). A known word stays whole
  (`McDonald`), unless all its parts are short words (`#NoEsNo`).
* **Joiners**: a small `x`, `v` or `vs` before a capital stands between two names (`#BTSxColdplay`), unless it ends a
  likelier word (`#TaxCuts`, `#SmartTvShow`).
* **Codes**: letters and digits in turns are one word (`#R2D2`, `#S01E05`).
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from workers.hashtags.language_model import LanguageModel
from workers.hashtags.shapes import ACRONYM_END, LOWER_UPPER, SINGLE_LOWER_UPPER, cut_kinds

_SHORT = """
    je tu il on ne me te se ce un et ou où au en si ya yo mi ti su lo el los las una uno no ni al del es con por na nos
    em um uma os as eu ele ich er wir ihr der die das den dem ein im am zu is ik het een mijn io ma ho ha per che non
    mon son ton nous vous det og
"""
_SHORT_WORDS = frozenset(_SHORT.split())
# Short words that, next to each other, only look like one known word: `#NoEsNo` ("noes"), `#GoToBed` ("goto").
_SHORTER = """
    a e i o u y es ser sin tan hay ya sí sé tú él más ma mas pas par qui que qué sur est suis ai as bin bist ist hat hab
    wo so da du mit man auf aus vom zum um an or on our do go be is it in to my me we us he by up if at am
"""
_PARTS_OF_NONE = _SHORT_WORDS.union(_SHORTER.split())
_JOINER = re.compile(r"(?<=[A-Za-z0-9])(?:vs|v|x)(?=[A-Z])")
MAX_JOINERS = 3  # a hashtag with more is no list of names, and would cost too much
_NEVER_JOINED = frozenset(["TEDx"])
_CLEARLY_LIKELIER = 2.5  # natural logarithms: `man` beside `manx`, but not `late` beside `latex`

# One word, whatever the counts: F1, MH370 (but EU09 and CA2009 end in a year), iPhone5s, R2D2, b2b4, 4K, 4x4.
_CODE = re.compile(
    r"""
      [A-Za-z]{1,2} (?! 0\d$ | (?:19|20)\d\d$ ) \d{1,4}
    | [a-z][A-Z][a-z]+\d{1,2}[A-Za-z]{0,2}
    | [A-Z]\d{1,2}[A-Z]{1,2}\d{0,3}
    | [a-z]\d{1,2}[a-z]\d{1,3}
    | \d{1,2}[A-Z]
    | \dx\d{1,2}
    """,
    re.VERBOSE,
)
_EPISODE = re.compile(r"S\d{1,2}E\d{1,3}$")

Split = Callable[[str], list[int]]
"""Returns the ends of the words of a run."""


def is_code(run: str) -> bool:
    """Tells whether the whole run is one word because letters and digits take turns in it."""
    return _CODE.fullmatch(run) is not None


def before_episode(run: str) -> int | None:
    """Returns the start of an episode number that ends the run (`S01E05`); None where there is none."""
    found = _EPISODE.search(run)
    return found.start() if found else None


def cut_into_parts(run: str, lower: str, ends: Sequence[int], model: LanguageModel) -> list[int]:
    """Returns the ends of the words of `run`, with those of the parts of unknown words."""
    parts = _parts(run) if run[1:] != lower[1:] else []
    if not parts:
        return list(ends)
    throughout = len(parts) >= 2 and run[-1].islower()
    found, start = [], 0
    for end in ends:
        inner = [part for part in parts if start < part < end]
        if not inner or run[start:end] in model.styled:
            cut = False
        elif lower[start:end] in model.words:
            cut = throughout and _are_all_short(lower, [start, *inner, end])
        else:
            cut = throughout or lower[start : inner[0]] in _SHORT_WORDS
        if cut:
            found += inner
        found.append(end)
        start = end
    return found


def _are_all_short(lower: str, edges: Sequence[int]) -> bool:
    """Tells whether a known word only looks like one, because each of its parts is a short word of some language."""
    return all(lower[left:right] in _PARTS_OF_NONE for left, right in pairwise(edges))


def _parts(run: str) -> list[int]:
    """Returns the offsets of capitals that surely begin a word, unlike those in iPhone and McDonald."""
    return [
        offset
        for offset, kind in enumerate(cut_kinds(run))
        if kind == LOWER_UPPER
        or (kind == ACRONYM_END and offset > 1)  # a single capital that begins the hashtag is no sure word
        or (kind == SINGLE_LOWER_UPPER and offset >= 2 and run[offset - 2 : offset] != "Mc")
    ]


def find_joiner(run: str, lower: str, split: Split, model: LanguageModel) -> tuple[int, int] | None:
    """Returns the start and the end of the first joiner of two names in `run`; None where there is none."""
    candidates = [found.span() for found in _JOINER.finditer(run)]
    if not candidates or len(candidates) > MAX_JOINERS:
        return None
    ends = split(run)
    for start, end in candidates:
        left = run[:start]
        last = left[max([0, *split(left)[:-1]]) :]
        if len(last) >= 2 and last.isupper():
            if run[start - len(last) : end] not in _NEVER_JOINED:
                return start, end
        elif _is_likelier(lower, start, end, len(last), ends, model):
            return start, end
    return None


def _is_likelier(lower: str, start: int, end: int, last: int, ends: Sequence[int], model: LanguageModel) -> bool:
    """Tells whether the word before a joiner is likelier than the word that would end with the joiner."""
    joined = lower[max(offset for offset in (0, *ends) if offset <= start) : end]
    if len(joined) == end - start:  # the joiner is a word already
        return False
    before = lower[start - last : start]
    with_joiner = _score(joined, model)
    if with_joiner is None:
        return last >= 3 and before in model.words
    if last == 1:  # `ManUvLeeds`: the last two parts are one name
        longer = lower[max(0, start - 4) : start]
        score = _score(longer, model)
        return score is not None and score > with_joiner
    score = _score(before, model)
    return last >= 3 and score is not None and score > with_joiner + _CLEARLY_LIKELIER


def _score(word: str, model: LanguageModel) -> float | None:
    number = model.words.get(word)
    return None if number is None else model.word_scores[number]
