"""Jars by name, through the Maven that is installed and however it is configured, each checked against `jars.lock`.

The lock is in the format of `sha256sum`: a digest and `<set>/<jar>` a line. `python -m ops.stack lock` writes it.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.stack.errors import NotInstallable
from ops.stack.shared import FOLDER, SHARED

LOCK = FOLDER / "jars.lock"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

_KAFKA, _ELASTICSEARCH = SHARED["KAFKA_VERSION"], SHARED["ELASTICSEARCH_VERSION"]
JARS: Mapping[str, Sequence[str]] = {
    "kafka": (
        f"org.apache.kafka:kafka_{SHARED['KAFKA_SCALA_VERSION']}:{_KAFKA}",
        f"org.apache.kafka:kafka-tools:{_KAFKA}",
        # Without a binding the broker logs nothing.
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    ),
    "elasticsearch": (f"org.elasticsearch:elasticsearch:{_ELASTICSEARCH}",),
    "transport-netty4": (f"org.elasticsearch.plugin:transport-netty4:{_ELASTICSEARCH}",),
    "compiler": ("org.eclipse.jdt:ecj:3.42.0",),
}
"""Each set of jars, by the Maven coordinates (group:artifact:version) whose runtime closure it is."""


def fetch_jars(name: str, folder: Path) -> None:
    """Puts the set's jars into `folder`, exactly those of the lock.

    Raises:
        NotInstallable: no Maven, a failed download, or jars other than those of the lock.
    """
    download_jars(name, folder)
    wanted, found = _locked(name), digests(folder)
    if wanted != found:
        wrong = sorted(jar for jar in wanted.keys() | found.keys() if wanted.get(jar) != found.get(jar))
        raise NotInstallable(
            f"the jars of {name} are not those of {LOCK.name}: {', '.join(wrong)}. That is not what was pinned: "
            "ask who runs the mirror, or, after a change of version, write the lock anew (python -m ops.stack lock)."
        )


def download_jars(name: str, folder: Path) -> None:
    """Puts the set's jars into `folder`, unchecked.

    Raises:
        NotInstallable: no Maven, or a failed download.
    """
    if not shutil.which("mvn"):
        raise NotInstallable("mvn is missing: install Maven (Debian, Ubuntu: apt-get install maven).")
    project = folder / "pom.xml"
    project.write_text(_project(JARS[name]), encoding="utf-8")
    command = ["mvn", "-q", "-B", "-f", str(project), PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        lines = (answer.stdout + answer.stderr).strip().splitlines()
        said = "\n".join(f"    {line}" for line in lines[:8])
        raise NotInstallable(f"Maven could not fetch the jars of {name} (check the network, the proxy):\n{said}")
    project.unlink()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each jar in the folder, by its name."""
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


def _locked(name: str) -> dict[str, str]:
    pairs = (line.split() for line in LOCK.read_text(encoding="ascii").splitlines())
    return {path.partition("/")[2]: digest for digest, path in pairs if path.startswith(f"{name}/")}


def _project(coordinates: Sequence[str]) -> str:
    """A Maven project that has nothing but dependencies."""
    tags = ("groupId", "artifactId", "version")
    dependencies = "".join(
        "<dependency>"
        + "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, coordinate.split(":"), strict=True))
        + "</dependency>"
        for coordinate in coordinates
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>stack</groupId>'
        "<artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )
