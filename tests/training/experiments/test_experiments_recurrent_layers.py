"""The layers of the recurrent and convolutional systems, each against what its paper writes."""

import math

import pytest
import torch
from torch import Tensor, nn

from tagstream.errors import BadSettings
from training.inputs.vocabulary import LONGEST_WORD, UNKNOWN
from training.layers.attention.adaptive_coattention import AdaptiveCoattention, FiltrationGate, GatedFusion
from training.layers.attention.additive import AdditiveAttention
from training.layers.attention.masked_softmax import masked_softmax
from training.layers.attention.modality import ModalityAttention
from training.layers.attention.self_attention import SelfAttentivePooling
from training.layers.attention.visual import GatedVisualAttention
from training.layers.character_encoders import CharacterCnn, CharacterLstm, character_encoder
from training.layers.character_pyramid import CharacterPyramid
from training.layers.recurrent import Bidirectional, last_state, reverse
from training.layers.targeted_dropout import SineRelu, TargetedDropout
from training.layers.word_table import WordTable
from training.systems.cwi import LabelReader
from training.systems.mner_ma import mean_region


@pytest.fixture(autouse=True)
def same_chance() -> None:
    torch.manual_seed(1)


def mask_of(lengths: list[int], width: int) -> Tensor:
    return torch.arange(width) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_directions_are_those_of_a_packed_sequence(cell: str) -> None:
    layer = Bidirectional(5, 4, "gru" if cell == "gru" else "lstm")
    lengths, vectors = [6, 1, 4], torch.randn(3, 6, 5)
    reference = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](5, 4, batch_first=True, bidirectional=True)
    for name, value in layer.forwards.named_parameters():
        getattr(reference, name).data.copy_(value)
    for name, value in layer.backwards.named_parameters():
        getattr(reference, f"{name}_reverse").data.copy_(value)
    packed = nn.utils.rnn.pack_padded_sequence(vectors, torch.tensor(lengths), True, enforce_sorted=False)
    states, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    mask = mask_of(lengths, 6)
    torch.testing.assert_close(layer(vectors, mask)[mask], states[mask])
    last = layer.last(vectors, mask)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(last[row], torch.cat([states[row, length - 1, :4], states[row, 0, 4:]]))


def test_a_sequence_is_reversed_within_its_length() -> None:
    vectors = torch.tensor([[1.0, 2, 3, 9], [4, 9, 9, 9]])[..., None]
    assert reverse(vectors, mask_of([3, 1], 4))[..., 0].tolist() == [[3, 2, 1, 9], [4, 9, 9, 9]]


def test_the_last_state_of_nothing_is_zero() -> None:
    states = torch.randn(2, 3, 4)
    last = last_state(states, mask_of([2, 0], 3))
    assert torch.equal(last, torch.stack([states[0, 1], torch.zeros(4)]))


def test_a_masked_softmax_is_a_softmax_over_what_is_there() -> None:
    scores = torch.tensor([[1.0, 2, 50], [1, 2, 3]])
    weights = masked_softmax(scores, mask_of([2, 0], 3))
    torch.testing.assert_close(weights[0], torch.tensor([*torch.softmax(torch.tensor([1.0, 2]), 0).tolist(), 0]))
    assert weights[1].tolist() == [0, 0, 0]


def test_additive_attention_is_its_equation() -> None:
    layer = AdditiveAttention(3, 4, 5)
    queries, keys = torch.randn(1, 2, 3), torch.randn(1, 6, 4)
    answer = layer(queries, keys, mask_of([4], 6))
    assert layer.query is not None
    for place in range(2):
        scores = torch.stack(
            [layer.score(torch.tanh(layer.key(key) + layer.query(queries[0, place]))) for key in keys[0, :4]]
        )
        torch.testing.assert_close(answer[0, place], (torch.softmax(scores, 0) * keys[0, :4]).sum(0))


def test_the_attention_of_the_print_is_guided_by_nothing() -> None:
    """By concatenation, as printed, the query adds the same to each score; left out, the answer is the same."""
    queries, keys, mask = torch.randn(2, 3, 4), torch.randn(2, 5, 4), mask_of([5, 3], 5)
    of_key, of_query, score = nn.Linear(4, 6, bias=False), nn.Linear(4, 6), nn.Linear(12, 1)
    halves = torch.cat(
        [of_key(keys)[:, None].expand(-1, 3, -1, -1), of_query(queries)[:, :, None].expand(-1, -1, 5, -1)], dim=3
    )
    printed = masked_softmax(score(torch.tanh(halves)).squeeze(3), mask[:, None]) @ keys
    layer = AdditiveAttention(4, 4, 6, guided=False)
    layer.key.weight.data.copy_(of_key.weight)
    layer.score.weight.data.copy_(score.weight[:, :6])
    torch.testing.assert_close(layer(queries, keys, mask), printed)


def test_the_visual_gate_opens_and_shuts() -> None:
    layer = GatedVisualAttention(4, 3)
    words, regions, mask = torch.randn(2, 5, 4), torch.randn(2, 6, 3), mask_of([6, 0], 6)
    assert layer.gate is not None
    nn.init.zeros_(layer.gate.weight)
    for bias, share in ((50.0, 1.0), (-50.0, 0.0), (0.0, 0.5)):
        nn.init.constant_(layer.gate.bias, bias)
        out = layer(words, regions, mask)
        assert out.shape == (2, 5, layer.width)
        assert torch.equal(out[..., :4], words)
        seen = layer.attend(words, layer.project(regions), mask)
        torch.testing.assert_close(out[..., 4:], share * seen)
    assert not out[1, :, 4:].any()


def test_the_fusion_gate_mixes_what_is_seen_and_what_is_read() -> None:
    layer = GatedFusion(3)
    seen, read = torch.randn(1, 2, 3), torch.randn(1, 2, 3)
    assert layer.gate is not None
    h_v, h_h = torch.tanh(layer.seen(seen)), torch.tanh(layer.read(read))
    gate = torch.sigmoid(layer.gate(torch.cat([h_v, h_h], 2)))
    torch.testing.assert_close(layer(seen, read), gate * h_v + (1 - gate) * h_h)
    plain = GatedFusion(3, gate=False)
    assert plain(seen, read).shape == (1, 2, plain.width) == (1, 2, 6)


def test_the_filtration_gate_is_one_number_a_word() -> None:
    layer = FiltrationGate(3, 4)
    words, fused = torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    shares = layer(words, fused) / torch.tanh(layer.fused(fused))
    torch.testing.assert_close(shares, shares[..., :1].expand_as(shares))
    assert (shares > 0).all()
    assert (shares < 1).all()


def test_without_the_filtration_gate_the_fused_vector_is_kept_as_it_is() -> None:
    layer = FiltrationGate(3, 4, gate=False)
    words, fused = torch.randn(2, 5, 3), torch.randn(2, 5, 4)
    assert layer(words, fused) is fused
    assert layer.width == 4
    without_both = AdaptiveCoattention(3, 6, fusion_gate=False, filtration_gate=False)
    shape = without_both(words, mask_of([5, 2], 5), torch.randn(2, 7, 6), mask_of([7, 0], 7)).shape
    assert shape == (2, 5, 3)


def test_co_attention_without_a_photo_depends_on_no_region() -> None:
    layer = AdaptiveCoattention(4, 3)
    words, mask, nothing = torch.randn(2, 5, 4), mask_of([5, 2], 5), mask_of([0, 0], 6)
    first, second = (layer(words, mask, torch.randn(2, 6, 3), nothing) for _ in range(2))
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("encoder", [CharacterCnn, CharacterLstm, CharacterPyramid])
@torch.inference_mode()
def test_a_spelling_is_read_alike_beside_longer_words(
    encoder: type[CharacterCnn | CharacterLstm | CharacterPyramid],
) -> None:
    layer = encoder(20).eval()
    words = [[3], [4, 5], [6, 7, 8, 9, 10, 11, 12], list(range(2, 20)) * 2 + [2, 3, 4, 5], []]
    table = torch.zeros(1, len(words), LONGEST_WORD, dtype=torch.long)
    for place, word in enumerate(words):
        table[0, place, : len(word)] = torch.tensor(word)
    together = layer(table)
    assert together.shape == (1, len(words), layer.width)
    assert together.isfinite().all()
    for place, word in enumerate(words[:-1]):
        torch.testing.assert_close(layer(torch.tensor([[word]]))[0, 0], together[0, place], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(together[0, 0], together[0, 1])


@torch.inference_mode()
def test_the_character_convolution_is_a_maximum_over_windows_of_the_word() -> None:
    layer = CharacterCnn(20, filters=2, widths=(2,))
    (convolution,) = layer.convolutions
    assert isinstance(convolution, nn.Conv1d)
    vectors = torch.cat([torch.zeros(1, 30), layer.table(torch.tensor([5, 9, 7])), torch.zeros(1, 30)])
    windows = torch.stack(
        [torch.einsum("cw,fwc->f", vectors[start : start + 2], convolution.weight) for start in range(4)]
    )
    expected = torch.tanh(windows + convolution.bias).amax(0)
    torch.testing.assert_close(layer(torch.tensor([[[5, 9, 7, 0, 0, 0]]]))[0, 0], expected)


def test_the_pyramid_is_as_wide_as_table_5_makes_it() -> None:
    assert CharacterPyramid(20).width == 640 == 40 * 16


def test_an_unknown_character_encoder_is_refused() -> None:
    assert character_encoder("none", 20) is None
    with pytest.raises(BadSettings, match="none, cnn or lstm"):
        character_encoder("gnn", 20)  # type: ignore[arg-type]


def test_targeted_dropout_drops_some_of_the_smallest_and_only_in_training() -> None:
    layer = TargetedDropout(rate=0.25, share=0.4)
    values = torch.randn(400, 10, 4)
    dropped = layer(values) == 0
    ranks = values.flatten(1).abs().argsort(1).argsort(1)
    assert not dropped.flatten(1)[ranks >= 16].any()
    assert dropped.flatten(1)[ranks < 16].float().mean().item() == pytest.approx(0.25, abs=0.03)
    answer = layer(values)
    assert torch.equal(answer[answer != 0], values[answer != 0])
    assert torch.equal(layer.eval()(values), values)


def test_sine_relu_is_continuous_and_wavers_below_zero() -> None:
    layer = SineRelu(0.0025)
    values = torch.tensor([-3.0, -0.1, 2.0])
    expected = [0.0025 * (math.sin(value) - math.cos(value)) for value in (-3.0, -0.1)]
    torch.testing.assert_close(layer(values), torch.tensor([*expected, 2.0]))
    near = layer(torch.linspace(-0.01, 0.01, 2001))
    assert near.diff().abs().max() < 2e-5


def test_self_attentive_pooling_is_equations_14_to_16() -> None:
    layer = SelfAttentivePooling(4)
    vectors = torch.randn(1, 5, 4)
    weights = torch.softmax(torch.stack([h @ torch.tanh(layer.inner(h)) for h in vectors[0, :3]]), 0)
    torch.testing.assert_close(layer(vectors, mask_of([3], 5))[0], weights @ vectors[0, :3])


def test_modality_attention_leaves_out_what_is_missing() -> None:
    layer = ModalityAttention(3, 4)
    one, two, three = (torch.randn(2, 5, 4) for _ in range(3))
    present = torch.tensor([[True, True, True], [True, True, False]])[:, None]
    out = layer([one, two, three], present)
    weights = torch.softmax(torch.sigmoid(layer.importance(torch.cat([one, two, three], 2))), 2)
    whole = sum(weights[..., [place]] * value for place, value in enumerate((one, two, three)))
    torch.testing.assert_close(out[0], whole[0])
    # What is left is a mean of the other two: between them in every number.
    assert (out[1] >= torch.minimum(one, two)[1] - 1e-6).all()
    assert (out[1] <= torch.maximum(one, two)[1] + 1e-6).all()


def test_the_mean_of_no_regions_is_zero() -> None:
    regions = torch.randn(2, 3, 4)
    mean = mean_region(regions, mask_of([2, 0], 3))
    torch.testing.assert_close(mean, torch.stack([regions[0, :2].mean(0), torch.zeros(4)]))


def test_pretrained_words_keep_their_vectors_and_the_others_are_drawn() -> None:
    pretrained = torch.zeros(6, 3)
    pretrained[3] = torch.tensor([1.0, 0, 2])
    table = WordTable(6, 50, pretrained)
    assert table.width == 3
    rows = table.table.weight
    assert torch.equal(rows[3], pretrained[3])
    assert not rows[0].any()
    others = rows[[1, 2, 4, 5]]
    assert others.abs().max() <= 0.25
    assert (others.abs().sum(1) > 0).all()
    assert rows.requires_grad
    assert not pretrained[1].any()


def test_words_that_training_does_not_have_keep_their_vectors() -> None:
    pretrained = torch.arange(30.0).reshape(10, 3)
    table = WordTable(6, 50, pretrained, unknown_rate=0).train()
    words = torch.tensor([[2, 5, 6, 9, 0]])
    assert torch.equal(table(words)[0, :4], pretrained[[2, 5, 6, 9]])
    table(words).sum().backward()
    moved = table.table.weight.grad
    assert moved is not None
    assert moved.abs().sum(1).nonzero().flatten().tolist() == [2, 5]
    assert [name for name, _ in table.named_parameters()] == ["table.weight"]
    assert torch.equal(table.state_dict()["unseen"], pretrained[6:])


def test_some_words_are_read_as_unknown_in_training_alone() -> None:
    table = WordTable(9, 4, unknown_rate=0.5)
    words = torch.full((1, 400), 7)
    words[0, 300:] = 0
    unknown = (table(words) == table.table.weight[UNKNOWN]).all(2)
    assert 100 < unknown[0, :300].sum() < 200
    assert not table(words)[0, 300:].any()
    assert (table.eval()(words)[0, :300] == table.table.weight[7]).all()


def test_labels_are_read_in_order() -> None:
    reader = LabelReader(9)
    read = reader(torch.tensor([[3, 4, 0, 0, 0], [4, 3, 0, 0, 0], [3, 4, 5, 0, 0], [0, 0, 0, 0, 0]]))
    assert read.shape == (4, reader.width)
    assert not torch.allclose(read[0], read[1])
    assert not torch.allclose(read[0], read[2])
    assert not read[3].any()
