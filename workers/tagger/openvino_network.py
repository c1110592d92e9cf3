"""The tagger's network in this process: OpenVINO over the same ONNX file that Triton serves."""

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import openvino

from tagstream.errors import CorruptState
from workers.tagger.crf_decoder import FloatArray
from workers.tagger.encoding import BUCKET, FEATURES, Int32Array, ModelInput

# OpenVINO keeps buffers for every shape it has met: without this bound a feed of 100,000-character posts took 19 GB.
# More tokens a call are no faster either, for they leave the processor's cache.
TOKENS_A_CALL = 1024


class OpenVinoNetwork:
    """Emissions by OpenVINO. Each thread that calls it has its own request and one core.

    Precision is pinned to what the file says: a processor with bfloat16 would otherwise answer differently from one
    without.

    Raises:
        CorruptState: the file is not a model.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._model = openvino.Core().compile_model(
                str(path),
                "CPU",
                {
                    "PERFORMANCE_HINT": "THROUGHPUT",
                    "NUM_STREAMS": threads,
                    "INFERENCE_NUM_THREADS": threads,
                    "INFERENCE_PRECISION_HINT": "f32",
                },
            )
        except RuntimeError as error:
            raise CorruptState(f"{path}: OpenVINO cannot load it: {str(error)[:300]}") from error
        self._requests = threading.local()
        # The first call ever sets up statics of the library, where two threads at once wait for each other for good:
        # one for the interpreter's lock, the other, which holds it, for the static. So it is made here, by one thread.
        self._infer(*(np.zeros((1, BUCKET, *more), np.int32) for more in ((), (), (FEATURES,))))

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Emissions (rows, length, 9), worked out a few rows at a time."""
        rows, length = batch.pieces.shape
        calls = -(-rows // max(1, TOKENS_A_CALL // length))
        if calls <= 1:
            return self._infer(batch.pieces, batch.segments, batch.features)
        # Of equal size: a last call of one or two rows would cost nearly as much as a full one.
        cuts = [rows * number // calls for number in range(calls + 1)]
        parts = [slice(start, end) for start, end in pairwise(cuts)]
        return np.concatenate(
            [self._infer(batch.pieces[part], batch.segments[part], batch.features[part]) for part in parts]
        )

    def _infer(self, pieces: Int32Array, segments: Int32Array, features: Int32Array) -> FloatArray:
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._model.create_infer_request()
        answers = request.infer([pieces, segments, features])
        emissions: FloatArray = np.array(answers[0])
        return emissions
