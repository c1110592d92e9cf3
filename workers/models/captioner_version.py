"""Captioners as the setting names them: plug-in and argument, name in the model generation, generation number.

::

    FOLDER?generation=5     recurrent or transformers, by the files of the folder
    hub:OWNER/NAME          transformers, with a network
    NAME:ARGUMENT           the plug-in of that name, where an installed package offers one

Naming a captioner reads its files, and imports nothing of the plug-in.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tagstream.errors import BadSettings, CorruptState
from tagstream.plugins import PluginKind, find_plugin
from workers.models.version_folder import MAX_GENERATION

NAME = "captioner"
# The file of a training run of `training/captioner/train.py`.
RUN = "last.pt"
# Answers with a captioner replace those without one, which have the generation 1.
FIRST_GENERATION = 3
_RECURRENT = "recurrent"
_TRANSFORMERS = "transformers"
_HUB = "hub:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PLUGIN = re.compile(r"([A-Za-z0-9][\w.-]*):(.*)", re.DOTALL)
_WITH_GENERATION = re.compile(r"(.+)\?generation=([0-9]{1,5})")
_MODEL_FILES = frozenset({".json", ".txt", ".model", ".safetensors", ".bin"})


@dataclass(frozen=True, slots=True)
class CaptionerVersion:
    """A captioner that is named and not yet loaded.

    `plugin` is the name of an entry point, `argument` is passed to the plug-in. `files` are hashed into the name of the
    captioner; without files `identity` is. `generation` rises with every captioner that replaces another one.
    """

    plugin: str
    argument: str
    generation: int
    files: tuple[Path, ...] = ()
    identity: str = ""

    @property
    def name(self) -> str:
        """`captioner@` and eight hexadecimal digits, which differ between captioners.

        Raises:
            CorruptState: a file cannot be read.
        """
        digest = hashlib.sha256(b"" if self.files else self.identity.encode())
        try:
            for path in self.files:
                with path.open("rb") as file:
                    digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise CorruptState(f"{path}: cannot be read as part of a captioner: {error.strerror}") from error
        return f"{NAME}@{digest.hexdigest()[:8]}"


def find_captioner(specification: str) -> CaptionerVersion:
    """Returns the captioner of `FOLDER`, `hub:OWNER/NAME` or `NAME:ARGUMENT`, each with or without `?generation=N`.

    Raises:
        BadSettings: the specification has another form, or the folder holds no captioner.
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
        name = _hub_name(model)
        return CaptionerVersion(_TRANSFORMERS, name, generation, identity=name)
    if (parts := _PLUGIN.fullmatch(model)) and (plugin := find_plugin(PluginKind.CAPTIONER, parts[1])):
        # A new version of the package may give other captions.
        identity = f"{plugin.package} {plugin.version} {model}"
        return CaptionerVersion(plugin.name, parts[2], generation, identity=identity)
    return _of_folder(Path(model), generation)


def _hub_name(model: str) -> str:
    name = model.removeprefix(_HUB)
    if not _HUB_NAME.fullmatch(name):
        raise BadSettings(f"TAGSTREAM_CAPTIONER {model}: expected hub:OWNER/NAME, as on the model's page")
    if Path(name).exists():  # transformers would take it for the model
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {model}: a folder of that name is here: name it without hub:, or move it"
        )
    return name


def _of_folder(folder: Path, generation: int) -> CaptionerVersion:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {folder}: no folder that can be read; a model of the hub is named hub:OWNER/NAME, "
            "and a plug-in NAME:ARGUMENT (`tagstream plugins` lists them)"
        ) from error
    names = {path.name for path in files}
    if RUN in names:
        run = folder / RUN
        return CaptionerVersion(_RECURRENT, str(run), generation, (run,))
    if "config.json" in names:
        hashed = tuple(path for path in files if path.suffix in _MODEL_FILES)
        return CaptionerVersion(_TRANSFORMERS, str(folder), generation, hashed)
    raise BadSettings(
        f"TAGSTREAM_CAPTIONER {folder}: neither {RUN} of our own captioner (python -m training.captioner.train) nor "
        "config.json of an image-to-text model of transformers is in it"
    )
