"""Taggers of two layers with random weights, one on each kind of encoder, and the word pieces that they read."""

from string import ascii_lowercase

import torch
from transformers import BertConfig, MPNetConfig

from training.tagger.network import ThreeSegmentTagger
from workers.tagger.encoding import MAX_LENGTH

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase), "#"]
_SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}


def tiny_config(kind: str, pieces: int = len(VOCABULARY)) -> BertConfig | MPNetConfig:
    """Returns the configuration of a small encoder: `bert` or `mpnet`."""
    if kind == "bert":
        return BertConfig(
            vocab_size=pieces,
            type_vocab_size=3,
            max_position_embeddings=MAX_LENGTH,
            attn_implementation="eager",
            **_SIZES,
        )
    return MPNetConfig(
        vocab_size=pieces,
        pad_token_id=0,
        max_position_embeddings=MAX_LENGTH + 2,
        attn_implementation="eager",
        **_SIZES,
    )


def tiny_tagger(kind: str, pieces: int = len(VOCABULARY), seed: int = 1) -> ThreeSegmentTagger:
    """Returns a tagger without dropout around such an encoder."""
    torch.manual_seed(seed)
    return ThreeSegmentTagger(tiny_config(kind, pieces), dropout=0.0)


def outspoken_tagger(kind: str, seed: int = 1) -> ThreeSegmentTagger:
    """Returns such a tagger whose answers differ: a new one says nearly the same of every piece."""
    network = tiny_tagger(kind, seed=seed).eval()
    with torch.no_grad():
        for layer in (network.score, network.features.project, network.encoder.piece_embedding):
            torch.nn.init.normal_(layer.weight, std=0.5)
    return network
