"""How a process that tags is set up, so that the network's threads get the cores.

Each line was measured with `tagstream bench local` on two cores; docs/explanation/log.md has the figures.
"""

import gc
import os
import sys
from contextlib import suppress

# A tagging thread that has its answer decodes it and asks for the next; until then a core of the network may stand
# idle. Python lets it wait 5 ms for another thread's turn to end unless told otherwise.
SWITCH_SECONDS = 0.001
# The collector looks for cycles whenever so many more objects live than when it last looked, and holds up every thread
# meanwhile. Posts in flight are hundreds of thousands of objects and no cycles: it would search them all the time.
COLLECT_AFTER = (100_000, 50, 50)


def tune_process() -> None:
    """For this process and the threads that it starts from now on, where the system knows such a thing."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    if hasattr(os, "SCHED_BATCH"):  # Linux: whoever wakes up does not push a computing thread off its core
        with suppress(OSError):  # a container may forbid it: slower, and right all the same
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
