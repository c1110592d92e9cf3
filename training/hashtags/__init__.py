"""How hashtags are learnt to be split: a language model, TriMod's network, and how both serve together.

::

    sources ─▶ counts (evidence, weights) ─▶ workers/hashtags/counts.bin ──┐
    phrases ─▶ network, train ────────────────────────────────────────────┴▶ combination ─▶ workers/hashtags/network.bin

`evaluation` measures what ships. Serving is the work of `workers/hashtags/segmenter.py`.
"""
