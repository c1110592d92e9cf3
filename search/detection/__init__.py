"""The detectors' way through a feed: from posts as they come to the trends and events of closed minutes.

::

    mentions, deletions ─▶ MentionFeed ─▶ MentionBatch ─▶ TrendPartition ─▶ MinuteOfTrends ─▶ EventTimeline
    (one partition,        late? how far    (`mentions`)   closes minutes      (`trends`)      ─▶ ClosedMinute
     in its order)         is the feed?                    that all partitions have passed

Owns which posts count and when a minute is closed. Pure but for `rebuild.py`, which reads and writes an index: no clock
of the machine, no threads. In one process the three are joined (`chain.py`); on Kafka each is an agent of its own
(`workers/faust/`), with the same code.

**The answer does not depend on how the work is cut.** Whether a post is late is decided where its partition is read in
order, and by that order alone. A minute is closed when every partition has passed it, so no post that counts can come
after that, in whatever order records of different partitions meet. The number of partitions alone makes a small
difference (see `search.events`).
"""
