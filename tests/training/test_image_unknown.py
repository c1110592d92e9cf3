"""Pictures that show none of the 200 things are the same everywhere; the rejection is what its definition says."""

import math

import numpy as np
import pytest
from PIL import Image

from tagstream.errors import UnreadableInput
from training.image.dataset import Pictures
from training.image.unknown import destroyed, groups
from training.image.unknown.canvas import Canvas
from training.image.unknown.fit import (
    RejectionEvidence,
    class_statistics,
    fit_weights,
    known_evidence,
    least_sum,
    unknown_evidence,
)
from training.image.unknown.measure import known_figures, unknown_figures

KINDS = [*groups.drawn_kinds(0), *groups.drawn_kinds(1)]


def drawing(draw, seed):
    canvas = Canvas(seed)
    draw(canvas)
    return canvas.image


@pytest.mark.parametrize(("name", "draw"), KINDS)
def test_equal_seeds_draw_equal_pictures_and_others_others(name, draw):
    image = drawing(draw, f"{name} 1")
    assert image.mode == "RGB"
    assert image.tobytes() == drawing(draw, f"{name} 1").tobytes()
    assert image.tobytes() != drawing(draw, f"{name} 2").tobytes()
    assert groups.served(image).shape == (3, 56, 56)


def test_no_kind_chooses_and_measures():
    names = [[name for name, _ in groups.drawn_kinds(half)] for half in (0, 1)]
    assert len(names[0]) == len(names[1]) == 17
    assert len({*names[0], *names[1]}) == 34


@pytest.mark.parametrize("kind", destroyed.KINDS)
def test_a_destroyed_picture_has_the_shape_of_the_others_and_is_none_of_them(kind):
    pixels = np.random.default_rng(1).integers(0, 256, (destroyed.MIXED, 64, 64, 3), np.uint8)
    ruins = [destroyed.KINDS[kind](pixels, np.random.default_rng(2)) for _ in range(2)]
    assert ruins[0].shape == (64, 64, 3)
    assert ruins[0].dtype == np.uint8
    assert np.array_equal(*ruins)
    assert not (ruins[0] == pixels).all(axis=(1, 2, 3)).any()


def test_shuffling_keeps_every_square():
    squares = np.arange(64, dtype=np.uint8).repeat(64 * 3).reshape(1, 8, 8, 8, 8, 3)
    pixels = squares.swapaxes(2, 3).reshape(1, 64, 64, 3)
    mixed = destroyed.shuffled(pixels, np.random.default_rng(1))
    assert sorted(mixed[::8, ::8, 0].ravel()) == list(range(64))
    assert not np.array_equal(mixed, pixels[0])


def test_photos_of_known_classes_and_those_that_were_judged_to_show_one_are_left_out(tmp_path):
    for name in ("n01_known", "n02_other", "n13037406_gyromitra"):
        Image.new("RGB", (80, 60)).save(tmp_path / f"{name}.JPEG", "JPEG")
    assert len(list(groups.samples(tmp_path, {"n01"}))) == 1
    with pytest.raises(UnreadableInput, match=r"no files like n01440764_tench\.JPEG"):
        list(groups.samples(tmp_path / "nowhere", set()))


def test_classes_are_centred_and_spread_alike():
    chance = np.random.default_rng(1)
    classes = chance.integers(0, 3, 6000)
    means = np.array([[5.0, 0, 0], [0, 4, 0], [0, 0, 3]])
    noise = chance.normal(size=(6000, 3)) @ np.array([[1, 0.5, 0], [0, 2, 0], [0, 0.3, 0.5]])
    logits = (means[classes] + noise).astype(np.float32)
    statistics = class_statistics(logits, classes)
    white = logits @ statistics.whitening - statistics.centres[classes]
    assert np.cov(white.T) == pytest.approx(np.eye(3), abs=0.05)
    shown, hidden = known_evidence(statistics, logits[:50], classes[:50], 1.0)
    assert np.array_equal(shown.right, logits[:50].argmax(1) == classes[:50])
    assert not hidden.right.any()
    assert (hidden.figures[:, 1] <= shown.figures[:, 1]).all()
    assert (hidden.figures[:, 2] <= shown.figures[:, 2]).all()


def test_what_tells_right_answers_from_unknown_pictures_gets_the_weight():
    chance = np.random.default_rng(2)
    known = RejectionEvidence(chance.normal([0, 3, 0], 1, (2000, 3)), np.ones(2000, bool))
    unknown = {"few": unknown_evidence(chance.normal([0, -3, 0], 1, (20, 3))),
               "many": unknown_evidence(chance.normal([0, 0, -1], 1, (900, 3)))}  # fmt: skip
    weights = fit_weights(known, unknown)
    assert weights[1] > 3 * abs(weights[0])
    assert weights[2] > 0.3


def test_the_least_sum_lets_no_more_than_the_share_pass():
    sums = np.arange(100) / 10
    figures = np.column_stack([np.where(np.arange(100) % 2, 0.0, -9.0), sums, np.zeros(100)])
    for share in (0.001, 0.03, 0.2):
        least = least_sum(unknown_evidence(figures), [0, 1, 0], 0.5, share)
        passing = int(((figures[:, 0] >= math.log(0.5)) & (sums >= least)).sum())
        assert passing == math.ceil(100 * share)
    assert least_sum(unknown_evidence(figures), [0, 1, 0], 0.5, 0.6) < -1e6


def test_shares_come_with_the_interval_of_wilson():
    figures = unknown_figures([True] * 30 + [False] * 70, [True] * 5 + [False] * 95)
    assert (figures.pictures, figures.before, figures.after) == (100, 30, 5)
    assert (figures.low, figures.high) == pytest.approx((0.0215, 0.1118), abs=5e-4)
    assert unknown_figures([False] * 10, [False] * 10).low == 0
    known = RejectionEvidence(np.zeros((4, 3)), np.array([True, True, False, False]))
    figures = known_figures(known, np.array([True, False, True, False]))
    assert (figures.right, figures.precision) == (0.25, 0.5)


def test_pictures_are_drawn_in_the_model_s_shape_by_the_half():
    pictures = Pictures(np.random.default_rng(1).integers(0, 256, (20, 64, 64, 3), np.uint8), np.zeros(20, np.int64))
    ruin = next(groups.ruins(0, pictures))
    assert ruin.shape == (3, 56, 56)
    assert np.array_equal(ruin, next(groups.ruins(0, pictures)))
