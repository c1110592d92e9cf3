"""A social feed that never was: `simulate:SEED[?posts=N]`.

::

    world ─┐
    words ─┼─▶ network (what happens, in order) ─┬─▶ delivery (late, twice, out of order) ─▶ source ─▶ events
    clock ─┘                                     └─▶ oracle (what an index must hold in the end)

The same seed gives the same feed on every machine and under every Python from 3.11 on (of the pictures only the bytes
depend on the release of Pillow). The feed is made in chapters of 250 posts, each a pure function of the seed and its
number: so memory is flat over any length, and reading resumes anywhere at the price of one chapter.

All sentences are written, and all pictures drawn, by this project. Names of the well known are real; what is said of
them is not.
"""
