"""What is exported is what was trained: the same answers, in every batch, from bytes."""

import shutil

import numpy as np
import onnx
import openvino
import pytest
import torch

from tagstream.errors import BadSettings
from training.image import files
from training.image.dataset import Pictures
from training.image.export import calibration_inputs
from training.image.network import FEATURE_WIDTH, INPUT_SIDE, ResidualNetwork, ServedNetwork
from workers.images.classifier import OpenVinoImageNetwork
from workers.models.image_repository import LABELS, NAME, ImageDescription, open_image_version
from workers.models.version_folder import GPU_MODEL, MODEL


@pytest.fixture(scope="module")
def network():
    """A network whose every weight and statistic matters."""
    torch.manual_seed(1)
    network = ResidualNetwork(classes=11)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return network.eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(2).integers(0, 256, (6, 3, INPUT_SIDE, INPUT_SIDE), np.uint8)


@pytest.fixture(scope="module")
def expected(network, pixels):
    with torch.no_grad():
        logits, regions = ServedNetwork(network)(torch.from_numpy(pixels))
    return logits.numpy(), regions.numpy()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    served = ServedNetwork(files.fused(network))
    files.export_onnx(served, INPUT_SIDE, folder / "fp32.onnx")
    chance = np.random.default_rng(3)
    pictures = Pictures(chance.integers(0, 256, (90, 64, 64, 3), np.uint8), np.zeros(90, np.int64))
    files.write_networks(served, INPUT_SIDE, list(calibration_inputs(pictures, 40, seed=1)), folder)
    return folder


def test_folding_the_normalisations_changes_nothing(network, pixels, expected):
    with torch.no_grad():
        logits, regions = ServedNetwork(files.fused(network))(torch.from_numpy(pixels))
    assert np.abs(logits.numpy() - expected[0]).max() < 1e-5
    assert np.abs(regions.numpy() - expected[1]).max() < 1e-4
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in files.fused(network).modules())


@pytest.mark.parametrize(("name", "tolerance"), [("fp32.onnx", 1e-4), (GPU_MODEL, 0.01), (MODEL, 0.2)])
def test_each_file_gives_what_the_network_gives(exported, pixels, expected, name, tolerance):
    served = OpenVinoImageNetwork(exported / name, INPUT_SIDE, 1)
    answers = [served(picture) for picture in pixels]
    for place in (0, 1):
        difference = np.stack([answer[place] for answer in answers]) - expected[place]
        assert np.sqrt((difference**2).mean()) < tolerance * expected[place].std(), place
    assert answers[0][0].dtype == answers[0][1].dtype == np.float32


@pytest.mark.parametrize("name", ["fp32.onnx", MODEL])
def test_a_picture_has_the_same_answer_to_the_bit_in_every_batch(exported, pixels, name):
    alone = OpenVinoImageNetwork(exported / name, INPUT_SIDE, 1)
    logits, regions = (np.stack(parts) for parts in zip(*map(alone, pixels), strict=True))
    together = openvino.Core().compile_model(
        str(exported / name), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    for rows in (2, 3, 6):
        answer = together({"pixels": pixels[6 - rows :]})
        assert np.array_equal(answer["logits"], logits[6 - rows :]), rows
        assert np.array_equal(answer["regions"], regions[6 - rows :]), rows


def test_the_int8_file_is_static_and_its_convolutions_are_int8(exported):
    graph = onnx.load(exported / MODEL).graph
    kinds = [node.op_type for node in graph.node]
    assert "DynamicQuantizeLinear" not in kinds
    quantized = {output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 14
    assert all(set(node.input[:2]) <= quantized for node in convolutions)
    assert (exported / MODEL).stat().st_size < 0.3 * (exported / "fp32.onnx").stat().st_size


@pytest.fixture
def made(tmp_path, exported):
    """A folder with the files of a version, but for its description."""
    folder = tmp_path / "made"
    folder.mkdir()
    for name in (MODEL, GPU_MODEL):
        shutil.copyfile(exported / name, folder / name)
    return folder


def description_of(generation, side=INPUT_SIDE):
    return ImageDescription(
        labels=[str(number) for number in range(11)], side=side, region_width=FEATURE_WIDTH, temperature=1.5,
        threshold=0.5, precision=0.9, generation=generation,
    )  # fmt: skip


def install(made, repository, version, description):
    (made / LABELS).write_text(description.model_dump_json())
    files.install(made, repository, version)


def contents(repository):
    return {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}


def test_a_version_is_installed_whole_and_one_of_another_shape_is_refused(tmp_path, made):
    repository = tmp_path / "repository"
    for version, generation in ((1, 3), (2, 5), (1, 7), (1, 7)):
        install(made, repository, version, description_of(generation))
    assert open_image_version(repository, 1).description == description_of(7)
    assert open_image_version(repository).description == description_of(5)
    before = contents(repository)
    with pytest.raises(
        BadSettings, match=r"version 2 would have .*\(224, 11, 256\), and version 1 has \(56, 11, 256\)"
    ):
        install(made, repository, 2, description_of(9, side=224))
    assert contents(repository) == before
    shutil.rmtree(repository / NAME / "1")
    install(made, repository, 2, description_of(9, side=224))
    assert "dims: [ 3, 224, 224 ]" in (repository / NAME / "config.pbtxt").read_text()


def test_a_version_that_would_not_replace_what_the_others_said_is_refused(tmp_path, made):
    repository = tmp_path / "repository"
    install(made, repository, 1, description_of(5))
    before = contents(repository)
    for version, generation in ((2, 5), (2, 3), (1, 3)):
        with pytest.raises(BadSettings, match=rf"have the generation {generation}, and version 1 has 5.*take 7"):
            install(made, repository, version, description_of(generation))
    assert contents(repository) == before
