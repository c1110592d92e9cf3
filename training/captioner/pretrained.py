"""Any image-to-text model of `transformers` as a captioner: BLIP, GIT, an encoder and a decoder joined, by name."""

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
import transformers
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.image_processing_base import ImageProcessingMixin

from tagstream.errors import BadSettings

LONGEST_CAPTION = 24
_PICTURES_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class PretrainedCaptioner:
    """Captions by greedy search, so that the same picture always has the same one. Threads take turns."""

    model: Any
    processor: Any
    tokenizer: Any
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, name: str) -> Self:
        """A model by folder or, with a network, by name.

        Raises:
            BadSettings: there is none of that name, or it does not turn images into text.
        """
        try:
            return cls(
                AutoModelForImageTextToText.from_pretrained(name).eval(),
                _processor(name),
                AutoTokenizer.from_pretrained(name),
            )
        except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
            raise BadSettings(f"{name}: no image-to-text model that can be loaded: {str(error)[:300]}") from error

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """A sentence in lower case for each JPEG; an empty one for what is no picture."""
        read = {place: image for place, data in enumerate(pictures) if (image := _read(data)) is not None}
        said = [""] * len(pictures)
        places = list(read)
        for start in range(0, len(places), _PICTURES_AT_A_TIME):
            some = places[start : start + _PICTURES_AT_A_TIME]
            for place, caption in zip(some, self._say([read[place] for place in some]), strict=True):
                said[place] = " ".join(caption.lower().split())
        return said

    def _say(self, images: list[Image.Image]) -> list[str]:
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        with self._turn, torch.inference_mode():
            ids = self.model.generate(pixel_values=pixels, max_new_tokens=LONGEST_CAPTION, num_beams=1, do_sample=False)
        captions: list[str] = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return captions


def _processor(name: str) -> Any:
    """What makes a model's input of pictures, by Pillow: the default wants torchvision, for nothing else here."""
    config, _ = ImageProcessingMixin.get_image_processor_dict(name)
    kind = str(config["image_processor_type"]).removesuffix("Fast")
    by_pillow = getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind)
    return by_pillow.from_pretrained(name)


def _read(data: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return image.convert("RGB")
    except MemoryError:
        raise
    except Exception:  # broken bytes raise whatever the decoder trips over, of no common class
        return None
