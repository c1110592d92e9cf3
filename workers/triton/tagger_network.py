"""The tagger's network on a Triton server, for any number of threads.

::

    tagging threads ─▶ parts of some tokens each ─▶ Triton

A batch of word pieces is cut into requests here. On `ModelUnavailable` the pipeline waits, because without the network
there are no entities.
"""

from tagstream.errors import ModelUnavailable, ServiceUnavailable
from workers.models.repository import ModelVersion
from workers.tagger.crf_decoder import FloatArray
from workers.tagger.encoding import ModelInput
from workers.triton.connection import TritonConnection
from workers.triton.contract import tagger_on_triton
from workers.triton.parts import infer_in_parts

# A post of 10,000 characters has 4,000 tokens. As one request it keeps one core of the server busy for 0.5 to 2 s, and
# later requests wait; in parts, all cores share the work. Larger requests are no faster on a CPU, and for a GPU the
# server joins those of one length itself.
TOKENS_A_REQUEST = 1024


class TritonTaggerNetwork:
    """A `Network` that asks for the version which Triton serves under the name, number and hashes of `version`.

    `address` is host:port. `deadline_seconds` bounds each request with its retries; at most `concurrency` requests run
    at a time.

    Raises:
        ServiceUnavailable: the server does not answer within the deadline.
        BadSettings: the server does not have this version, or is no Triton.
        CorruptState: the server has another export of the version.
    """

    def __init__(self, address: str, version: ModelVersion, *, deadline_seconds: float, concurrency: int) -> None:
        self._connection = TritonConnection(
            address, tagger_on_triton(version), deadline_seconds=deadline_seconds, concurrency=concurrency
        )
        try:
            self._connection.run(lambda client: client.open())
        except ModelUnavailable as error:
            self.close()
            raise ServiceUnavailable(
                f"--models grpc://{address}: no answer within {deadline_seconds:g} s ({error}): start the server, or "
                "let more time pass with TAGSTREAM_MODEL_DEADLINE_SECONDS"
            ) from error
        except BaseException:
            self.close()
            raise

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Returns emissions (sequences, length, 9) of a batch of any number of sequences.

        Raises:
            ModelUnavailable: the server does not answer now, whatever the posts.
            UntaggablePost: the server fails on this batch and on no other.
        """
        rows = {"pieces": batch.pieces, "segments": batch.segments, "features": batch.features}
        most = max(1, TOKENS_A_REQUEST // batch.pieces.shape[1])
        (emissions,) = self._connection.run(lambda client: infer_in_parts(client, rows, ["emissions"], most))
        return emissions

    def close(self) -> None:
        """Abandons running requests and ends the thread. Further calls do nothing."""
        self._connection.close()
