"""The encoder of the tagger: words become word pieces and features in three segments, padded to length buckets.

::

    [CLS] the post, its hashtags as words [SEP] hashtags outside its text [SEP] words about its photos [SEP]
    segment 0                                   segment 1                       segment 2

A missing segment is left out with its [SEP]. A tweet too long for one sequence becomes several that overlap; the answer
of a word is then taken from the sequence in which the word stands furthest from a cut. Training encodes words here too.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
import regex
from tokenizers.models import WordPiece

from tagstream.text.safe_text import normalise
from workers.tagger.words import Kind, Word, split_words

# The reading of posts: how a text becomes words, pieces and features. Raised with every change of it (here, in
# `words.py`, `hashtag_words.py`) that a network has to learn; a version says for which one it was trained.
# 1: a hashtag was one word. 2: each word of a hashtag is a position of its own.
READING = 2

BUCKET = 16
MAX_LENGTH = 128
MAX_WORD_PIECES = 12
# About 6,000 English words. A post of 100,000 Chinese characters, read to its end, costs 3,000 ordinary posts.
MAX_TWEET_PIECES = 8192
MAX_HASHTAG_PIECES = 24
MAX_IMAGE_PIECES = 40
OVERLAP_PIECES = 16
MAX_CACHED_WORDS = 100_000
MAX_CACHED_WORD_LENGTH = 32

# The rows of the embedding table that each column of features owns, one column after another. Row 0 is padding.
_CASE_ROWS, _PIECE_ROWS, _PROFILE_ROWS, _SHAPE_ROWS, _PREFIX_ROWS, _SUFFIX_ROWS = 32, 4, 8, 256, 1024, 1024
_CASE = 1
_PIECE = _CASE + _CASE_ROWS
_PROFILE = _PIECE + _PIECE_ROWS
_SHAPE = _PROFILE + _PROFILE_ROWS
_PREFIX = _SHAPE + _SHAPE_ROWS
_SUFFIX = _PREFIX + _PREFIX_ROWS
FEATURE_ROWS = _SUFFIX + _SUFFIX_ROWS
FEATURES = 6

Int32Array = npt.NDArray[np.int32]

_RUN = regex.compile(r"(\p{Lu}+)|(\p{Ll}+)|(\p{Nd}+)|(\p{L}+)|(.)", regex.DOTALL)
_RUN_LETTERS = "Xxdw."


@dataclass(frozen=True, slots=True)
class EncodedSequence:
    """One sequence of model input: `columns` (length, 2 + FEATURES) holds piece ids, segment ids and feature ids.

    `first_pieces[i]` is the position in the sequence of the first piece of the post's word `first_word + i`.
    """

    columns: Int32Array
    first_pieces: Int32Array
    first_word: int

    @property
    def bucket(self) -> int:
        """The padded length of this sequence."""
        return -(-len(self.columns) // BUCKET) * BUCKET


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A batch of sequences of one length bucket.

    `pieces` and `segments` are (sequences, length), `features` (sequences, length, 6).
    """

    pieces: Int32Array
    segments: Int32Array
    features: Int32Array


class Encoder:
    """An encoder of words by the WordPiece vocabulary that the model was trained with."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Takes the vocabulary in order of id.

        Raises:
            ValueError: the vocabulary does not begin with [PAD].
        """
        pieces = {piece: index for index, piece in enumerate(vocabulary)}
        self._padding = pieces["[PAD]"]
        if self._padding != 0:
            raise ValueError("the vocabulary must begin with [PAD]: padding is recognised by id 0")
        model = WordPiece(pieces, unk_token="[UNK]", max_input_chars_per_word=64)
        self._tokenize = model.tokenize
        self._start = self._special(pieces["[CLS]"])
        self._separator = self._special(pieces["[SEP]"])
        self._words: dict[tuple[str, Kind], Int32Array] = {}

    @classmethod
    def load(cls, vocabulary: Path) -> "Encoder":
        """Reads a vocabulary file, one piece a line, in order of id."""
        return cls(vocabulary.read_text(encoding="utf-8").splitlines())

    def encode(
        self, words: Sequence[Word], hashtags: Iterable[Sequence[str]] = (), image_words: str = ""
    ) -> list[EncodedSequence]:
        """Returns the sequences of one post: none without words, one, or several above 128 pieces.

        Of a post of more than 8,192 pieces only the words up to there are read; the last sequence ends with them.
        """
        if not words:
            return []
        profile = _case_profile(words)
        tweet = self._tweet(words)
        tail = self._segment([word for hashtag in hashtags for word in hashtag], 1, MAX_HASHTAG_PIECES)
        tail += self._segment([word.surface for word in split_words(image_words)], 2, MAX_IMAGE_PIECES)
        room = MAX_LENGTH - 2 - sum(len(part) for part in tail)
        return [
            self._sequence(tweet[start:end], tail, start, profile)
            for start, end in _windows([len(columns) for columns in tweet], room)
        ]

    def _tweet(self, words: Sequence[Word]) -> list[Int32Array]:
        if len(words) * MAX_WORD_PIECES <= MAX_TWEET_PIECES:
            return [self._columns(word.surface, word.kind) for word in words]
        tweet: list[Int32Array] = []
        pieces = 0
        for word in words:
            columns = self._columns(word.surface, word.kind)
            pieces += len(columns)
            if pieces > MAX_TWEET_PIECES:
                break
            tweet.append(columns)
        return tweet

    def _sequence(
        self, tweet: list[Int32Array], tail: list[Int32Array], first_word: int, profile: int
    ) -> EncodedSequence:
        first_pieces = np.array([*accumulate(map(len, tweet[:-1]), initial=1)], np.int32)
        columns = np.concatenate([self._start, *tweet, self._separator, *tail])
        columns[:, 2 + 2] = _PROFILE + profile
        return EncodedSequence(columns, first_pieces, first_word)

    def _segment(self, surfaces: Sequence[str], segment: int, limit: int) -> list[Int32Array]:
        parts: list[Int32Array] = []
        length = 0
        for surface in surfaces:
            columns = self._columns(surface, Kind.WORD)
            length += len(columns)
            if length > limit:
                break
            parts.append(columns)
        if not parts:
            return []
        columns = np.concatenate([*parts, self._separator])
        columns[:, 1] = segment
        return [columns]

    def _columns(self, surface: str, kind: Kind) -> Int32Array:
        known = self._words.get((surface, kind))
        if known is not None:
            return known
        columns = self._new_columns(surface, kind)
        if len(surface) <= MAX_CACHED_WORD_LENGTH:
            if len(self._words) >= MAX_CACHED_WORDS:
                self._words.clear()
            self._words[surface, kind] = columns
        return columns

    def _new_columns(self, surface: str, kind: Kind) -> Int32Array:
        pieces = self._pieces(self._read_as(surface, kind))
        columns = np.empty((len(pieces), 2 + FEATURES), np.int32)
        columns[:, 0] = pieces
        columns[:, 1] = 0
        columns[:, 2] = _CASE + _case(surface, kind)
        columns[:, 3] = _PIECE + 1
        columns[0, 3] = _PIECE
        columns[:, 4] = _PROFILE
        columns[:, 5] = _SHAPE + _hash(_shape(surface), _SHAPE_ROWS)
        columns[:, 6] = _PREFIX + _hash(surface[:3], _PREFIX_ROWS)
        columns[:, 7] = _SUFFIX + _hash(surface[-3:], _SUFFIX_ROWS)
        return columns

    def _read_as(self, surface: str, kind: Kind) -> str:
        """Returns the words that are looked up in the vocabulary.

        Account names behind @ and addresses tell nothing of the topic.
        """
        if kind is Kind.URL:
            return "http"
        if kind is Kind.MENTION:
            return "@ user"
        if kind is Kind.SHORTCODE:
            return "[UNK]"  # like nearly every emoji
        return _fold(surface)

    def _pieces(self, text: str) -> list[int]:
        pieces: list[int] = []
        for part in text.split():
            pieces += [token.id for token in self._tokenize(part)]
            if len(pieces) >= MAX_WORD_PIECES:
                break
        return pieces[:MAX_WORD_PIECES] or [token.id for token in self._tokenize("[UNK]")]

    @staticmethod
    def _special(piece: int) -> Int32Array:
        return np.array([[piece, 0, _CASE + 15, _PIECE + 2, _PROFILE, _SHAPE, _PREFIX, _SUFFIX]], np.int32)


def stack_sequences(sequences: Sequence[EncodedSequence], length: int) -> ModelInput:
    """Pads the sequences with zeros to `length`, which none may exceed."""
    columns = np.zeros((len(sequences), length, 2 + FEATURES), np.int32)
    for index, sequence in enumerate(sequences):
        columns[index, : len(sequence.columns)] = sequence.columns
    return ModelInput(columns[..., 0].copy(), columns[..., 1].copy(), columns[..., 2:].copy())


def _windows(lengths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Cuts words into windows of at most `room` pieces; neighbours share words of at most OVERLAP_PIECES pieces.

    The overlap is counted in pieces, not words: a post of long words would otherwise have a window for every word.
    """
    if sum(lengths) <= room:
        return [(0, len(lengths))]
    windows = []
    start = 0
    while True:
        end, used = start, 0
        while end < len(lengths) and used + lengths[end] <= room:
            used += lengths[end]
            end += 1
        windows.append((start, end))
        if end == len(lengths):
            return windows
        start, shared = end, lengths[end - 1]
        while shared <= OVERLAP_PIECES:
            start -= 1
            shared += lengths[start - 1]


_MARK = regex.compile(r"\p{M}")
_PUNCTUATION = regex.compile(r"([^\p{L}\p{N}\s])\1*")


def _fold(surface: str) -> str:
    """Folds a word to the forms of the uncased vocabulary: lower case, no accents, punctuation apart, repeats once."""
    folded = surface.lower()
    if folded.isascii():
        return folded if folded.isalnum() else _PUNCTUATION.sub(r" \1 ", folded)
    # Typographic hyphens are in no vocabulary.
    return _PUNCTUATION.sub(r" \1 ", _MARK.sub("", normalise("NFKD", folded)).replace("\u2010", "-"))


def _hash(text: str, rows: int) -> int:
    return zlib.crc32(text.encode()) % rows


def _shape(surface: str) -> str:
    """Returns the outline of a word: `McDonald` is XxXx, `iPhone5s` is xXxdx."""
    runs = (_RUN_LETTERS[(match.lastindex or 5) - 1] for match in _RUN.finditer(surface[:24]))
    return "".join(runs)


def _case(surface: str, kind: Kind) -> int:
    """Returns the letter case of a word as one of 21 classes; the class 15 belongs to the special pieces."""
    if kind is Kind.SHORTCODE:
        return int(Kind.SYMBOL)
    if kind in (Kind.SYMBOL, Kind.URL, Kind.MENTION, Kind.REPOST, Kind.NUMBER, Kind.CHARACTER):
        return int(kind)
    letters = surface
    if letters.islower():
        case = 0
    elif letters.isupper():
        case = 2 if len(letters) > 1 else 3
    elif letters[:1].isupper() and letters[1:].islower():
        case = 1
    else:
        case = 4
    return (8 if kind is Kind.WORD else 16) + case


def _case_profile(words: Sequence[Word]) -> int:
    """Returns the case class of a whole post: capitals mean little in a post of nothing else, or of none."""
    plain = Kind.WORD
    texts = [surface for surface, _, _, kind in words if kind is plain and len(surface) > 1]
    if len(texts) < 3:
        return 0
    upper = sum(map(str.isupper, texts)) / len(texts)
    capitalised = sum([text[0].isupper() for text in texts]) / len(texts)
    if upper > 0.7:
        return 1
    if capitalised == 0:
        return 2
    return 3 if capitalised > 0.7 else 4
