"""Captioners as the setting names them: their files, their names in the model generation, and their generations.

Naming a captioner needs only its files. Nothing of torch is imported.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import BadSettings, CorruptState
from workers.models.version_folder import MAX_GENERATION

NAME = "captioner"
# A run of `training/captioner/train.py` is this file.
RUN = "last.pt"
# One up from having no captioner, whose answers it replaces.
FIRST_GENERATION = 3
_HUB = "hub:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_WITH_GENERATION = re.compile(r"(.+)\?generation=([0-9]{1,5})")
_MODEL_FILES = frozenset({".json", ".txt", ".model", ".safetensors", ".bin"})


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
