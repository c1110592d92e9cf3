"""Words of training posts as hasty fingers and loud voices write them: typos, letters that run on, odd capitals."""

import random
import string

_SHARE = 1 / 4  # of the words of such a post
_SHORTEST = 4
_VOWELS = "aeiouAEIOU"


def misspelled(surface: str, chance: random.Random) -> str:
    """Returns the word with one mistake; as it is, three times in four, or where it is short or has other signs."""
    if len(surface) < _SHORTEST or not surface.isalpha() or chance.random() >= _SHARE:
        return surface
    place = chance.randrange(1, len(surface) - 1)
    before, letter, after = surface[:place], surface[place], surface[place + 1 :]
    return chance.choice(
        (
            before + after,
            before + letter * 2 + after,
            before + after[0] + letter + after[1:],
            before + chance.choice(string.ascii_lowercase) + after,
            before + letter.swapcase() + after,
            _run_on(surface, chance),
        )
    )


def _run_on(surface: str, chance: random.Random) -> str:
    """Returns the word with a vowel, or else its last letter, written three to six times."""
    vowels = [place for place, letter in enumerate(surface) if letter in _VOWELS]
    place = chance.choice(vowels) if vowels else len(surface) - 1
    return surface[:place] + surface[place] * chance.randint(3, 6) + surface[place + 1 :]
