"""Weights that somebody has: the network is known by them and answers as torchvision's, and whatever does not fit is
refused in plain words."""

import shutil

import numpy as np
import pytest
import torch
from image_models import write_version
from PIL import Image
from torchvision import models

from tagstream.errors import BadSettings, UnreadableInput
from training.image.torchvision_networks import network_of
from training.image.torchvision_weights import FEWEST_PHOTOS, export_given, read_photos


def random_weights(name: str, classes: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network = models.get_model(name, num_classes=classes)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.5)
    return network.state_dict()


def test_files_from_before_batches_were_counted_are_read():
    weights = random_weights("resnet18", 3)
    older = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    assert network_of(older, "w.pth")[0] == "resnet18"


def damaged() -> dict[str, dict[str, object]]:
    whole = random_weights("resnet18", 3)
    return {
        "empty": {},
        "a name is missing": {name: value for name, value in whole.items() if name != "layer3.1.bn1.bias"},
        "a name too many": whole | {"layer5.0.conv1.weight": torch.zeros(1)},
        "another shape": whole | {"conv1.weight": torch.zeros(64, 3, 3, 3)},
        "no tensor": whole | {"bn1.bias": [0.0] * 64},
        "no classes": whole | {"fc.weight": torch.zeros(0, 512), "fc.bias": torch.zeros(0)},
        "not a number": whole | {"bn1.bias": torch.full((64,), float("nan"))},
    }


@pytest.mark.parametrize("name", damaged())
def test_weights_of_no_known_network_are_refused(name):
    with pytest.raises(BadSettings, match=r"w\.pth: (not the weights of|weights of resnet18, but some are no finite)"):
        network_of(damaged()[name], "w.pth")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    torch.save(random_weights("resnet18", 5), folder / "weights.pth")
    (folder / "names.txt").write_text("a cat\ndog\nboat\nsea\nsun\n")
    photos = folder / "photos"
    photos.mkdir()
    chance = np.random.default_rng(4)
    for number in range(FEWEST_PHOTOS):
        blobs = Image.fromarray(chance.integers(0, 256, (5, 7, 3), np.uint8))
        blobs.resize((320, 240)).save(photos / f"{number}.{('jpg', 'png', 'webp')[number % 3]}")
    (photos / "broken.jpg").write_bytes(b"not a photo")
    (photos / "notes.txt").write_text("left alone")
    return folder


def arguments(folder, **changes) -> dict[str, object]:
    given = {"weights": folder / "weights.pth", "names": folder / "names.txt", "photos": folder / "photos"}
    return {**given, "repository": folder / "models", "version": 1, "threshold": 0.5} | changes


def test_a_generation_that_replaces_nothing_is_refused_before_the_weights_are_read(given, tmp_path):
    write_version(tmp_path, generation=7)
    with pytest.raises(BadSettings, match=r"version 2 would have the generation 7, and version 1 has 7.*take 9"):
        export_given(**arguments(given, weights=tmp_path / "none.pth", repository=tmp_path, version=2, generation=7))


def test_what_does_not_fit_together_is_refused_before_anything_is_written(given, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    shutil.copyfile(given / "photos" / "0.jpg", few / "0.jpg")
    (tmp_path / "names.txt").write_text("a\nb\n")
    (tmp_path / "twice.txt").write_text("a\nb\nc\n  b\nd\n")
    (tmp_path / "empty.txt").write_text("a\nb\n\nc\nd\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\n")
    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04 no archive")
    torch.save([1, 2], tmp_path / "list.pth")
    cases = [
        ({"photos": few}, BadSettings, "1 photos that can be read"),
        ({"names": tmp_path / "names.txt"}, BadSettings, "2 names, and .* has 5 classes"),
        ({"names": tmp_path / "twice.txt"}, BadSettings, "lines 2 and 4 are both 'b'"),
        ({"names": tmp_path / "empty.txt"}, BadSettings, r"empty\.txt, line 3: "),
        ({"names": tmp_path / "bytes.txt"}, BadSettings, "not UTF-8"),
        ({"weights": tmp_path / "weights.pth"}, BadSettings, "not a state dictionary that torch.save wrote"),
        ({"weights": tmp_path / "list.pth"}, BadSettings, "not a state dictionary: save"),
        ({"weights": tmp_path / "none.pth"}, UnreadableInput, "cannot read"),
        ({"names": tmp_path / "none.txt"}, UnreadableInput, "cannot read"),
        ({"photos": tmp_path / "none"}, UnreadableInput, "cannot read"),
        ({"photos": given / "names.txt"}, UnreadableInput, "cannot read"),
    ]
    for changes, kind, message in cases:
        with pytest.raises(kind, match=message):
            export_given(**arguments(given, repository=tmp_path / "models", **changes))
    assert not (tmp_path / "models").exists()


def test_a_file_that_runs_code_when_it_is_read_is_not_read(given, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"fc.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(BadSettings, match="not a state dictionary that"):
        export_given(**arguments(given, weights=tmp_path / "trap.pth"))
    assert not (tmp_path / "sprung").exists()


def test_photos_are_taken_by_name_and_no_more_than_needed(given, monkeypatch):
    monkeypatch.setattr("training.image.torchvision_weights.MOST_PHOTOS", 17)
    monkeypatch.setattr("training.image.torchvision_weights.FEWEST_PHOTOS", 1)
    inputs, left_out = read_photos(given / "photos", 14)
    assert (len(inputs), left_out) == (16, 1)
    monkeypatch.setattr("training.image.torchvision_weights.MOST_PHOTOS", 2)
    first, none = read_photos(given / "photos", 14)
    assert (len(first), none) == (2, 0)
    assert all(np.array_equal(one, other) for one, other in zip(first, inputs, strict=False))
