"""Ports that nobody uses, outside the range from which the system takes ports for outgoing connections.

A server that is killed must get its port back: a port of that range could meanwhile belong to some client's socket.
"""

import random
import socket
from collections.abc import Iterable

HOST = "127.0.0.1"
_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port for each name."""
    free = (port for port in random.sample(_RANGE, len(_RANGE)) if is_free(port))
    return dict(zip(names, free, strict=False))
