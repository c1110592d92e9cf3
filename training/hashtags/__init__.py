"""The training of hashtag segmentation: a language model, TriMod's network, and the combination of both.

::

    sources ─▶ counts (evidence, weights) ─▶ workers/hashtags/counts.bin ──┐
    phrases ─▶ network, train ────────────────────────────────────────────┴▶ combination ─▶ workers/hashtags/network.bin

`evaluation` measures what ships. Serving is the work of `workers/hashtags/segmenter.py`.
"""
