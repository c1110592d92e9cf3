"""Writes `jars.lock` anew, after a change of version in `shared.env` or `maven.py`."""

import tempfile
from pathlib import Path

from ops.stack.maven import JARS, LOCK, digests, download_jars


def write_jar_lock() -> None:
    """Downloads every set of jars and records what came: look at the difference before committing it.

    Raises:
        NotInstallable: no Maven, or a failed download.
    """
    lines = []
    for name in JARS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            download_jars(name, folder)
            lines += [f"{digest}  {name}/{jar}\n" for jar, digest in digests(folder).items()]
    LOCK.write_text("".join(lines), encoding="ascii")
