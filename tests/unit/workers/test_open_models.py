"""What a process that tags asks of the system and of the interpreter, and that it works without."""

import os
import subprocess
import sys

import pytest

_ASK = """
import gc, os, sys, threading
from workers.open_models import COLLECT_AFTER, SWITCH_SECONDS, tune_process
{before}
found = os.sched_getscheduler(0)
tune_process()
assert gc.get_threshold() == COLLECT_AFTER
assert abs(sys.getswitchinterval() - SWITCH_SECONDS) < 1e-6
policies = []
thread = threading.Thread(target=lambda: policies.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(policies == [{expected}])
"""
_FORBID = """
def forbidden(*_):
    raise PermissionError("not in this container")
os.sched_setscheduler = forbidden
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux knows such threads")
@pytest.mark.parametrize(("before", "expected"), [("", "os.SCHED_BATCH"), (_FORBID, "found")])
def test_threads_take_long_turns_where_that_is_allowed(before, expected):
    # In a process of its own: the other tests' threads are not to be changed.
    program = _ASK.format(before=before, expected=expected)
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "True\n"
