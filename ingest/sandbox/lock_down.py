"""The lock-down of a child, before it sees the first byte from outside.

Owns the order: privileges, then limits, then the filter of system calls, after which nothing can be changed. Says which
protections this system grants. Runs in the child. Imports the standard library alone.
"""

import ctypes
import os
import resource
import signal
import struct
import sys

from ingest.sandbox import system_calls

NO_PRIVILEGES, FILTERED = 1, 2
"""The protections that hold, as bits."""

# The parent bounds each request; this ends a child that no parent watches any more.
LIFE_SECONDS = 1200
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITY_VERSION = 0x2008_0522


def end_with_parent(parent: int) -> None:
    """Has the kernel end this process when its parent ends, however the parent ends."""
    if sys.platform == "linux":
        _library().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def keep_memory_private() -> None:
    """Lets no process of the same user read or write this one's memory, unless it is root; no core is dumped either.

    Called by the parent, in case a child is taken over where there is no filter.
    """
    if sys.platform == "linux":
        _library().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_down(memory_bytes: int, niceness: int) -> int:
    """Leaves this process memory up to a limit, a bounded life and its two pipes; returns the protections that hold.

    Raises:
        OSError: a limit cannot be set.
    """
    os.nice(niceness)
    held = _give_up_privileges()
    for limit, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_CPU, LIFE_SECONDS),
        (resource.RLIMIT_AS, memory_bytes),
    ):
        hard = resource.getrlimit(limit)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(limit, (value, value))
    machine = system_calls.this_machine()
    if held & NO_PRIVILEGES and machine is not None and system_calls.install(_library(), machine):
        held |= FILTERED
    return held


def _give_up_privileges() -> int:
    """Drops every capability, also of root, and refuses those that another program would grant."""
    if sys.platform != "linux" or _library().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return 0
    machine = system_calls.this_machine()
    if machine is not None:
        none = struct.pack("=6I", 0, 0, 0, 0, 0, 0)
        _library().syscall(machine.numbers["capset"], struct.pack("=Ii", _CAPABILITY_VERSION, 0), none)
    return NO_PRIVILEGES


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
