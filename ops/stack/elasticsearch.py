"""Elasticsearch: one node, from the jars that are published, started by our Launcher on the wheel's Java.

Not a full server: the modules for scripts, by-query updates, lifecycle and security are not published as jars.
"""

import http.client
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ops.stack.cache import component
from ops.stack.errors import NotInstallable
from ops.stack.java import JavaPart, java
from ops.stack.maven import fetch_jars
from ops.stack.ports import HOST
from ops.stack.shared import FOLDER, SHARED

_MODULE = "transport-netty4"
_DESCRIPTION = ("plugin-descriptor.properties", "entitlement-policy.yaml")
_LOGGING = """
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d{ISO8601}][%-5p][%c{1}] %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


class Elasticsearch(JavaPart):
    """The node; plain HTTP, no accounts."""

    name = "elasticsearch"
    variable = "TAGSTREAM_INDEX"
    port_names = ("http", "transport")

    @property
    def specification(self) -> str:
        """`elasticsearch:http://127.0.0.1:port`."""
        return f"elasticsearch:{self.url}"

    @property
    def url(self) -> str:
        """The address for any client."""
        return f"http://{HOST}:{self.ports['http']}"

    @classmethod
    def fetch(cls) -> None:
        """Some fifty jars, and our Launcher, compiled."""
        _home()

    def prepare(self) -> None:
        """The configuration folder, beside empty ones that the node wants."""
        settings = {
            "cluster.name": "stack",
            "discovery.type": "single-node",
            "network.host": HOST,
            "http.port": self.ports["http"],
            "transport.port": self.ports["transport"],
            "path.home": self.folder,
            "path.data": self.folder / "data",
            "path.logs": self.folder / "logs",
            # A developer's disk is often nearly full, which would make every index read-only.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        for name in ("config", "plugins", "data", "logs"):
            (self.folder / name).mkdir(exist_ok=True)
        text = "".join(f"{name}: {value}\n" for name, value in settings.items())
        (self.folder / "config" / "elasticsearch.yml").write_text(text, encoding="utf-8")
        (self.folder / "config" / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")

    def arguments(self) -> Sequence[str]:
        """Our Launcher, with the server on the module path: on the class path it does not start."""
        home = _home()
        return (
            f"-Xms{SHARED['ELASTICSEARCH_HEAP']}",
            f"-Xmx{SHARED['ELASTICSEARCH_HEAP']}",
            "-Des.distribution.type=tar",
            "-Dlog4j2.disable.jmx=true",
            "--enable-native-access=org.elasticsearch.nativeaccess,org.apache.lucene.core",
            "--add-modules=jdk.net,jdk.management.agent,ALL-MODULE-PATH",
            "--module-path",
            str(home / "lib"),
            "-cp",
            str(home / "launcher.jar"),
            "Launcher",
            str(self.folder / "config"),
            str(home / "modules"),
        )

    def answers(self) -> bool:
        """Whether the shards that it stored are back."""
        connection = http.client.HTTPConnection(HOST, self.ports["http"], timeout=3)
        try:
            connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=2s")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _home() -> Path:
    return component("elasticsearch", _build)


def _build(home: Path) -> None:
    """`lib`, `modules` and `launcher.jar`."""
    lib, module = home / "lib", home / "modules" / _MODULE
    lib.mkdir()
    module.mkdir(parents=True)
    fetch_jars("elasticsearch", lib)
    fetch_jars(_MODULE, module)
    for jar in module.glob("*.jar"):
        # A class in two places stops the node.
        if (lib / jar.name).exists():
            jar.unlink()
    with zipfile.ZipFile(module / f"{_MODULE}-{SHARED['ELASTICSEARCH_VERSION']}.jar") as jar_file:
        for name in _DESCRIPTION:
            (module / name).write_bytes(jar_file.read(f"META-INF/es-plugins/{_MODULE}/{name}"))
    compiler = home / "compiler"
    compiler.mkdir()
    fetch_jars("compiler", compiler)
    _compile(compiler, lib)
    # A jar, because an archive of classes takes no folders.
    with zipfile.ZipFile(home / "launcher.jar", "w") as launcher:
        launcher.write(compiler / "Launcher.class", "Launcher.class")
    shutil.rmtree(compiler)


def _compile(compiler: Path, lib: Path) -> None:
    """Our Launcher, by a compiler in a jar: the wheel's Java is a runtime without one."""
    jar = next(compiler.glob("*.jar"))
    command = [str(java()), "-jar", str(jar), "-source", "21", "-target", "21", "-cp", _class_path(lib)]
    command += ["-d", str(compiler), str(FOLDER / "Launcher.java")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise NotInstallable(f"the launcher of elasticsearch does not compile:\n{answer.stdout}{answer.stderr}")


def _class_path(folder: Path) -> str:
    return ":".join(str(jar) for jar in sorted(folder.glob("*.jar")))
