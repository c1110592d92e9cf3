"""The networks of torchvision at their full size, and a system trained on real photos: minutes."""

import json
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from made_up_corpora import save_small_encoder, write_corpora
from photo_samples import SAMPLES
from PIL import Image
from torchvision import models

from tagstream.cli.commands import application
from tagstream.errors import BadSettings
from training.experiments.run import Experiment, prepare
from training.inputs.photos import photo_folder
from training.inputs.visual_networks import read_photo, region_network
from training.report.rows import read_recipe

BUILDERS = {
    "vgg16": models.vgg16,
    "resnet152": models.resnet152,
    "inception_v3": partial(models.inception_v3, init_weights=False),
}
SHAPES = {"vgg16": (49, 512), "resnet152": (49, 2048), "inception_v3": (64, 2048)}


def _inception(whole, inputs):
    found = []
    whole.Mixed_7c.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    whole(inputs)
    return found[0]


# What of each is read, as torchvision's own `forward` goes.
READ = {
    "vgg16": lambda whole, inputs: whole.features(inputs),
    "resnet152": lambda whole, inputs: torch.nn.Sequential(*list(whole.children())[:-2])(inputs),
    "inception_v3": _inception,
}


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


@pytest.mark.parametrize("name", BUILDERS)
@torch.inference_mode()
def test_the_regions_are_those_of_torchvision(name, weights, tmp_path):
    photo = draw(tmp_path / "1.jpg")
    sight = region_network(name, str(weights / f"{name}.pth"))
    seen, nothing = sight([photo, tmp_path / "absent.jpg"])
    assert seen.shape == SHAPES[name]
    assert nothing.shape == (0, sight.width)
    with torch.device("meta"):
        whole = BUILDERS[name](**({"transform_input": True} if name == "inception_v3" else {})).eval()
    state = torch.load(weights / f"{name}.pth", weights_only=True)
    counters = {key: torch.tensor(0) for key in whole.state_dict() if key.endswith("num_batches_tracked")}
    for part in ("classifier", "avgpool"):
        if name == "vgg16":
            setattr(whole, part, torch.nn.Identity())
    whole.load_state_dict(state | counters, strict=True, assign=True)
    pixels = torch.from_numpy(read_photo(photo, sight.side)).float()[None] / 255
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = READ[name](whole, (pixels - mean) / deviation)
    grid = torch.from_numpy(seen.astype(np.float32)).T.reshape(expected.shape[1:])
    assert expected.std() > 1e-3
    assert torch.allclose(grid, expected[0], atol=2e-3 * float(expected.abs().max()))


def test_real_photos_are_what_a_system_trained_by_the_command_sees(tmp_path, monkeypatch):
    if not SAMPLES.exists():
        pytest.skip(f"no photos with tweets at {SAMPLES}: set TAGSTREAM_DATA")
    folder = photo_folder("twitter2017")
    folder.mkdir()
    for number, path in enumerate(sorted(SAMPLES.glob("*/images/*/*.jpg"))[:20]):
        (folder / f"{number}.jpg").write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe("gvatt_bert_crf")
    recipe = recipe.model_copy(update={"inputs": recipe.inputs.model_copy(update={"visual": "regions"})})
    encoder = save_small_encoder(tmp_path / "encoder")
    encoded = prepare(Experiment(recipe=recipe, corpus="twitter2017", seed=1, encoder=str(encoder))).part(
        "twitter2017", "train"
    )
    regions = [one.visual for one in encoded.encoded]
    assert [one.shape for one in regions] == [(49, 256)] * 20 + [(0, 256)] * 4
    assert all(not np.array_equal(one, other) for one, other in pairwise(regions[:20]))
    (tmp_path / "seeing.toml").write_text(
        'system = "gvatt_bert_crf"\ntitle = "t"\nreads = "pieces, regions"\n[inputs]\nvisual = "regions"\n'
        "[training]\nlearning_rate = 0.01\nepochs = 1\n"
    )
    run = CliRunner().invoke
    told = run(application, ["train", "seeing.toml", "--run", "r", "--encoder", str(encoder)])
    assert told.exit_code == 0, told.output
    assert json.loads(run(application, ["evaluate", "--run", "r", "--json"]).stdout)["tweets"] == 6
    assert run(application, ["export", "--run", "r", "--to", "made"]).exit_code == 0
    refused = run(application, ["train", "seeing.toml", "--run", "q", "--visual-weights", "seeing.toml"])
    assert isinstance(refused.exception, BadSettings)
