"""A module for a sandbox that tries what it must not be able to do, by name, and says what came of each."""

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_SEIZE, PROT_EXEC = 16, 0x4206, 4
SYSTEM_CALLS = {  # those without a wrapper that every C library has: x86-64, aarch64
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "pidfd_getfd": (438, 438),
    "clone3": (435, 435),
    "bpf": (321, 280),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "pkey_mprotect": (329, 288),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "process_madvise": (440, 440),
    "clock_settime": (227, 112),
}


class _Region(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _called(outcome: int) -> int:
    """The outcome of a call by ctypes, or its error."""
    if outcome == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return outcome


def _system_call(name: str, *arguments: int) -> int:
    number = SYSTEM_CALLS[name][os.uname().machine == "aarch64"]
    return _called(LIBC.syscall(number, *map(ctypes.c_long, arguments)))


def _other_memory(call: Callable[..., int], pid: int) -> int:
    """Reads or writes memory of another process. The address is this one's own: nothing gets so far as to look."""
    buffer = ctypes.create_string_buffer(8)
    region = _Region(ctypes.addressof(buffer), 8)
    call.restype = ctypes.c_ssize_t
    return _called(call(pid, ctypes.byref(region), 1, ctypes.byref(region), 1, 0))


def _map(protection: int) -> int:
    """The address of a new page."""
    LIBC.mmap.restype = ctypes.c_void_p
    anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = LIBC.mmap(None, ctypes.c_size_t(4096), protection, anonymous, -1, ctypes.c_long(0))
    return _called(-1 if address in (None, ctypes.c_void_p(-1).value) else address)


def _make_executable() -> int:
    return _called(LIBC.mprotect(ctypes.c_void_p(_map(3)), ctypes.c_size_t(4096), PROT_EXEC | 1))


def _raise_limit(limit: int) -> None:
    """Also where the limit is as high as it may be: the call itself must be refused."""
    _called(LIBC.setrlimit(limit, (ctypes.c_uint64 * 2)(2**64 - 1, 2**64 - 1)))


def attempts(path: str, pid: int) -> dict[str, Callable[[], object]]:
    """By name; `path` is a file that could be harmed, `pid` a process of the same user."""
    return {
        "open": lambda: os.open(path, os.O_RDONLY),
        "create": lambda: os.open(path + ".new", os.O_WRONLY | os.O_CREAT),
        "rename": lambda: os.rename(path, path + ".moved"),
        "truncate": lambda: os.truncate(path, 0),
        "unlink": lambda: os.unlink(path),
        "link": lambda: os.link(path, path + ".link"),
        "symlink": lambda: os.symlink(path, path + ".symlink"),
        "mkdir": lambda: os.mkdir(path + ".folder"),
        "rmdir": lambda: os.rmdir(path + ".empty"),
        "mkfifo": lambda: os.mkfifo(path + ".fifo"),
        "chmod": lambda: os.chmod(path, 0o777),
        "chown": lambda: os.chown(path, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(path),
        "setxattr": lambda: os.setxattr(path, "user.probe", b"x"),
        "stat": lambda: os.stat(path),
        "listdir": lambda: os.listdir("/"),
        "chdir": lambda: os.chdir("/tmp"),
        "chroot": lambda: os.chroot("/tmp"),
        "kill the parent": lambda: os.kill(pid, signal.SIGTERM),
        "kill by a null signal": lambda: os.kill(pid, 0),
        "kill the group": lambda: os.killpg(os.getpgid(pid), signal.SIGTERM),
        "pidfd_open": lambda: os.pidfd_open(pid),
        "ptrace attach": lambda: _called(LIBC.ptrace(PTRACE_ATTACH, pid, None, None)),
        "ptrace seize": lambda: _called(LIBC.ptrace(PTRACE_SEIZE, pid, None, None)),
        "process_vm_readv": lambda: _other_memory(LIBC.process_vm_readv, pid),
        "process_vm_writev": lambda: _other_memory(LIBC.process_vm_writev, pid),
        "limit of memory": lambda: _raise_limit(resource.RLIMIT_AS),
        "limit of processor time": lambda: _raise_limit(resource.RLIMIT_CPU),
        "limit of files": lambda: _raise_limit(resource.RLIMIT_NOFILE),
        "limits of the parent": lambda: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
        "priority of the parent": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
        "affinity": lambda: os.sched_setaffinity(0, {0}),
        "socket": socket.socket,
        "socketpair": socket.socketpair,
        "connect": lambda: _called(LIBC.connect(0, None, 0)),
        "message with descriptors": lambda: _called(LIBC.sendmsg(1, None, 0)),
        "received descriptors": lambda: _called(LIBC.recvmsg(0, None, 0)),
        "pipe": os.pipe,
        "dup": lambda: os.dup(0),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "thread": lambda: __import__("threading").Thread(target=int).start(),
        "setuid": lambda: os.setuid(0),
        "unshare": lambda: _called(LIBC.unshare(0x1000_0000)),
        "mount": lambda: _called(LIBC.mount(None, None, None, 0, None)),
        "prctl": lambda: _called(LIBC.prctl(4, 1, 0, 0, 0)),
        "a handler for a signal": lambda: signal.signal(signal.SIGXCPU, signal.SIG_IGN),
        "a blocked signal": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU}),
        "executable memory": lambda: _map(PROT_EXEC | 1),
        "memory that becomes executable": _make_executable,
        "ioctl": lambda: fcntl.ioctl(1, 0x5412, b"x"),
        "fcntl": lambda: fcntl.fcntl(0, fcntl.F_GETFL),
        **{f"the call {name}": partial(_system_call, name, *(0,) * 6) for name in SYSTEM_CALLS},
        "read another descriptor": lambda: os.read(2, 1),
        "write another descriptor": lambda: os.write(2, b"x"),
        "import": lambda: __import__("sqlite3"),
        "sleep": lambda: time.sleep(0.001),
    }


def warm_up() -> None:
    import threading

    assert threading


def handle(request: bytes) -> bytes:
    """`name path pid`: "allowed", or the kind of error and its number. Some words have a meaning of their own."""
    name, path, pid = request.decode().split("\t")
    if name == "echo":
        return path.encode()
    if name == "names":
        return "\t".join(attempts("", 0)).encode()
    if name == "raise":
        raise ValueError("what the module says")
    if name == "memory":
        return b"allowed" if bytearray(int(path)) else b""
    if name == "spin":
        until = time.process_time() + float(path)
        while time.process_time() < until:
            pass
        return b"spun"
    if name == "large":
        return bytes(int(path))
    if name == "die":
        os._exit(3)
    if name == "crash":
        ctypes.string_at(0)
    if name == "map":
        return b"0" if _map(3) else b""
    try:
        attempts(path, int(pid))[name]()
    except (OSError, ImportError, RuntimeError) as error:
        return f"{type(error).__name__} {getattr(error, 'errno', None)}".encode()
    return b"allowed"
