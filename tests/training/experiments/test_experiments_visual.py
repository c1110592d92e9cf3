"""What a system sees of photos: image networks by files of weights, and our own image model, over real pixels."""

from functools import partial

import numpy as np
import pytest
import torch
from made_up_corpora import CAPTION, write_corpora
from PIL import Image
from torchvision import models

from tagstream.errors import BadSettings, ServiceUnavailable, UnreadableInput
from training.inputs.photos import load_photos, photo_folder
from training.inputs.visual_networks import NAMES, region_network

BUILDERS = {
    "vgg16": models.vgg16,
    "resnet152": models.resnet152,
    "inception_v3": partial(models.inception_v3, init_weights=False),
}


# What of each is read, as torchvision's own `forward` goes.


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_DATA", str(write_corpora(tmp_path / "data")))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights for each network, as old as those that are published; VGG16's without its classifier."""
    folder = tmp_path_factory.mktemp("weights")
    for number, (name, build) in enumerate(BUILDERS.items()):
        with torch.device("meta"):
            shapes = build().state_dict()
        torch.manual_seed(number)
        state = {}
        for key, value in shapes.items():
            if key.startswith("classifier") or key.endswith("num_batches_tracked"):
                continue
            spread = 1.4 / max(1, value[0].numel()) ** 0.5 if value.ndim > 1 else 0.1
            state[key] = torch.randn(value.shape) * spread + (1.0 if value.ndim == 1 and "weight" in key else 0.0)
            if key.endswith("running_var"):
                state[key] = state[key].abs() + 1
            if key.endswith("bn3.weight"):
                state[key] *= 0.2  # what fifty blocks add to each other must stay small
        torch.save(state, folder / f"{name}.pth", _use_new_zipfile_serialization=False)
    return folder


def draw(path, seed=1, size=(90, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def test_weights_of_another_network_are_refused(weights, tmp_path):
    photo = draw(tmp_path / "1.jpg")
    with pytest.raises(BadSettings, match=r"not the weights of resnet152 .*conv1\.weight"):
        region_network("resnet152", str(weights / "vgg16.pth"))([photo])
    state = torch.load(weights / "vgg16.pth", weights_only=True)
    torch.save(state | {"fc.weight": torch.zeros(2)}, tmp_path / "more.pth")
    with pytest.raises(BadSettings, match=r"fc\.weight, and 0 more, are not of this network"):
        region_network("vgg16", str(tmp_path / "more.pth"))([photo])
    state["features.0.bias"][3] = float("nan")
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(BadSettings, match="the file is damaged"):
        region_network("vgg16", str(tmp_path / "damaged.pth"))([photo])
    state["features.0.bias"][3] = 1e9
    torch.save(state, tmp_path / "wild.pth")
    with pytest.raises(BadSettings, match=r"wild\.pth: a photo gives numbers beyond 65504"):
        region_network("vgg16", str(tmp_path / "wild.pth"))([photo])
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(BadSettings, match="not a state dictionary"):
        region_network("vgg16", str(tmp_path / "text.pth"))([photo])
    with pytest.raises(UnreadableInput, match="cannot read"):
        region_network("vgg16", str(tmp_path / "absent.pth"))
    with pytest.raises(BadSettings, match="whose weights ship"):
        region_network("regions", str(weights / "vgg16.pth"))


def test_weights_that_are_neither_given_nor_to_be_had_are_asked_for(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    sight = region_network("vgg16")
    assert sight.identity.startswith("vgg16_vgg16-")
    with pytest.raises(ServiceUnavailable, match=r"no route.*--visual-weights"):
        sight([draw(tmp_path / "1.jpg")])


def test_photos_are_seen_once_and_what_is_no_photo_is_masked(weights, tmp_path, caplog):
    folder = photo_folder("twitter2017")
    for number in (0, 2, 3, 5):
        draw(folder / f"{number}.jpg", number)
    (folder / "4.jpg").write_bytes(b"\xff\xd8 no photo")
    (folder / "7.txt").write_text("no photo either")
    given = str(weights / "vgg16.pth")
    photo, width = load_photos("twitter2017", "vgg16", tmp_path / "cache", given)
    assert width == 512
    assert [len(photo(str(number)).regions) for number in range(6)] == [49, 0, 49, 49, 0, 49]
    assert photo("2").caption == photo("4").caption == CAPTION
    assert photo("3").caption == ""
    assert "of 24 photos 19 are missing and 1 cannot be read" in caplog.text
    (cached,) = (tmp_path / "cache").iterdir()
    before = cached.stat().st_mtime_ns
    again, _ = load_photos("twitter2017", "vgg16", tmp_path / "cache", given)
    assert np.array_equal(again("2").regions, photo("2").regions)
    assert cached.stat().st_mtime_ns == before
    draw(folder / "1.jpg")
    later, _ = load_photos("twitter2017", "vgg16", tmp_path / "cache", given)
    assert len(later("1").regions) == 49


@pytest.mark.parametrize("visual", NAMES)
def test_without_photos_what_needs_them_is_refused(visual, tmp_path):
    with pytest.raises(BadSettings, match="needs the photos of twitter2017"):
        load_photos("twitter2017", visual, tmp_path / "cache")


@pytest.mark.parametrize(("visual", "wide"), [("none", 1), ("captions", 384), ("regions", 256)])
def test_a_corpus_without_photos_is_as_wide_as_one_with(visual, wide, tmp_path):
    photo, width = load_photos("wnut16", visual, tmp_path / "cache")
    assert photo("1").regions.shape == (0, width)
    assert width == wide


def test_captions_take_no_weights(weights, tmp_path):
    with pytest.raises(BadSettings, match="visual = captions takes no weights"):
        load_photos("twitter2017", "captions", tmp_path / "cache", str(weights / "vgg16.pth"))
