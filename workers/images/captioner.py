"""The captioner that the setting names: what it is called in the stamp, how it is opened, and what it said before.

::

    FOLDER with last.pt      our own   captioner_recurrent.py ─┐
    FOLDER with config.json  ┐                               ├─▶ RememberedCaptions: thumbnail ─▶ sentence
    hub:OWNER/NAME           ┘ any of transformers ──────────┘
                               captioner_transformers.py

Only `open_captioner` imports torch: naming a captioner, as the stamp does, needs its files alone.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tagstream.errors import BadSettings, ModelUnavailable, TagstreamError
from workers.models.captioner_version import CaptionerVersion

if TYPE_CHECKING:
    from workers.images.classifier import ImageEncoder

MOST_REMEMBERED = 4096


class Captioner(Protocol):
    """Anything that says what pictures show."""

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """A sentence of lower-case words for each thumbnail; an empty one for what is no picture."""
        ...


def open_captioner(version: CaptionerVersion, encoder: "ImageEncoder | None", threads: int) -> "RememberedCaptions":
    """The captioner; our own one looks through `encoder`, the image model of the pipeline.

    `threads` cores at most work at a caption. Ours takes one: its layers are too small to be shared out.

    Raises:
        BadSettings: the `train` extra is not installed, there is no such model, or ours finds no image model, or
            another one than it was trained with.
        CorruptState: it cannot be read.
    """
    try:
        import torch

        if version.is_our_own:
            from workers.images.captioner_recurrent import RecurrentCaptioner
        else:
            from workers.images.captioner_transformers import PretrainedCaptioner
    except ModuleNotFoundError as error:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {version.model}: a captioner needs the train extra, and there is no {error.name}: "
            "install tagstream[train], or leave the setting out"
        ) from error
    if not version.is_our_own:
        torch.set_num_threads(threads)
        return RememberedCaptions(PretrainedCaptioner.load(version.model))
    if encoder is None:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {version.model}: it looks through the image model, and the model repository has none"
        )
    torch.set_num_threads(1)
    return RememberedCaptions(RecurrentCaptioner.load(version.files[0], encoder))


class RememberedCaptions:
    """One caption a photo: of the last `most` photos it is known, by the hash of their thumbnails.

    A picture is captioned alone, because a post's words must not depend on other posts.
    """

    def __init__(self, captioner: Captioner, most: int = MOST_REMEMBERED) -> None:
        self._captioner = captioner
        self._most = most
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, thumbnail: bytes) -> str:
        """The caption of a thumbnail; empty for what is no picture.

        Raises:
            ModelUnavailable: the captioner fails on it, or what it looks through does not answer now.
        """
        key = hashlib.sha256(thumbnail).digest()
        with self._lock:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
        try:
            (caption,) = self._captioner.captions([thumbnail])
        except TagstreamError:
            raise
        except Exception as error:  # torch raises whatever its parts raise
            message = " ".join(str(error).split())[:300]
            raise ModelUnavailable(f"the captioner failed on a picture: {message}") from error
        with self._lock:
            self._known[key] = caption
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return caption
