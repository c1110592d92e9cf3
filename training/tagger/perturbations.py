"""Perturbed posts: the same names in text that is written as people write it, to measure how many are still found.

A perturbation maps the tokens of a post, each with its tag, to others, and takes its chances from a generator of random
numbers. Spans follow: an added token is outside every name, and a name keeps its words or becomes one.
"""

import random
import string
from collections.abc import Callable, Mapping, Sequence

from workers.tagger.conll import ConllPost, joined_post

Token = tuple[str, str]
Perturbation = Callable[[Sequence[Token], random.Random], list[Token]]

_ROWS_OF_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    row[place]: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in _ROWS_OF_KEYS
    for place in range(len(row))
}
_HOMOGLYPHS = str.maketrans("aceopxyiABCEHKMOPTXI", "асеорхуіАВСЕНКМОРТХІ")
_FULLWIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


def _letters_from(capital: int) -> dict[int, int]:
    """Returns the table from the Latin letters to those of a style, which Unicode lists from its capital A on."""
    return str.maketrans(
        dict(zip(string.ascii_uppercase + string.ascii_lowercase, range(capital, capital + 52), strict=True))
    )


_BOLD, _ITALIC = _letters_from(0x1D5D4), _letters_from(0x1D608)  # without serifs
_EMOJI = ("😀", "😂", "🔥", "❤️", "👏", "🙏", "🎉", "😭", "💯", "👀", "🤔", "😍", "💪", "✨", "🥳", "🚨")
_MARKS = string.punctuation.replace("_", "") + "“”‘’«»…–—"


def tokens_of(post: ConllPost) -> list[Token]:
    """Returns the tokens of a post with their tags."""
    return [(post.text[start:end], tag) for start, end, tag in post.tokens]


def perturbed(posts: Sequence[ConllPost], perturb: Perturbation, seed: str) -> list[ConllPost]:
    """Returns the posts perturbed; each takes its chances from the seed and its place."""
    found = []
    for place, post in enumerate(posts):
        tokens = perturb(tokens_of(post), random.Random(f"{seed}:{place}"))
        found.append(joined_post(tokens, post.image) if tokens else post)
    return found


def names_of(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Returns the first token of each name and the one after its last."""
    starts = [place for place, (_, tag) in enumerate(tokens) if tag.startswith("B-")]
    return [(start, _name_end(tokens, start)) for start in starts]


def _name_end(tokens: Sequence[Token], start: int) -> int:
    end = start + 1
    while end < len(tokens) and tokens[end][1] == "I" + tokens[start][1][1:]:
        end += 1
    return end


def _is_plain(word: str) -> bool:
    """Tells words from addresses, @-mentions, hashtags, numbers and marks, which keep their form."""
    return word[0] not in "@#" and "://" not in word and any(map(str.isalpha, word))


def each_word(change: Callable[[str, random.Random], str], *, names: bool = True, others: bool = True) -> Perturbation:
    """Returns the perturbation that changes each word of names, each of the others, or both."""

    def perturb(tokens: Sequence[Token], chance: random.Random) -> list[Token]:
        return [
            (change(word, chance) if _is_plain(word) and (others if tag == "O" else names) else word, tag)
            for word, tag in tokens
        ]

    return perturb


def flip_case(word: str, chance: random.Random) -> str:
    """Gives every fifth letter the other case."""
    return "".join(letter.swapcase() if chance.random() < 0.2 else letter for letter in word)


def mistype(word: str, chance: random.Random) -> str:
    """Makes one mistake in every third word of four letters or more: a neighbour's key, a swap, or a letter lost."""
    if len(word) < 4 or chance.random() >= 1 / 3:
        return word
    place = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(3)
    if kind == 0:
        near = _NEIGHBOURS.get(word[place].lower(), "")
        letter = chance.choice(near) if near else word[place]
        return word[:place] + (letter.upper() if word[place].isupper() else letter) + word[place + 1 :]
    if kind == 1:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + word[place + 1 :]


def elongate(word: str, chance: random.Random) -> str:
    """Repeats a vowel, or else the last letter, three to five times in every third word: `sooooo`."""
    if chance.random() >= 1 / 3:
        return word
    vowels = [place for place, letter in enumerate(word) if letter.lower() in "aeiou"]
    place = chance.choice(vowels) if vowels else len(word) - 1
    return word[:place] + word[place] * chance.randint(3, 5) + word[place + 1 :]


def translated(table: Mapping[int, int | str]) -> Callable[[str, random.Random], str]:
    """Returns the change of every letter by a table."""
    return lambda word, _: word.translate(table)


def without_marks(tokens: Sequence[Token], _: random.Random) -> list[Token]:
    """Takes out punctuation but for that of addresses, @-mentions and hashtags; a name keeps its other words."""
    kept: list[Token] = []
    begins: str | None = None  # the tag of a name whose first words were nothing but marks
    for word, tag in tokens:
        bare = word if _is_address(word) else "".join(letter for letter in word if letter not in _MARKS)
        if not tag.startswith("I-"):
            begins = None
        written = begins or tag
        if bare:
            kept.append((bare, written))
            begins = None
        elif written.startswith("B-"):
            begins = written
    return kept


def _is_address(word: str) -> bool:
    return "://" in word or word[0] in "@#"


def with_emoji(tokens: Sequence[Token], chance: random.Random) -> list[Token]:
    """Puts an emoji after every third word that no name goes on after."""
    found: list[Token] = []
    for place, token in enumerate(tokens):
        found.append(token)
        goes_on = place + 1 < len(tokens) and tokens[place + 1][1].startswith("I-")
        if not goes_on and chance.random() < 1 / 3:
            found.append((chance.choice(_EMOJI), "O"))
    return found


def with_links_and_mentions(tokens: Sequence[Token], chance: random.Random) -> list[Token]:
    """Puts two @-mentions before a post and a link after it."""

    def letters(length: int) -> str:
        return "".join(chance.choice(string.ascii_lowercase + string.digits) for _ in range(length))

    mentions: list[Token] = [(f"@{letters(9)}", "O"), (f"@{letters(6)}_{letters(2)}", "O")]
    return [*mentions, *tokens, (f"https://t.co/{letters(10)}", "O")]


def names_as_hashtags(tokens: Sequence[Token], _: random.Random) -> list[Token]:
    """Writes each name of nothing but letters, digits and underscores as one hashtag: `#NewYork`."""
    found: list[Token] = []
    done = 0
    for start, end in names_of(tokens):
        words = [word for word, _ in tokens[start:end]]
        if all(word.replace("_", "").isalnum() for word in words) and (not start or tokens[start - 1][0] not in "#@"):
            found += [*tokens[done:start], ("#" + camel(words), tokens[start][1])]
            done = end
    return [*found, *tokens[done:]]


def camel(words: Sequence[str]) -> str:
    """Joins words to one, each with a capital: `NewYork`."""
    return "".join(word[:1].upper() + word[1:] for word in words)


PERTURBATIONS: dict[str, Perturbation] = {
    "as written": lambda tokens, _: list(tokens),
    "all lower case": each_word(lambda word, _: word.lower()),
    "all upper case": each_word(lambda word, _: word.upper()),
    "every fifth letter in the other case": each_word(flip_case),
    "typos, but in no name": each_word(mistype, names=False),
    "typos in names": each_word(mistype, others=False),
    "elongation, but in no name": each_word(elongate, names=False),
    "elongation in names": each_word(elongate, others=False),
    "no punctuation": without_marks,
    "emoji between words": with_emoji,
    "links and @-mentions around": with_links_and_mentions,
    "Cyrillic letters of the same look in names": each_word(translated(_HOMOGLYPHS), others=False),
    "fullwidth letters, all text": each_word(translated(_FULLWIDTH)),
    "fullwidth letters in names": each_word(translated(_FULLWIDTH), others=False),
    "mathematical bold, all text": each_word(translated(_BOLD)),
    "mathematical bold in names": each_word(translated(_BOLD), others=False),
    "mathematical italic in names": each_word(translated(_ITALIC), others=False),
    "names as hashtags": names_as_hashtags,
}
