"""The program of a child: imports its module, locks itself down, then answers requests until its input ends.

::

    request  length (4 bytes), content
    answer   status (1), length (4), content          numbers are big-endian

The first answer says that the child is ready, and which protections hold. Everything that the work needs is imported
before the lock-down, because an import opens files. Imports the standard library alone, and nothing that holds a
secret.
"""

import importlib
import json
import os
import struct
import sys
from typing import TypedDict

ANSWERED, FAILED, NO_MEMORY, READY, NOT_STARTED = range(5)
REQUEST = struct.Struct(">I")
ANSWER = struct.Struct(">BI")
MESSAGE_BYTES = 2000


class Order(TypedDict):
    """The parent's instructions: JSON in the first argument."""

    module: str
    path: list[str]
    parent: int
    memory_bytes: int
    niceness: int


def serve(order: Order) -> None:
    """Answers requests until standard input ends."""
    from ingest.sandbox.lock_down import end_with_parent, lock_down

    end_with_parent(order["parent"])
    try:
        module = importlib.import_module(order["module"])
        handle = module.handle
        if hasattr(module, "warm_up"):
            module.warm_up()
        held = lock_down(order["memory_bytes"], order["niceness"])
    except Exception as error:  # the parent should hear of it, whatever it is
        _answer(NOT_STARTED, _message(error))
        return
    _answer(READY, bytes([held]))
    while True:
        (length,) = REQUEST.unpack(_read(REQUEST.size))
        content = _read(length)
        try:
            status, answer = ANSWERED, handle(content)
        except MemoryError:
            status, answer = NO_MEMORY, b""
        except Exception as error:  # whatever error hostile bytes cause is reported and survived
            status, answer = FAILED, _message(error)
        _answer(status, answer)


def _message(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}"[:MESSAGE_BYTES].encode("utf-8", "replace")[:MESSAGE_BYTES]


def _read(size: int) -> bytes:
    """Reads exactly so many bytes of standard input; ends the process at the end of input."""
    parts = bytearray()
    while len(parts) < size:
        part = os.read(0, min(size - len(parts), 1 << 20))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)


def _answer(status: int, content: bytes) -> None:
    data = memoryview(ANSWER.pack(status, len(content)) + content)
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    ordered: Order = json.loads(sys.argv[1])
    sys.path[:] = ordered["path"]
    serve(ordered)
