"""A captioner as the pipeline's image model: what its sentences name is what a photo shows."""

from collections.abc import Sequence
from typing import Protocol

from training.zoo.captions import things


class Captioner(Protocol):
    """Anything that says what pictures show."""

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """A sentence of lower-case words for each JPEG; an empty one for what is no picture."""
        ...


class CaptionEyes:
    """The `Eyes` of `workers/seeing.py`: the things that captions name, at most five, in the order of the sentence."""

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        """The labels of each thumbnail."""
        return [things(caption) for caption in self._captioner.captions(thumbnails)]
