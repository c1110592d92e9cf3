"""The layers of the transformer family: attention against torch's own, masks, spans, and encoders of other makes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)
from tweets import batch_of, widen

from tagstream.errors import BadSettings
from training.inputs.sentences import sentence_of
from training.inputs.views import PhotoInputs, PieceTokenizer, Views, build_vocabulary, is_url
from training.layers.attention.multimodal_interaction import MultimodalInteraction
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder, first_pieces
from training.layers.span_tags import SPAN_TAGS, span_starts, span_tags, span_to_typed, span_transitions
from training.layers.transformer_layer import TransformerLayer
from training.systems import build
from workers.tagger.conll import ConllPost
from workers.tagger.crf_decoder import TAGS

B, Q, K, WIDTH = 3, 4, 6, 24
MASK = torch.tensor([[True] * 6, [True] * 2 + [False] * 4, [False] * 6])


@pytest.fixture
def layer():
    torch.manual_seed(2)
    return TransformerLayer(WIDTH, heads=12).eval()


def vectors(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_cross_modal_layer_is_what_torch_makes_of_equations_1_and_2(layer):
    queries, context = vectors(B, Q, WIDTH), vectors(B, K, WIDTH, seed=2)
    attention = nn.MultiheadAttention(WIDTH, 12, batch_first=True).eval()
    with torch.inference_mode():
        attention.in_proj_weight.copy_(torch.cat([part.weight for part in (layer.query, layer.key, layer.value)]))
        attention.in_proj_bias.copy_(torch.cat([part.bias for part in (layer.query, layer.key, layer.value)]))
        attention.out_proj.load_state_dict(layer.merge.state_dict())
        attended, _ = attention(queries[:2], context[:2], context[:2], key_padding_mask=~MASK[:2])
        hidden = layer.attention_norm(queries[:2] + attended)
        expected = layer.output_norm(hidden + layer.feed_forward(hidden))
        assert torch.allclose(layer(queries[:2], context[:2], MASK[:2]), expected, atol=1e-5)


@torch.inference_mode()
def test_what_the_mask_hides_is_not_read(layer):
    queries, context = vectors(B, Q, WIDTH), vectors(B, K, WIDTH, seed=2)
    other = torch.where(MASK[..., None], context, torch.tensor(1e4))
    assert torch.equal(layer(queries, context, MASK), layer(queries, other, MASK))
    assert layer(queries, context, MASK).isfinite().all()
    assert not torch.allclose(layer(queries, context, MASK)[1], layer(queries, context.roll(1, 1), MASK)[1])


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(BadSettings, match=r"heads = 12 .* width 32"):
        TransformerLayer(32, heads=12)


@pytest.mark.parametrize("parts", [{}, {"image_aware_words": False}, {"visual_gate": False}], ids=str)
@torch.inference_mode()
def test_words_and_regions_read_each_other_where_there_are_any(parts):
    torch.manual_seed(5)
    interact = MultimodalInteraction(WIDTH, 10, **parts).eval()
    words, regions = vectors(B, Q, WIDTH), vectors(B, K, 10, seed=3)
    there = torch.ones(B, Q, dtype=torch.bool)
    fused = interact(words, there, regions, MASK)
    assert fused.shape == (B, Q, 2 * WIDTH)
    assert not fused[2, :, WIDTH:].any()  # no region: B = 0
    assert fused[:2, :, WIDTH:].any()
    changed = interact(words, there, regions + 1, MASK)
    assert torch.equal(changed[2], fused[2])
    sees = [not torch.allclose(changed[:2, :, half], fused[:2, :, half])
            for half in (slice(WIDTH), slice(WIDTH, None))]  # fmt: skip
    assert sees == [parts.get("image_aware_words", True), True]
    if not parts.get("image_aware_words", True):
        assert torch.equal(fused[..., :WIDTH], words)  # A = R


@torch.inference_mode()
def test_the_gate_lets_less_through():
    torch.manual_seed(5)
    gated, open_ = (MultimodalInteraction(WIDTH, 10, visual_gate=gate).eval() for gate in (True, False))
    open_.load_state_dict(gated.state_dict(), strict=False)
    words, regions, there = vectors(B, Q, WIDTH), vectors(B, K, 10, seed=3), torch.ones(B, Q, dtype=torch.bool)
    through, all_of_it = (part(words, there, regions, MASK)[:2, :, WIDTH:] for part in (gated, open_))
    assert (through.abs() < all_of_it.abs()).all()
    assert (through.sign() == all_of_it.sign()).all()


def test_span_tags_are_the_first_letters_of_the_tags():
    numbers = torch.arange(len(TAGS)).reshape(3, 3)
    assert [SPAN_TAGS[tag] for tag in span_tags(numbers).flatten().tolist()] == [tag[0] for tag in TAGS]


def test_the_conversion_matrix_spreads_a_span_tag_over_its_types():
    expected = [[1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0.25, 0] + [0.25, 0] * 3, [0, 0, 0.25] + [0, 0.25] * 3]
    assert span_to_typed().tolist() == expected


def test_the_span_crf_knows_that_a_name_has_a_beginning():
    crf = LinearChainCrf(span_transitions(), span_starts()).double()
    emissions, mask = torch.zeros(1, 2, 3, dtype=torch.double), torch.ones(1, 2, dtype=torch.bool)
    scores = {
        (before, after): crf.starts[before] + crf.transitions[before, after] + crf.ends[after]
        for before, after in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
    }
    total = torch.logsumexp(torch.stack(list(scores.values())), 0)
    assert crf.log_partition(emissions, mask).item() == pytest.approx(total.item(), abs=1e-9)


def test_spans_push_the_tags_that_they_can_become(sizes):
    torch.manual_seed(1)
    umt = build("umt_bert_crf", sizes, {}).eval()
    batch = batch_of([5, 3])
    with torch.inference_mode():
        before = umt.encode(batch)
        umt.score_spans.bias += torch.tensor([0.0, 8.0, 0.0])  # every word begins a name
        pushed = umt.encode(batch) - before
    expected = [0.5 * 8 * 0.25 if tag.startswith("B") else 0.0 for tag in TAGS]
    assert torch.allclose(pushed, torch.tensor(expected).expand_as(pushed), atol=1e-5)


SMALL = {"vocab_size": 90, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ENCODERS = {
    "one kind of segment": RobertaConfig(**SMALL, type_vocab_size=1, max_position_embeddings=514),
    "no segments": DistilBertConfig(vocab_size=90, dim=36, n_layers=2, n_heads=2, hidden_dim=48),
    "embeds in fewer dimensions": ElectraConfig(**SMALL, embedding_size=16),
    "three kinds of segment, another width": BertConfig(**{**SMALL, "hidden_size": 36}, type_vocab_size=3),
}


@pytest.mark.parametrize("config", ENCODERS.values(), ids=ENCODERS)
def test_any_encoder_reads_pieces(config):
    torch.manual_seed(4)
    encoder = PieceEncoder(config).eval()
    batch = batch_of([5, 2, 7])
    with torch.inference_mode():
        words, pieces = encoder(batch)
        assert words.shape == (3, 7, encoder.width)
        assert torch.equal(words, first_pieces(pieces, batch))
        wider, _ = encoder(widen(batch))
    assert encoder.width == config.hidden_size
    assert torch.allclose(wider[:, :7][batch.mask], words[batch.mask], atol=1e-5)
    words, _ = encoder(batch)
    words[batch.mask].square().sum().backward()
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_letter_case_is_added_where_it_is_wanted():
    torch.manual_seed(4)
    config = ENCODERS["one kind of segment"]
    told, untold = (PieceEncoder(config, letter_case=case).eval() for case in (True, False))
    untold.model.load_state_dict(told.model.state_dict())
    batch = batch_of([5, 2])
    with torch.inference_mode():
        assert torch.equal(told(batch)[0], untold(batch)[0])  # the table begins at zero
        told.cases.weight[:] = 1.0 + torch.arange(6)[:, None] * torch.arange(24)
        assert not torch.allclose(told(batch)[0], untold(batch)[0])
    assert untold.cases is None


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(BadSettings, match="not an encoder"):
        PieceEncoder(tmp_path)


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Path:
    """A RoBERTa with random weights and a byte-level vocabulary, both made on the spot; it reads 64 pieces at most."""
    folder = tmp_path_factory.mktemp("roberta")
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "i"), ("Ġi", "n"), ("a", "d"), ("ad", "a")]
    words = [*marks, *alphabet, *("".join(merge) for merge in merges)]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", pad_token="<pad>", sep_token="</s>",
        eos_token="</s>", unk_token="<unk>", mask_token="<mask>", model_max_length=64, add_prefix_space=True,
    )  # fmt: skip
    fast.save_pretrained(folder)
    torch.manual_seed(6)
    config = RobertaConfig(
        **{**SMALL, "vocab_size": len(words)}, type_vocab_size=1, max_position_embeddings=66, pad_token_id=1,
        bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


def read(roberta, posts, **options):
    """Posts through the views, as a batch; every one has a photo of which two words are said."""
    sentences = [sentence_of(post(tokens)) for tokens in posts]
    photo = PhotoInputs(np.ones((2, 10), np.float16), ("dog", "park"))
    views = Views(
        build_vocabulary(sentences, (), [photo], lambda tag: (tag,)),
        PieceTokenizer.load(roberta), lambda _: photo, lambda tag: (tag,), **options,
    )  # fmt: skip
    return [views.encode(sentence) for sentence in sentences]


def post(tokens):
    text, places = "", []
    for token, tag in tokens:
        places.append((len(text), len(text) + len(token), tag))
        text += token + " "
    return ConllPost(text.rstrip(), tuple(places))


ADA = [("Ada", "B-PER"), ("in", "O"), ("Zürich", "B-LOC"), ("🎉", "O"), ("https://t.co/a1B2", "O")]


def test_a_byte_level_vocabulary_has_pieces_for_everything(roberta):
    (tweet,) = read(roberta, [ADA])
    names = PieceTokenizer.load(roberta).tokenizer.convert_ids_to_tokens(tweet.pieces.tolist())
    assert (names[0], names[-1]) == ("<s>", "</s>")
    assert [names[place] for place in tweet.first_pieces[:2]] == ["Ġ", "Ġin"]
    assert "<unk>" not in names


def test_removed_urls_are_answered_for_at_the_mark_after_the_tweet(roberta):
    link = ("https://t.co/a1B2", "O")
    posts = [[link, ADA[0], link, ADA[1]], [link]]
    first, only = read(roberta, posts, urls="removed", second_segment="labels")
    plain, _ = read(roberta, [[ADA[0], ADA[1]], [link]], second_segment="labels")
    assert first.pieces.tolist() == plain.pieces.tolist()
    mark = int((first.segments == 0).sum()) - 1
    assert first.first_pieces.tolist() == [mark, plain.first_pieces[0], mark, plain.first_pieces[1]]
    assert (only.segments == 0).sum() == 2
    assert only.first_pieces.tolist() == [1]


def test_a_url_is_a_link_and_nothing_else():
    assert [is_url(token) for token in ("https://t.co/a", "www.bbc.co.uk", "http", "bbc", "#http", "")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "layers", "width"), [("tiny", 2, 128), ("small", 4, 512)])
def test_msb_has_the_sizes_of_table_2(sizes, size, layers, width):
    network = build("msb", sizes, {"size": size})
    assert (network.encoder.model.config.num_hidden_layers, network.encoder.width) == (layers, width)
    assert network.encode(batch_of([2, 3])).shape == (2, 3, 9)


def test_msb_refuses_what_is_not_there_or_not_its_size(sizes, encoder, tmp_path):
    with pytest.raises(BadSettings, match="tiny and small"):
        build("msb", sizes, {"size": "huge"})
    with pytest.raises(BadSettings, match=r"nothing: no such folder; .*pretrain"):
        build("msb", sizes, {"weights": str(tmp_path / "nothing")})
    with pytest.raises(BadSettings, match=r"hidden_size is 24 there, and 128"):
        build("msb", sizes, {"weights": str(encoder)})
