"""Feature CRFs: Stanford NER and T-NER, a linear-chain conditional random field over features that people thought of.

Stanford NER (Finkel et al. 2005), the row "Stanford NER", and T-NER (Ritter et al. 2011), the row "T-NER" of Zhang et
al. 2018, table 2, who trained both on their tweets.

::

    tokens (T) ─▶ names of features (T, about 30 or 40) ─▶ CRF by L-BFGS ─▶ tags (T)

`features = "stanford"`: word, neighbours, beginnings and ends of up to six characters, shapes and their sequences,
words within four tokens: what the tool's documentation recommends for training. `features = "tner"`: spelling, words
up to three before and two after, name lists of Freebase, Brown clusters of tweets, as in the authors' code.

Departures. No System: it has no tensors and no gradients, so it has an interface of its own. Stanford's type sequences
weigh two tags with two shapes, CRFsuite's features only one: shapes in a row stand with the tag of the middle one.
Stanford's inference over distant tokens (Gibbs sampling) is not in the tool's training recipe either. T-NER finds names
with one CRF and their types with topics (LabeledLDA over Freebase); Zhang et al. trained it on four types, and here one
CRF does both. Its outputs of part-of-speech, chunk and capitalisation taggers are left out, but for whether a tweet has
capitals and small letters at all; two lists that are larger than the rest (persons, places) are not at hand; hashtags,
mentions and links are told apart.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pycrfsuite

from tagstream.errors import BadSettings, CorruptState
from training.inputs.gazetteers import load_name_lists, load_word_clusters
from training.inputs.sentences import Sentence
from training.inputs.token_features import stanford_features, tner_features
from workers.tagger.crf_decoder import TAGS

Features = Callable[[Sequence[str]], list[list[str]]]
_NUMBERS = {tag: number for number, tag in enumerate(TAGS)}
_MAGIC = b"lCRF"


class FeatureCrf:
    """A tagger that learns weights of named features. The same tweets in the same order give the same weights.

    Args:
        features: `stanford` or `tner`.
        c1, c2: weights of the sum of absolute and of squared weights. L-BFGS with c1 > 0 is OWL-QN.
        iterations: at most so many.
        least_count: a feature that is seen less often is left out.

    Attributes:
        parameters: weights that are not zero; 0 before the training.
        iterations_done: of the training.

    Raises:
        BadSettings: there are no such features.
        UnreadableInput: T-NER's lists are not at hand.
    """

    def __init__(
        self, *, features: str, c1: float = 0.1, c2: float = 0.1, iterations: int = 200, least_count: int = 1
    ) -> None:
        self.features = features_by_name(features)
        self.settings = {
            "c1": c1,
            "c2": c2,
            "max_iterations": iterations,
            "feature.minfreq": least_count,
            # Tags that never follow each other in training get a weight against it.
            "feature.possible_transitions": True,
        }
        self.parameters, self.iterations_done = 0, 0
        self._weights = b""
        self._tagger: Any = pycrfsuite.Tagger()

    def fit(self, sentences: Sequence[Sentence]) -> None:
        """Learns from tweets, forgetting what it knew.

        Raises:
            BadSettings: there is no tweet to learn from.
        """
        if not sentences:
            raise BadSettings("a feature CRF cannot be trained on no tweets at all")
        trainer: Any = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        for sentence in sentences:
            trainer.append(self.features(sentence.tokens), [TAGS[tag] for tag in sentence.tags])
        trainer.set_params(self.settings)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights"
            trainer.train(str(path))
            self._open(path.read_bytes(), "the trained weights")
        last = trainer.logparser.last_iteration
        self.parameters, self.iterations_done = int(last["active_features"]), int(last["num"])

    def predict(self, sentences: Sequence[Sentence]) -> list[list[int]]:
        """Returns the tags of each tweet, as numbers in `TAGS`; legal as BIO, an I- that continues nothing read as a
        B-.

        Raises:
            BadSettings: it has neither been trained nor loaded.
        """
        if not self._weights:
            raise BadSettings("a feature CRF answers after `fit` or `load`, not before")
        return [
            legal([_NUMBERS[tag] for tag in self._tagger.tag(self.features(sentence.tokens))]) for sentence in sentences
        ]

    def save(self, path: Path) -> None:
        """Writes the weights, in CRFsuite's own form; the settings are the recipe's."""
        partial_path = path.with_suffix(".partial")
        partial_path.write_bytes(self._weights)
        os.replace(partial_path, path)

    def load(self, path: Path) -> None:
        """Reads what `save` wrote.

        Raises:
            CorruptState: there is no such file, or it is not whole.
        """
        try:
            weights = path.read_bytes()
        except OSError as error:
            raise CorruptState(f"{path}: the weights of the feature CRF cannot be read: {error}") from error
        self._open(weights, str(path))

    def _open(self, weights: bytes, source: str) -> None:
        # CRFsuite reads past the end of a file that was cut off, and the process dies.
        if weights[:4] != _MAGIC or int.from_bytes(weights[4:8], "little") != len(weights):
            raise CorruptState(f"{source}: not the weights of a feature CRF, or not all of them: train it again")
        self._tagger.open_inmemory(weights)
        self._weights = weights


def features_by_name(name: str) -> Features:
    """Returns the function that turns tokens into features."""
    if name == "stanford":
        return stanford_features
    if name == "tner":
        return partial(tner_features, lists=load_name_lists(), clusters=load_word_clusters())
    raise BadSettings(f"{name}: no such features; there are stanford and tner")


def legal(tags: Sequence[int]) -> list[int]:
    """Returns the same tags, with an I- that continues nothing of its type as the B- of it."""
    answers: list[int] = []
    before = 0
    for tag in tags:
        inside = tag > 0 and tag % 2 == 0
        before = tag - 1 if inside and before not in (tag, tag - 1) else tag
        answers.append(before)
    return answers
