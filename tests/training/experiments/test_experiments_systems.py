"""The rules that every system keeps, whatever its paper says. The systems stand in `variants.py`."""

import inspect
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from learning import learn, loss_of, made
from torch import Tensor
from tweets import batch_of, make_tweet, make_tweets, widen, with_photo_of, without_photo
from variants import VARIANTS, Variant

from tagstream.errors import BadSettings
from training.experiments.recipe import CONFIGS, SERVED_TAGGERS, SystemRecipe
from training.inputs.batch import Sizes, TweetBatch, collate
from training.systems import NAMES, build
from training.systems.base import TAG_COUNT, System
from workers.tagger.crf_decoder import allowed_starts, allowed_transitions

LENGTHS = [3, 7, 1, 5]
ALL = list(VARIANTS.values())
DEPARTING = [variant for variant in ALL if variant.parent]
# They set how large or how regularised a system is, not what it is made of.
SCALES = {"size", "dropout", "word_width"}


def named(variants: list[Variant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", variants, ids=[variant.name for variant in variants])


def tokens_of(emissions: Tensor, batch: TweetBatch) -> Tensor:
    """(tokens, 9): the emissions that mean something."""
    return emissions[batch.mask[:, : emissions.shape[1]]]


def close(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, atol=2e-5, rtol=1e-4)


def test_every_system_and_every_option_is_looked_at() -> None:
    assert {variant.system for variant in ALL} == set(NAMES)
    for name in NAMES:
        module = import_module(f"training.systems.{name}")
        (kind,) = (
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, System) and value.__module__ == module.__name__
        )
        options = {
            parameter.name
            for parameter in inspect.signature(kind).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }
        tried = {option for variant in ALL if variant.system == name for option in variant.options}
        assert options - SCALES <= tried, name


def test_unknown_systems_and_options_are_refused(sizes: Sizes) -> None:
    with pytest.raises(BadSettings, match="no such system"):
        build("word2vec", sizes, {})
    for name in NAMES:
        with pytest.raises(BadSettings, match="colour"):
            build(name, sizes, {"colour": "red"})


# The served taggers are trained by another command.
RECIPES = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem not in SERVED_TAGGERS)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_system_and_says_what_it_reads(name: str, sizes: Sizes) -> None:
    recipe = SystemRecipe.read(CONFIGS / f"{name}.toml")
    if recipe.system in NAMES:
        # Pretrained weights are made by a command of their own, and are not there.
        given = {**recipe.options, **({"weights": ""} if "weights" in recipe.options else {})}
        build(recipe.system, sizes, given)
    read = recipe.reads.split(", ")
    if recipe.inputs.visual != "none":
        assert recipe.inputs.visual in read


@named(ALL)
@torch.inference_mode()
def test_emissions_have_their_shape_and_decode_to_legal_tags(variant: Variant, sizes: Sizes) -> None:
    system, batch = made(variant, sizes).eval(), batch_of(LENGTHS)
    emissions = system.encode(batch)
    assert emissions.shape == (4, 7, TAG_COUNT)
    assert emissions.isfinite().all()
    answers = system.decode(batch)
    assert [len(tags) for tags in answers] == LENGTHS
    if system.decoder is not None:
        follows = allowed_transitions()
        assert all(allowed_starts()[tags[0]] for tags in answers)
        assert all(follows[before, after] for tags in answers for before, after in pairwise(tags))


@named(ALL)
@torch.inference_mode()
def test_padding_and_company_change_nothing(variant: Variant, sizes: Sizes) -> None:
    system, tweets = made(variant, sizes).eval(), make_tweets(LENGTHS)
    # One of the tweets has no photo, so that its regions are all padding beside the others'.
    tweets[1] = without_photo(tweets[1])
    together = collate(tweets)
    emissions = system.encode(together)
    wider = system.encode(widen(together))
    for row, tweet in enumerate(tweets):
        alone = system.encode(collate([tweet]))[0]
        assert close(emissions[row, : len(alone)], alone)
        assert close(wider[row, : len(alone)], alone)


@named(ALL)
def test_every_parameter_is_learnt(variant: Variant, sizes: Sizes) -> None:
    system, batch = made(variant, sizes), batch_of([9, 7, 8, 6, 9, 8])
    # A layer that begins at zero hides what lies before it until it has moved.
    for _ in range(2):
        optimizer = torch.optim.SGD(system.parameters(), 0.1)
        optimizer.zero_grad()
        torch.autograd.backward(system.loss(batch))
        optimizer.step()
    unlearnt = [
        name
        for name, value in system.named_parameters()
        if value.requires_grad and (value.grad is None or not value.grad.any())
    ]
    assert not unlearnt


@named(ALL)
@torch.inference_mode()
def test_a_missing_photo_is_ignored(variant: Variant, sizes: Sizes) -> None:
    system, tweets = made(variant, sizes).eval(), make_tweets(LENGTHS)
    missing = collate([without_photo(tweet) for tweet in tweets])
    emissions = system.encode(missing)
    assert emissions.isfinite().all()
    assert system.loss(missing).isfinite()
    noise = replace(missing, visual=torch.randn(missing.visual.shape))
    assert close(tokens_of(system.encode(noise), missing), tokens_of(emissions, missing))


@named(ALL)
@torch.inference_mode()
def test_a_photo_is_seen_by_those_that_see(variant: Variant, sizes: Sizes) -> None:
    system, tweets = made(variant, sizes).eval(), make_tweets(LENGTHS)
    batch = collate(tweets)
    others = collate([with_photo_of(tweet, make_tweet(77 + row, 1)) for row, tweet in enumerate(tweets)])
    seen = {
        "": batch,
        "visual": replace(batch, visual=others.visual),
        "labels": replace(batch, labels=others.labels),
        "caption": replace(batch, caption=others.caption),
        "segments": replace(batch, pieces=others.pieces, segments=others.segments, piece_mask=others.piece_mask),
    }[variant.sees]
    emissions = tokens_of(system.encode(batch), batch)
    changed = not torch.allclose(tokens_of(system.encode(seen), batch), emissions, atol=1e-6)
    assert changed == bool(variant.sees)


@named(ALL)
def test_one_token_and_two_hundred_survive(variant: Variant, sizes: Sizes) -> None:
    system = made(variant, sizes)
    for batch in (batch_of([1]), batch_of([200, 1]), batch_of([1], photo=False)):
        loss = system.loss(batch)
        torch.autograd.backward(loss)
        assert loss.isfinite()
        assert all(value.grad.isfinite().all() for value in system.parameters() if value.grad is not None)
        assert [len(tags) for tags in system.decode(batch)] == batch.lengths.tolist()


@named(DEPARTING)
def test_a_departure_departs(variant: Variant, sizes: Sizes) -> None:
    """With the weights that both have, the same, and the same chance."""
    parent, child = made(VARIANTS[variant.parent], sizes), made(variant, sizes, seed=2)
    shapes = {name: value.shape for name, value in child.state_dict().items()}
    shared = {name: value for name, value in parent.state_dict().items() if shapes.get(name) == value.shape}
    assert shared
    child.load_state_dict(shared, strict=False)
    batch = batch_of([6, 9, 4])
    losses = []
    for system in (parent, child):
        calm = loss_of(system, batch)
        torch.manual_seed(5)
        losses.append((calm, system.train().loss(batch).item()))
    assert losses[0] != pytest.approx(losses[1], abs=1e-5)


@named(ALL)
def test_a_saved_system_answers_as_before(variant: Variant, sizes: Sizes, tmp_path: Path) -> None:
    system, batch = made(variant, sizes).eval(), batch_of(LENGTHS)
    torch.save(system.state_dict(), tmp_path / "weights.pt")
    loaded = made(variant, sizes, seed=9)
    loaded.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.inference_mode():
        assert torch.equal(loaded.eval().encode(batch), system.encode(batch))


@named(ALL)
def test_the_seed_decides_everything(variant: Variant, sizes: Sizes) -> None:
    batch, losses = batch_of(LENGTHS), []
    for seed in (4, 4, 5):
        system = made(variant, sizes, seed)
        losses.append(system.loss(batch).item())
    assert losses[0] == losses[1] != losses[2]


@named([variant for variant in ALL if not variant.sees])
def test_a_handful_is_learnt_by_heart(variant: Variant, sizes: Sizes) -> None:
    system, batch = made(variant, sizes), batch_of([3, 4, 2], seed=11)
    assert learn(system, batch, good=0.05, rate=variant.rate) < 0.05
    gold = [tags[:length] for tags, length in zip(batch.tags.tolist(), batch.lengths.tolist(), strict=True)]
    assert system.decode(batch) == gold
