"""The tagger's network in this process: OpenVINO runs the same ONNX file that Triton serves."""

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import openvino

from tagstream.errors import CorruptState
from workers.tagger.crf_decoder import FloatArray
from workers.tagger.encoding import BUCKET, FEATURES, Int32Array, ModelInput

# OpenVINO keeps buffers for every shape it has met: without this bound a feed of 100,000-character posts took 19 GB.
# More tokens a call are no faster, because they leave the processor's cache.
TOKENS_A_CALL = 1024


class OpenVinoNetwork:
    """A `Network` of OpenVINO. Each thread that calls it has its own request and uses one core.

    The precision is that of the file: a processor with bfloat16 would otherwise answer differently from one without.

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
        # The first call of the process is made here, by one thread. It initialises static variables of the library, on
        # which two first calls at once deadlock: one waits for the interpreter's lock, its holder for the variable.
        self._infer(*(np.zeros((1, BUCKET, *more), np.int32) for more in ((), (), (FEATURES,))))

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Returns emissions (sequences, length, 9), computed a few sequences a call."""
        sequences, length = batch.pieces.shape
        calls = -(-sequences // max(1, TOKENS_A_CALL // length))
        if calls <= 1:
            return self._infer(batch.pieces, batch.segments, batch.features)
        # Calls of equal size: a last call of one or two sequences would cost nearly as much as a full one.
        cuts = [sequences * call // calls for call in range(calls + 1)]
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
