"""The tagger's network on a Triton server: an `Network` for any number of threads.

::

    tagging threads ─▶ parts of some tokens each ─▶ Triton

Owns how a batch of word pieces is cut into requests. Whoever gets `ModelUnavailable` waits: without the network there
are no entities.
"""

from tagstream.errors import ModelUnavailable, ServiceUnavailable
from workers.models.repository import ModelVersion
from workers.tagger.crf_decoder import FloatArray
from workers.tagger.encoding import ModelInput
from workers.triton.connection import TritonConnection, infer_in_parts
from workers.triton.contract import tagger_on_triton

# A post of 10,000 characters has 4,000 tokens: in one request one core of the server works on it for half a second, and
# all that came after it waits; in parts every core does.
TOKENS_A_REQUEST = 2048


class TritonTaggerNetwork:
    """Emissions by the version that Triton serves under the same name, number and hashes as `version`.

    `address` is host:port; `deadline_seconds` bounds each request with its retries; `concurrency` requests are on
    their way at most.

    Raises:
        ServiceUnavailable: no answer within the deadline.
        BadSettings: the server does not have this version, or is no Triton.
        CorruptState: the server has another export of it.
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
        """Emissions (rows, length, 9) of a batch of any number of rows.

        Raises:
            ModelUnavailable: the server does not answer now, whatever the posts.
            UntaggablePost: it fails on this batch and on no other.
        """
        rows = {"pieces": batch.pieces, "segments": batch.segments, "features": batch.features}
        most = max(1, TOKENS_A_REQUEST // batch.pieces.shape[1])
        (emissions,) = self._connection.run(lambda client: infer_in_parts(client, rows, ["emissions"], most))
        return emissions

    def close(self) -> None:
        """Gives up what is on its way and ends the thread. May be called again."""
        self._connection.close()
