"""Tiny taggers as versions of a model repository."""

from pathlib import Path

import numpy as np
from tiny_taggers import VOCABULARY, outspoken_tagger

from training.tagger.export import CalibrationInput, describe, write_version
from workers.tagger.encoding import FEATURE_ROWS, FEATURES


def write_tiny_tagger(repository: Path, name: str, kind: str, version: int = 1, generation: int = 1) -> Path:
    """Exports such a tagger, of `bert` or `mpnet`, as a version of a model repository; returns its folder."""
    network = outspoken_tagger(kind, seed=version)
    folder = repository / name / str(version)
    repository.mkdir(parents=True, exist_ok=True)
    vocabulary = repository / "vocabulary.tmp"
    vocabulary.write_text("\n".join(VOCABULARY) + "\n")
    record = {"recipe": {"encoder": kind}}
    write_version(network, folder, _calibration(), vocabulary, describe(network, generation, record))
    vocabulary.unlink()
    return folder


def _calibration() -> list[CalibrationInput]:
    chance = np.random.default_rng(3)
    return [
        {
            "pieces": chance.integers(1, len(VOCABULARY), (1, length), np.int32),
            "segments": chance.integers(0, 3, (1, length), np.int32),
            "features": chance.integers(1, FEATURE_ROWS, (1, length, FEATURES), np.int32),
        }
        for length in (8, 16, 23, 31, 40, 64)
    ]
