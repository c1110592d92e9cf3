"""The filter of system calls: the calls that a locked child may still make, on which terms, and no others.

An allow-list, written as a program of the kernel's packet filter (seccomp). A call by another architecture's table
kills the process; every call that is not listed is refused with EPERM. The list is written out here and not taken from
a library: such a library needs another one of the system, and the list is the point.

Runs in the child, before it has seen any input. Imports the standard library alone.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_ALLOW, _REFUSE, _KILL = 0x7FFF_0000, 0x0005_0000 | errno.EPERM, 0x8000_0000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in the data that the kernel shows to the filter
_X32_CALLS = 0x4000_0000
_PROT_EXEC = 4
_SET_MODE_FILTER, _ALL_THREADS = 1, 1

# Memory, time, waiting for a lock, random bytes, the end of a handler and of the process.
_ALWAYS = (
    "munmap",
    "mremap",
    "brk",
    "madvise",
    "futex",
    "sched_yield",
    "clock_gettime",
    "gettimeofday",
    "getrandom",
    "getpid",
    "gettid",
    "rt_sigreturn",
    "restart_syscall",
    "exit",
    "exit_group",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture: its name to the kernel's audit, and its numbers of the calls in question."""

    audit: int
    numbers: dict[str, int]
    has_x32: bool = False


MACHINES = {
    "x86_64": Machine(
        0xC000_003E,
        {
            "read": 0,
            "write": 1,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "getpid": 39,
            "exit": 60,
            "gettimeofday": 96,
            "capset": 126,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "seccomp": 317,
            "getrandom": 318,
        },
        has_x32=True,
    ),
    "aarch64": Machine(
        0xC000_00B7,
        {
            "read": 63,
            "write": 64,
            "capset": 91,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "sched_yield": 124,
            "restart_syscall": 128,
            "rt_sigreturn": 139,
            "gettimeofday": 169,
            "getpid": 172,
            "gettid": 178,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "seccomp": 277,
            "getrandom": 278,
        },
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def this_machine() -> Machine | None:
    """Returns the machine on which this process runs; None if it is not one of those known here."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    return MACHINES.get(os.uname().machine)


def filter_for(machine: Machine) -> bytes:
    """Builds the filter in the kernel's form: read from descriptor 0, write to 1, memory that is not executable."""
    number = machine.numbers
    program = [_do(_LOAD, _ARCHITECTURE), *_unless(_IF_EQUAL, machine.audit, _KILL), _do(_LOAD, _NUMBER)]
    if machine.has_x32:
        program += _when(_IF_AT_LEAST, _X32_CALLS, [_do(_RETURN, _KILL)])
    for name in _ALWAYS:
        program += _when(_IF_EQUAL, number[name], [_do(_RETURN, _ALLOW)])
    for name, descriptor in (("read", 0), ("write", 1)):
        program += _when(_IF_EQUAL, number[name], _only(0, _unless(_IF_EQUAL, descriptor, _REFUSE)))
    for name in ("mmap", "mprotect"):
        program += _when(_IF_EQUAL, number[name], _only(2, _when(_IF_ANY_BIT, _PROT_EXEC, [_do(_RETURN, _REFUSE)])))
    return b"".join([*program, _do(_RETURN, _REFUSE)])


def install(library: ctypes.CDLL, machine: Machine) -> bool:
    """Puts the filter on every thread of this process, for good; returns False where the kernel does not allow it."""
    instructions = filter_for(machine)
    program = _Program(len(instructions) // 8, instructions)
    seccomp = machine.numbers["seccomp"]
    return bool(library.syscall(seccomp, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _do(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _when(test: int, operand: int, then: Sequence[bytes]) -> list[bytes]:
    """Returns instructions that run `then` where the test holds, and otherwise go on with what follows."""
    return [_do(test, operand, 0, len(then)), *then]


def _unless(test: int, operand: int, verdict: int) -> list[bytes]:
    """Returns instructions that end with the verdict where the test does not hold."""
    return [_do(test, operand, 1, 0), _do(_RETURN, verdict)]


def _only(argument: int, terms: Sequence[bytes]) -> list[bytes]:
    """Returns instructions that allow the call if one argument meets the terms; these calls use its lower half
    alone.
    """
    return [_do(_LOAD, _FIRST_ARGUMENT + 8 * argument), *terms, _do(_RETURN, _ALLOW)]
