"""The kinds of cuts in a hashtag, by capitals and digits, and the shapes of its words.

Each gap between two characters has one kind (`CUTS`), and each word with a digit one shape (`SHAPES`). The language
model has a learned weight for each of them. The segmenter and the training of the weights both use this module.
"""

import re
from itertools import pairwise

CUTS = (
    "lower_lower",  # inside a hashtag without any capital but, at most, all of them
    "lower_lower_title",  # only the first letter of the hashtag is a capital
    "lower_lower_camel",  # other gaps of the hashtag are marked by capitals
    "lower_upper",
    "single_lower_upper",  # after one small letter that begins the hashtag, or follows a capital: iPhone, McDonald
    "upper_upper",  # the whole hashtag is in capitals
    "upper_upper_mixed",
    "acronym_end",  # before the last capital of a row, a small letter follows: NYC|Marathon
    "upper_lower",
    "letter_digit",
    "digit_letter",
    "digit_digit",
)
(
    LOWER_LOWER,
    LOWER_LOWER_TITLE,
    LOWER_LOWER_CAMEL,
    LOWER_UPPER,
    SINGLE_LOWER_UPPER,
    UPPER_UPPER,
    UPPER_UPPER_MIXED,
    ACRONYM_END,
    UPPER_LOWER,
    LETTER_DIGIT,
    DIGIT_LETTER,
    DIGIT_DIGIT,
) = range(len(CUTS))

SHAPES = (
    "no_digit",
    "one_digit",
    "two_digits",
    "three_digits",
    "year",
    "many_digits",
    "short_letters_digits",  # F1, MH370
    "short_letters_short_year",  # EU09
    "letters_digits",
    "letters_year",
    "digits_short_letters",  # 5s, 3rd, 1D
    "digits_letters",
    "mixed",
)
_SHAPE_PATTERNS = tuple(
    (re.compile(pattern), SHAPES.index(shape))
    for pattern, shape in (
        (r"\D*", "no_digit"),
        (r"\d", "one_digit"),
        (r"\d\d", "two_digits"),
        (r"\d{3}", "three_digits"),
        (r"(?:19|20)\d\d", "year"),
        (r"\d{4,}", "many_digits"),
        (r"\D{1,2}0\d", "short_letters_short_year"),
        (r"\D+(?:19|20)\d\d", "letters_year"),
        (r"\D{1,2}\d{1,4}", "short_letters_digits"),
        (r"\D+\d+", "letters_digits"),
        (r"\d+\D{1,2}", "digits_short_letters"),
        (r"\d+\D+", "digits_letters"),
    )
)
_MIXED = len(SHAPES) - 1


def shape_of(word: str) -> int:
    """Returns the index in `SHAPES` of the shape of a word."""
    for pattern, shape in _SHAPE_PATTERNS:
        if pattern.fullmatch(word):
            return shape
    return _MIXED


def cut_kinds(run: str) -> list[int]:
    """Returns, for each character of `run` (letters and digits), the index in `CUTS` of the gap before it; first 0."""
    if run.islower() and run.isalpha():
        return [LOWER_LOWER] * len(run)
    camel = any(left.islower() and right.isupper() for left, right in pairwise(run))
    if camel:
        lower_lower = LOWER_LOWER_CAMEL
    elif run[0].isupper():
        lower_lower = LOWER_LOWER_TITLE
    else:
        lower_lower = LOWER_LOWER
    upper_upper = UPPER_UPPER if run.isupper() else UPPER_UPPER_MIXED
    kinds = [LOWER_LOWER]
    for offset in range(1, len(run)):
        left, right = run[offset - 1], run[offset]
        if left.isdecimal():
            kinds.append(DIGIT_DIGIT if right.isdecimal() else DIGIT_LETTER)
        elif right.isdecimal():
            kinds.append(LETTER_DIGIT)
        elif right.isupper() and left.isupper():
            ends = offset + 1 < len(run) and run[offset + 1].islower()
            kinds.append(ACRONYM_END if ends else upper_upper)
        elif right.isupper():
            single = offset == 1 or run[offset - 2].isupper()
            kinds.append(SINGLE_LOWER_UPPER if single else LOWER_UPPER)
        else:
            kinds.append(UPPER_LOWER if left.isupper() else lower_lower)
    return kinds
