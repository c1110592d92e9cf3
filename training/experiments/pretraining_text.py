"""The text that an encoder is pretrained on: tweets without URLs, as word pieces in batches of about one length."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tagstream.errors import UnreadableInput
from training.datasets import data_folder
from training.inputs.sentences import load_sentences
from training.inputs.views import is_url

LONGEST = 128
NER_TEXT = ("twitter2015", "twitter2017")


def unlabelled_tweets() -> list[str]:
    """Reads every tweet of `text/tweeteval` once, in file order.

    Raises:
        UnreadableInput: the folder has no tweets.
    """
    folder = data_folder() / "text/tweeteval"
    lines = [line for path in sorted(folder.glob("*_text.txt")) for line in _lines(path)]
    if not lines:
        raise UnreadableInput(f"{folder}: no tweets there (*_text.txt); TAGSTREAM_DATA names the folder of all data")
    return list(dict.fromkeys(lines))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def ner_text(part: str) -> list[str]:
    """Reads the text of one part of both photo tweet sets."""
    return [" ".join(sentence.tokens) for corpus in NER_TEXT for sentence in load_sentences(corpus, part)]


def read_pieces(texts: Iterable[str], tokenizer: Any) -> list[list[int]]:
    """Returns the pieces of each text that has any without its URLs: at most `LONGEST`, with the encoder's marks."""
    kept = [text for text in map(without_urls, texts) if text]
    if not kept:
        return []
    encoded: list[list[int]] = tokenizer(kept, truncation=True, max_length=LONGEST, padding=False)["input_ids"]
    return encoded


def without_urls(text: str) -> str:
    """Returns a tweet without its URLs and without `http`, which stands for a URL in tweeteval."""
    return " ".join(token for token in text.split() if token != "http" and not is_url(token))


def pad(tweets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Returns pieces (B, L), 0 at padding, and a mask (B, L), true at pieces."""
    longest = max(map(len, tweets))
    pieces = torch.tensor([[*tweet, *([0] * (longest - len(tweet)))] for tweet in tweets])
    return pieces, torch.arange(longest) < torch.tensor([len(tweet) for tweet in tweets])[:, None]


def order(tweets: Sequence[Sequence[int]], size: int, seed: int) -> list[list[int]]:
    """Returns the rows of each batch: every tweet once, among others of its length, the batches in random order."""
    chance = random.Random(seed)
    keys = [len(tweet) + 4 * chance.random() for tweet in tweets]
    rows = sorted(range(len(tweets)), key=keys.__getitem__)
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    chance.shuffle(batches)
    return batches
