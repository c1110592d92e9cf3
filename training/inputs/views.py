"""The views of a tweet: its words, characters, pieces, labels and captions as numbers, and the regions of its photo.

Owns which view comes from what. All of it is worked out once a run, before the first epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from tagstream.errors import BadSettings
from training.inputs.batch import Encoded, Numbers, Vectors
from training.inputs.sentences import Sentence
from training.inputs.vocabulary import Vocabulary, letter_case, normal_form
from workers.tagger.words import Kind, split_words

LONGEST_INPUT = 512
SECOND_SEGMENTS = ("none", "labels", "caption")


@dataclass(frozen=True, slots=True)
class PhotoInputs:
    """The inputs from one photo; empty where the photo is missing. A system sees `regions` (R, V)."""

    regions: Vectors
    labels: tuple[str, ...] = ()
    caption: str = ""


@dataclass(slots=True)
class PieceTokenizer:
    """Word pieces of tokens that are already apart, by any fast tokenizer of `transformers`."""

    tokenizer: Any
    _known: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def load(cls, encoder: Path | str) -> "PieceTokenizer":
        """Loads the tokenizer of an encoder, by folder or, with a network, by name.

        Raises:
            BadSettings: there is none.
        """
        try:
            # A byte-level vocabulary has other pieces for a word at the beginning of a text.
            return cls(AutoTokenizer.from_pretrained(str(encoder), use_fast=True, add_prefix_space=True))
        except (OSError, ValueError) as error:
            message = " ".join(str(error).split())[:300]
            raise BadSettings(f"{encoder}: no folder or name of an encoder with its tokenizer ({message})") from error

    def pieces(self, token: str) -> list[int]:
        """Returns the pieces of a token, at least one: a token that the vocabulary drops is the unknown piece."""
        known = self._known.get(token)
        if known is None:
            ids = self.tokenizer([token], is_split_into_words=True, add_special_tokens=False)["input_ids"]
            known = self._known[token] = ids or [self.tokenizer.unk_token_id]
        return known

    @property
    def longest(self) -> int:
        """The most pieces, marks included, that the encoder can read."""
        return min(LONGEST_INPUT, int(self.tokenizer.model_max_length))

    @property
    def start(self) -> int:
        """The mark before everything."""
        return int(self.tokenizer.cls_token_id)

    @property
    def separator(self) -> int:
        """The mark after each segment."""
        return int(self.tokenizer.sep_token_id)


@dataclass(frozen=True, slots=True)
class Views:
    """The way in which tweets are read. `photo` knows every photo by name; `segment` splits a hashtag into words.

    `second_segment` says which words about the photo an encoder of pieces reads after the tweet, and `urls` whether it
    reads those.
    """

    vocabulary: Vocabulary
    pieces: PieceTokenizer
    photo: Callable[[str | None], PhotoInputs]
    segment: Callable[[str], Sequence[str]]
    second_segment: str = "none"
    urls: str = "kept"

    def encode(self, sentence: Sentence) -> Encoded:
        """Encodes one tweet in all views."""
        photo = self.photo(sentence.image)
        pieces, segments, first_pieces = self._encode_pieces(sentence, photo)
        return Encoded(
            tags=np.array(sentence.tags, np.int64),
            words=self._words(sentence.tokens),
            characters=[self.vocabulary.spelling(token) for token in sentence.tokens],
            letter_cases=np.array([letter_case(token) for token in sentence.tokens], np.int64),
            pieces=pieces,
            segments=segments,
            first_pieces=first_pieces,
            visual=photo.regions,
            labels=np.array(self.vocabulary.photo_labels(photo.labels), np.int64),
            caption=self._words(photo.caption.split()),
            hashtags=self._words([word for tag in hashtags(sentence.tokens) for word in self.segment(tag)]),
        )

    def _words(self, words: Sequence[str]) -> Numbers:
        return np.array([self.vocabulary.word(word) for word in words], np.int64)

    def _encode_pieces(self, sentence: Sentence, photo: PhotoInputs) -> tuple[Numbers, Numbers, Numbers]:
        """Pieces, their segments, and the place of each token's first piece; the tokens' own places come first."""
        second = {"none": (), "labels": photo.labels, "caption": photo.caption.split()}[self.second_segment]
        said = [piece for word in second for piece in self.pieces.pieces(word)]
        said = [*said[: self.pieces.longest // 2], self.pieces.separator] if said else []
        pieces, first_pieces = [self.pieces.start], []
        room = self.pieces.longest - 1 - len(said)
        for token in sentence.tokens:
            if self.urls == "removed" and is_url(token):
                first_pieces.append(room)
                continue
            first_pieces.append(len(pieces))
            pieces += self.pieces.pieces(token)
        pieces = [*pieces[:room], self.pieces.separator]
        # A token that is removed or beyond the room is read as the last mark: it is answered for, if badly.
        first_pieces = [min(place, len(pieces) - 1) for place in first_pieces]
        segments = [0] * len(pieces) + [1] * len(said)
        numbers = (np.array(values, np.int64) for values in (pieces + said, segments, first_pieces))
        first, second_numbers, third = numbers
        return first, second_numbers, third


def is_url(token: str) -> bool:
    """Tells whether a token is a URL and nothing else."""
    return [word.kind for word in split_words(token)] == [Kind.URL]


def hashtags(tokens: Sequence[str]) -> list[str]:
    """Returns the hashtags among tokens, without their marks: one token, or a mark and the token after it."""
    found = []
    for place, token in enumerate(tokens):
        if token == "#" and place + 1 < len(tokens):
            found.append(tokens[place + 1])
        elif token.startswith("#") and len(token) > 1:
            found.append(token[1:])
    return found


def build_vocabulary(
    trained_on: Sequence[Sentence],
    others: Sequence[str],
    photos: Sequence[PhotoInputs],
    segment: Callable[[str], Sequence[str]],
) -> Vocabulary:
    """Builds it of the training tweets, their photos and hashtags, and of `others`: words with a pretrained vector."""
    words: set[str] = set()
    letters: set[str] = set()
    for sentence in trained_on:
        words.update(map(normal_form, sentence.tokens))
        words.update(normal_form(word) for tag in hashtags(sentence.tokens) for word in segment(tag))
        letters.update(*sentence.tokens)
    for photo in photos:
        words.update(map(normal_form, photo.caption.split()))
    labels = (label for photo in photos for label in photo.labels)
    return Vocabulary.of(words, letters, labels, map(normal_form, others))
