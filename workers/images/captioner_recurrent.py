"""TriMod's own captioner: the project's image model looks, a recurrent decoder says what it sees.

::

    JPEG ─▶ image encoder, frozen ─▶ regions (49, width) ─▶ CaptionDecoder ─▶ words

Any version of the image encoder will do: the one that ships, MobileNet, or the paper's ResNet-50 from weights that
somebody has (`training/image/torchvision_weights.py`). A decoder belongs to the version that it was trained with.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from tagstream.errors import BadSettings, CorruptState
from workers.images.captioner_decoder import CaptionDecoder
from workers.images.captioner_words import CaptionWords
from workers.images.classifier import FloatArray, ImageEncoder

LONGEST_CAPTION = 24
_PICTURES_AT_A_TIME = 32


class RecurrentCaptioner:
    """Captions by a decoder over the regions of an image encoder. Several threads may ask at once."""

    def __init__(self, encoder: ImageEncoder, words: CaptionWords, sizes: dict[str, Any]) -> None:
        """With random weights; `sizes` are options of `CaptionDecoder`."""
        self.encoder, self.words, self.sizes = encoder, words, sizes
        self.decoder = CaptionDecoder(words.count, encoder.description.region_width, **sizes)

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """A sentence for each thumbnail, an empty one for what is no picture."""
        self.decoder.eval()
        regions = look(self.encoder, pictures)
        said = [""] * len(pictures)
        places = [place for place, one in enumerate(regions) if one is not None]
        for start in range(0, len(places), _PICTURES_AT_A_TIME):
            some = places[start : start + _PICTURES_AT_A_TIME]
            seen = torch.from_numpy(np.stack([one for place in some if (one := regions[place]) is not None]))
            for place, numbers in zip(some, self.decoder.say(seen, LONGEST_CAPTION + 1), strict=True):
                said[place] = self.words.sentence(numbers)
        return said

    def state(self) -> dict[str, Any]:
        """What `load` needs, for `torch.save`."""
        return {
            "words": list(self.words.words),
            "sizes": self.sizes,
            "encoder": encoder_hash(self.encoder),
            "weights": self.decoder.state_dict(),
        }

    @classmethod
    def load(cls, path: Path, encoder: ImageEncoder) -> Self:
        """A trained captioner.

        Raises:
            CorruptState: there is no such file, or it is not one of a captioner.
            BadSettings: it was trained with another image encoder.
        """
        try:
            state = torch.load(path, weights_only=True)
            if state["encoder"] != encoder_hash(encoder):
                raise BadSettings(f"{path}: trained with another image encoder: name that version, or train it again")
            captioner = cls(encoder, CaptionWords(tuple(state["words"])), state["sizes"])
            captioner.decoder.load_state_dict(state["weights"])
        except BadSettings:
            raise
        except Exception as error:  # torch raises whatever its parts raise at bytes that are no checkpoint
            message = " ".join(str(error).split())[:300]
            raise CorruptState(f"{path}: cannot be read as a captioner: {message}") from error
        return captioner


def look(encoder: ImageEncoder, pictures: Sequence[bytes]) -> list[FloatArray | None]:
    """The regions of each thumbnail, (49, width); None for what is no picture."""
    return [seen.regions for seen in encoder.see(pictures)]


def encoder_hash(encoder: ImageEncoder) -> str:
    """What tells image encoders apart: labels, shapes, and how they came to be."""
    return hashlib.sha256(encoder.description.model_dump_json().encode()).hexdigest()
