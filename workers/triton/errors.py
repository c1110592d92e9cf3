"""What an answer of Triton that is not one means to us: one table, from gRPC status codes to the errors of the project.

Keeps invariant 7: only a status that speaks of the request itself leads towards `UntaggablePost`, and even that is
only a suspicion, because a dying server answers INTERNAL as a sick batch does: `client.py` looks twice.
"""

from typing import Any

from tagstream.errors import BadSettings, ModelUnavailable, TagstreamError, UntaggablePost

BY_STATUS: dict[str, type[TagstreamError]] = {
    # The server is away, starting, stopping, or has too much to do (a full queue, a time in the queue that ran out).
    "UNAVAILABLE": ModelUnavailable,
    "DEADLINE_EXCEEDED": ModelUnavailable,
    "RESOURCE_EXHAUSTED": ModelUnavailable,
    "CANCELLED": ModelUnavailable,
    "ABORTED": ModelUnavailable,
    # The model failed or refused: perhaps because of this batch.
    "INVALID_ARGUMENT": UntaggablePost,
    "INTERNAL": UntaggablePost,
    "UNKNOWN": UntaggablePost,
    "OUT_OF_RANGE": UntaggablePost,
    "FAILED_PRECONDITION": UntaggablePost,
    "DATA_LOSS": UntaggablePost,
    "ALREADY_EXISTS": UntaggablePost,
    # No waiting will mend it.
    "NOT_FOUND": BadSettings,
    "UNIMPLEMENTED": BadSettings,
    "UNAUTHENTICATED": BadSettings,
    "PERMISSION_DENIED": BadSettings,
}

_CURES = {
    "NOT_FOUND": "serve this version there (its folder belongs into the server's repository, and `version_policy` must "
    "load it)",
    "UNIMPLEMENTED": "whatever answers there is no Triton: give --models the address of its gRPC port",
    "UNAUTHENTICATED": "something in front of the server asks for credentials: name the server's own gRPC port",
    "PERMISSION_DENIED": "something in front of the server forbids it: name the server's own gRPC port",
}


def translate(error: Any, model: str, address: str, otherwise: str = "") -> TagstreamError:
    """The error of ours for an `InferenceServerException` about `model` (name@version) at `address`.

    `otherwise` is what to do where the server cannot be given this model.
    """
    status = (error.status() or "StatusCode.UNKNOWN").removeprefix("StatusCode.")
    kind = BY_STATUS.get(status, UntaggablePost)
    cure = f": {_CURES[status]}" if status in _CURES else ""
    if status == "NOT_FOUND" and otherwise:
        cure += f", {otherwise}"
    return kind(f"{model} at grpc://{address} answered {status}: {str(error.message())[:300]}{cure}")
