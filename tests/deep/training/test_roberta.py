"""An encoder with a byte-level vocabulary, trained and exported: a minute."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from training.inputs.batch import Sizes, collate
from training.inputs.sentences import sentence_of
from training.inputs.views import PhotoInputs, PieceTokenizer, Views, build_vocabulary
from training.layers.piece_encoder import PieceEncoder
from training.systems import build
from workers.tagger.conll import ConllPost

B, Q, K, WIDTH = 3, 4, 6, 24


SMALL = {"vocab_size": 90, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


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


@pytest.mark.parametrize("system", ["bert_crf", "umt_bert_crf"])
def test_a_roberta_learns_and_meets_its_longest_input(roberta, system):
    long = [("word", "O")] * 199 + [("Ada", "B-PER")]
    batch = collate(read(roberta, [ADA, long, [("in", "O")]]))
    assert batch.pieces.shape[1] == 64
    assert batch.first_pieces.max() == 63
    torch.manual_seed(7)
    network = build(system, Sizes(9, 9, 9, 10, roberta), {})
    loss = network.loss(batch)
    loss.backward()
    assert loss.isfinite()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []
    assert [len(tags) for tags in network.eval().decode(batch)] == [5, 200, 1]


@pytest.mark.filterwarnings("ignore")
def test_a_roberta_exports(roberta, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(7)
    encoder = PieceEncoder(roberta).eval()
    batch = collate(read(roberta, [ADA, ADA[:2]]))

    class Exported(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = encoder

        def forward(self, *values):
            return self.encoder(type(batch)(*values))[0]

    names = list(batch.__slots__)
    values = tuple(getattr(batch, name) for name in names)
    torch.onnx.export(Exported(), values, input_names=names, dynamo=True, verbose=False).save(tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    kept = {value.name for value in session.get_inputs()}
    given = {name: value.numpy() for name, value in zip(names, values, strict=True) if name in kept}
    with torch.inference_mode():
        expected = encoder(batch)[0]
    assert torch.allclose(torch.from_numpy(session.run(None, given)[0]), expected, atol=1e-5)
