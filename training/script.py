"""The end of a training script: an error becomes one line on standard error and an exit code."""

import sys
from collections.abc import Callable

from tagstream.errors import TagstreamError

_INTERRUPTED = 130


def run_script(main: Callable[[], None]) -> None:
    """Runs a script; exits with 1 and the message of an error of ours, or with 130 after Ctrl-C."""
    try:
        main()
    except TagstreamError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt as interruption:
        print(f"interrupted: {interruption or 'nothing more was done'}", file=sys.stderr)
        sys.exit(_INTERRUPTED)
