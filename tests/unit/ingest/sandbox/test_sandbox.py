"""A child in a sandbox: that it can do nothing but answer, costs no more than it may, and is replaced."""

import asyncio
import errno
import os
import signal
import struct
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import sandbox_probe

from ingest.sandbox import child, lock_down, program, sandbox, system_calls
from ingest.sandbox.child import SandboxLimits
from ingest.sandbox.errors import Died, HandlerFailed, NotStarted, StoodStill, TooCostly
from ingest.sandbox.sandbox import Sandbox

MIB = 1024 * 1024
MEMORY = 256 * MIB
PROBE = "sandbox_probe"
LOCKED = pytest.mark.skipif(system_calls.this_machine() is None, reason="a filter of system calls is made for Linux")


@pytest.fixture
async def probe():
    """Makes sandboxes around the probe; ends them."""
    made = []

    def make(module=PROBE, *, processes=1, filter_required=False, **limits):
        limits = {"memory_bytes": MEMORY, "processor_seconds": 10.0, "still_seconds": 60.0, **limits}
        made.append(Sandbox(module, SandboxLimits(**limits), processes=processes, filter_required=filter_required))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def tried(box: Sandbox, name: str, argument: object = "", pid: int = 0) -> str:
    return (await box.ask(f"{name}\t{argument}\t{pid}".encode())).decode()


@LOCKED
@pytest.mark.parametrize("name", sandbox_probe.attempts("", 0))
async def test_a_child_is_refused(name, probe, tmp_path) -> None:
    """Each by the filter (EPERM), whoever runs it, root too; the file and the parent are as they were."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    (tmp_path / "file.empty").mkdir()
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    try:
        outcome = await tried(probe(), name, path, victim.pid)
        assert victim.returncode is None
    finally:
        victim.kill()
        await victim.wait()
    if name == "import":
        assert outcome.startswith("ModuleNotFoundError") or outcome == f"PermissionError {errno.EPERM}"
    elif name == "thread":
        assert outcome.startswith("RuntimeError")
    else:
        assert outcome == f"PermissionError {errno.EPERM}"
    assert sorted(os.listdir(tmp_path)) == ["file", "file.empty"]
    assert path.read_bytes() == b"content"


async def test_it_may_answer_and_have_memory(probe) -> None:
    box = probe()
    assert await tried(box, "echo", "words") == "words"
    assert await tried(box, "memory", 64 * MIB) == "allowed"
    assert await tried(box, "map") == "0"
    assert await tried(box, "large", 5 * MIB) == "\0" * (5 * MIB)


def what_the_kernel_says(pid: int) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The status of a process, and its limits."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text("ascii").splitlines())
    lines = (process / "limits").read_text("ascii").splitlines()
    return status, {line[:26].strip(): line[26:].split()[:2] for line in lines}


@LOCKED
async def test_the_kernel_says_so_too(probe) -> None:
    box = probe()
    await tried(box, "echo")
    (pid,) = box.process_ids
    status, limits = what_the_kernel_says(pid)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0
    for name in ("Max open files", "Max file size", "Max core file size", "Max processes"):
        assert limits[name] == ["0", "0"], name
    assert limits["Max address space"] == [str(MEMORY)] * 2
    assert limits["Max cpu time"] == [str(lock_down.LIFE_SECONDS)] * 2


@LOCKED
def test_the_filter_kills_a_call_by_another_table() -> None:
    """By the numbers of x32, an open is no open to a list of x86-64's."""
    if not system_calls.MACHINES[os.uname().machine].has_x32:
        pytest.skip("this machine has one table only")
    code = "LIBC.syscall(0x40000000 + 2, b'/etc/passwd', 0)"
    locked = "import ctypes; from ingest.sandbox import lock_down; lock_down.lock_down(1 << 30, 0)"
    done = subprocess.run(
        [sys.executable, "-c", f"{locked}; LIBC = ctypes.CDLL(None); {code}"], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGSYS


def test_each_machine_has_a_number_for_every_call_of_the_list() -> None:
    for machine in system_calls.MACHINES.values():
        assert len(set(machine.numbers.values())) == len(machine.numbers)
        instructions = list(struct.iter_unpack("=HBBI", system_calls.filter_for(machine)))
        assert instructions[1][3] == machine.audit
        assert instructions[-1][3] & 0xFFFF_0000 == 0x0005_0000, "what is not listed is refused"
        for place, (code, if_true, if_false, _) in enumerate(instructions):
            if code & 7 == 5:
                assert place + 1 + max(if_true, if_false) < len(instructions)


def test_nobody_of_the_same_user_reads_the_memory_of_who_starts_a_child() -> None:
    """Root may, so both become another user, if they can."""
    program_text = """
import ctypes, os, signal, subprocess, sys, time
from ingest.sandbox import lock_down
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # a change of user takes it away
parent, child = os.getpid(), 0
if sys.argv[1] == "kept":
    lock_down.keep_memory_private()
child = os.fork()
if child == 0:
    seized = ctypes.CDLL(None).ptrace(0x4206, parent, None, None)  # traced, but not stopped
    os._exit(7 if seized == 0 else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    codes = {}
    for kind in ("open", "kept"):
        done = subprocess.run(
            [sys.executable, "-c", program_text, kind], capture_output=True, check=True, timeout=60, text=True
        )
        codes[kind] = done.stdout.strip()
    assert codes["kept"] == "8"
    if codes["open"] != "7":
        pytest.skip("this system lets nobody trace another process anyway")


async def test_the_one_who_starts_a_child_keeps_its_memory(probe) -> None:
    await tried(probe(), "echo")
    if sys.platform == "linux":
        assert sandbox_probe.LIBC.prctl(3, 0, 0, 0, 0) == 0


async def test_an_error_of_the_module_is_said_and_survived(probe) -> None:
    box = probe()
    with pytest.raises(HandlerFailed, match="ValueError: what the module says"):
        await tried(box, "raise")
    (before,) = box.process_ids
    assert await tried(box, "echo", "on") == "on"
    assert box.process_ids == (before,)


async def test_memory_is_bounded_and_the_child_lives(probe) -> None:
    box = probe()
    with pytest.raises(TooCostly):
        await tried(box, "memory", 512 * MIB)
    assert await tried(box, "echo", "on") == "on"


async def test_processor_time_is_bounded_to_a_fraction_of_a_second(probe) -> None:
    box = probe(processor_seconds=0.2)
    assert await tried(box, "spin", 0.05) == "spun"
    (before,) = box.process_ids
    with pytest.raises(TooCostly, match="processor time"):
        await tried(box, "spin", 5)
    assert await tried(box, "echo", "on") == "on"
    assert box.process_ids != (before,)


async def test_time_spent_before_is_not_charged(probe) -> None:
    box = probe(processor_seconds=0.5)
    for _ in range(4):
        assert await tried(box, "spin", 0.2) == "spun"
    assert len(box.process_ids) == 1


@pytest.mark.parametrize("end", ["die", "crash"])
async def test_what_ends_two_children_is_guilty(end, probe) -> None:
    box = probe()
    with pytest.raises(Died):
        await tried(box, end)
    assert await tried(box, "echo", "on") == "on"


async def test_a_child_that_was_killed_is_not_the_next_requests_fault(probe) -> None:
    box = probe()
    await tried(box, "echo")
    (pid,) = box.process_ids
    os.kill(pid, signal.SIGKILL)
    assert await tried(box, "echo", "on") == "on"


async def test_one_that_stands_still_is_replaced(probe) -> None:
    box = probe(still_seconds=0.3)
    await tried(box, "echo")
    os.kill(box.process_ids[0], signal.SIGSTOP)
    with pytest.raises(StoodStill):
        await tried(box, "echo")


async def test_after_an_end_a_spare_is_made_before_it_is_asked_for(probe) -> None:
    box = probe()
    with pytest.raises(Died):
        await tried(box, "die")
    spare = box._spare
    assert spare is not None
    made = await spare
    assert await tried(box, "echo", "on") == "on"
    assert box.process_ids == (made.pid,)


async def test_while_a_child_works_its_replacement_is_made(probe) -> None:
    """So that the end of one costs the next request no start."""
    box = probe(processor_seconds=0.2)
    assert await tried(box, "echo", "on") == "on"
    made = await box._spare
    with pytest.raises(TooCostly):
        await tried(box, "spin", 5)
    assert await tried(box, "echo", "on") == "on"
    assert box.process_ids == (made.pid,)
    next_one = await box._spare
    assert next_one.pid != made.pid


async def test_a_spare_that_did_not_start_is_tried_again_later(probe, monkeypatch) -> None:
    now = 0.0
    box = probe()
    box._clock = lambda: now
    begin = child.Child.start

    async def fails(*_):
        raise NotStarted("says a test")

    assert await tried(box, "echo", "on") == "on"
    await box._spare
    monkeypatch.setattr(child.Child, "start", fails)
    with pytest.raises(Died):
        await tried(box, "die")
    await asyncio.gather(box._spare or asyncio.sleep(0), return_exceptions=True)
    monkeypatch.setattr(child.Child, "start", begin)
    now = sandbox.PAUSE_AFTER_A_FAILED_START_SECONDS + 1
    assert await tried(box, "echo", "on") == "on"
    assert not (await box._spare).ended


async def test_a_spare_that_nobody_takes_ends_with_its_sandbox(probe) -> None:
    for wait in (False, True):
        box = probe()
        with pytest.raises(Died):
            await tried(box, "die")
        spare = box._spare
        if wait:
            await spare
        await box.close()
        assert spare.cancelled() or spare.result().ended


async def test_an_answer_that_is_too_long_is_not_believed(probe) -> None:
    box = probe(answer_bytes=1000)
    assert len(await tried(box, "large", 1000)) == 1000
    with pytest.raises(Died):
        await tried(box, "large", 1001)


async def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(probe) -> None:
    box = probe()
    await tried(box, "echo")
    task = asyncio.create_task(tried(box, "spin", 0.3))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await tried(box, "echo", "on") == "on"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module_at_all", "no_such_module_at_all"),
        ("other = 1", "handle"),
        ("def handle(request): return request\ndef warm_up(): raise OSError('no warmth')", "no warmth"),
        ("import os; os._exit(1)", "ended while it started"),
    ],
)
async def test_a_module_that_does_not_start_says_why_and_is_not_started_all_the_time(
    code, message, probe, tmp_path, monkeypatch
) -> None:
    (tmp_path / "spoilt_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    box = probe("spoilt_module")
    with pytest.raises(NotStarted, match=message):
        await box.ask(b"")
    with pytest.raises(NotStarted, match="in a moment"):
        await box.ask(b"")


async def test_a_child_is_replaced_after_a_while(probe, monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "REQUESTS_A_CHILD", 2)
    box = probe()
    await tried(box, "echo")
    (first,) = box.process_ids
    await tried(box, "echo")
    await tried(box, "echo")
    assert box.process_ids != (first,)


async def without_filter(monkeypatch) -> None:
    """Children say that they have no filter, as on a system that gives none."""
    begin = child.Child._become_ready

    async def unfiltered(self, module):
        await begin(self, module)
        self.filtered = False

    monkeypatch.setattr(child.Child, "_become_ready", unfiltered)
    monkeypatch.setattr(sandbox, "_warned", [])


async def test_without_a_filter_it_says_so_once_and_goes_on(probe, monkeypatch) -> None:
    await without_filter(monkeypatch)
    box = probe()
    with pytest.warns(RuntimeWarning, match="seccomp"):
        assert await tried(box, "echo", "on") == "on"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await tried(probe(), "echo", "on") == "on"
    assert box.unfiltered in (1, 2)  # its spare may be there already


async def test_without_a_filter_it_refuses_where_that_is_asked_for(probe, monkeypatch) -> None:
    await without_filter(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NotStarted, match="sandbox_required"):
            await tried(probe(filter_required=True), "echo")


def test_without_a_filter_limits_alone_keep_it_from_files_sockets_and_memory() -> None:
    code = f"""
import os, socket
from ingest.sandbox import lock_down, system_calls
system_calls.this_machine = lambda: None
os.write(1, b"%d " % lock_down.lock_down({MEMORY}, 0))
for attempt in (
    lambda: open("/etc/passwd"),
    lambda: socket.socket(),
    lambda: os.pipe(),
    lambda: os.dup(0),
    lambda: bytearray({2 * MEMORY}),
):
    try:
        attempt()
    except (OSError, MemoryError) as error:
        os.write(1, type(error).__name__.encode() + b" ")
    else:
        os.write(1, b"allowed ")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    holds, *outcomes = done.stdout.decode().split()
    assert not int(holds) & lock_down.FILTERED
    assert outcomes == ["OSError"] * 4 + ["MemoryError"]


@pytest.mark.parametrize("machine", ["ppc64le", "riscv64", "i686"])
def test_a_machine_that_is_not_known_has_no_filter(machine, monkeypatch) -> None:
    named = os.uname_result(("Linux", "", "", "", machine))
    monkeypatch.setattr(os, "uname", lambda: named)
    assert system_calls.this_machine() is None


def test_a_child_ends_with_its_parent_even_at_work() -> None:
    code = """
import asyncio, os, signal, sys
from ingest.sandbox.child import Child, SandboxLimits
async def main():
    child = await Child.start("sandbox_probe", SandboxLimits(1 << 28, 60.0, 60.0))
    print(child.pid, flush=True)
    asyncio.ensure_future(child.ask(b"spin\\t50\\t0"))
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(sandbox_probe.__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, timeout=60, check=False)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not _runs(int(done.stdout)):
            return
        time.sleep(0.02)
    pytest.fail("it outlived its parent")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not (stat.exists() and ") Z" in stat.read_text(encoding="utf-8"))
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_nothing_secret_is_given_to_a_child() -> None:
    assert program.Order.__annotations__.keys() == {"module", "path", "parent", "memory_bytes", "niceness"}
