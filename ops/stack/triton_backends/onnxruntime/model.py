"""A Triton backend named `onnxruntime` that runs `<version>/model.onnx` by OpenVINO, as our workers do in-process.

::

    requests ─▶ grouped by shapes ─▶ a batch a group ─▶ calls of at most 512 tokens, a core each ─▶ an answer a request

With the same runtime, the same precision and the same size of call as `workers/tagger/openvino_network.py`, the
emissions are the same to the bit. It runs inside Triton's helper process, in an environment without our code; inputs
and outputs are those of the model's `config.pbtxt`, whatever they are. A request that fails gets an error answer, its
neighbours not.
"""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import triton_python_backend_utils as triton

TOKENS_A_CALL = 512
_LEAST_LENGTH = 16

Array = npt.NDArray[Any]
Batch = dict[str, Array]


class TritonPythonModel:
    """One loaded version of one model; Triton calls these methods by name, one at a time."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Compiles the model. What it raises, Triton logs, and does not become ready."""
        config = json.loads(arguments["model_config"])
        self._inputs = [entry["name"] for entry in config["input"]]
        self._sequences = [entry["name"] for entry in config["input"] if int(entry["dims"][0]) == -1]
        self._outputs = [entry["name"] for entry in config["output"]]
        self._types = {entry["name"]: triton.triton_string_to_numpy(entry["data_type"]) for entry in config["output"]}
        self._is_batched = config["max_batch_size"] > 0
        instances = sum(int(group.get("count", 1)) for group in config.get("instance_group", [])) or 1
        threads = max(1, len(os.sched_getaffinity(0)) // instances)
        file = config.get("default_model_filename") or "model.onnx"
        self._model = openvino.Core().compile_model(
            str(Path(arguments["model_repository"], arguments["model_version"], file)),
            "CPU",
            {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "NUM_STREAMS": threads,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        self._cores = ThreadPoolExecutor(threads)
        self._calls = threading.local()
        # Two threads that make the first call of a process at once can wait for each other for ever.
        self._call({entry["name"]: self._zeros(entry) for entry in config["input"]})

    def execute(self, requests: list[Any]) -> list[Any]:
        """One answer a request, in their order."""
        answers: list[Any] = [None] * len(requests)
        for places in self._groups(requests):
            group = [self._read(requests[place]) for place in places]
            for place, outcome in zip(places, self._answer_all(group), strict=True):
                answers[place] = self._response(requests[place], outcome)
        return answers

    def finalize(self) -> None:
        """Nothing is under way any more."""
        self._cores.shutdown()

    def _zeros(self, entry: dict[str, Any]) -> Array:
        """An input of the smallest served shape."""
        shape = [_LEAST_LENGTH if int(size) == -1 else int(size) for size in entry["dims"]]
        return np.zeros([1, *shape] if self._is_batched else shape, triton.triton_string_to_numpy(entry["data_type"]))

    def _groups(self, requests: list[Any]) -> list[list[int]]:
        """The places of the requests that can stand in one batch: equal shapes but for the number of rows."""
        if not self._is_batched:
            return [[place] for place in range(len(requests))]
        groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for place, request in enumerate(requests):
            shapes = tuple(array.shape[1:] for array in self._read(request).values())
            groups.setdefault(shapes, []).append(place)
        return list(groups.values())

    def _read(self, request: Any) -> Batch:
        return {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}

    def _answer_all(self, group: list[Batch]) -> list[Batch | Exception]:
        """Returns the outputs of every request; a batch that fails is repeated request by request, so that only the
        request at fault gets an error."""
        if len(group) > 1:
            try:
                sizes = [len(batch[self._inputs[0]]) for batch in group]
                together = self._infer(
                    {name: np.concatenate([batch[name] for batch in group]) for name in self._inputs}
                )
                ends = np.cumsum(sizes)
                parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
                return [{name: array[part] for name, array in together.items()} for part in parts]
            except Exception:
                return [outcome for batch in group for outcome in self._answer_all([batch])]
        try:
            return [self._infer(group[0])]
        except Exception as error:
            return [error]

    def _infer(self, batch: Batch) -> Batch:
        """The outputs of one batch, worked out a few rows at a time."""
        if not self._is_batched:
            return self._call(batch)
        rows = len(batch[self._inputs[0]])
        lengths = {name: batch[name].shape[1] for name in self._sequences}
        if len(set(lengths.values())) > 1:
            # OpenVINO would read past the shorter one.
            raise ValueError(f"the inputs differ in length: {lengths}")
        # A model without a length, such as one of images, is asked row by row.
        step = max(1, TOKENS_A_CALL // max(lengths.values())) if lengths else 1
        calls = -(-rows // step)
        if calls <= 1:
            return self._call(batch)
        # Of equal size: a last call of one or two rows would cost nearly as much as a full one.
        cuts = [rows * number // calls for number in range(calls + 1)]
        slices = [slice(start, end) for start, end in pairwise(cuts)]
        parts = list(self._cores.map(self._call, [{name: batch[name][part] for name in batch} for part in slices]))
        return {name: np.concatenate([part[name] for part in parts]) for name in self._outputs}

    def _call(self, batch: Batch) -> Batch:
        call = getattr(self._calls, "call", None)
        if call is None:
            call = self._calls.call = self._model.create_infer_request()
        answer = call.infer(batch)
        # Copied: the next call writes into the same memory.
        return {name: np.array(answer[name], dtype=self._types[name]) for name in self._outputs}

    def _response(self, request: Any, outcome: Batch | Exception) -> Any:
        if isinstance(outcome, Exception):
            return triton.InferenceResponse(error=triton.TritonError(f"{type(outcome).__name__}: {outcome}"))
        wanted = [name for name in self._outputs if name in request.requested_output_names()]
        return triton.InferenceResponse([triton.Tensor(name, outcome[name]) for name in wanted])
