"""Processor time of the processes of a benchmark: ours by their id, servers by the port that they answer at."""

from collections.abc import Iterable, Mapping

import psutil


def listener(port: int) -> int | None:
    """Returns the process on this machine that listens on a port; None where none does, or one of another user."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return int(connection.pid) if connection.pid else None
    return None


def processor_seconds(processes: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Returns the user and system time so far of each group of processes, children included."""
    return {name: sum(_seconds(process) for process in members) for name, members in processes.items()}


def _seconds(process_id: int) -> float:
    total = 0.0
    try:
        parent = psutil.Process(process_id)
        for process in (parent, *parent.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        return total
    return total
