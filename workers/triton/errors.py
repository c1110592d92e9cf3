"""The errors of Triton: one table from gRPC status codes to the errors of this project.

Keeps invariant 7: only a status about the request itself becomes `UntaggablePost`. Even that is no more than a
suspicion, because a dying server answers INTERNAL just as a poison batch does; `client.py` asks twice.
"""

from typing import Any

from tagstream.errors import BadSettings, ModelUnavailable, TagstreamError, UntaggablePost

BY_STATUS: dict[str, type[TagstreamError]] = {
    # The server is away, starting, stopping or overloaded: its queue is full, or the time in the queue ran out.
    "UNAVAILABLE": ModelUnavailable,
    "DEADLINE_EXCEEDED": ModelUnavailable,
    "RESOURCE_EXHAUSTED": ModelUnavailable,
    "CANCELLED": ModelUnavailable,
    "ABORTED": ModelUnavailable,
    # The model failed or refused, perhaps because of this batch.
    "INVALID_ARGUMENT": UntaggablePost,
    "INTERNAL": UntaggablePost,
    "UNKNOWN": UntaggablePost,
    "OUT_OF_RANGE": UntaggablePost,
    "FAILED_PRECONDITION": UntaggablePost,
    "DATA_LOSS": UntaggablePost,
    "ALREADY_EXISTS": UntaggablePost,
    # Waiting does not help.
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
    """Returns the error of this project for an `InferenceServerException` about `model` (name@version) at `address`.

    `otherwise` tells a user whose server cannot be given this model what to do.
    """
    status = (error.status() or "StatusCode.UNKNOWN").removeprefix("StatusCode.")
    kind = BY_STATUS.get(status, UntaggablePost)
    cure = f": {_CURES[status]}" if status in _CURES else ""
    if status == "NOT_FOUND" and otherwise:
        cure += f", {otherwise}"
    return kind(f"{model} at grpc://{address} answered {status}: {str(error.message())[:300]}{cure}")
