"""Work on hostile bytes, done by child processes that can do nothing else: pictures, and documents from outside.

::

    sandbox.py        `Sandbox("some.module", limits).ask(request)`: a few children, replaced when they misbehave
      └ child.py          one child as its parent sees it: started, asked, watched, ended
          └ ~~ pipes ~~ program.py       what runs in it: import, warm up, lock down, then answer
                          ├ lock_down.py     no files, processes, privileges; memory up to a limit
                          └ system_calls.py  the filter: what it may still ask of the kernel

A module that works in one has `handle(request: bytes) -> bytes`, and `warm_up()` where it must import or allocate
something at first use: once locked down nothing can be imported any more, an encoding neither.
"""
