"""TriMod's captioner: the image encoder of the project gives regions, a recurrent decoder gives words.

::

    JPEG ─▶ image encoder, frozen ─▶ regions (49, width) ─▶ CaptionDecoder ─▶ words

Every version of the image encoder will do: the shipped one, MobileNet, or the paper's ResNet-50 from torchvision's
weights (`training/image/torchvision_weights.py`). A decoder belongs to the version that it was trained with.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from tagstream.errors import BadSettings, CorruptState
from training.captioner.decoder import CaptionDecoder, CaptionWords
from workers.images.classifier import FloatArray, ImageEncoder

LONGEST_CAPTION = 24
_PICTURES_AT_A_TIME = 32


class RecurrentCaptioner:
    """A captioner that decodes the regions of an image encoder. Several threads may call it at once."""

    def __init__(self, encoder: ImageEncoder, words: CaptionWords, sizes: dict[str, Any]) -> None:
        """Creates a captioner with random weights; `sizes` are options of `CaptionDecoder`."""
        self.encoder, self.words, self.sizes = encoder, words, sizes
        self.decoder = CaptionDecoder(words.count, encoder.description.region_width, **sizes)

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """Returns a sentence for each thumbnail; an empty one for something that is no picture."""
        self.decoder.eval()
        captions = [""] * len(pictures)
        readable = [
            (index, regions) for index, regions in enumerate(regions_of(self.encoder, pictures)) if regions is not None
        ]
        for start in range(0, len(readable), _PICTURES_AT_A_TIME):
            indices, regions = zip(*readable[start : start + _PICTURES_AT_A_TIME], strict=True)
            said = self.decoder.say(torch.from_numpy(np.stack(regions)), LONGEST_CAPTION + 1)
            for index, numbers in zip(indices, said, strict=True):
                captions[index] = self.words.sentence(numbers)
        return captions

    def state(self) -> dict[str, Any]:
        """Returns the state that `load` reads, for `torch.save`."""
        return {
            "words": list(self.words.words),
            "sizes": self.sizes,
            "encoder": encoder_hash(self.encoder),
            "weights": self.decoder.state_dict(),
        }

    @classmethod
    def load(cls, path: Path, encoder: ImageEncoder) -> Self:
        """Reads a trained captioner.

        Raises:
            CorruptState: there is no such file, or the file holds no captioner.
            BadSettings: the captioner was trained with another image encoder.
        """
        try:
            state = torch.load(path, weights_only=True)
            if state["encoder"] != encoder_hash(encoder):
                raise BadSettings(f"{path}: trained with another image encoder: name that version, or train it again")
            captioner = cls(encoder, CaptionWords(tuple(state["words"])), state["sizes"])
            captioner.decoder.load_state_dict(state["weights"])
        except BadSettings:
            raise
        except Exception as error:  # torch raises errors of many classes at bytes that are no checkpoint
            message = " ".join(str(error).split())[:300]
            raise CorruptState(f"{path}: cannot be read as a captioner: {message}") from error
        return captioner


def regions_of(encoder: ImageEncoder, pictures: Sequence[bytes]) -> list[FloatArray | None]:
    """Returns the regions of each thumbnail, (49, width); None for something that is no picture."""
    return [features.regions for features in encoder.see(pictures)]


def encoder_hash(encoder: ImageEncoder) -> str:
    """Returns a hash that tells image encoders apart: by labels, shapes, and origin, and not by what they reject."""
    return hashlib.sha256(encoder.description.model_dump_json(exclude={"rejection"}).encode()).hexdigest()
