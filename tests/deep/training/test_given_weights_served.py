"""Every network whose weights may be given is known by them and serves as the model that ships: minutes."""

import io
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision import models

from tagstream.cli.commands import application
from training.image.torchvision_networks import NETWORKS, network_of
from training.image.torchvision_weights import FEWEST_PHOTOS
from workers.images.classifier import open_local_encoder
from workers.models.image_repository import open_image_version


def random_weights(name: str, classes: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network = models.get_model(name, num_classes=classes)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.5)
    return network.state_dict()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_known_by_its_weights_and_gives_a_grid_of_seven(name):
    weights = random_weights(name, 3)
    found, network = network_of(weights, "w.pth")
    assert found == name
    pictures = torch.rand(1, 3, 224, 224)
    whole = models.get_model(name, num_classes=3).eval()
    whole.load_state_dict(weights)
    with torch.no_grad():
        logits, features = network(pictures)
        assert torch.allclose(logits, whole(pictures), atol=1e-5)
    assert logits.shape == (1, 3)
    assert features.shape == (1, network.region_width, 7, 7)
    assert torch.allclose(logits, network.head(features.mean((2, 3))))


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


def test_what_the_command_makes_is_served_as_the_model_that_ships(given):
    options = ["--weights", "weights.pth", "--names", "names.txt", "--photos", "photos", "--repository", "models"]
    paths = [option if option.startswith("--") else str(given / option) for option in options]
    result = CliRunner().invoke(
        application, ["export", "image-encoder", *paths, "--version", "3", "--threshold", "0.2", "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "network": "resnet18", "classes": 5, "generation": 3, "photos": FEWEST_PHOTOS, "photos_left_out": 1,
    }  # fmt: skip
    version = open_image_version(given / "models")
    assert version.version == 3
    encoder = open_local_encoder(version, threads=1)
    buffer = io.BytesIO()
    Image.open(given / "photos" / "0.jpg").resize((256, 192)).save(buffer, "JPEG")
    (seen,) = encoder.see([buffer.getvalue()], threshold=0.0)
    assert {name for name, _ in seen.labels} == {"a cat", "dog", "boat", "sea", "sun"}
    assert sum(chance for _, chance in seen.labels) == pytest.approx(1)
    assert seen.regions.shape == (49, 512)
    for name in ("model.onnx", "model.fp16.onnx"):
        assert b"stack_trace" not in (version.folder / name).read_bytes(), f"{name} names files of this machine"
    card = (version.folder / "model_card.md").read_text()
    assert "resnet18 with the weights of `weights.pth`" in card
    assert "Nothing was measured" in card
    assert "Generation 3: answers with its labels" in card
    again = ["export", "image-encoder", *paths, "--version", "4"]
    refused = CliRunner().invoke(application, [*again, "--generation", "3"]).exception
    assert "version 4 would have the generation 3" in str(refused)
    result = CliRunner().invoke(application, again)
    assert result.exit_code == 0, result.output
    assert "resnet18, 5 classes, generation 5: " in result.output
    assert open_image_version(given / "models").description.generation == 5
