"""The cache of the servers' files: outside the clone, one folder for each set of pins, built once by the first user.

`${XDG_CACHE_HOME:-~/.cache}/tagstream/stack-<hash>/<component>/`, finished when `.complete` lies in it. A folder
without it was interrupted and is built again. Delete the cache at any time when no stack runs.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.stack.shared import FOLDER

# To be raised when what a component's folder holds changes without its pins.
_LAYOUT = b"2"
PINS = ("shared.env", "jars.lock", "java.txt", "triton.txt", "Launcher.java")


def cache_folder() -> Path:
    """The cache of the present pins."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(b"".join([_LAYOUT, *((FOLDER / name).read_bytes() for name in PINS)])).hexdigest()
    return Path(base).absolute() / "tagstream" / f"stack-{digest[:16]}"


def component(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of a component, which `build` fills where it is not there; processes that ask meanwhile wait.

    Raises:
        NotInstallable: `build` could not; nothing half-made is used later.
    """
    folder = cache_folder() / name
    stamp = folder / ".complete"
    if stamp.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            stamp.touch()
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of that file; the system frees it when the process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
