"""A gRPC server that speaks Triton's protocol and answers as the test scripts it: for what a real one never shows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from workers.decoder import TAGS
from workers.encoding import FEATURES

GUILTY = 13


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Emissions are the piece ids. `script` is called for each inference, and may abort it or wait.

    `served` are the hashes it declares, `max_rows` its `max_batch_size`.
    """

    def __init__(self, served, *, port=0, max_rows=64):
        self.served = dict(served)
        self.max_rows = max_rows
        self.script = lambda *_: None
        self.answer_id: str | None = None
        self.rows_answered: int | None = None
        self.inferences = 0
        self.busy = self.busiest = 0
        self.limits = []
        self.configurations = 0
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()

    def ModelConfig(self, request, _context):  # noqa: N802
        self.configurations += 1
        answer = service_pb2.ModelConfigResponse()
        config = answer.config
        config.name = request.name
        config.max_batch_size = self.max_rows
        for name, dims in (("pieces", [-1]), ("segments", [-1]), ("features", [-1, FEATURES])):
            config.input.add(name=name, data_type="TYPE_INT32", dims=dims)
        config.output.add(name="emissions", data_type="TYPE_FP32", dims=[-1, len(TAGS)])
        for key, value in self.served.items():
            config.parameters[key].string_value = value
        return answer

    def ModelInfer(self, request, context):  # noqa: N802
        rows, length = request.inputs[0].shape
        pieces = np.frombuffer(request.raw_input_contents[0], np.int32).reshape(rows, length)
        with self._lock:
            self.inferences += 1
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            self.limits.append((context.time_remaining(), request.parameters["timeout"].int64_param / 1e6))
        try:
            self.script(pieces, context)
        finally:
            with self._lock:
                self.busy -= 1
        emissions = np.repeat(pieces[: self.rows_answered, :, None], len(TAGS), axis=2).astype(np.float32)
        answer = service_pb2.ModelInferResponse(
            model_name=request.model_name, model_version=request.model_version, id=self.answer_id or request.id
        )
        answer.outputs.add(name="emissions", datatype="FP32", shape=emissions.shape)
        answer.raw_output_contents.append(emissions.tobytes())
        return answer


def fails(status, when=lambda _: True, times=1_000_000):
    """A script that aborts with `status`, as often as `times` says, the inferences for which `when` holds."""
    left = [times]

    def script(pieces, context):
        if left[0] and when(pieces):
            left[0] -= 1
            context.abort(status, "scripted")

    return script
