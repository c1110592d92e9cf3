"""Accuracy, calibration and abstention are what their definitions say; the card shows them."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from training.image.class_names import display_names
from training.image.dataset import ClassNames, Pictures
from training.image.evaluate import (
    abstention,
    accuracy,
    calibration_error,
    choose_threshold,
    fit_temperature,
    served_logits,
    served_pixels,
)
from training.image.model_card import write_card
from training.image.recipe import RECIPE, ImageRecipe
from training.image.unknown.measure import KnownFigures, RejectionFigures, UnknownFigures
from workers.images.classifier import probabilities
from workers.models.image_rejection import RejectionRule
from workers.models.image_repository import ImageDescription


def test_accuracy_counts_the_first_and_the_first_five():
    logits = np.eye(7)[[0, 1, 2]] * 5 - np.arange(7) * 0.1
    assert accuracy(logits, np.array([0, 4, 6])) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_the_temperature_that_scaled_the_logits_is_found():
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(20_000, 10)) * 2
    chances = probabilities(logits, 1.0)
    classes = (chances.cumsum(1) > chance.random((20_000, 1))).argmax(1)
    assert fit_temperature((logits * 3).astype(np.float32), classes) == pytest.approx(3, rel=0.03)
    assert calibration_error(chances, classes) < 0.01
    assert calibration_error(probabilities(logits * 3, 1.0), classes) > 0.1


def test_the_threshold_is_the_lowest_that_is_right_often_enough():
    certain = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.55])
    chances = np.stack([certain, 1 - certain], axis=1)
    classes = np.array([0, 0, 0, 1, 0, 1])
    assert choose_threshold(chances, classes, 0.75) == pytest.approx(0.56)
    assert abstention(chances, classes, 0.56).precision == pytest.approx(0.8)
    assert choose_threshold(chances, classes, 1.0) == pytest.approx(0.71)
    assert abstention(chances, classes, 0.71).coverage == pytest.approx(0.5)
    assert abstention(chances, classes, 0.99).precision == 0
    with pytest.raises(ValueError, match="no threshold gives a precision of 100%"):
        choose_threshold(chances[3:4], classes[3:4], 1.0)


def test_pictures_are_shrunk_for_measuring_as_for_serving():
    rows, columns = np.mgrid[0:64, 0:64]
    smooth = np.stack([rows * 4, columns * 4, rows + columns], axis=2).astype(np.uint8)
    pictures = Pictures(np.stack([smooth, smooth[::-1]]), np.array([0, 1]))
    kept = []

    def network(pixels):
        kept.append(pixels)
        return np.array([len(kept)], np.float32), np.zeros((49, 1), np.float32)

    assert served_logits(network, pictures).tolist() == [[1], [2]]
    together = served_pixels(torch.from_numpy(pictures.pixels)).numpy()
    assert together.shape == (2, 3, 56, 56)
    assert np.abs(together.astype(int) - np.stack(kept)).max() <= 1


def test_no_two_classes_are_shown_under_one_name():
    names = ClassNames(("n1", "n2", "n3"), (("tabby", "tabby cat"), ("alp",), ("goldfish", "Carassius auratus")))
    assert display_names(names) == ["tabby cat", "mountain", "goldfish"]
    twice = ClassNames(("n1", "n2"), (("crane",), ("crane",)))
    with pytest.raises(ValueError, match="construction crane"):
        display_names(twice)


def test_the_card_says_what_was_measured(tmp_path):
    description = ImageDescription(
        labels=["a", "b"], side=56, region_width=256, temperature=1.25, threshold=0.63, precision=0.9, generation=3,
        record={"recipe": asdict(ImageRecipe.read(RECIPE))},
    )  # fmt: skip
    figure = {
        "top1": 0.5717, "top5": 0.8123, "precision": 0.9012, "coverage": 0.3456, "calibration_error": 0.0191,
        "pictures_a_second": 1234.5, "megabytes": 2.84,
    }  # fmt: skip
    files = {"fp16": figure, "int8": figure | {"top1": 0.5666}}
    write_card(tmp_path, description, files, None, 3)
    assert "What it does not know" not in (tmp_path / "model_card.md").read_text()
    rule = RejectionRule(weights=[0.5, 0.25, 0.125], least=-1.5, share=0.03)
    rejected = RejectionFigures(
        KnownFigures(0.321, 0.9), KnownFigures(0.215, 0.934), {"photos": UnknownFigures(1200, 222, 30, 0.0175, 0.0354)}
    )
    write_card(tmp_path, description.model_copy(update={"rejection": rule}), files, rejected, 3)
    card = (tmp_path / "model_card.md").read_text()
    assert "| 1,200 | 18.5% | 2.5% | 1.8% to 3.5% |" in card
    assert "| with a right label | 32.1% | 21.5% |" in card
    assert "at least -1.50" in " ".join(card.split())
    assert "| int8 | 56.7% | 81.2% | 90.1% | 34.6% | 0.019 | 1,23" in card
    for text in (
        "version 3",
        "divided by 1.25",
        "0.63",
        "90%",
        "2.8 MB",
        "at 40 x 40: 8 (learning",
        "teacher share 0.6",
    ):
        assert text in card
    assert max(map(len, card.splitlines())) <= 125
