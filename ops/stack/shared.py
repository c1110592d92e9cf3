"""Reads the shared values: lines of KEY=VALUE with comments, as shells and containers read them too."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent.parent


def read_env(path: Path) -> dict[str, str]:
    """The variables of the file, in order."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


SHARED = read_env(FOLDER / "shared.env")
