"""Made-up tweets as tensors, with a photo and without, and the sizes of the tables that read them."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel

from training.inputs.batch import Encoded, Sizes, TweetBatch, collate
from workers.tagger.crf_decoder import allowed_starts, allowed_transitions

WORDS, CHARACTERS, LABELS, VISUAL, PIECES = 60, 30, 12, 10, 90
START, SEPARATOR = 1, 2


def save_tiny_encoder(folder: Path, pieces: int = PIECES) -> Path:
    """A BERT of two layers with random weights, 24 wide."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=pieces,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=512,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def sizes_for(encoder: Path) -> Sizes:
    """Of the tweets made here."""
    return Sizes(words=WORDS, characters=CHARACTERS, labels=LABELS, visual=VISUAL, encoder=encoder)


def make_tweet(seed: int, length: int, *, photo: bool = True, regions: int = 4) -> Encoded:
    """A tweet of so many tokens. Without photo, everything that is known of one is missing."""
    chance = np.random.default_rng(seed)
    counts = chance.integers(1, 3, length)
    pieces = [START, *chance.integers(3, PIECES, int(counts.sum())), SEPARATOR]
    said = [*chance.integers(3, PIECES, 4), SEPARATOR] if photo else []
    return Encoded(
        tags=_legal_tags(chance, length),
        words=chance.integers(2, WORDS, length),
        characters=[chance.integers(2, CHARACTERS, chance.integers(1, 9)).tolist() for _ in range(length)],
        letter_cases=chance.integers(1, 6, length),
        pieces=np.array([*pieces, *said]),
        segments=np.array([0] * len(pieces) + [1] * len(said)),
        first_pieces=1 + np.cumsum(counts) - counts,
        visual=chance.normal(size=(regions if photo else 0, VISUAL)).astype(np.float16),
        labels=chance.permutation(np.arange(1, LABELS))[: 5 if photo else 0],
        caption=chance.integers(2, WORDS, 6 if photo else 0),
        hashtags=chance.integers(2, WORDS, 3),
    )


def make_tweets(lengths: list[int], seed: int = 0, *, photo: bool = True) -> list[Encoded]:
    """Tweets of these lengths, all different."""
    return [make_tweet(seed + 100 * number, length, photo=photo) for number, length in enumerate(lengths)]


def without_photo(tweet: Encoded) -> Encoded:
    """The same tweet with its photo missing."""
    return with_photo_of(tweet, make_tweet(0, 1, photo=False))


def with_photo_of(tweet: Encoded, other: Encoded) -> Encoded:
    """The tweet with all that is known of the other one's photo in place of its own."""
    own, others = tweet.segments == 0, other.segments == 1
    return replace(
        tweet,
        pieces=np.concatenate([tweet.pieces[own], other.pieces[others]]),
        segments=np.concatenate([tweet.segments[own], other.segments[others]]),
        visual=other.visual,
        labels=other.labels,
        caption=other.caption,
    )


def widen(batch: TweetBatch) -> TweetBatch:
    """The same tweets with three more places of padding wherever there is any room for it."""
    wider = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        dimensions = range(value.dim() - 1, 0, -1)
        fixed = {"visual": {2}, "labels": {1}}.get(field.name, set())
        amounts = [amount for dimension in dimensions for amount in (0, 0 if dimension in fixed else 3)]
        wider[field.name] = torch.nn.functional.pad(value, amounts)
    return TweetBatch(**wider)


def batch_of(lengths: list[int], seed: int = 0, *, photo: bool = True) -> TweetBatch:
    """Made-up tweets as a batch."""
    return collate(make_tweets(lengths, seed, photo=photo))


def _legal_tags(chance: np.random.Generator, length: int) -> np.ndarray:
    starts, follows = allowed_starts(), allowed_transitions()
    tags = [int(chance.choice(np.flatnonzero(starts)))]
    while len(tags) < length:
        tags.append(int(chance.choice(np.flatnonzero(follows[tags[-1]]))))
    return np.array(tags)
