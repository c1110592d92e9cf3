"""Apache Kafka: one process that is broker and controller, from Maven jars on the wheel's Java.

It answers when it answers an ApiVersions request: the port alone opens before the broker has read its log.
"""

import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ops.stack.cache import component
from ops.stack.errors import StackError
from ops.stack.java import JavaPart, java
from ops.stack.maven import fetch_jars
from ops.stack.ports import HOST
from ops.stack.shared import FOLDER, SHARED, read_env

_API_VERSIONS_REQUEST = struct.pack(">ihhih5s", 15, 18, 0, 1, 5, b"stack")
_LOGGING = """
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


class Kafka(JavaPart):
    """The broker; its address is for every client of the stack."""

    name = "kafka"
    variable = "TAGSTREAM_KAFKA"
    port_names = ("broker", "controller")

    @property
    def specification(self) -> str:
        """`127.0.0.1:port`."""
        return f"{HOST}:{self.ports['broker']}"

    @classmethod
    def fetch(cls) -> None:
        """Some ninety jars."""
        _jars()

    def prepare(self) -> None:
        """`server.properties`, and at the first start a formatted data directory."""
        settings = _broker_settings()
        names = {name: name.removeprefix("KAFKA_").lower().replace("_", ".") for name in settings}
        properties = {names[name]: value for name, value in settings.items() if name.startswith("KAFKA_")} | {
            "listeners": f"PLAINTEXT://{self.specification},CONTROLLER://{HOST}:{self.ports['controller']}",
            "controller.quorum.voters": f"{settings['KAFKA_NODE_ID']}@{HOST}:{self.ports['controller']}",
            "log.dirs": str(self.folder / "data"),
        }
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        self._properties.write_text(text, encoding="utf-8")
        (self.folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def arguments(self) -> Sequence[str]:
        """The broker's main class."""
        memory = ("-Xms128m", f"-Xmx{SHARED['KAFKA_HEAP']}")
        return (*memory, *self._class_path(), "kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        """Whether it answers an ApiVersions request without an error."""
        try:
            with socket.create_connection((HOST, self.ports["broker"]), timeout=1) as connection:
                connection.sendall(_API_VERSIONS_REQUEST)
                answer = connection.recv(10)
        except OSError:
            return False
        # Length, correlation id, error code.
        return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _class_path(self) -> tuple[str, ...]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return (logging, "-cp", f"{_jars()}/*")

    def _format(self) -> None:
        options = ("format", "-t", _broker_settings()["CLUSTER_ID"], "-c", str(self._properties))
        command = (str(java()), *self._class_path(), "kafka.tools.StorageTool", *options)
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise StackError(
                f"kafka cannot make its data directory {self.folder / 'data'}:\n{answer.stdout}{answer.stderr}"
            )


def _broker_settings() -> dict[str, str]:
    return read_env(FOLDER / "kafka.env")


def _jars() -> Path:
    return component("kafka", lambda folder: fetch_jars("kafka", folder))
