"""Hatchling's hook: what a wheel holds beside the packages.

`tagstream/triton_models/` is the model repository without the networks for GPUs, which are three fifths of its bytes
and which only a Triton beside a clone runs, and without the tagger for GPUs, which its user makes.
`tagstream/commit.txt` says which commit a wheel or a source archive was made from, where git knows it. An editable
install needs neither: it finds both in the clone.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MODELS = "triton_models"
_GPU_TAGGER = "mner_base"
_GPU_NETWORK = ".fp16.onnx"
_COMMIT_FILE = "tagstream/commit.txt"


class PackageHook(BuildHookInterface[Any]):
    """Adds the models and the commit."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        included: dict[str, str] = build_data["force_include"]
        if self.target_name == "wheel":
            included |= self._models()
        if (Path(self.root) / ".git").exists() and (commit := self._commit()):
            self._folder = tempfile.TemporaryDirectory()
            path = Path(self._folder.name) / "commit.txt"
            path.write_text(commit, encoding="ascii")
            included[str(path)] = _COMMIT_FILE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        folder = getattr(self, "_folder", None)
        if folder is not None:
            folder.cleanup()

    def _models(self) -> dict[str, str]:
        root = Path(self.root)
        files = [
            path
            for path in (root / _MODELS).rglob("*")
            if path.is_file() and not path.name.endswith(_GPU_NETWORK) and _GPU_TAGGER not in path.parts
        ]
        return {str(path): f"tagstream/{path.relative_to(root).as_posix()}" for path in files}

    def _commit(self) -> str | None:
        try:
            said = subprocess.run(
                ["git", "-C", self.root, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=, changed"],
                capture_output=True,
                encoding="ascii",
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return said.stdout
