"""`tagstream worker` in a process of its own, made to be killed: `worker_process.py EFFECTS`; settings by environment.

All of it is the product's, from its first moment on, but for the two parts in `slow_parts.py`. It says `started` when
it can be told to stop: before that there is only the interpreter.
"""

import sys

import tagstream.cli

EFFECTS = sys.argv[1]
_open_missing_streams = tagstream.cli.open_missing_streams


def load_slow_parts() -> None:
    """The first thing that the command line does once a signal finds somebody who answers it."""
    print("started", flush=True)
    _open_missing_streams()
    from slow_parts import put_in

    put_in(EFFECTS)


if __name__ == "__main__":
    tagstream.cli.open_missing_streams = load_slow_parts
    tagstream.cli.main(["worker"])
