"""Trends and events, detected while the feed runs. Pure: no clock of the machine, no input or output.

::

    PostMentions ─▶ TrendDetector (one a partition) ─▶ TrendStates of a closed minute ─▶ EventDetector ─▶ DetectedEvents

What comes out for a minute depends on the set of mentions of the feed up to it, and on nothing else: not on their
order within a minute, nor on repeats, restarts or (but for what bounded memory forgets) the number of partitions.
"""
