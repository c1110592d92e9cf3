"""What only TriMod has: pooled modalities, batch normalisation of tokens, and recipes that regularise one way each."""

from dataclasses import replace

import pytest
import torch
from tweets import batch_of

from training.experiments.recipe import CONFIGS, SystemRecipe
from training.layers.masked_batch_norm import MaskedBatchNorm
from training.layers.modality_pooling import ModalityPooling
from training.systems import build

RECIPES = sorted(path.stem for path in CONFIGS.glob("trimod*.toml"))


def made(sizes, **options):
    torch.manual_seed(1)
    return build("trimod", sizes, {"size": 16, **options}).eval()


def test_pooling_is_equations_11_and_12():
    torch.manual_seed(1)
    pool = ModalityPooling(6, 5)
    features = [torch.randn(2, 3, 6) for _ in range(3)]
    present = torch.tensor([[True, True, True], [True, False, True]])
    pooled = pool(features, present)
    for row in range(2):
        for token in range(3):
            total, weights = torch.zeros(6), 0.0
            for number in range(3):
                if present[row, number]:
                    feature = features[number][row, token]
                    inner = pool.inner.weight @ feature + pool.inner.bias
                    weight = torch.exp(pool.score.weight[0] @ torch.tanh(inner))
                    total, weights = total + weight * feature, weights + weight
            assert torch.allclose(pooled[row, token], total / weights, atol=1e-6)


def test_a_modality_alone_is_what_it_is():
    feature, other = torch.randn(1, 2, 4), torch.full((1, 2, 4), 1e4)
    assert torch.equal(ModalityPooling(4, 4)([feature, other], torch.tensor([[True, False]])), feature)


@torch.inference_mode()
@pytest.mark.parametrize("field", ["caption", "hashtags"])
def test_a_missing_modality_is_as_if_it_had_been_left_out(sizes, field):
    whole, left_out = made(sizes), made(sizes, **{field: False})
    left_out.load_state_dict({name: whole.state_dict()[name] for name in left_out.state_dict()})
    batch = batch_of([4, 2])
    missing = replace(batch, **{field: torch.zeros(2, 1, dtype=torch.long)})
    assert torch.allclose(whole.encode(missing), left_out.encode(batch), atol=1e-6)
    assert not torch.allclose(whole.encode(batch), left_out.encode(batch), atol=1e-4)


@torch.inference_mode()
def test_hashtags_count_by_their_words_and_not_by_their_order(sizes):
    system, batch = made(sizes), batch_of([4, 2])
    turned = replace(batch, hashtags=batch.hashtags.flip(1))
    assert torch.allclose(system.encode(turned), system.encode(batch), atol=1e-5)
    others = replace(batch, hashtags=batch.hashtags % 57 + 2)
    assert not torch.allclose(system.encode(others), system.encode(batch), atol=1e-4)


def test_normalisation_knows_tokens_only():
    torch.manual_seed(1)
    norm, plain = MaskedBatchNorm(3), torch.nn.BatchNorm1d(3)
    vectors, mask = torch.randn(2, 4, 3), torch.tensor([[True] * 4, [True, False, False, False]])
    expected = plain(vectors[mask])
    given = norm(vectors.masked_fill(~mask[..., None], 1e6), mask)
    assert torch.allclose(given[mask], expected)
    assert not given[~mask].any()
    norm.eval(), plain.eval()
    assert torch.allclose(norm(vectors, mask)[mask], plain(vectors[mask]), atol=1e-6)


def test_one_token_can_be_normalised_in_training():
    norm = MaskedBatchNorm(3).train()
    assert norm(torch.randn(1, 2, 3), torch.tensor([[True, False]])).isfinite().all()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_system(sizes, name):
    recipe = SystemRecipe.read(CONFIGS / f"{name}.toml")
    assert build(recipe.system, sizes, recipe.options).loss(batch_of([3, 2])).isfinite()


def test_each_regularisation_stands_alone():
    recipes = {name: SystemRecipe.read(CONFIGS / f"{name}.toml") for name in RECIPES}
    ways = {
        name: (
            recipes[name].options.get("dropout", 0.55) > 0,
            recipes[name].training.l1 > 0,
            recipes[name].training.weight_decay > 0,
            recipes[name].options.get("batch_norm", False),
        )
        for name in ("trimod", "trimod_l1", "trimod_l2", "trimod_batch_norm", "trimod_unregularised")
    }
    assert sorted(ways.values()) == sorted(tuple(number == way for number in range(4)) for way in range(5))
