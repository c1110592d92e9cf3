"""The measurement of the event detector: feeds with known events, three baselines, one score, cost and memory.

::

    corpora ─▶ feed (posts, known events) ─▶ tagging (cached) ─┬▶ detector  ─┬▶ events ─▶ score ─▶ the table
                                                               └▶ baselines ─┘

`python -m training.events.measure` runs it. Nothing that serves may import this package.
"""
