"""A row of the table whose system is a feature CRF: trained in one go, without tensors, epochs or a seed.

A run is a folder: `best.crf` (the weights) and `done.json` (what was trained, and what it cost).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tagstream.errors import BadSettings
from training.experiments.recipe import FEATURE_CRF
from training.experiments.trainer import CorpusPart
from training.inputs.sentences import load_sentences
from training.systems.feature_crf import FeatureCrf

SYSTEM = FEATURE_CRF
WEIGHTS = "best.crf"
_DONE = "done.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a training: weights that are not zero, iterations, seconds."""

    parameters: int
    iterations: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PreparedFeatures:
    """A feature CRF ready to answer, in the place of `training.experiments.run.PreparedSystem`."""

    system: FeatureCrf

    def part(self, corpus: str, name: str) -> CorpusPart:
        """Reads one part of any corpus. The system reads tokens as they stand, so there are no tensors."""
        return CorpusPart(load_sentences(corpus, name), ())

    def answers(self, part: CorpusPart) -> list[list[int]]:
        """Returns the tags of each tweet."""
        return self.system.predict(part.sentences)


def train_features(options: dict[str, Any], corpus: str, run: Path, identity: dict[str, Any]) -> Cost:
    """Trains into a folder; what is finished is not trained again.

    Raises:
        BadSettings: the folder is of another run, or an option is not the system's.
    """
    done = run / _DONE
    if done.exists():
        said = json.loads(done.read_bytes())
        if said["identity"] != identity:
            raise BadSettings(
                f"{done} is of another system, recipe, corpus or seed: choose another --run, or delete it"
            )
        return Cost(**said["cost"])
    system = build_features(options)
    sentences = load_sentences(corpus, "train")
    started = time.perf_counter()
    system.fit(sentences)
    cost = Cost(system.parameters, system.iterations_done, time.perf_counter() - started)
    system.save(run / WEIGHTS)
    partial = done.with_suffix(".partial")
    partial.write_text(json.dumps({"identity": identity, "cost": asdict(cost)}), encoding="utf-8")
    partial.replace(done)
    return cost


def restore_features(options: dict[str, Any], run: Path) -> PreparedFeatures:
    """Loads the system as a finished run left it."""
    system = build_features(options)
    system.load(run / WEIGHTS)
    return PreparedFeatures(system)


def build_features(options: dict[str, Any]) -> FeatureCrf:
    """Builds a new system.

    Raises:
        BadSettings: an option is not the system's.
    """
    try:
        return FeatureCrf(**options)
    except TypeError as error:
        raise BadSettings(f"{SYSTEM}: {error}") from error
