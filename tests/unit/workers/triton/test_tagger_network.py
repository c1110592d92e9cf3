"""The Triton network against a scripted server: deadlines, retries, suspicion, and what is never believed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic

import grpc
import numpy as np
import pytest
from triton_fake import GUILTY, FakeTriton, fails

from tagstream.errors import BadSettings, CorruptState, ModelUnavailable, ServiceUnavailable, UntaggablePost
from tagstream.settings import REPOSITORY, Settings
from workers.models.repository import open_version
from workers.open_models import open_tagger
from workers.tagger.encoding import FEATURES, ModelInput
from workers.triton.client import ATTEMPTS
from workers.triton.contract import rows_accepted, tagger_on_triton
from workers.triton.tagger_network import TritonTaggerNetwork

VERSION = open_version(REPOSITORY / "triton_models")
MODEL = tagger_on_triton(VERSION)
HASHES = MODEL.hashes
UNHASHED = replace(MODEL, hashes={})
STATUS = grpc.StatusCode


@pytest.fixture
def server():
    server = FakeTriton(HASHES)
    yield server
    server.stop()


@pytest.fixture
def connect(server):
    opened = []

    def connect(deadline_seconds=5.0, concurrency=8):
        opened.append(
            TritonTaggerNetwork(server.address, VERSION, deadline_seconds=deadline_seconds, concurrency=concurrency)
        )
        return opened[-1]

    yield connect
    for network in opened:
        network.close()
    assert "triton" not in {thread.name for thread in threading.enumerate()}


def batch_of(*first_pieces, length=16):
    pieces = np.zeros((len(first_pieces), length), np.int32)
    pieces[:, 0] = first_pieces
    return ModelInput(pieces, np.zeros_like(pieces), np.zeros((*pieces.shape, FEATURES), np.int32))


def first_pieces(emissions):
    return emissions[:, 0, 0].tolist()


def test_a_batch_of_any_size_is_answered_in_order_in_parts_that_the_server_takes(server, connect):
    server.max_rows = 4
    network = connect()
    numbers = list(range(1, 11))
    assert first_pieces(network(batch_of(*numbers))) == numbers
    assert server.inferences == 3


def test_a_long_post_is_asked_for_in_parts_so_that_every_core_of_the_server_works_on_it(server, connect):
    numbers = list(range(1, 30))
    assert first_pieces(connect()(batch_of(*numbers, length=128))) == numbers
    assert server.inferences == 4


def test_every_request_has_a_deadline_here_and_one_in_the_queue(server, connect):
    connect(deadline_seconds=5)(batch_of(1))
    ((remaining, queue),) = server.limits
    assert 3 < remaining < 5.5
    assert 0.5 < queue / remaining < 0.9


@pytest.mark.parametrize("status", [STATUS.UNAVAILABLE, STATUS.RESOURCE_EXHAUSTED, STATUS.CANCELLED])
def test_a_hiccup_is_asked_again_and_an_outage_is_left_to_the_retry_gate(server, connect, status):
    network = connect()
    server.script = fails(status, times=ATTEMPTS - 1)
    assert first_pieces(network(batch_of(5))) == [5]
    server.script = fails(status)
    server.inferences = 0
    with pytest.raises(ModelUnavailable, match=status.name):
        network(batch_of(5))
    assert server.inferences == ATTEMPTS


def test_a_server_that_hangs_is_left_at_the_deadline_retries_and_all(server, connect):
    network = connect(deadline_seconds=0.4)
    go_on = threading.Event()
    server.script = lambda *_: go_on.wait(10)
    began = monotonic()
    with pytest.raises(ModelUnavailable, match="DEADLINE_EXCEEDED"):
        network(batch_of(1))
    assert monotonic() - began < 2
    go_on.set()
    server.script = lambda *_: None
    assert first_pieces(network(batch_of(2))) == [2]


@pytest.mark.parametrize("status", [STATUS.INVALID_ARGUMENT, STATUS.INTERNAL, STATUS.UNKNOWN])
def test_only_a_batch_that_fails_while_the_model_is_well_is_guilty(server, connect, status):
    network = connect()
    server.script = fails(status, when=lambda pieces: GUILTY in pieces)
    with pytest.raises(UntaggablePost, match=status.name):
        network(batch_of(1, GUILTY))
    assert first_pieces(network(batch_of(1, 2))) == [1, 2]


def test_a_model_that_fails_on_everything_is_an_outage(server, connect):
    network = connect()
    server.script = fails(STATUS.INTERNAL)
    with pytest.raises(ModelUnavailable, match="fails on an empty row, too"):
        network(batch_of(1))


def test_a_model_that_fails_once_and_is_well_again_accuses_nobody(server, connect):
    network = connect()
    server.script = fails(STATUS.INTERNAL, times=1)
    assert first_pieces(network(batch_of(7))) == [7]


def test_no_more_requests_than_allowed_are_on_their_way(server, connect):
    network = connect(concurrency=3)
    full = threading.Barrier(3)
    server.script = lambda *_: full.wait(5)
    with ThreadPoolExecutor(9) as threads:
        answers = list(threads.map(lambda number: first_pieces(network(batch_of(number))), range(9)))
    assert answers == [[number] for number in range(9)]
    assert server.busiest == 3


def test_of_a_batch_only_the_part_that_came_too_late_is_asked_again(server, connect):
    server.max_rows = 2
    network = connect()
    answered = []
    late = fails(STATUS.UNAVAILABLE, when=lambda pieces: 3 in pieces, times=ATTEMPTS)

    def script(rows, context):
        late(rows, context)
        answered.extend(rows[:, 0].tolist())

    server.script = script
    numbers = list(range(1, 9))
    assert first_pieces(network(batch_of(*numbers))) == numbers
    assert sorted(answered) == numbers


def test_a_server_that_is_too_slow_for_all_at_once_answers_all_of_them_in_the_end(server, connect):
    """Eight batches of 32 rows at once would take 13 times the deadline, and one of them alone 1.6 times."""
    core = threading.Lock()

    def one_core(rows, context):
        if not core.acquire(timeout=server.limits[-1][1]):
            context.abort(STATUS.UNAVAILABLE, "Request timeout expired")
        try:
            threading.Event().wait(0.02 * len(rows))
        finally:
            core.release()

    server.script = one_core
    network = connect(deadline_seconds=0.4)
    late = []

    def ask_until_answered(number):
        for _ in range(100):
            try:
                return first_pieces(network(batch_of(*[number] * 32)))
            except ModelUnavailable:
                late.append(number)
        return None

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask_until_answered, range(8)))
    assert answers == [[number] * 32 for number in range(8)]
    assert late


@pytest.mark.parametrize("parameter", list(HASHES))
def test_another_export_is_refused_with_both_hashes(server, connect, parameter):
    server.served[parameter] = "0" * 64
    with pytest.raises(CorruptState, match=f"{parameter} {'0' * 64}.*{HASHES[parameter]}.*not of one export"):
        connect()


def test_a_server_that_comes_back_with_another_export_is_not_believed(server, connect):
    network = connect()
    assert first_pieces(network(batch_of(1))) == [1]
    server.stop()
    other = FakeTriton({**HASHES, next(iter(HASHES)): "0" * 64}, port=server.port)
    try:
        with pytest.raises(CorruptState, match="not of one export"):
            network(batch_of(1))
        assert other.inferences == 0
    finally:
        other.stop()


def test_the_export_is_looked_at_once_a_connection(server, connect):
    network = connect()
    for number in range(5):
        network(batch_of(number))
    assert server.configurations == 1


def test_a_version_that_is_not_there_says_what_to_do(server, connect):
    network = connect()
    server.script = fails(STATUS.NOT_FOUND)
    with pytest.raises(BadSettings, match="TAGSTREAM_MODEL_VERSION"):
        network(batch_of(1))


def test_a_server_that_does_not_answer_at_the_start_is_a_service_unavailable():
    with pytest.raises(ServiceUnavailable, match=r"grpc://127\.0\.0\.1:1: no answer within 0\.3 s"):
        TritonTaggerNetwork("127.0.0.1:1", VERSION, deadline_seconds=0.3, concurrency=1)
    assert "triton" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(("attribute", "value"), [("answer_id", "another"), ("rows_answered", 1)])
def test_a_server_that_mixes_up_its_answers_is_believed_in_nothing(server, connect, attribute, value):
    network = connect()
    setattr(server, attribute, value)
    with pytest.raises(CorruptState, match=r"mixes up its answers\. Restart it"):
        network(batch_of(1, 2))


def test_closing_gives_up_what_is_on_its_way(server, connect):
    network = connect(deadline_seconds=30)
    arrived, go_on = threading.Event(), threading.Event()

    def script(*_):
        arrived.set()
        go_on.wait(10)

    server.script = script
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(network, batch_of(1))
        assert arrived.wait(5)
        network.close()
        with pytest.raises(ModelUnavailable, match="closed"):
            asked.result(5)
    go_on.set()
    with pytest.raises(ModelUnavailable, match="closed"):
        network(batch_of(1))


def test_an_emitter_that_is_forgotten_ends_its_thread(server):
    TritonTaggerNetwork(server.address, VERSION, deadline_seconds=5, concurrency=1)
    assert "triton" not in {thread.name for thread in threading.enumerate()}


def test_other_inputs_or_no_batches_are_refused():
    config = {
        "max_batch_size": 8,
        "input": [
            {"name": "pieces", "data_type": "TYPE_INT32", "dims": ["-1"]},
            {"name": "segments", "data_type": "TYPE_INT32", "dims": ["-1"]},
            {"name": "features", "data_type": "TYPE_INT32", "dims": ["-1", "6"]},
        ],
        "output": [{"name": "emissions", "data_type": "TYPE_FP32", "dims": ["-1", "9"]}],
    }
    assert rows_accepted(config, UNHASHED, "here") == 8
    with pytest.raises(CorruptState, match="takes no batches"):
        rows_accepted({**config, "max_batch_size": 0}, UNHASHED, "here")
    with pytest.raises(CorruptState, match="here has the inputs"):
        rows_accepted({**config, "input": config["input"][:2]}, UNHASHED, "here")
    with pytest.raises(CorruptState, match="here has the outputs"):
        rows_accepted({**config, "output": [{**config["output"][0], "data_type": "TYPE_FP16"}]}, UNHASHED, "here")


@pytest.mark.parametrize(
    "models",
    [
        "grpc://",
        "grpc://host",
        "grpc://:8001",
        "grpc://host:0",
        "grpc://host:65536",
        "grpc://user@host:1",
        "grpc://h:1/x",
    ],
)
def test_an_address_that_is_none_is_refused_with_the_form(models):
    with pytest.raises(BadSettings, match="expected grpc://HOST:PORT"):
        open_tagger(Settings(models=models))


def test_a_repository_or_version_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSettings, match=r"TAGSTREAM_MODEL_REPOSITORY .*nowhere"):
        open_tagger(Settings(models="grpc://127.0.0.1:1", model_repository=tmp_path / "nowhere"))
    with pytest.raises(BadSettings, match="no version 9"):
        open_tagger(Settings(models="grpc://127.0.0.1:1", model_version=9))
