"""The network: shapes, gradients, padding, and eight posts learnt by heart."""

import random

import pytest
import torch
from transformers import BertConfig

from training.datasets import Example
from training.tagger.batches import Noise, make_batches
from training.tagger.development import torch_tagger
from training.tagger.network import ThreeSegmentTagger
from workers.tagger.conll import ConllPost, gold_spans
from workers.tagger.encoding import Encoder
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.words import split_words

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
]
POSTS = [
    [("ada", "B-PER"), ("lovelace", "I-PER"), ("in", "O"), ("london", "B-LOC")],
    [("paris", "B-LOC"), ("calls", "O")],
    [("the", "O"), ("bbc", "B-ORG"), ("says", "O"), ("no", "O")],
    [("nothing", "O"), ("to", "O"), ("see", "O")],
    [("star", "B-MISC"), ("wars", "I-MISC"), ("tonight", "O")],
    [("meet", "O"), ("grace", "B-PER"), ("hopper", "I-PER")],
    [("rome", "B-LOC"), ("berlin", "B-LOC")],
    [("acme", "B-ORG"), ("corp", "I-ORG"), ("fired", "O"), ("bob", "B-PER")],
]  # fmt: skip
BITS = {"O": 1, "B-PER": 2, "I-PER": 4, "B-LOC": 8, "I-LOC": 16, "B-ORG": 32, "I-ORG": 64, "B-MISC": 128, "I-MISC": 256}


@pytest.fixture
def network():
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        type_vocab_size=3, max_position_embeddings=128, attn_implementation="eager",
    )  # fmt: skip
    return ThreeSegmentTagger(config, dropout=0.0)


@pytest.fixture
def encoder():
    return Encoder(VOCABULARY, lambda hashtag: (hashtag,))


def examples():
    for tokens in POSTS:
        text = " ".join(token for token, _ in tokens)
        assert [word.surface for word in split_words(text)] == [token for token, _ in tokens]
        yield Example(text, tuple(BITS[tag] for _, tag in tokens), "a cat", "test")


def batches(encoder, size, noise=None):
    return make_batches(list(examples()), encoder, lambda tag: (tag,), size, random.Random(1), noise or Noise())


def loss_of(network, batch):
    emissions = network(batch.pieces, batch.segments, batch.features)
    words = emissions.gather(1, batch.first_pieces[..., None].expand(-1, -1, 9))
    return network.crf.loss(words, batch.allowed, batch.mask)


def test_shapes_and_a_gradient_for_every_parameter(network, encoder):
    (batch,) = batches(encoder, 8)
    assert network(batch.pieces, batch.segments, batch.features).shape == (*batch.pieces.shape, 9)
    torch.nn.init.normal_(network.features.project.weight)  # zero at first: nothing would flow to the table behind it
    loss_of(network, batch).backward()
    # The table of segments has a row for hashtags, which these posts lack; the rows of the others must move.
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0] == []


def test_a_padded_row_answers_as_an_unpadded_one(network, encoder):
    network.eval()
    (batch,) = batches(encoder, 8)
    narrow = network(batch.pieces, batch.segments, batch.features)
    wide = network(*(
        torch.nn.functional.pad(tensor, (0, 0, 0, 32) if tensor.dim() == 3 else (0, 32))
        for tensor in (batch.pieces, batch.segments, batch.features)
    ))  # fmt: skip
    visible = batch.pieces != 0
    assert torch.allclose(narrow[visible], wide[:, : narrow.shape[1]][visible], atol=1e-5)


def test_eight_posts_are_learnt_by_heart(network, encoder):
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        for batch in batches(encoder, 8):
            optimizer.zero_grad()
            loss = loss_of(network, batch)
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.05
    gold = []
    for tokens in POSTS:
        places, start = [], 0
        for token, label in tokens:
            places.append((start, start + len(token), label))
            start += len(token) + 1
        gold.append(ConllPost(" ".join(token for token, _ in tokens), tuple(places)))
    answers = tag_conll(gold, torch_tagger(network.eval(), encoder, lambda hashtag: (hashtag,)))
    for post, answer in zip(gold, answers, strict=True):
        assert answered_spans(post, answer) == gold_spans(post, lenient=False)


def test_noise_hides_what_it_says(encoder):
    (plain,) = batches(encoder, 8)
    (hidden,) = batches(encoder, 8, Noise(features=1.0, caption=1.0))
    assert (plain.segments == 2).any()
    assert not (hidden.segments == 2).any()
    assert not hidden.features[..., 3:].any()
