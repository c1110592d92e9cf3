"""Where words look: the weights are those that the system used, and the pictures show them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tweets import VISUAL, make_tweet, save_tiny_encoder, sizes_for

from tagstream.errors import BadSettings
from training.inputs.batch import collate
from training.report.attention import Look, draw_over_photo, draw_over_words, looks_of
from training.systems import build

LOOKING = [
    ("acn", {"size": 16}, 1),
    ("gvatt_hbilstm_crf", {"size": 16}, 1),
    ("adacan_bert_crf", {}, 1),
    ("umt_bert_crf", {"heads": 2}, 2),
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.mark.parametrize(("name", "options", "layers"), LOOKING)
def test_every_token_spreads_one_look_over_the_regions(
    name: str, options: dict[str, int], layers: int, encoder: Path
) -> None:
    torch.manual_seed(1)
    system = build(name, sizes_for(encoder), dict(options))
    looks = looks_of(system, collate([make_tweet(1, 7, regions=9)]))
    assert len(looks) == layers
    for look in looks:
        assert look.weights.shape == (7, 9)
        assert np.allclose(look.weights.sum(1), 1, atol=1e-5)


def test_nothing_stays_in_the_system(encoder: Path) -> None:
    system = build("acn", sizes_for(encoder), {"size": 16})
    looks_of(system, collate([make_tweet(1, 7)]))
    assert not any(module._forward_hooks for module in system.modules())


def test_regions_that_are_alike_are_looked_at_alike(encoder: Path) -> None:
    torch.manual_seed(1)
    system = build("acn", sizes_for(encoder), {"size": 16})
    tweet = make_tweet(1, 5, regions=4)
    even = collate([tweet])
    even.visual[:] = even.visual[:, :1]
    assert np.allclose(looks_of(system, even)[0].weights, 0.25, atol=1e-6)
    assert not np.allclose(looks_of(system, collate([tweet]))[0].weights, 0.25, atol=1e-4)


@pytest.mark.parametrize("name", ["bilstm_crf", "cwi"])
def test_a_system_that_looks_at_no_regions_is_refused(name: str, encoder: Path) -> None:
    system = build(name, sizes_for(encoder), {"size": 16} if name == "bilstm_crf" else {"size": 16, "word_width": 16})
    with pytest.raises(BadSettings, match="do not attend to regions"):
        looks_of(system, collate([make_tweet(1, 5)]))


def test_the_photo_is_drawn_once_a_token_whatever_the_token() -> None:
    weights = np.zeros((8, 49), np.float32)
    weights[:, 24] = 1
    tokens = ["$x_$", "日本", "", "@a", "b" * 60, "c", "d", "e"]
    figure = draw_over_photo(tokens, Look("visual", weights), Image.new("RGB", (90, 60), "red"))
    drawn = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in drawn] == tokens
    heat = drawn[0].images[1].get_array()
    assert heat is not None
    middle = heat[heat.shape[0] // 2, heat.shape[1] // 2]
    assert middle > 0.5 > heat[0, 0]
    figure.canvas.draw()


@pytest.mark.parametrize(("size", "shown"), [((400, 100), 4 / 3), ((100, 400), 3 / 4), ((110, 100), 1.1)])
def test_only_what_the_image_model_sees_is_drawn(size: tuple[int, int], shown: float) -> None:
    figure = draw_over_photo(["a"], Look("visual", np.ones((1, 49), np.float32)), Image.new("RGB", size))
    rows, columns = np.asarray(figure.axes[0].images[0].get_array()).shape
    assert columns / rows == pytest.approx(shown, rel=0.02)


def test_regions_that_are_no_grid_cannot_be_drawn_over_a_photo() -> None:
    with pytest.raises(BadSettings, match="no square grid"):
        draw_over_photo(["a"], Look("visual", np.ones((1, VISUAL), np.float32)), Image.new("RGB", (9, 9)))


def test_the_caption_is_drawn_as_columns() -> None:
    look = Look("visual", np.array([[0.25, 0.75], [1, 0]], np.float32))
    axes = draw_over_words(["Oslo", "$"], look, ["a", "dog"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "dog"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Oslo", "$"]
    assert axes.images[0].get_array().tolist() == [[0.25, 0.75], [1, 0]]  # type: ignore[union-attr]
