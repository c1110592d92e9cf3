"""Captioners of `transformers`: any image-to-text model, such as BLIP, GIT, or an encoder and a decoder joined."""

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.image_processing_base import ImageProcessingMixin
from transformers.utils.logging import disable_progress_bar

from tagstream.errors import BadSettings
from workers.images.classifier import MAX_BYTES, MAX_SIDE

LONGEST_CAPTION = 24
_PICTURES_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class PretrainedCaptioner:
    """A captioner that uses greedy search, so that the same picture always has the same caption. Threads take turns."""

    model: Any
    processor: Any
    tokenizer: Any
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, name: str) -> Self:
        """Loads a model by its folder or, with a network, by its name on the hub. Code of the model is not run.

        Raises:
            BadSettings: there is no such model, or it does not turn the pixels of an image into text.
        """
        # A folder holds all of its model: missing files are not looked for on the network.
        where: dict[str, Any] = {"trust_remote_code": False, "local_files_only": Path(name).is_dir()}
        disable_progress_bar()
        try:
            captioner = cls(
                AutoModelForImageTextToText.from_pretrained(name, **where).eval(),
                _processor(name, **where),
                AutoTokenizer.from_pretrained(name, **where),
            )
            # Tried once: a model that needs a question with the picture would fail on every photo.
            captioner._say([Image.new("RGB", (MAX_SIDE, MAX_SIDE))])
        except MemoryError:
            raise
        except Exception as error:  # files that are no model raise errors of many classes from within their readers
            message = " ".join(str(error).split())[:300]
            raise BadSettings(f"{name}: no image-to-text model that can be loaded: {message}") from error
        return captioner

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """Returns a sentence in lower case for each thumbnail; an empty one for something that is no picture."""
        images = {index: image for index, data in enumerate(pictures) if (image := _read(data)) is not None}
        captions = [""] * len(pictures)
        indices = list(images)
        for start in range(0, len(indices), _PICTURES_AT_A_TIME):
            batch = indices[start : start + _PICTURES_AT_A_TIME]
            for index, caption in zip(batch, self._say([images[index] for index in batch]), strict=True):
                captions[index] = " ".join(caption.lower().split())
        return captions

    def _say(self, images: list[Image.Image]) -> list[str]:
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        with self._turn, torch.inference_mode():
            ids = self.model.generate(pixel_values=pixels, max_new_tokens=LONGEST_CAPTION, num_beams=1, do_sample=False)
        captions: list[str] = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return captions


def _processor(name: str, **where: Any) -> Any:
    """Returns the image processor of a model, by Pillow: the default needs torchvision, and nothing else here does."""
    config, _ = ImageProcessingMixin.get_image_processor_dict(name, **where)
    # Models from before 2023 call the image processor a feature extractor.
    kind = config.get("image_processor_type") or config["feature_extractor_type"]
    kind = str(kind).removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    by_pillow = getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind)
    return by_pillow.from_pretrained(name, **where)


def _read(data: bytes) -> Image.Image | None:
    if len(data) > MAX_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return image.convert("RGB") if max(image.size) <= MAX_SIDE else None
    except MemoryError:
        raise
    except Exception:  # broken bytes raise errors of many classes from within the decoder
        return None
