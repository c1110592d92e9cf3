"""The captioner that the setting names: what it is called in the stamp, how it is opened, and what it said before.

::

    FOLDER with last.pt      our own   captioner_recurrent.py ─┐
    FOLDER with config.json  ┐                               ├─▶ RememberedCaptions: thumbnail ─▶ sentence
    hub:OWNER/NAME           ┘ any of transformers ──────────┘
                               captioner_transformers.py

Only `open_captioner` imports torch: naming a captioner, as the stamp does, needs its files alone.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tagstream.errors import BadSettings, CorruptState, ModelUnavailable, TagstreamError
from workers.models.repository import MAX_GENERATION

if TYPE_CHECKING:
    from workers.images.classifier import ImageEncoder

NAME = "captioner"
# A run of `training/captioner/train.py` is this file.
RUN = "last.pt"
# One up from having no captioner, whose answers it replaces.
FIRST_GENERATION = 3
MOST_REMEMBERED = 4096
_HUB = "hub:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_WITH_GENERATION = re.compile(r"(.+)\?generation=([0-9]{1,5})")
_MODEL_FILES = frozenset({".json", ".txt", ".model", ".safetensors", ".bin"})


class Captioner(Protocol):
    """Anything that says what pictures show."""

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """A sentence of lower-case words for each thumbnail; an empty one for what is no picture."""
        ...


@dataclass(frozen=True, slots=True)
class CaptionerVersion:
    """A captioner that is named and not yet loaded: a folder, or the name of a model of the hub.

    `files` are those that it is made of, none of the hub. `generation` rises with whatever replaces what another one
    says; that of no captioner is 1.
    """

    model: str
    files: tuple[Path, ...]
    generation: int

    @property
    def is_our_own(self) -> bool:
        """Whether TriMod's captioner is meant, not one of `transformers`."""
        return [file.name for file in self.files] == [RUN]

    @property
    def name(self) -> str:
        """`captioner@` and eight hexadecimal digits, which tell its files from those of any other; its name on the hub.

        Raises:
            CorruptState: a file cannot be read.
        """
        digest = hashlib.sha256(b"" if self.files else self.model.encode())
        try:
            for path in self.files:
                with path.open("rb") as file:
                    digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CorruptState(f"{path}: cannot be read as part of a captioner: {error.strerror}") from error
        return f"{NAME}@{digest.hexdigest()[:8]}"


def find_captioner(specification: str) -> CaptionerVersion:
    """The captioner of `FOLDER` or `hub:OWNER/NAME`, either with `?generation=N` after it.

    Raises:
        BadSettings: it is neither, or the folder holds no captioner.
    """
    model, generation = specification, FIRST_GENERATION
    if parts := _WITH_GENERATION.fullmatch(specification):
        model, generation = parts[1], int(parts[2])
        if generation % 2 == 0 or not FIRST_GENERATION <= generation <= MAX_GENERATION:
            raise BadSettings(
                f"TAGSTREAM_CAPTIONER {specification}: a generation is odd, {FIRST_GENERATION} at least and "
                f"{MAX_GENERATION} at most"
            )
    if model.startswith(_HUB):
        return CaptionerVersion(_hub_name(model), (), generation)
    return CaptionerVersion(model, _files(Path(model)), generation)


def _hub_name(model: str) -> str:
    name = model.removeprefix(_HUB)
    if not _HUB_NAME.fullmatch(name):
        raise BadSettings(f"TAGSTREAM_CAPTIONER {model}: expected hub:OWNER/NAME, as on the model's page")
    if Path(name).exists():  # transformers would take it for the model
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {model}: a folder of that name is here: name it without hub:, or move it"
        )
    return name


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {folder}: no folder that can be read; a model of the hub is named hub:OWNER/NAME"
        ) from error
    names = {path.name for path in files}
    if RUN in names:
        return (folder / RUN,)
    if "config.json" in names:
        return tuple(path for path in files if path.suffix in _MODEL_FILES)
    raise BadSettings(
        f"TAGSTREAM_CAPTIONER {folder}: neither {RUN} of our own captioner (python -m training.captioner.train) nor "
        "config.json of an image-to-text model of transformers is in it"
    )


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
