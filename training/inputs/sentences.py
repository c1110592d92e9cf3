"""The two photo tweet sets and WNUT-16 as the papers read them: tokens and one tag each.

Unlike `training/datasets.py`, which reads raw text through the words that serving uses, the tokens here are those of
the annotators: a figure of the table must be comparable with one that is printed.
"""

from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import BadSettings
from training.datasets import data_folder
from workers.tagger.conll import SPELLINGS, ConllPost, read_conll
from workers.tagger.crf_decoder import TAGS

PARTS = ("train", "dev", "test")
_FILES = {
    "twitter2015": ("mner/twitter2015/train.txt", "mner/twitter2015/valid.txt", "mner/twitter2015/test.txt"),
    "twitter2017": ("mner/twitter2017/train.txt", "mner/twitter2017/valid.txt", "mner/twitter2017/test.txt"),
    "wnut16": ("ner/wnut16/train", "ner/wnut16/dev", None),
}
CORPORA = tuple(_FILES)
_NUMBERS = {tag: number for number, tag in enumerate(TAGS)}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One tweet: its tokens, the number in `TAGS` of each one's tag, and the name of its photo where it has one.

    `gold` is the tweet as the file has it, for scoring. In `tags` an I- that continues nothing is the B- of its type:
    no legal sequence holds it as it stands.
    """

    tokens: tuple[str, ...]
    tags: tuple[int, ...]
    image: str | None
    gold: ConllPost


def load_sentences(corpus: str, part: str) -> list[Sentence]:
    """Reads all tweets of one part, in file order.

    Raises:
        BadSettings: no such corpus, or one without that part.
        UnreadableInput: the file is not there.
    """
    return [sentence_of(post) for post in read_conll(data_folder() / part_file(corpus, part))]


def parts_of(corpus: str) -> list[str]:
    """Returns the parts that a corpus has."""
    return [part for part, file in zip(PARTS, _FILES[corpus], strict=True) if file is not None]


def part_file(corpus: str, part: str) -> str:
    """Returns the path of a part within the folder of the data.

    Raises:
        BadSettings: no such corpus, or one without that part.
    """
    if corpus not in _FILES or part not in PARTS:
        raise BadSettings(f"{corpus} {part}: there are {', '.join(CORPORA)}, each with {', '.join(PARTS)}")
    file = _FILES[corpus][PARTS.index(part)]
    if file is None:
        raise BadSettings(f"{corpus} has no {part} part")
    return file


def sentence_of(post: ConllPost) -> Sentence:
    """Converts a tweet of a BIO file."""
    tokens = tuple(post.text[start:end] for start, end, _ in post.tokens)
    image = None if post.image is None else Path(post.image).stem
    return Sentence(tokens, tuple(_legal([tag for _, _, tag in post.tokens])), image, post)


def _legal(tags: list[str]) -> list[int]:
    numbers: list[int] = []
    before = ""
    for tag in tags:
        prefix, _, spelled = tag.partition("-")
        label = SPELLINGS[spelled.lower()] if spelled else ""
        if prefix == "O" or prefix == "o":
            numbers.append(0)
        else:
            numbers.append(_NUMBERS[f"{'I' if prefix == 'I' and label == before else 'B'}-{label}"])
        before = label
    return numbers
