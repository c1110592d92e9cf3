"""Training posts as tensors: similar lengths together, and the noise that teaches the tagger to do without.

::

    example ─▶ names and words as hashtags ─▶ letter case ─▶ words ─▶ allowed tags ─▶ pieces ─▶ batch
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tagstream.errors import CorruptState
from training.datasets import OUTSIDE, Example, allowed_tags
from training.tagger.hashtag_noise import HashtagNoise, with_hashtags
from training.tagger.known_names import KnownNames
from training.tagger.misspellings import misspelled
from training.tagger.pseudo_labels import PseudoExample
from training.tagger.surroundings import with_surroundings, without_punctuation
from training.tagger.trailing_hashtags import HashtagMatter, with_trailing_hashtags
from training.tagger.wrong_captions import wrong_caption
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import EncodedSequence, Encoder, stack_sequences
from workers.tagger.hashtag_words import read_words
from workers.tagger.words import Kind, Word

_UNKNOWN_PIECE = 100
_FIRST_ORDINARY_PIECE = 999
_BITS = 1 << np.arange(len(TAGS))

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Noise:
    """The chances, from 0 to 1, with which each kind of input is hidden from the tagger or changed in training.

    `piece`: pieces read as [UNK]; `features`: posts without case and characters; `caption`: posts without image words;
    `wrong_caption`: posts with the caption of another photo; `listed`: posts whose last hashtags, if they hold no name,
    are listed outside the text; `lower`, `upper`: posts all in small letters or all in capitals; `misspelled`: posts
    with misspelled words; `surroundings`: posts with account names and links around them; `punctuation`: posts without
    any.
    """

    piece: float = 0.0
    features: float = 0.0
    caption: float = 0.0
    wrong_caption: float = 0.0
    listed: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    misspelled: float = 0.0
    surroundings: float = 0.0
    punctuation: float = 0.0
    hashtags: HashtagNoise = field(default_factory=HashtagNoise)


@dataclass(frozen=True, slots=True)
class TaggerBatch:
    """B posts as tensors, padded to L pieces and T words.

    Attributes:
        pieces: (B, L), numbers of word pieces.
        segments: (B, L), 0 at the post, 1 at its listed hashtags, 2 at its image words.
        features: (B, L, 6), letter case, word shape and affixes.
        first_pieces: (B, T), the position of each word's first piece.
        mask: (B, T), true at words.
        targets: (B, T, 9): of annotated posts true at each tag that the word may carry, of pseudo-labelled ones the
            probabilities that the teachers give.
    """

    pieces: Tensor
    segments: Tensor
    features: Tensor
    first_pieces: Tensor
    mask: Tensor
    targets: Tensor

    @property
    def is_annotated(self) -> bool:
        """Whether the targets are tags that annotators allow."""
        return self.targets.dtype == torch.bool


@dataclass(frozen=True, slots=True)
class _EncodedExample:
    sequence: EncodedSequence
    targets: npt.NDArray[np.bool_] | FloatArray


class BatchMaker:
    """A maker of training batches. `segment` splits a hashtag, given without its sign.

    `known` mends the annotation of hashtags; `matter` is what further hashtags are made of; `captions` are those of all
    photos.
    """

    def __init__(
        self,
        encoder: Encoder,
        segment: Callable[[str], Sequence[str]],
        noise: Noise,
        known: KnownNames | None = None,
        matter: HashtagMatter | None = None,
        captions: Sequence[str] = (),
    ) -> None:
        self._encoder = encoder
        self._segment = segment
        self._noise = noise
        self._known = known
        self._matter = matter or HashtagMatter()
        self._captions = captions

    def batches(
        self, examples: Sequence[Example | PseudoExample], size: int, chance: random.Random
    ) -> Iterator[TaggerBatch]:
        """Yields the examples in random order, batched with others of about their length and of their kind."""
        batches: list[list[_EncodedExample]] = []
        for kind in (Example, PseudoExample):
            encoded = [done for one in examples if isinstance(one, kind) and (done := self._encode(one, chance))]
            encoded.sort(key=lambda done: len(done.sequence.columns) + 8 * chance.random())
            batches += [encoded[start : start + size] for start in range(0, len(encoded), size)]
        chance.shuffle(batches)
        for batch in batches:
            yield self._collate(batch, chance)

    def _encode(self, example: Example | PseudoExample, chance: random.Random) -> _EncodedExample | None:
        noise = self._noise
        if isinstance(example, Example):
            example = with_hashtags(example, noise.hashtags, self._matter.names, chance)
            if noise.hashtags.trailing and chance.random() < noise.hashtags.trailing:
                example = with_trailing_hashtags(example, noise.hashtags, self._matter, chance)
            if chance.random() < noise.surroundings:
                example = with_surroundings(example, chance)
        words, line_starts = read_words(example.text, self._segment)
        if not words:
            return None
        words = self._rewritten(words, chance)
        targets: npt.NDArray[np.bool_] | FloatArray
        listed: list[tuple[str, ...]] = []
        caption = ""
        if isinstance(example, PseudoExample):
            if len(example.marginals) != len(words):
                raise CorruptState("pseudo-labels of another reading of posts than this one: label the posts again")
            targets = example.marginals.astype(np.float32)
        else:
            allowed = allowed_tags(example, words, line_starts)
            if self._known is not None:
                self._known.mend(words, allowed)
            if chance.random() < noise.punctuation:
                words, allowed = without_punctuation(words, allowed)
            if chance.random() < noise.listed:
                words, listed = _listed_apart(words, allowed)
                allowed = allowed[: len(words)]
            targets = (np.array(allowed)[:, None] & _BITS) != 0
            caption = "" if chance.random() < noise.caption else example.caption
        if self._captions and chance.random() < noise.wrong_caption:
            caption = wrong_caption(self._captions, chance)
        sequence = self._encoder.encode(words, listed, caption)[0]
        return _EncodedExample(sequence, targets[: len(sequence.first_pieces)])

    def _rewritten(self, words: list[Word], chance: random.Random) -> list[Word]:
        """Returns the words, at times all in small letters or capitals, or some of them misspelled.

        Hashtags were split as they are written.
        """
        turn = chance.random() - self._noise.misspelled
        if turn < 0:
            return [word._replace(surface=misspelled(word.surface, chance)) for word in words]
        if turn < self._noise.lower:
            return [word._replace(surface=word.surface.lower()) for word in words]
        if turn < self._noise.lower + self._noise.upper:
            return [word._replace(surface=word.surface.upper()) for word in words]
        return words

    def _collate(self, batch: Sequence[_EncodedExample], chance: random.Random) -> TaggerBatch:
        noise = self._noise
        sequences = [done.sequence for done in batch]
        model_input = stack_sequences(sequences, max(len(sequence.columns) for sequence in sequences))
        longest = max(len(done.targets) for done in batch)
        first_pieces = np.zeros((len(batch), longest), np.int64)
        targets = np.ones((len(batch), longest, len(TAGS)), batch[0].targets.dtype)
        mask = np.zeros((len(batch), longest), np.bool_)
        for number, done in enumerate(batch):
            first_pieces[number, : len(done.targets)] = done.sequence.first_pieces
            targets[number, : len(done.targets)] = done.targets
            mask[number, : len(done.targets)] = True
        pieces, features = model_input.pieces, model_input.features
        random_numbers = np.random.default_rng(chance.getrandbits(64))
        hidden = (random_numbers.random(pieces.shape) < noise.piece) & (pieces >= _FIRST_ORDINARY_PIECE)
        pieces[hidden] = _UNKNOWN_PIECE
        features[random_numbers.random(len(batch)) < noise.features, :, 3:] = 0
        return TaggerBatch(
            torch.from_numpy(pieces).long(),
            torch.from_numpy(model_input.segments).long(),
            torch.from_numpy(features).long(),
            torch.from_numpy(first_pieces),
            torch.from_numpy(mask),
            torch.from_numpy(targets),
        )


def _listed_apart(words: list[Word], allowed: Sequence[int]) -> tuple[list[Word], list[tuple[str, ...]]]:
    """Returns the words before the last hashtags that hold no name, and these hashtags, segmented."""
    end = len(words)
    listed: list[tuple[str, ...]] = []
    current: list[str] = []
    for index in range(len(words) - 1, 0, -1):
        word = words[index]
        if word.kind is Kind.HASHTAG and allowed[index] == OUTSIDE:
            current.insert(0, word.surface)
        elif current and word.surface == "#":
            listed.insert(0, tuple(current))
            current, end = [], index
        else:
            break
    return words[:end], listed
