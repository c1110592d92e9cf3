"""Three detectors of the literature, for comparison: each reads the posts of a feed and says `FoundEvent`s.

They read the same words of the same posts, count distinct authors, may leave out word-for-word copies, and get the
parameters that do best on a development feed (`training/events/tuning.py`).
"""
