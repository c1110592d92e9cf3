"""The tweet sets as training examples: raw text, spans of names, and what their annotators left unsaid.

Every set goes through the words that serving uses: the tokens are joined by one space and split again, and a span
becomes a stretch of characters. A label that a set does not have is unknown there, not absent.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import UnreadableInput
from tagstream.settings import Settings
from workers.tagger.borders import within_borders, words_outside_names
from workers.tagger.conll import SPELLINGS, ConllPost, read_conll
from workers.tagger.words import Kind, by_lines, split_words

ALL_TAGS = 2**9 - 1
OUTSIDE = 1
_BEGIN = {"PER": 1 << 1, "LOC": 1 << 3, "ORG": 1 << 5, "MISC": 1 << 7}
_INSIDE = {name: bit << 1 for name, bit in _BEGIN.items()}
_CONTINUING = sum(_INSIDE.values())
_TWITTER_2017_PLACEHOLDER = "a man is standing on a skateboard in the snow"


@dataclass(frozen=True, slots=True)
class Example:
    """One post: `allowed[i]` is a bit mask over the nine tags that word `i` may carry, read as serving reads it."""

    text: str
    allowed: tuple[int, ...]
    caption: str
    corpus: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """One set on disk; `unknown` are the types that its annotators did not mark."""

    name: str
    train: str
    dev: str
    unknown: frozenset[str] = frozenset()
    captions: str | None = None


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus("twitter2015", "mner/twitter2015/train.txt", "mner/twitter2015/valid.txt",
               captions="captions/blip2_twitter2015.txt"),
        Corpus("twitter2017", "mner/twitter2017/train.txt", "mner/twitter2017/valid.txt",
               captions="captions/blip2_twitter2017.txt"),
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
    words, line_starts = by_lines(post.text, split_words(post.text))
    without_name = set(words_outside_names(post.text, words))
    outside = OUTSIDE
    for name in corpus.unknown:
        outside |= _BEGIN[name] | _INSIDE[name]
    allowed = [outside] * len(words)
    for start, end, label in _labelled(post):
        inside = [i for i, word in enumerate(words) if word.start < end and word.end > start]
        # The sets do not agree about possessives and signs at the ends.
        for place, i in enumerate(within_borders(inside, words, without_name)):
            allowed[i] = _mask(label, first=place == 0)
    for i in without_name:
        allowed[i] = OUTSIDE if allowed[i] & OUTSIDE else ALL_TAGS
    for i in line_starts:
        allowed[i] = allowed[i] & ~_CONTINUING or ALL_TAGS
    return Example(post.text, tuple(allowed), caption, corpus.name)


def _mask(label: str | None, first: bool) -> int:
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


def word_segmentations(example: Example, segment: Callable[[str], Sequence[str]]) -> list[tuple[str, ...]]:
    """Returns the segmented hashtags of a post, in order."""
    return [tuple(segment(word.surface)) for word in split_words(example.text) if word.kind is Kind.HASHTAG]
