"""The features of the two classic taggers: for each token of a tweet the names of its features.

Owns which features there are; what they are worth is learnt by `training/systems/feature_crf.py`.
"""

import re
from collections.abc import Sequence

from training.inputs.gazetteers import NameLists, WordClusters

LONGEST_AFFIX = 6
DISJUNCTION = 4
SHORTEST_WITH_AFFIXES = 4
CLUSTER_STEPS = (5, 9, 13)
WINDOW = 3
_ENDS_KEPT = 2
_EDGE = ""

_ORTHOGRAPHY = {
    "initial-capital": re.compile(r"[A-Z]"),
    "all-capitals": re.compile(r"[A-Z]+$"),
    "has-digit": re.compile(r".*\d"),
    "one-digit": re.compile(r"\d$"),
    "two-digits": re.compile(r"\d\d$"),
    "has-dash": re.compile(r".*-"),
    "punctuation": re.compile(r"[.,;:?!+'\"-]"),
    "hashtag": re.compile(r"#."),
    "mention": re.compile(r"@."),
    "link": re.compile(r"https?:"),
}


def word_shape(word: str) -> str:
    """Capitals as X, small letters as x, digits as d; in the middle of a longer word each kind is named only once."""
    kinds = ["X" if sign.isupper() else "x" if sign.isalpha() else "d" if sign.isdigit() else sign for sign in word]
    if len(kinds) <= 2 * _ENDS_KEPT:
        return "".join(kinds)
    middle = sorted(set(kinds[_ENDS_KEPT:-_ENDS_KEPT]))
    return "".join([*kinds[:_ENDS_KEPT], *middle, *kinds[-_ENDS_KEPT:]])


def stanford_features(tokens: Sequence[str]) -> list[list[str]]:
    """Returns the features of each token: itself and its neighbours, its beginnings and ends, shapes, and the words
    within four tokens.
    """
    shapes = [word_shape(token) for token in tokens]
    answers = []
    for place, token in enumerate(tokens):
        before, after = _at(tokens, place - 1), _at(tokens, place + 1)
        shape, shape_before, shape_after = shapes[place], _at(shapes, place - 1), _at(shapes, place + 1)
        features = [
            "bias",
            f"word={token}",
            f"before={before}",
            f"after={after}",
            f"before+word={before} {token}",
            f"word+after={token} {after}",
            f"shape={shape}",
            f"shape-before={shape_before}",
            f"shape-after={shape_after}",
            f"shapes-before={shape_before} {shape}",
            f"shapes-after={shape} {shape_after}",
            f"shapes={shape_before} {shape} {shape_after}",
            f"word-before+shape={before} {shape}",
            f"shape+word-after={shape} {after}",
        ]
        features += _affixes(token, LONGEST_AFFIX)
        features += {f"left={word}" for word in tokens[max(0, place - DISJUNCTION) : place]}
        features += {f"right={word}" for word in tokens[place + 1 : place + 1 + DISJUNCTION]}
        # Sorted, since the order of a set changes from process to process, and sums are rounded in that order.
        answers.append(sorted(features))
    return answers


def tner_features(tokens: Sequence[str], lists: NameLists, clusters: WordClusters) -> list[list[str]]:
    """Returns the features of each token and its two neighbours: spelling, name lists and clusters; and the words
    within three tokens.
    """
    matches = lists.matches(tokens)
    cased = any(token.islower() for token in tokens) and not all(token.islower() for token in tokens if token.isalpha())
    own = [
        [*_spelling(token, cased), *_listed(found), *_clustered(clusters.path(token))]
        for token, found in zip(tokens, matches, strict=True)
    ]
    answers = []
    for place in range(len(tokens)):
        features = ["bias", f"cased={cased}", *own[place]]
        features += [f"left={word}" for word in tokens[max(0, place - WINDOW) : place]]
        features += [f"right={word}" for word in tokens[place + 1 : place + WINDOW]]
        features += [f"before:{feature}" for feature in (own[place - 1] if place else ["edge"])]
        features += [f"after:{feature}" for feature in (own[place + 1] if place + 1 < len(tokens) else ["edge"])]
        answers.append(sorted(set(features)))
    return answers


def _spelling(token: str, cased: bool) -> list[str]:
    features = [f"word={token}", f"lower={token.lower()}"]
    if len(token) >= SHORTEST_WITH_AFFIXES:
        features += _affixes(token.lower(), 3)
    kinds = [kind for kind, pattern in _ORTHOGRAPHY.items() if pattern.match(token)]
    # A capital says little in a tweet that is all capitals, or that has no other.
    return [*features, *kinds, *(f"{kind}+cased" for kind in kinds if cased and "capital" in kind)]


def _affixes(token: str, longest: int) -> list[str]:
    lengths = range(1, min(longest, len(token)) + 1)
    return [f"begins={token[:length]}" for length in lengths] + [f"ends={token[-length:]}" for length in lengths]


def _listed(found: set[tuple[str, int]]) -> list[str]:
    lists = {f"list={name}" for name, _ in found}
    return sorted(lists | {f"list-phrase={length}" for _, length in found if length > 1})


def _clustered(path: str) -> list[str]:
    return [f"cluster={path[:steps]}" for steps in CLUSTER_STEPS] if path else []


def _at(values: Sequence[str], place: int) -> str:
    return values[place] if 0 <= place < len(values) else _EDGE
