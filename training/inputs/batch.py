"""A batch of tweets as tensors: every way in which a system may read them, side by side.

Shapes: B tweets, T tokens, C characters a token, L pieces, R regions of what is seen, each V wide. Padding is 0
everywhere, and a mask says where it is not. What a tweet does not have (a photo, a hashtag) is all padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.inputs.vocabulary import LONGEST_WORD
from workers.tagger.crf_decoder import TAGS

Numbers = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the inputs, which a system needs before it is built.

    Attributes:
        words, characters, labels: rows of the tables of each that are trained, padding included.
        visual: width of a region of what is seen.
        encoder: folder or name of the pretrained encoder of pieces.
        word_vectors: (`words` or more, width), where words have pretrained vectors; rows without one are zero. Those
            after the first `words` are of words that do not occur in training.
    """

    words: int
    characters: int
    labels: int
    visual: int
    encoder: Path | str
    word_vectors: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tweet, unpadded; the fields are those of `TweetBatch`."""

    tags: Numbers
    words: Numbers
    characters: list[list[int]]
    letter_cases: Numbers
    pieces: Numbers
    segments: Numbers
    first_pieces: Numbers
    visual: Vectors
    labels: Numbers
    caption: Numbers
    hashtags: Numbers


@dataclass(frozen=True, slots=True)
class TweetBatch:
    """B tweets.

    Attributes:
        mask: (B, T), true at tokens. A tweet has at least one, and no gap.
        tags: (B, T), numbers in `TAGS`.
        words: (B, T), numbers of the vocabulary.
        characters: (B, T, C), numbers of the characters of each token, C at most 40.
        letter_cases: (B, T), 1 to 5: `vocabulary.letter_case`.
        pieces: (B, L), numbers of word pieces, with the marks that the encoder was trained with.
        piece_mask: (B, L), true at pieces and marks.
        segments: (B, L), 1 at the words about the photo, where they are read with the tweet.
        first_pieces: (B, T), the place of each token's first piece.
        visual: (B, R, V), what is seen: regions of the photo, or the encoded tokens of its caption.
        visual_mask: (B, R), true at regions; nowhere for a tweet whose photo is missing.
        labels: (B, 5), numbers of the labels of the photo.
        caption: (B, K), numbers of the words of its caption.
        hashtags: (B, H), numbers of the words of all its segmented hashtags.
    """

    mask: Tensor
    tags: Tensor
    words: Tensor
    characters: Tensor
    letter_cases: Tensor
    pieces: Tensor
    piece_mask: Tensor
    segments: Tensor
    first_pieces: Tensor
    visual: Tensor
    visual_mask: Tensor
    labels: Tensor
    caption: Tensor
    hashtags: Tensor

    @property
    def allowed(self) -> Tensor:
        """(B, T, 9), true at each token's gold tag: the supervision of `LinearChainCrf.loss`."""
        return torch.nn.functional.one_hot(self.tags, len(TAGS)).bool()

    @property
    def lengths(self) -> Tensor:
        """(B,) tokens of each tweet."""
        return self.mask.sum(1)


def collate(tweets: Sequence[Encoded]) -> TweetBatch:
    """Returns the tweets padded to the longest of them in each respect, and at least to one place."""
    words = _padded([tweet.words for tweet in tweets])
    lengths = [len(tweet.words) for tweet in tweets]
    piece_lengths = [len(tweet.pieces) for tweet in tweets]
    regions = [len(tweet.visual) for tweet in tweets]
    return TweetBatch(
        mask=_mask(lengths, words.shape[1]),
        tags=_padded([tweet.tags for tweet in tweets]),
        words=words,
        characters=_characters([tweet.characters for tweet in tweets], words.shape[1]),
        letter_cases=_padded([tweet.letter_cases for tweet in tweets]),
        pieces=_padded([tweet.pieces for tweet in tweets]),
        piece_mask=_mask(piece_lengths, max([1, *piece_lengths])),
        segments=_padded([tweet.segments for tweet in tweets]),
        first_pieces=_padded([tweet.first_pieces for tweet in tweets]),
        visual=_visual([tweet.visual for tweet in tweets]),
        visual_mask=_mask(regions, max([1, *regions])),
        labels=_padded([tweet.labels for tweet in tweets], 5),
        caption=_padded([tweet.caption for tweet in tweets]),
        hashtags=_padded([tweet.hashtags for tweet in tweets]),
    )


def _padded(rows: Sequence[Numbers], least: int = 1) -> Tensor:
    table = torch.zeros(len(rows), max([least, *map(len, rows)]), dtype=torch.long)
    for number, row in enumerate(rows):
        table[number, : len(row)] = torch.from_numpy(row)
    return table


def _mask(lengths: Sequence[int], width: int) -> Tensor:
    return torch.arange(width) < torch.tensor(lengths)[:, None]


def _characters(tweets: Sequence[list[list[int]]], tokens: int) -> Tensor:
    longest = max([1, *(len(word) for tweet in tweets for word in tweet)])
    table = torch.zeros(len(tweets), tokens, min(longest, LONGEST_WORD), dtype=torch.long)
    for number, tweet in enumerate(tweets):
        for place, word in enumerate(tweet):
            table[number, place, : len(word)] = torch.tensor(word, dtype=torch.long)
    return table


def _visual(tweets: Sequence[Vectors]) -> Tensor:
    table = torch.zeros(len(tweets), max([1, *map(len, tweets)]), tweets[0].shape[1])
    for number, regions in enumerate(tweets):
        table[number, : len(regions)] = torch.from_numpy(regions.astype(np.float32))
    return table
