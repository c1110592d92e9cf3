"""A picture is known by its own logits alone, and the statistics of a version are read whole or not at all."""

import io
import json
from contextlib import suppress

import numpy as np
import pytest
from image_models import write_version

from tagstream.errors import CorruptState
from training.image.triton_config import write_configuration
from workers.models.image_rejection import REJECTION, ClassStatistics, Rejection, RejectionRule
from workers.models.image_repository import LABELS, NAME, open_image_version

CENTRES = np.array([[4, 0], [0, 2]], np.float32)
STATISTICS = ClassStatistics(np.diag([1.0, 0.5]).astype(np.float32), CENTRES)


@pytest.fixture
def version(tmp_path):
    """A version of four classes with a rejection."""
    return rejecting(tmp_path, ClassStatistics(np.eye(4, dtype=np.float32), 9 * np.eye(4, dtype=np.float32)))


def rejecting(repository, statistics):
    version = write_version(repository)
    path = version.folder / LABELS
    rule = {"weights": [0.0, 0.0, 1.0], "least": -3.0, "share": 0.05}
    path.write_text(json.dumps({**json.loads(path.read_text()), "rejection": rule}))
    statistics.write(version.folder)
    write_configuration(repository / NAME)
    return open_image_version(repository)


def test_the_figures_are_the_log_of_the_probability_the_largest_logit_and_the_distance_to_the_nearest_class():
    log_probability, largest, distance = STATISTICS.figures(np.array([3.0, 1.0], np.float32), 2.0)
    assert log_probability == pytest.approx(-np.log(1 + np.exp(-1)))
    assert largest == 3
    assert distance == pytest.approx(-np.hypot(1, 0.5))


def test_a_class_that_is_left_out_is_as_one_that_was_never_known():
    figures = STATISTICS.figures(np.array([3.0, 1.0], np.float32), 2.0, without=0)
    assert figures.tolist() == pytest.approx([0, 1, -np.hypot(3, 1.5)])


def test_a_picture_is_known_from_the_least_sum_on():
    logits = np.array([3.0, 1.0], np.float32)
    total = STATISTICS.figures(logits, 1.0) @ [1.0, 2.0, 3.0]
    for least, known in ((total, True), (np.nextafter(total, np.inf), False)):
        rule = RejectionRule(weights=[1, 2, 3], least=least, share=0.05)
        assert Rejection(rule, STATISTICS).knows(logits, 1.0) is known


def test_a_version_brings_its_rejection_and_one_without_it_rejects_nothing(tmp_path, version):
    assert version.rejection.rule.least == -3
    assert version.rejection.knows(np.array([9, 0, 0, 0], np.float32), 1.0)
    assert not version.rejection.knows(np.array([9, 9, 0, 0], np.float32), 1.0)
    assert write_version(tmp_path / "other").rejection is None


@pytest.mark.parametrize("declared", [False, True])
def test_statistics_that_are_missing_are_named(tmp_path, version, declared):
    (version.folder / REJECTION).unlink()
    if declared:
        write_configuration(tmp_path / NAME)
    with pytest.raises(CorruptState, match=r"rejection\.npz"):
        open_image_version(tmp_path)


def test_statistics_that_the_description_does_not_speak_of_are_refused(tmp_path):
    version = write_version(tmp_path)
    STATISTICS.write(version.folder)
    write_configuration(tmp_path / NAME)
    with pytest.raises(CorruptState, match="has no `rejection`"):
        open_image_version(tmp_path)


def test_statistics_of_another_export_are_refused(tmp_path, version):
    ClassStatistics(np.eye(4, dtype=np.float32), np.zeros((4, 4), np.float32)).write(version.folder)
    with pytest.raises(CorruptState, match="not of one export"):
        open_image_version(tmp_path)


def _archive(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


FOUR = np.eye(4, dtype=np.float32)
DAMAGED = {
    "empty": b"",
    "text": b"not an archive",
    "cut off": _archive(whitening=FOUR, centres=FOUR)[:-40],
    "an array that is cut off": _archive(whitening=FOUR, centres=FOUR).replace(b"(4, 4)", b"(9, 9)"),
    "one array is missing": _archive(whitening=FOUR),
    "one array too many": _archive(whitening=FOUR, centres=FOUR, more=FOUR),
    "fewer classes": _archive(whitening=FOUR[:3, :3], centres=FOUR[:3, :3]),
    "another type": _archive(whitening=FOUR.astype(np.float64), centres=FOUR),
    "objects": _archive(whitening=np.array([None]), centres=FOUR),
    "not finite": _archive(whitening=FOUR * np.nan, centres=FOUR),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_statistics_that_are_damaged_are_refused_whatever_the_hash_says(tmp_path, version, name):
    (version.folder / REJECTION).write_bytes(DAMAGED[name])
    write_configuration(tmp_path / NAME)
    with pytest.raises(CorruptState, match=r"rejection\.npz"):
        open_image_version(tmp_path)


def test_whatever_bytes_stand_in_the_statistics_nothing_else_is_raised(version):
    whole = bytearray((version.folder / REJECTION).read_bytes())
    chance = np.random.default_rng(4)
    for _ in range(300):
        hostile = bytearray(whole)
        for offset in chance.integers(0, len(whole), 4):
            hostile[offset] = int(chance.integers(0, 256))
        (version.folder / REJECTION).write_bytes(hostile)
        with suppress(CorruptState):
            ClassStatistics.read(version.folder, 4)


@pytest.mark.parametrize("change", [{"weights": [1.0]}, {"least": None}, {"share": 0}, {"more": 1}])
def test_a_rule_that_is_not_ours_is_refused(tmp_path, version, change):
    path = version.folder / LABELS
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, "rejection": {**described["rejection"], **change}}))
    with pytest.raises(CorruptState, match="not a whole model version"):
        open_image_version(tmp_path)
