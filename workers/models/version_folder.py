"""Version folders of a Triton model repository: their choice, their hashes and their generation.

::

    triton_models/<model>/config.pbtxt        names the inputs, the shapes and the hash of each file of each version
    triton_models/<model>/<version>/model.onnx       the network as static int8, for CPUs
                                    model.fp16.onnx  the network for GPUs; a worker's container image has none
                                    ...              the files of the model's own kind

Files of two exports in one folder would give plausible nonsense. The declared hashes make that a `CorruptState`. The
tagger's own files are in `repository.py`, those of the image encoder in `image_repository.py`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from tagstream.errors import BadSettings, CorruptState

CONFIGURATION = "config.pbtxt"
MODEL = "model.onnx"
GPU_MODEL = "model.fp16.onnx"
MODEL_HASH_PARAMETER = "model_sha256"
GPU_MODEL_HASH_PARAMETER = "gpu_model_sha256"

# Models that do not ship, and what makes them.
_MADE_BY = {"mner_base": "make tagger-base"}

ModelDescription = TypeVar("ModelDescription", bound=BaseModel)


def _odd(generation: int) -> int:
    if generation % 2 == 0:
        raise ValueError(f"generation {generation} is even: the next whole model takes {generation + 1}")
    return generation


# Odd: the even number below a generation is that of its degraded answers. 4095 is that of deletions.
MAX_GENERATION = 4093
GenerationNumber = Annotated[int, Field(ge=1, le=MAX_GENERATION), AfterValidator(_odd)]


@dataclass(frozen=True, slots=True)
class HashedPart:
    """The files of a version folder that one parameter of `config.pbtxt` ties to it.

    `name` is what messages call the files; `digest` returns their SHA-256 as hexadecimal digits.
    """

    name: str
    parameter: str
    digest: Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class VersionFolder:
    """One version of a model: its number, its folder, and the `config.pbtxt` that declares its hashes."""

    version: int
    path: Path
    configuration: Path

    def check(self, parts: Iterable[HashedPart]) -> None:
        """Compares the files with their declared hashes.

        Raises:
            CorruptState: a file cannot be read or has another hash.
        """
        for part in parts:
            declared, found = self._hashes(part.parameter, part.digest)
            if declared != found:
                raise self._foreign(part.name, found, declared)

    def gpu_hash(self) -> str | None:
        """Returns the hash that is declared for the network for GPUs; None where none is declared.

        Raises:
            CorruptState: the network is in the folder and has another hash.
        """
        declared, found = self._hashes(GPU_MODEL_HASH_PARAMETER, gpu_network_hash)
        if found is not None and found != declared:
            raise self._foreign(GPU_MODEL, found, declared)
        return declared

    def _hashes(self, parameter: str, digest: Callable[[Path], str | None]) -> tuple[str | None, str | None]:
        try:
            text = self.configuration.read_text(encoding="utf-8")
            return declared_hashes(text, parameter).get(self.path.name), digest(self.path)
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptState(f"{self.path}: not a whole model version: {error}") from error

    def _foreign(self, name: str, found: str | None, declared: str | None) -> CorruptState:
        return CorruptState(
            f"{self.path}: the hash of {name} is {found}, but {self.configuration} declares {declared}: "
            "they are not of one export; export the version again"
        )


def find_version(repository: Path, name: str, version: int | None = None) -> VersionFolder:
    """Returns the numbered version of a model; the highest one where no number is given.

    Raises:
        BadSettings: there is no such repository, model or version.
    """
    model = repository / name
    versions = sorted(int(path.name) for path in model.glob("*") if path.name.isdigit() and (path / MODEL).is_file())
    if not versions:
        cure = f"; `{_MADE_BY[name]}` makes it" if name in _MADE_BY else ""
        raise BadSettings(f"{model}: no model here: expected {name}/<version>/{MODEL} in the model repository{cure}")
    chosen = versions[-1] if version is None else version
    if chosen not in versions:
        raise BadSettings(f"{model}: no version {chosen}: there are {', '.join(map(str, versions))}")
    return VersionFolder(chosen, model / str(chosen), model / CONFIGURATION)


def read_json(folder: Path, name: str, kind: type[ModelDescription]) -> ModelDescription:
    """Reads the description of a version, whether or not the other files of its folder are whole.

    Raises:
        CorruptState: the description cannot be read.
    """
    try:
        return kind.model_validate_json((folder / name).read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptState(f"{folder}: not a whole model version: {error}") from error


def network_hash(folder: Path) -> str:
    """Returns the SHA-256 of the network for CPUs.

    Raises:
        OSError: the file cannot be read.
    """
    with (folder / MODEL).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gpu_network_hash(folder: Path) -> str | None:
    """Returns the SHA-256 of the network for GPUs; None where the folder has none."""
    try:
        with (folder / GPU_MODEL).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def declared_hashes(configuration: str, parameter: str) -> dict[str, str]:
    """Returns the hash of each version that a `config.pbtxt` declares in its parameters `<parameter>_<version>`."""
    pattern = rf'key:\s*"{parameter}_(\d+)"\s*value:?\s*\{{\s*string_value:\s*"([0-9a-f]{{64}})"'
    return dict(re.findall(pattern, configuration))
