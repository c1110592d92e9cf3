"""gRPC servers that speak Triton's protocol and answer as the test scripts them: for what a real one never shows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import FEATURES

GUILTY = 13


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The tagger: emissions are the piece ids. `script` is called for each inference, and may abort it or wait.

    `served` are the hashes it declares, `max_rows` its `max_batch_size`; `missing`: it has no model of any name;
    `before_configuration` is called whenever it is asked for one.
    """

    def __init__(self, served, *, port=0, max_rows=64):
        self.served = dict(served)
        self.max_rows = max_rows
        self.script = lambda *_: None
        self.answer_id: str | None = None
        self.rows_answered: int | None = None
        self.missing = False
        self.before_configuration = lambda: None
        self.inferences = 0
        self.busy = self.busiest = 0
        self.limits = []
        self.asked_for = []
        self.configurations = 0
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()

    def tensors(self):
        """Inputs and outputs: name, type, dimensions."""
        integers = (("pieces", [-1]), ("segments", [-1]), ("features", [-1, FEATURES]))
        inputs = [(name, "TYPE_INT32", dims) for name, dims in integers]
        return inputs, [("emissions", "TYPE_FP32", [-1, len(TAGS)])]

    def read(self, request):
        """What the request asks about."""
        return np.frombuffer(request.raw_input_contents[0], np.int32).reshape(request.inputs[0].shape)

    def answers(self, rows):
        """Every output for those rows."""
        return {"emissions": np.repeat(rows[:, :, None], len(TAGS), axis=2).astype(np.float32)}

    def ModelConfig(self, request, context):  # noqa: N802
        self.configurations += 1
        self.before_configuration()
        if self.missing:
            context.abort(grpc.StatusCode.NOT_FOUND, "Request for unknown model")
        answer = service_pb2.ModelConfigResponse()
        config = answer.config
        config.name = request.name
        config.max_batch_size = self.max_rows
        inputs, outputs = self.tensors()
        for name, kind, dims in inputs:
            config.input.add(name=name, data_type=kind, dims=dims)
        for name, kind, dims in outputs:
            config.output.add(name=name, data_type=kind, dims=dims)
        for key, value in self.served.items():
            config.parameters[key].string_value = value
        return answer

    def ModelInfer(self, request, context):  # noqa: N802
        rows = self.read(request)
        with self._lock:
            self.inferences += 1
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            self.limits.append((context.time_remaining(), request.parameters["timeout"].int64_param / 1e6))
            self.asked_for.append([output.name for output in request.outputs])
        try:
            self.script(rows, context)
        finally:
            with self._lock:
                self.busy -= 1
        answer = service_pb2.ModelInferResponse(
            model_name=request.model_name, model_version=request.model_version, id=self.answer_id or request.id
        )
        made = self.answers(rows[: self.rows_answered])
        for output in request.outputs:
            array = made[output.name]
            answer.outputs.add(name=output.name, datatype="FP32", shape=array.shape)
            answer.raw_output_contents.append(array.tobytes())
        return answer


class FakeImageTriton(FakeTriton):
    """The image model of `image_models.write_version`: tells a picture's shade, and gives it in each of 49 regions."""

    def __init__(self, served, *, classes=4, side=28, region_width=2, port=0, max_rows=64):
        self._classes = classes
        self._region_width = region_width
        self._side = side
        super().__init__(served, port=port, max_rows=max_rows)

    def tensors(self):
        outputs = [("logits", "TYPE_FP32", [self._classes]), ("regions", "TYPE_FP32", [49, self._region_width])]
        return [("pixels", "TYPE_UINT8", [3, self._side, self._side])], outputs

    def read(self, request):
        return np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(request.inputs[0].shape)

    def answers(self, rows):
        brightness = rows.mean((1, 2, 3))
        shades = (np.arange(self._classes) == brightness[:, None] // 64).astype(np.float32)
        regions = np.tile(brightness[:, None, None], (1, 49, self._region_width)).astype(np.float32)
        return {"logits": 20 * shades, "regions": regions}


def fails(status, when=lambda _: True, times=1_000_000):
    """A script that aborts with `status`, as often as `times` says, the inferences for which `when` holds."""
    left = [times]

    def script(rows, context):
        if left[0] and when(rows):
            left[0] -= 1
            context.abort(status, "scripted")

    return script
