"""Captions of photos that a post does not have, so that the tagger learns when image words say nothing.

Annotated posts come with the captions of their own photos alone. A tagger that has seen no others believes whatever
stands there, and loses names where a captioner or an image model is wrong.
"""

import random
from collections.abc import Sequence

_LABELS = 5


def wrong_caption(captions: Sequence[str], chance: random.Random) -> str:
    """Returns a caption of another photo; every other time some of its words in any order, as labels are."""
    caption = chance.choice(captions)
    words = caption.split()
    if chance.random() < 0.5:
        return caption
    return " ".join(chance.sample(words, min(_LABELS, len(words))))
