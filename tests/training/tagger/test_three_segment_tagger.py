"""The network on either encoder: shapes, gradients, padding, and eight posts learnt by heart."""

import random

import pytest
import torch
from tiny_taggers import VOCABULARY, tiny_tagger

from training.datasets import Example, MarkedName
from training.tagger.batches import BatchMaker, Noise
from training.tagger.development import torch_tagger
from workers.tagger.conll import ConllPost, gold_spans
from workers.tagger.encoding import Encoder
from workers.tagger.evaluation import answered_spans, tag_conll
from workers.tagger.words import split_words

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


@pytest.fixture(params=["bert", "mpnet"])
def network(request):
    return tiny_tagger(request.param)


@pytest.fixture
def encoder():
    return Encoder(VOCABULARY)


def whole(hashtag):
    return (hashtag,)


def tokens_of(post):
    """Returns the tokens as (start, end, label) in the text that they make."""
    tokens, start = [], 0
    for token, label in post:
        tokens.append((start, start + len(token), label))
        start += len(token) + 1
    return tuple(tokens)


def examples():
    for post in POSTS:
        text = " ".join(token for token, _ in post)
        assert [word.surface for word in split_words(text)] == [token for token, _ in post]
        tokens = tokens_of(post)
        spans = sorted(gold_spans(ConllPost(text, tokens), lenient=False))
        yield Example(text, tuple(MarkedName(tokens[a][0], tokens[b - 1][1], kind) for a, b, kind in spans), "a cat")


def batches(encoder, size, noise=None):
    return BatchMaker(encoder, whole, noise or Noise()).batches(list(examples()), size, random.Random(1))


def loss_of(network, batch):
    emissions = network(batch.pieces, batch.segments, batch.features)
    words = emissions.gather(1, batch.first_pieces[..., None].expand(-1, -1, 9))
    return network.crf.loss(words, batch.targets, batch.mask)


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
    gold = [ConllPost(" ".join(token for token, _ in post), tokens_of(post)) for post in POSTS]
    answers = tag_conll(gold, torch_tagger(network.eval(), encoder, whole))
    for post, answer in zip(gold, answers, strict=True):
        assert answered_spans(post, answer) == gold_spans(post, lenient=False)
