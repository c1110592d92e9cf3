"""Names without their types: the tags of entity span detection, and how they turn into typed ones (Yu et al. 2020)."""

import torch
from torch import Tensor

from workers.tagger.crf_decoder import TAGS

SPAN_TAGS = ("O", "B", "I")
# By the number of a typed tag, that of its span tag.
_SPAN_OF = torch.tensor([SPAN_TAGS.index(tag[0]) for tag in TAGS])


def span_tags(tags: Tensor) -> Tensor:
    """Returns the span tag of each typed tag, both as numbers; any shape."""
    return _SPAN_OF.to(tags.device)[tags]


def span_to_typed() -> Tensor:
    """Returns W_c (3, 9): the probability of each typed tag for a span tag, the four types alike (section 2.4)."""
    corresponds = torch.nn.functional.one_hot(_SPAN_OF, len(SPAN_TAGS)).T.float()
    return corresponds / corresponds.sum(1, keepdim=True)


def span_transitions() -> Tensor:
    """Returns (3, 3), true where the span tag of the column may follow that of the row: an I continues a name."""
    return torch.tensor([[name != "I" or before != "O" for name in SPAN_TAGS] for before in SPAN_TAGS])


def span_starts() -> Tensor:
    """Returns (3,), true where a tweet may begin with the span tag."""
    return torch.tensor([name != "I" for name in SPAN_TAGS])
