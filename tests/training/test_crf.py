"""The CRF layer against enumeration and against the decoder that serves."""

import itertools

import numpy as np
import pytest
import torch

from training.layers.crf import LinearChainCrf
from workers.tagger.crf_decoder import TAGS, Decoder, allowed_starts, allowed_transitions


@pytest.fixture
def crf():
    torch.manual_seed(3)
    layer = LinearChainCrf().double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def sequences(length, allowed=None):
    starts, follows = allowed_starts(), allowed_transitions()
    for tags in itertools.product(range(9), repeat=length):
        legal = starts[tags[0]] and all(follows[a, b] for a, b in itertools.pairwise(tags))
        if legal and (allowed is None or all(allowed[i][tag] for i, tag in enumerate(tags))):
            yield tags


def score(crf, tags, emissions):
    total = crf.starts[tags[0]] + crf.ends[tags[-1]] + sum(emissions[i, tag] for i, tag in enumerate(tags))
    return total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(tags))


def log_sum(crf, emissions, allowed=None):
    return torch.logsumexp(torch.stack([score(crf, tags, emissions) for tags in sequences(len(emissions), allowed)]), 0)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_log_partition_by_enumeration(crf, length):
    emissions = torch.randn(1, length, 9, dtype=torch.double)
    found = crf.log_partition(emissions, torch.ones(1, length, dtype=torch.bool))
    assert found.item() == pytest.approx(log_sum(crf, emissions[0]).item(), abs=1e-9)


def test_loss_sums_over_what_the_annotators_did_not_say(crf):
    emissions = torch.randn(1, 3, 9, dtype=torch.double)
    allowed = torch.zeros(1, 3, 9, dtype=torch.bool)
    allowed[0, 0, [0, 1]] = True
    allowed[0, 1] = True
    allowed[0, 2, 0] = True
    expected = log_sum(crf, emissions[0]) - log_sum(crf, emissions[0], allowed[0].tolist())
    loss = crf.loss(emissions, allowed, torch.ones(1, 3, dtype=torch.bool))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)


def test_gradients_by_finite_differences(crf):
    emissions = torch.randn(2, 3, 9, dtype=torch.double, requires_grad=True)
    allowed = torch.zeros(2, 3, 9, dtype=torch.bool)
    allowed[..., 0] = True
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.autograd.gradcheck(lambda scores: crf.loss(scores, allowed, mask), (emissions,))
    crf.loss(emissions, allowed, mask).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in crf.parameters())


def test_padding_changes_nothing(crf):
    emissions = torch.randn(1, 3, 9, dtype=torch.double)
    padded = torch.cat([emissions, torch.full((1, 4, 9), 50.0, dtype=torch.double)], 1)
    mask = torch.tensor([[True] * 3 + [False] * 4])
    alone = crf.log_partition(emissions, torch.ones(1, 3, dtype=torch.bool))
    assert crf.log_partition(padded, mask).item() == pytest.approx(alone.item(), abs=1e-12)


def test_the_serving_decoder_finds_the_best_sequence_of_this_layer(crf):
    emissions = torch.randn(1, 3, 9, dtype=torch.double) * 2
    best = max(sequences(3), key=lambda tags: score(crf, tags, emissions[0]).item())
    decoder = Decoder(*(parameter.detach().numpy() for parameter in (crf.transitions, crf.starts, crf.ends)))
    (decoded,) = decoder.decode([emissions[0].numpy()])
    assert tuple(decoded.tags) == best
    assert len(TAGS) == 9
    chance = np.exp(score(crf, best, emissions[0]).item() - log_sum(crf, emissions[0]).item())
    assert decoded.probabilities.min() >= chance - 1e-9


def marginals_by_enumeration(crf, emissions):
    chances = torch.zeros(len(emissions), 9, dtype=torch.double)
    total = log_sum(crf, emissions)
    for tags in sequences(len(emissions)):
        chance = torch.exp(score(crf, tags, emissions) - total)
        for place, tag in enumerate(tags):
            chances[place, tag] += chance.detach()
    return chances


def test_log_marginals_by_enumeration_and_by_the_serving_decoder(crf):
    emissions = torch.randn(3, 4, 9, dtype=torch.double) * 2
    lengths = (1, 3, 4)
    mask = torch.arange(4)[None] < torch.tensor(lengths)[:, None]
    found = crf.log_marginals(emissions, mask).exp().detach()
    decoder = Decoder(*(parameter.detach().numpy() for parameter in (crf.transitions, crf.starts, crf.ends)))
    served = decoder.marginals([emissions[row, :length].numpy() for row, length in enumerate(lengths)])
    for row, length in enumerate(lengths):
        expected = marginals_by_enumeration(crf, emissions[row, :length])
        assert torch.allclose(found[row, :length], expected, atol=1e-9)
        assert np.allclose(served[row], expected.numpy(), atol=1e-9)


def test_gradients_of_log_marginals_by_finite_differences(crf):
    emissions = torch.randn(2, 3, 9, dtype=torch.double, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    targets = torch.softmax(torch.randn(2, 3, 9, dtype=torch.double), dim=2) * mask[..., None]
    possible = torch.tensor(allowed_starts())  # an impossible tag has no gradient to speak of
    targets[:, 0] *= possible
    assert torch.autograd.gradcheck(lambda scores: (targets * crf.log_marginals(scores, mask)).sum(), (emissions,))
