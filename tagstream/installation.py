"""The installation of this copy of tagstream: a clone of the repository or a package; its models, version, commit.

::

    a clone       tagstream/ ingest/ … triton_models/ pyproject.toml    commit: what git says
    a package     site-packages/tagstream/triton_models/ …              commit: tagstream/commit.txt, of the wheel
"""

import subprocess
from pathlib import Path

from tagstream import __version__

_PACKAGE = Path(__file__).resolve().parent
_COMMIT_FILE = _PACKAGE / "commit.txt"
_GIT_SECONDS = 5


def clone() -> Path | None:
    """The folder of the repository that this copy runs from; None where it was installed as a package."""
    parent = _PACKAGE.parent
    return parent if (parent / "pyproject.toml").is_file() and (parent / "triton_models").is_dir() else None


def shipped_models() -> Path:
    """The model repository that ships with tagstream."""
    repository = clone()
    return (repository or _PACKAGE) / "triton_models"


def version_line() -> str:
    """`tagstream 0.1.0 (commit 1a2b3c4d5e6f)`; without the commit where nobody knows it."""
    known = commit()
    return f"tagstream {__version__} (commit {known})" if known else f"tagstream {__version__}"


def commit() -> str | None:
    """The commit of this copy, with `, changed` after it where the files of the clone differ from it."""
    try:
        return _COMMIT_FILE.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        pass
    repository = clone()
    # Of a repository around this one git would tell the commit, too: only a clone's own counts.
    if repository is None or not (repository / ".git").exists():
        return None
    try:
        said = subprocess.run(
            ["git", "-C", str(repository), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=, changed"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="ascii",
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return said.stdout.strip() or None
