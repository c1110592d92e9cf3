"""How hashtags are learnt to be split: a language model, TriMod's network, and how both serve together.

::

    sources ─▶ counts (evidence, weights) ─▶ workers/hashtag_counts.bin ──┐
    phrases ─▶ network, train ────────────────────────────────────────────┴▶ combination ─▶ workers/hashtag_network.bin

`evaluation` measures what ships. Serving is the work of `workers/hashtags.py`.
"""
