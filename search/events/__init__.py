"""Trends and events, detected while the feed runs. Pure: no clock of the machine, no input or output.

::

    PostMentions ─▶ TrendDetector (one a partition) ─▶ TrendStates of a closed minute ─▶ EventDetector ─▶ DetectedEvents

What comes out for a minute depends on the set of mentions of the feed up to it: not on their order within a minute, nor
on repeats or restarts. The number of partitions makes a small difference: the volume that a detector compares with, the
groups of copies that it knows, and what its bounded memory forgets are of the posts with a subject of its partition.
"""
