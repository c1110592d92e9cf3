"""The local Triton answers as the process does, to the bit, and refuses a bad request without its neighbours."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace

import numpy as np
import pytest
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from ops.stack.shared import FOLDER
from tagstream.settings import REPOSITORY
from workers.models.repository import VOCABULARY, open_version
from workers.models.version_folder import MODEL
from workers.tagger.encoding import BUCKET, FEATURE_ROWS, FEATURES, MAX_LENGTH
from workers.tagger.encoding import ModelInput as Batch
from workers.tagger.openvino_network import OpenVinoNetwork

VERSION = open_version(REPOSITORY / "triton_models")


@pytest.fixture(scope="module")
def network():
    return OpenVinoNetwork(VERSION.folder / MODEL, threads=2)


@pytest.fixture(scope="module")
def client(triton):
    with grpc.InferenceServerClient(triton.specification.removeprefix("grpc://")) as client:
        yield client


def batch_of(rows, length, seed=0):
    """Rows of many lengths, padded to one."""
    dice = np.random.default_rng((rows, length, seed))
    pieces = len((VERSION.folder / VOCABULARY).read_text().splitlines())
    filled = np.arange(length) < dice.integers(3, length + 1, (rows, 1))
    return Batch(
        (dice.integers(1, pieces, (rows, length)) * filled).astype(np.int32),
        (dice.integers(0, 3, (rows, length)) * filled).astype(np.int32),
        (dice.integers(1, FEATURE_ROWS, (rows, length, FEATURES)) * filled[..., None]).astype(np.int32),
    )


def inputs(batch):
    arrays = {"pieces": batch.pieces, "segments": batch.segments, "features": batch.features}
    made = []
    for name, array in arrays.items():
        made.append(grpc.InferInput(name, array.shape, "INT32"))
        made[-1].set_data_from_numpy(array)
    return made


def ask(client, batch):
    return client.infer(VERSION.name, inputs(batch), client_timeout=60).as_numpy("emissions")


@pytest.mark.parametrize("length", [BUCKET, 3 * BUCKET, MAX_LENGTH])
def test_emissions_are_those_of_the_process_to_the_bit_for_short_and_long_rows(client, network, length):
    for rows in (1, 2, 5, 33, 64):
        batch = batch_of(rows, length)
        answer = ask(client, batch)
        assert answer.dtype == np.float32
        assert np.array_equal(answer, network(batch)), rows


def test_inputs_of_different_lengths_are_refused(client):
    batch = batch_of(2, 32)
    with pytest.raises(InferenceServerException, match=r"differ in length: .*'segments': 16"):
        ask(client, Batch(batch.pieces, batch.segments[:, :16].copy(), batch.features))


@pytest.fixture
def backend(monkeypatch):
    """The backend around a model that doubles `numbers`, and fails on a batch that holds a 13."""

    class Call:
        def infer(self, batch):
            assert batch["numbers"].size <= 512
            if 13 in batch["numbers"]:
                raise RuntimeError("thirteen")
            return {"doubled": batch["numbers"] * 2}

    utilities = SimpleNamespace(
        get_input_tensor_by_name=lambda request, name: SimpleNamespace(as_numpy=lambda: request.arrays[name]),
        triton_string_to_numpy=lambda name: {"TYPE_INT32": np.int32}[name],
        Tensor=lambda name, array: (name, array),
        TritonError=str,
        InferenceResponse=lambda tensors=(), error=None: error or dict(tensors),
    )
    model = SimpleNamespace(create_infer_request=Call)
    runtime = SimpleNamespace(Core=lambda: SimpleNamespace(compile_model=lambda *_: model))
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utilities)
    monkeypatch.setitem(sys.modules, "openvino", runtime)
    spec = spec_from_file_location("stack_backend", FOLDER / "triton_backends" / "onnxruntime" / "model.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    backend = module.TritonPythonModel()
    config = """{"max_batch_size": 8, "input": [{"name": "numbers", "data_type": "TYPE_INT32", "dims": ["-1"]}],
                 "output": [{"name": "doubled", "data_type": "TYPE_INT32"}]}"""
    backend.initialize({"model_config": config, "model_repository": "models/m", "model_version": "1"})
    yield backend
    backend.finalize()


def request(*rows):
    return SimpleNamespace(
        arrays={"numbers": np.array(rows, dtype=np.int32)}, requested_output_names=lambda: ["doubled"]
    )


def test_only_the_guilty_request_of_a_batch_gets_an_error(backend):
    answers = backend.execute([request([1, 2]), request([3, 13]), request([5, 6], [7, 8]), request([9])])
    assert answers[1] == "RuntimeError: thirteen"
    assert answers[0]["doubled"].tolist() == [[2, 4]]
    assert answers[2]["doubled"].tolist() == [[10, 12], [14, 16]]
    assert answers[3]["doubled"].tolist() == [[18]]


def test_a_large_batch_is_worked_out_in_calls_of_bounded_size_and_put_together_in_order(backend):
    rows = np.arange(100, 6_500, dtype=np.int32).reshape(64, 100)
    (answer,) = backend.execute([SimpleNamespace(arrays={"numbers": rows}, requested_output_names=lambda: ["doubled"])])
    assert np.array_equal(answer["doubled"], rows * 2)
