"""Work on hostile bytes (images, documents from outside), done by child processes that can do nothing else.

::

    sandbox.py        `Sandbox("some.module", limits).ask(request)`: a few children, replaced when they misbehave
      └ child.py          one child as its parent sees it: started, asked, watched, ended
          └ ~~ pipes ~~ program.py       the child's program: import, warm up, lock down, then answer
                          ├ lock_down.py     no files, processes, privileges; memory up to a limit
                          └ system_calls.py  the filter of the calls that it may still make

A module that runs in a child has `handle(request: bytes) -> bytes`. It also has `warm_up()` if it imports or allocates
something at first use: nothing can be imported once the child is locked down, not even an encoding.
"""
