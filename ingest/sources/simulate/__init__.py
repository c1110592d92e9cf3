"""A feed of an invented social network: `simulate:SEED[?posts=N]`.

::

    world ─┐
    words ─┼─▶ network (the events, in order) ─┬─▶ delivery (late, twice, out of order) ─▶ source ─▶ events
    clock ─┘                                   └─▶ tests/oracle.py (what an index must hold in the end)

The same seed gives the same feed on every machine and under every Python from 3.11 on; of the images, only the bytes
depend on the release of Pillow. The feed is made in chapters of 250 posts, each a pure function of the seed and its
number. So memory is flat over any length, and reading resumes anywhere at the price of one chapter.

This project wrote all sentences and draws all images. Names of well-known people are real; what is said of them is not.
"""
