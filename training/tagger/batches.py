"""Training examples as tensors: similar lengths together, and the noise that teaches the tagger to do without."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.datasets import ALL_TAGS, Example, word_segmentations
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import EncodedSequence, Encoder, stack_sequences
from workers.tagger.words import split_words

_UNKNOWN_PIECE = 100
_FIRST_ORDINARY_PIECE = 999


@dataclass(frozen=True, slots=True)
class Noise:
    """The chances, from 0 to 1, with which each kind of input is hidden from the tagger in training."""

    piece: float = 0.0
    features: float = 0.0
    caption: float = 0.0
    hashtags: float = 0.0
    lowercase: float = 0.0


@dataclass(frozen=True, slots=True)
class TaggerBatch:
    """B posts as tensors, padded to L pieces and T words.

    Attributes:
        pieces: (B, L), numbers of word pieces.
        segments: (B, L), 0 at the post, 1 at its hashtags, 2 at its image words.
        features: (B, L, 6), letter case, word shape and affixes.
        first_pieces: (B, T), the position of each word's first piece.
        mask: (B, T), true at words.
        allowed: (B, T, 9), true at each tag that the word may carry.
    """

    pieces: Tensor
    segments: Tensor
    features: Tensor
    first_pieces: Tensor
    mask: Tensor
    allowed: Tensor


def make_batches(
    examples: Sequence[Example],
    encoder: Encoder,
    segment: Callable[[str], Sequence[str]],
    size: int,
    chance: random.Random,
    noise: Noise,
) -> Iterator[TaggerBatch]:
    """Returns the examples in random order, batched with others of about their length."""
    encoded = [pair for example in examples if (pair := _encode(example, encoder, segment, chance, noise))]
    encoded.sort(key=lambda pair: len(pair[0].columns) + 8 * chance.random())
    batches = [encoded[start : start + size] for start in range(0, len(encoded), size)]
    chance.shuffle(batches)
    for batch in batches:
        yield _collate(batch, chance, noise)


def _encode(
    example: Example, encoder: Encoder, segment: Callable[[str], Sequence[str]], chance: random.Random, noise: Noise
) -> tuple[EncodedSequence, tuple[int, ...]] | None:
    text = example.text
    if chance.random() < noise.lowercase and len(text.lower()) == len(text):
        text = text.lower()
    words = split_words(text)
    allowed = example.allowed
    if len(words) != len(allowed):  # lower case may join or part words in a few scripts
        words = split_words(example.text)
    hashtags = () if chance.random() < noise.hashtags else word_segmentations(example, segment)
    caption = "" if chance.random() < noise.caption else example.caption
    rows = encoder.encode(words, hashtags, caption)
    if not rows:
        return None
    return rows[0], allowed[: len(rows[0].first_pieces)]


def _collate(
    batch: Sequence[tuple[EncodedSequence, tuple[int, ...]]], chance: random.Random, noise: Noise
) -> TaggerBatch:
    model_input = stack_sequences([row for row, _ in batch], max(row.bucket for row, _ in batch))
    longest = max(len(allowed) for _, allowed in batch)
    first_pieces = np.zeros((len(batch), longest), np.int64)
    allowed = np.full((len(batch), longest), ALL_TAGS, np.int64)
    mask = np.zeros((len(batch), longest), np.bool_)
    for number, (row, masks) in enumerate(batch):
        first_pieces[number, : len(masks)] = row.first_pieces
        allowed[number, : len(masks)] = masks
        mask[number, : len(masks)] = True
    pieces, features = model_input.pieces, model_input.features
    random_numbers = np.random.default_rng(chance.getrandbits(64))
    hidden = (random_numbers.random(pieces.shape) < noise.piece) & (pieces >= _FIRST_ORDINARY_PIECE)
    pieces[hidden] = _UNKNOWN_PIECE
    features[random_numbers.random(len(batch)) < noise.features, :, 3:] = 0
    bits = 1 << np.arange(len(TAGS))
    return TaggerBatch(
        torch.from_numpy(pieces).long(),
        torch.from_numpy(model_input.segments).long(),
        torch.from_numpy(features).long(),
        torch.from_numpy(first_pieces),
        torch.from_numpy(mask),
        torch.from_numpy((allowed[..., None] & bits) != 0),
    )
