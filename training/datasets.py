"""The tweet sets as training examples: raw text, spans of names, and what their annotators left unsaid.

Every set goes through the words that serving uses: the tokens are joined by one space and split again, and a name
becomes a stretch of characters. A label that a set does not have is unknown there, not absent.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import UnreadableInput
from tagstream.settings import Settings
from workers.tagger.borders import within_borders, words_outside_names
from workers.tagger.conll import SPELLINGS, ConllPost, read_conll
from workers.tagger.words import Kind, Word

ALL_TAGS = 2**9 - 1
OUTSIDE = 1
_BEGIN = {"PER": 1 << 1, "LOC": 1 << 3, "ORG": 1 << 5, "MISC": 1 << 7}
_INSIDE = {name: bit << 1 for name, bit in _BEGIN.items()}
_CONTINUING = sum(_INSIDE.values())
_TWITTER_2017_PLACEHOLDER = "a man is standing on a skateboard in the snow"


@dataclass(frozen=True, slots=True)
class MarkedName:
    """A name of a post: `text[start:end]` and its type.

    The type is `ANY` where the annotators' label leaves it open, and None where a stray I- tells nothing of the words.
    """

    start: int
    end: int
    type: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """One post with its names, in order; `unknown` are the types that its annotators did not mark."""

    text: str
    names: tuple[MarkedName, ...]
    caption: str = ""
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Corpus:
    """One set on disk; `unknown` are the types that its annotators did not mark. Not every set has a test part."""

    name: str
    train: str
    dev: str
    unknown: frozenset[str] = frozenset()
    captions: str | None = None
    test: str | None = None


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus("twitter2015", "mner/twitter2015/train.txt", "mner/twitter2015/valid.txt",
               captions="captions/blip2_twitter2015.txt", test="mner/twitter2015/test.txt"),
        Corpus("twitter2017", "mner/twitter2017/train.txt", "mner/twitter2017/valid.txt",
               captions="captions/blip2_twitter2017.txt", test="mner/twitter2017/test.txt"),
        Corpus("btc", "ner/btc/btc.train", "ner/btc/btc.dev", unknown=frozenset({"MISC"})),
        Corpus("wnut16", "ner/wnut16/train", "ner/wnut16/dev"),
        Corpus("wnut17", "ner/wnut17/wnut17train.conll", "ner/wnut17/emerging.dev.conll"),
        Corpus("tweebank", "ner/tweebank/train.bio", "ner/tweebank/dev.bio"),
    )
}  # fmt: skip


def data_folder() -> Path:
    """Returns the folder of the data sets: `TAGSTREAM_DATA`, or the default of the setting `data`."""
    return Path(os.environ.get("TAGSTREAM_DATA", Settings.model_fields["data"].default))


def require_data(files: Iterable[str]) -> None:
    """Checks that files are in the folder of the data sets, before a training makes anything.

    Raises:
        UnreadableInput: one of them is not there.
    """
    folder = data_folder()
    for file in files:
        if not (folder / file).is_file():
            raise UnreadableInput(
                f"{folder / file}: no such file: the data sets are looked for in {folder}; set TAGSTREAM_DATA (the "
                "setting `data`) to the folder that holds them"
            )


def load_examples(name: str, part: str) -> list[Example]:
    """Reads all posts of one part (`train` or `dev`) of a corpus, in file order."""
    corpus = CORPORA[name]
    captions = _read_captions(data_folder() / corpus.captions) if corpus.captions else {}
    path = data_folder() / (corpus.train if part == "train" else corpus.dev)
    return [_example(post, corpus, captions.get(post.image or "", "")) for post in read_conll(path)]


def _read_captions(path: Path) -> dict[str, str]:
    captions = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, caption = line.partition(" :")
        if caption.strip() != _TWITTER_2017_PLACEHOLDER:
            captions[Path(name).stem] = caption.strip()
    return captions


def _example(post: ConllPost, corpus: Corpus, caption: str) -> Example:
    names = tuple(MarkedName(start, end, label) for start, end, label in _labelled(post))
    return Example(post.text, names, caption, corpus.unknown)


def outside(unknown: Iterable[str]) -> int:
    """Returns the bit mask of a word in no name: O, or a type that the annotators did not mark."""
    bits = OUTSIDE
    for name in unknown:
        bits |= _BEGIN[name] | _INSIDE[name]
    return bits


def allowed_tags(example: Example, words: Sequence[Word], line_starts: Iterable[int]) -> list[int]:
    """Returns for each word of the post, as serving reads it, a bit mask over the nine tags that it may carry.

    A word is in a name if more than half of it is: a hashtag may have been split otherwise than its name is written.
    The sign of a hashtag before a name is in none.
    """
    allowed = [outside(example.unknown)] * len(words)
    without_name = set(words_outside_names(example.text, words))
    for name in example.names:
        inside = [i for i, word in enumerate(words) if 2 * _overlap(word, name) > word.end - word.start]
        while len(inside) > 1 and words[inside[0]].surface == "#":
            inside.pop(0)
        # The sets do not agree about possessives and signs at the ends.
        inside = list(within_borders(inside, words, without_name))
        # BTC marks each lone @ as a name of its own: no name is a sign alone.
        kind = name.type if any(words[i].kind is not Kind.SYMBOL for i in inside) else None
        for place, i in enumerate(inside):
            allowed[i] = mask(kind, first=place == 0)
    for i in without_name:
        allowed[i] = OUTSIDE if allowed[i] & OUTSIDE else ALL_TAGS
    for i in line_starts:
        allowed[i] = allowed[i] & ~_CONTINUING or ALL_TAGS
    return allowed


def _overlap(word: Word, name: MarkedName) -> int:
    return min(word.end, name.end) - max(word.start, name.start)


def mask(label: str | None, *, first: bool) -> int:
    """Returns the tags that a word of a name of this type may carry: that of its first word, or of the others."""
    if label is None:
        return ALL_TAGS
    bits = _BEGIN if first else _INSIDE
    if label == "ANY":
        return sum(bits.values())
    return bits[label]


def _labelled(post: ConllPost) -> Iterator[tuple[int, int, str | None]]:
    """Spans as (start, end, type): None where a stray I- makes the label unknown, ANY where only the type is."""
    open_span: list[int] | None = None
    open_label = ""
    for start, end, tag in post.tokens:
        prefix, _, spelled = tag.partition("-")
        if prefix == "I" and open_span is not None and spelled == open_label:
            open_span[1] = end
            continue
        if open_span is not None:
            yield open_span[0], open_span[1], _label(open_label)
            open_span = None
        if prefix == "B":
            open_span, open_label = [start, end], spelled
        elif prefix == "I":
            yield start, end, None
    if open_span is not None:
        yield open_span[0], open_span[1], _label(open_label)


def _label(spelled: str) -> str:
    # A musician may be a person, a band or neither to the other sets: only that it is a name is sure.
    return "ANY" if spelled.lower() == "musicartist" else SPELLINGS[spelled.lower()]
