"""The image model on a scripted Triton: right answers for any number of pictures; an outage that nobody waits for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import grpc
import numpy as np
import pytest
from image_models import SHADES, shade, write_version
from triton_fake import FakeImageTriton, fails

from tagstream.errors import BadSettings, CorruptState, ModelUnavailable, UntaggablePost
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings
from workers.images.classifier import NOT_A_PICTURE, ImageEncoder, read_thumbnail
from workers.models.image_rejection import ClassStatistics, Rejection, RejectionRule
from workers.open_models import open_image_model
from workers.triton.client import ATTEMPTS
from workers.triton.contract import image_encoder_on_triton
from workers.triton.image_network import TritonImageNetwork

STATUS = grpc.StatusCode
QUICK = BackOff(0.05, 0.1)
NEVER = BackOff(1000.0, 1000.0)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return write_version(tmp_path_factory.mktemp("models"))


@pytest.fixture
def server(version):
    server = FakeImageTriton(image_encoder_on_triton(version).hashes)
    yield server
    server.stop()


@pytest.fixture
def connect(server, version):
    opened = []

    def connect(address=None, deadline_seconds=5.0, pause=QUICK):
        network = TritonImageNetwork(
            address or server.address,
            version,
            deadline_seconds=deadline_seconds,
            concurrency=8,
            pause=pause,
            probing=QUICK,
        )
        opened.append(network)
        return ImageEncoder(version.description, network)

    yield connect
    for network in opened:
        network.close()
    assert "triton" not in {thread.name for thread in threading.enumerate()}


def until(sees):
    """Waits for what must come by itself; how long a busy machine takes for it is not what is tested."""
    end = monotonic() + 20
    while monotonic() < end:
        try:
            return sees()
        except ModelUnavailable:
            sleep(0.02)
    raise AssertionError("it did not recover by itself")


def test_labels_of_many_thumbnails_come_in_order_whatever_stands_among_them(server, connect):
    server.max_rows = 4
    image_model = connect()
    thumbnails = [shade(number % 4) for number in range(11)]
    thumbnails[5] = b"no picture"
    expected = [(SHADES[number % 4],) for number in range(11)]
    expected[5] = ()
    assert image_model(thumbnails) == expected
    assert server.inferences == 3
    assert image_model([]) == []
    assert image_model([b""]) == [()]
    assert server.inferences == 3


def test_what_is_rejected_has_no_label_and_regions_are_asked_for_no_more_than_before(server, connect):
    image_model = connect()
    statistics = ClassStatistics(np.eye(4, dtype=np.float32), np.zeros((4, 4), np.float32))
    rule = RejectionRule(weights=[0, 0, 1], least=-1e9, share=0.05)
    for least, expected in ((-1e9, ("dark",)), (0.0, ())):
        rejection = Rejection(rule.model_copy(update={"least": least}), statistics)
        rejecting = ImageEncoder(image_model.description, image_model.network, rejection)
        assert rejecting([shade(1)]) == [expected]
    assert server.asked_for == [["logits"], ["logits"]]


def test_regions_are_asked_for_only_where_they_are_wanted(server, connect):
    image_model = connect()
    image_model([shade(1)])
    seen = image_model.see([shade(1), b"", shade(3)], threshold=0.0)
    assert server.asked_for == [["logits"], ["logits", "regions"]]
    assert seen[1] is NOT_A_PICTURE
    assert [one.labels[0][0] for one in seen if one.labels] == ["dark", "white"]
    for number, one in ((1, seen[0]), (3, seen[2])):
        assert np.array_equal(one.regions, np.full((49, 2), read_thumbnail(shade(number), 28).mean(), np.float32))


def test_an_answer_may_be_larger_than_grpc_takes_by_default(tmp_path):
    version = write_version(tmp_path, region_width=400)
    server = FakeImageTriton(image_encoder_on_triton(version).hashes, region_width=400)
    network = TritonImageNetwork(server.address, version, deadline_seconds=30, concurrency=1)
    try:
        _, regions = network([np.zeros((3, 28, 28), np.uint8)] * 64, regions=True)
        assert regions.shape == (64, 49, 400)
        assert regions.nbytes > 4 * 1024 * 1024
    finally:
        network.close()
        server.stop()


def test_several_threads_ask_at_once_and_each_gets_its_own(connect):
    image_model = connect()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: image_model([shade(number % 4)] * 3), range(40)))
    assert answers == [[(SHADES[number % 4],)] * 3 for number in range(40)]


def test_a_hiccup_costs_no_label(server, connect):
    image_model = connect()
    server.script = fails(STATUS.UNAVAILABLE, times=ATTEMPTS - 1)
    assert image_model([shade(2)]) == [("pale",)]


def test_while_the_server_hangs_only_the_first_pictures_wait_their_deadline(server, connect):
    image_model = connect(deadline_seconds=1, pause=NEVER)
    go_on = threading.Event()
    server.script = lambda *_: go_on.wait(20)
    try:
        with pytest.raises(ModelUnavailable, match="DEADLINE_EXCEEDED"):
            image_model([shade(1)])
        began = monotonic()
        for _ in range(50):
            with pytest.raises(ModelUnavailable, match=r"DEADLINE_EXCEEDED.*; it is not waited for"):
                image_model([shade(1)])
        assert monotonic() - began < 10, "50 deadlines would be 50 s"
        assert server.inferences == 1
    finally:
        go_on.set()


def test_pictures_that_are_under_way_when_the_server_hangs_wait_one_deadline_and_not_each_others(server, connect):
    """Also those that stand in line to look at the server's configuration anew."""
    image_model = connect(deadline_seconds=1)
    go_on = threading.Event()
    server.stop()
    other = FakeImageTriton(server.served, port=server.port)
    try:
        other.before_configuration = lambda: go_on.wait(60)

        def refused(_):
            with pytest.raises(ModelUnavailable):
                image_model([shade(1)])

        began = monotonic()
        with ThreadPoolExecutor(12) as threads:
            list(threads.map(refused, range(12)))
        assert monotonic() - began < 10, "12 in line would be 12 s and more"
    finally:
        go_on.set()
        other.stop()


def test_a_server_that_comes_back_is_seen_with_again_by_itself(server, connect):
    image_model = connect()
    assert image_model([shade(0)]) == [("black",)]
    server.stop()
    with pytest.raises(ModelUnavailable):
        image_model([shade(0)])
    other = FakeImageTriton(server.served, port=server.port)
    try:
        assert until(lambda: image_model([shade(3)])) == [("white",)]
    finally:
        other.stop()


def test_the_end_of_an_outage_is_found_without_risking_a_picture(server, connect):
    image_model = connect()
    server.script = fails(STATUS.UNAVAILABLE, times=ATTEMPTS + 3)
    with pytest.raises(ModelUnavailable):
        image_model([shade(1)])
    end = monotonic() + 20
    while server.inferences < ATTEMPTS + 4 and monotonic() < end:
        sleep(0.02)  # nobody asks for anything
    assert until(lambda: image_model([shade(1)])) == [("dark",)]
    assert server.inferences == ATTEMPTS + 3 + 1 + 1


def test_a_server_that_answers_blanks_and_no_pictures_is_asked_ever_more_rarely(server, connect):
    """Else each of its short recoveries would hold up posts for a deadline."""
    image_model = connect(pause=BackOff(0.05, 1000.0))
    server.script = fails(STATUS.UNAVAILABLE, when=np.any)
    pauses = []
    for _ in range(6):
        began = monotonic()
        with pytest.raises(ModelUnavailable):
            until_asked(image_model, server)
        pauses.append(monotonic() - began)
    # The first pause and the retries of a request last 0.2 s together, the fifth pause 0.4 s at the least.
    assert pauses[-1] > 0.35


def until_asked(image_model, server):
    """Shows a picture until the server is asked about one; what it says of it."""
    while True:
        before = server.inferences
        try:
            return image_model([shade(1)])
        except ModelUnavailable as error:
            if "not waited for" not in str(error) and server.inferences > before:
                raise
        sleep(0.005)


def test_a_server_that_is_away_at_the_start_may_come_later(server, version, connect):
    server.stop()
    image_model = connect()
    with pytest.raises(ModelUnavailable, match="not waited for"):
        image_model([shade(1)])
    other = FakeImageTriton(image_encoder_on_triton(version).hashes, port=server.port, max_rows=2)
    try:
        assert until(lambda: image_model([shade(1)] * 5)) == [("dark",)] * 5
    finally:
        other.stop()


def test_only_a_picture_that_fails_while_the_model_is_well_is_guilty_and_nobody_else_loses_by_it(server, connect):
    image_model = connect()
    server.script = fails(STATUS.INTERNAL, when=lambda rows: rows.mean() > 200)
    with pytest.raises(UntaggablePost, match="INTERNAL"):
        image_model([shade(3)])
    assert image_model([shade(1)]) == [("dark",)]


def test_a_model_that_fails_on_everything_is_away(server, connect):
    image_model = connect(pause=NEVER)
    server.script = fails(STATUS.INTERNAL)
    with pytest.raises(ModelUnavailable, match="fails on an empty row, too"):
        image_model([shade(1)])
    asked = server.inferences
    with pytest.raises(ModelUnavailable, match="not waited for"):
        image_model([shade(1)])
    assert server.inferences == asked


@pytest.mark.parametrize("place", [0, 1])
def test_another_export_is_refused_at_the_start(server, connect, place):
    parameter = list(server.served)[place]
    server.served[parameter] = "0" * 64
    with pytest.raises(CorruptState, match=f"image_encoder@1 .* declares {parameter} {'0' * 64}.*not of one export"):
        connect()


def test_a_server_of_another_shape_is_refused(version, connect):
    other = FakeImageTriton(image_encoder_on_triton(version).hashes, classes=5)
    try:
        with pytest.raises(CorruptState, match="has the outputs"):
            connect(other.address)
    finally:
        other.stop()


def test_a_server_that_comes_back_with_another_export_is_believed_in_nothing(server, connect):
    image_model = connect()
    server.stop()
    with pytest.raises(ModelUnavailable):
        image_model([shade(1)])
    other = FakeImageTriton({**server.served, next(iter(server.served)): "0" * 64}, port=server.port)
    try:
        with pytest.raises(CorruptState, match="not of one export"):
            until(lambda: image_model([shade(1)]))
        assert other.inferences == 0
    finally:
        other.stop()


def test_a_server_without_the_model_says_what_to_do(server, connect):
    server.missing = True
    with pytest.raises(BadSettings, match=r"image_encoder@1 at .*NOT_FOUND.*take the folder image_encoder out of"):
        connect()


@pytest.mark.parametrize(("attribute", "value"), [("answer_id", "another"), ("rows_answered", 1)])
def test_a_server_that_mixes_up_its_answers_is_believed_in_nothing(server, connect, attribute, value):
    image_model = connect()
    setattr(server, attribute, value)
    with pytest.raises(CorruptState, match="mixes up its answers"):
        image_model([shade(1), shade(2)])


def test_a_network_that_is_forgotten_ends_its_thread_also_while_the_server_is_away(version):
    TritonImageNetwork("127.0.0.1:1", version, deadline_seconds=1, concurrency=1)
    assert "triton" not in {thread.name for thread in threading.enumerate()}


def test_closing_in_an_outage_leaves_nothing_behind(connect):
    image_model = connect("127.0.0.1:1", pause=NEVER)
    image_model.network.close()
    with pytest.raises(ModelUnavailable, match="closed"):
        image_model([shade(1)])


def test_the_image_model_of_a_triton_specification_asks_that_server(server, version):
    settings = Settings(models=f"grpc://{server.address}", model_repository=version.folder.parents[1])
    image_model = open_image_model(settings)
    try:
        assert image_model([shade(2)]) == [("pale",)]
    finally:
        image_model.network.close()


def test_a_repository_without_an_image_encoder_has_no_image_model(tmp_path):
    assert open_image_model(Settings(models="grpc://127.0.0.1:1", model_repository=tmp_path)) is None
    with pytest.raises(BadSettings, match="expected grpc://HOST:PORT"):
        open_image_model(Settings(models="grpc://nowhere", model_repository=tmp_path))
