"""Photos through the real Triton server: the same answers as in process, to the bit, also after an outage."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import monotonic, sleep

import numpy as np
import pytest
import torch
from image_models import blobs, jpeg, write_version

from ops.stack.triton import Triton
from tagstream.errors import BadSettings, CorruptState, ModelUnavailable
from tagstream.runtime.backoff import BackOff
from tagstream.settings import REPOSITORY, Settings
from training.image import files
from training.image.network import FEATURE_WIDTH, INPUT_SIDE, ResidualNetwork, ServedNetwork
from workers.images.classifier import ImageEncoder, OpenVinoImageNetwork, open_local_encoder, read_thumbnail
from workers.models.image_rejection import ClassStatistics, RejectionRule
from workers.models.image_repository import LABELS, NAME, ImageDescription, open_image_version
from workers.models.repository import open_version
from workers.models.version_folder import MODEL
from workers.open_models import open_image_model, open_tagger
from workers.triton.image_network import TritonImageNetwork

CLASSES = 40
QUICK = BackOff(0.1, 0.5)
SHAPES = [(256, 192), (192, 256), (256, 256), (1, 256), (256, 1), (1, 1), (256, 30), (30, 256), (57, 56), (8, 7)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The tagger that ships, and an image encoder of the architecture that ships with weights of chance."""
    repository = tmp_path_factory.mktemp("models")
    shutil.copytree(REPOSITORY / "triton_models" / "mner", repository / "mner")
    torch.manual_seed(1)
    network = ResidualNetwork(classes=CLASSES)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.2)
    made = tmp_path_factory.mktemp("made")
    pictures = [read_thumbnail(jpeg(blobs(seed=seed)), INPUT_SIDE) for seed in range(30)]
    files.write_networks(ServedNetwork(files.fused(network.eval())), INPUT_SIDE, pictures, made)
    statistics = ClassStatistics(np.eye(CLASSES, dtype=np.float32), np.eye(CLASSES, dtype=np.float32))
    statistics.write(made)
    local = OpenVinoImageNetwork(made / MODEL, INPUT_SIDE, 1)
    least = float(np.median([statistics.figures(local(picture)[0], 1.0).sum() for picture in pictures]))
    description = ImageDescription(
        labels=[f"thing {number}" for number in range(CLASSES)], side=INPUT_SIDE, region_width=FEATURE_WIDTH,
        temperature=1.0, threshold=0.02, precision=None, generation=3,
        rejection=RejectionRule(weights=[1, 1, 1], least=least, share=0.05),
    )  # fmt: skip
    (made / LABELS).write_text(description.model_dump_json())
    files.install(made, repository, 1)
    return repository


@pytest.fixture(scope="module")
def server(triton, repository, tmp_path_factory):  # noqa: ARG001
    """A server that these tests may kill; it asks for `triton` so that it is skipped where there can be none."""
    server = Triton(tmp_path_factory.mktemp("server"), repository)
    try:
        start(server)
        yield server
    finally:
        server.stop()


def start(server):
    server.start()
    server.wait()


@pytest.fixture(scope="module")
def local(repository):
    return open_local_encoder(open_image_version(repository), threads=1)


@pytest.fixture
def connect(server, repository):
    opened = []

    def connect(deadline_seconds=60.0):
        version = open_image_version(repository)
        address = server.specification.removeprefix("grpc://")
        network = TritonImageNetwork(address, version, deadline_seconds=deadline_seconds, concurrency=8, pause=QUICK)
        opened.append(network)
        return ImageEncoder(version.description, network, version.rejection)

    yield connect
    for network in opened:
        network.close()


def thumbnails_of(count):
    return [jpeg(blobs(*SHAPES[number % len(SHAPES)], seed=number)) for number in range(count)]


def assert_equal_to_the_bit(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.labels == other.labels
        assert np.array_equal(one.regions, other.regions)


def test_pictures_of_every_shape_show_the_same_to_the_bit_alone_and_in_any_company(local, connect):
    remote = connect()
    thumbnails = thumbnails_of(150)
    pixels = [read_thumbnail(thumbnail, INPUT_SIDE) for thumbnail in thumbnails]
    logits, regions = local.network(pixels, regions=True)
    assert len(np.unique(logits.argmax(1))) > 3
    for count in (1, 2, 5, 33, 64, 65, 150):
        answer = remote.network(pixels[-count:], regions=True)
        assert answer[0].dtype == answer[1].dtype == np.float32
        assert np.array_equal(answer[0], logits[-count:]), count
        assert np.array_equal(answer[1], regions[-count:]), count
    expected = local.see(thumbnails, threshold=0.0)
    assert_equal_to_the_bit(remote.see(thumbnails, threshold=0.0), expected)
    for thumbnail, seen in list(zip(thumbnails, expected, strict=True))[:20]:
        assert_equal_to_the_bit(remote.see([thumbnail], threshold=0.0), [seen])
    labels = local(thumbnails)
    assert 10 < sum(map(bool, labels)) < 140, "some are rejected, and some are not"
    assert remote(thumbnails) == labels


def test_pictures_of_several_clients_at_once_are_not_mixed_up(local, connect):
    clients = [connect(), connect()]
    thumbnails = thumbnails_of(60)
    expected = local.see(thumbnails, threshold=0.0)
    edges = np.cumsum([0, 1, 1, 2, 3, 1, 5, 1, 8, 1, 2, 13, 1, 1, 17, 1, 2]).tolist()
    parts = [slice(first, end) for first, end in pairwise(edges)]
    assert edges[-1] == len(thumbnails)

    def ask(number):
        return clients[number % 2].see(thumbnails[parts[number]], threshold=0.0)

    with ThreadPoolExecutor(len(parts)) as threads:
        answers = list(threads.map(ask, range(len(parts))))
    assert_equal_to_the_bit([seen for answer in answers for seen in answer], expected)


def test_both_models_of_one_specification_answer_under_one_model_generation(server, repository, local):
    settings = Settings(models=server.specification, model_repository=repository, model_deadline_seconds=60)
    image_model, tagger = open_image_model(settings), open_tagger(settings)
    try:
        shipped = open_version(repository)
        assert tagger.model == f"mner@{shipped.version}+image_encoder@1"
        assert tagger.generation == shipped.description.generation + 2
        assert image_model(thumbnails_of(9)) == local(thumbnails_of(9))
    finally:
        image_model.network.close()
        tagger.network.close()


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_server_that_fails_is_waited_for_once_and_its_restart_heals(server, local, connect, fault):
    remote = connect(deadline_seconds=2.0)
    thumbnails = thumbnails_of(5)
    assert remote(thumbnails) == local(thumbnails)
    getattr(server, fault)()
    with pytest.raises(ModelUnavailable):
        remote(thumbnails)
    began = monotonic()
    for _ in range(20):
        with pytest.raises(ModelUnavailable, match="not waited for"):
            remote(thumbnails)
    assert monotonic() - began < 10, "20 deadlines would be 40 s"
    server.kill()
    start(server)
    healed = until(lambda: remote.see(thumbnails, threshold=0.0))
    assert_equal_to_the_bit(healed, local.see(thumbnails, threshold=0.0))


def until(sees):
    """Waits for what must come by itself."""
    end = monotonic() + 60
    while monotonic() < end:
        try:
            return sees()
        except ModelUnavailable:
            sleep(0.1)
    raise AssertionError("it did not recover by itself")


def test_another_export_than_the_one_that_is_served_is_refused(server, repository, tmp_path):
    shutil.copytree(repository / NAME, tmp_path / NAME)
    shutil.rmtree(tmp_path / NAME / "1")
    write_version(tmp_path, labels=[f"other {number}" for number in range(CLASSES)], side=INPUT_SIDE)
    with pytest.raises(CorruptState, match=r"image_encoder@1 at .* declares labels_sha256_1 .*not of one export"):
        open_image_model(Settings(models=server.specification, model_repository=tmp_path))


def test_a_version_that_is_not_served_says_what_to_do(server, tmp_path):
    write_version(tmp_path, version=2)
    with pytest.raises(BadSettings, match=r"image_encoder@2 at .*NOT_FOUND.*take the folder image_encoder out of"):
        open_image_model(Settings(models=server.specification, model_repository=tmp_path))
