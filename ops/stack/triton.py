"""Triton: the server in the nvidia-pytriton wheel, with our OpenVINO backend in place of NVIDIA's ONNX Runtime one.

The repository is the one that NVIDIA's container serves, unchanged: its `backend: "onnxruntime"` finds
`triton_backends/onnxruntime/model.py` here. That backend runs in helper processes with shared memory, which a
killed server may leave behind: the next start clears them, known by a program and a prefix that no other stack has.
"""

import hashlib
import http.client
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.stack.cache import component
from ops.stack.errors import NotInstallable
from ops.stack.part import Part
from ops.stack.ports import HOST
from ops.stack.process import processes_of
from ops.stack.shared import FOLDER, REPOSITORY
from ops.stack.wheels import install_wheels, site_packages

_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_NEWEST_PYTHON = (3, 12)
_SHARED_MEMORY = Path("/dev/shm")


class Triton(Part):
    """The model server; `repository` is served as it was at the start."""

    name = "triton"
    variable = "TAGSTREAM_MODELS"
    port_names = ("grpc", "http", "metrics")

    def __init__(self, folder: Path, repository: Path = REPOSITORY / "triton_models") -> None:
        super().__init__(folder)
        self.repository = repository

    @property
    def specification(self) -> str:
        """`grpc://127.0.0.1:port`."""
        return f"grpc://{HOST}:{self.ports['grpc']}"

    @property
    def metrics_url(self) -> str:
        """Its Prometheus page: batch fill is `nv_inference_count / nv_inference_exec_count`."""
        return f"http://{HOST}:{self.ports['metrics']}/metrics"

    @classmethod
    def install(cls) -> None:
        """The wheels, if the running Python can be embedded."""
        _python_library()
        _environment()

    def prepare(self) -> None:
        """The backends' folder, and no remains of a server that was killed."""
        self._clear()
        server = _server()
        backends = self.folder / "backends"
        shutil.rmtree(backends, ignore_errors=True)
        shutil.copytree(server / "backends" / "python", backends / "python")
        shutil.copy2(server / "python_backend_stubs" / _VERSION / self._helper.name, self._helper)
        shutil.copytree(FOLDER / "triton_backends" / "onnxruntime", backends / "onnxruntime")

    def command(self) -> Sequence[str]:
        """Everything on the loopback; ready only when every model is."""
        return (
            str(_server() / "bin" / "tritonserver"),
            f"--model-repository={self.repository}",
            "--model-control-mode=none",
            "--disable-auto-complete-config",
            "--strict-readiness=true",
            "--exit-on-error=true",
            f"--backend-directory={self.folder / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            f"--grpc-address={HOST}",
            f"--grpc-port={self.ports['grpc']}",
            f"--http-address={HOST}",
            f"--http-port={self.ports['http']}",
            f"--metrics-address={HOST}",
            f"--metrics-port={self.ports['metrics']}",
            "--allow-gpu-metrics=false",
        )

    def environment(self) -> Mapping[str, str]:
        """The wheel's libraries and the interpreter's, and the environment whose packages the backend imports."""
        environment = _environment()
        libraries = f"{site_packages(environment) / 'nvidia_pytriton.libs'}:{_python_library().parent}"
        path = f"{environment / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        variables = {"LD_LIBRARY_PATH": libraries, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return {**super().environment(), **variables}

    def answers(self) -> bool:
        """Whether every model is ready."""
        connection = http.client.HTTPConnection(HOST, self.ports["http"], timeout=1)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """Ends server and helpers at once, and frees their shared memory."""
        super().kill()
        self._clear()

    @property
    def _helper(self) -> Path:
        """The program of this stack's helper processes: a copy of its own."""
        return self.folder / "backends" / "python" / "triton_python_backend_stub"

    @property
    def _prefix(self) -> str:
        return f"tagstream-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}-"

    def _clear(self) -> None:
        for helper in processes_of(self._helper):
            os.kill(helper.pid, signal.SIGKILL)
            helper.wait_gone(self.stop_seconds)
        for region in _SHARED_MEMORY.glob(f"{self._prefix}*"):
            region.unlink(missing_ok=True)


def _environment() -> Path:
    return component("triton", lambda folder: install_wheels("triton.txt", folder))


def _server() -> Path:
    return site_packages(_environment()) / "pytriton" / "tritonserver"


def _python_library() -> Path:
    """The shared library of the running Python, which Triton's helper embeds.

    Raises:
        NotInstallable: this Python was built without one, or is too new.
    """
    if sys.version_info[:2] > _NEWEST_PYTHON:
        raise NotInstallable(
            f"triton needs Python 3.11 or 3.12 and this is {_VERSION}: its helper hands over nothing under numpy 2, "
            "and numpy 1 ends there. Make .venv anew with an older one (make setup PYTHON=/path/to/python3.12)."
        )
    name = f"libpython{_VERSION}.so.1.0"
    configured = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    folders = [configured, Path(sys.base_prefix) / "lib"]
    folders += [folder / (sysconfig.get_config_var("MULTIARCH") or "") for folder in folders]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise NotInstallable(
        f"triton needs {name}, and this Python ({sys.base_prefix}) has none: install it (Debian, Ubuntu: "
        f"apt-get install libpython{_VERSION}) or make .venv anew with a Python built with --enable-shared."
    )
