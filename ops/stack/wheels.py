"""Wheels of a hashed requirement file in an environment of their own, by uv where it is on the PATH, else by pip."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.stack.errors import NotInstallable
from ops.stack.shared import FOLDER


def install_wheels(requirements: str, folder: Path) -> None:
    """Makes `folder` a virtual environment of the running Python that holds exactly those wheels.

    Raises:
        NotInstallable: a failed download, a wrong hash, no venv module.
    """
    python = str(folder / "bin" / "python")
    # Only what the file names: the servers need a tenth of what their wheels ask for.
    wanted = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(FOLDER / requirements)]
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", base_python(), str(folder)])
        _run([uv, "pip", "install", "--python", python, *wanted])
    else:
        _run([base_python(), "-m", "venv", str(folder)])
        _run([python, "-m", "pip", "install", *wanted])


def base_python() -> str:
    """The interpreter behind the running one, which may itself be of a virtual environment."""
    return str(getattr(sys, "_base_executable", sys.executable))


def site_packages(folder: Path) -> Path:
    """Returns the folder of the environment's packages."""
    return folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _run(command: Sequence[str]) -> None:
    hidden = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if answer.returncode:
        said = "\n".join(f"    {line}" for line in (answer.stdout + answer.stderr).strip().splitlines()[-8:])
        raise NotInstallable(f"{' '.join(command[:4])} failed (check the network, the proxy, the disk):\n{said}")
