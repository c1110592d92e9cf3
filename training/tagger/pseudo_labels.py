"""Pseudo-labels: what teachers say of unlabelled tweets, as the probability of each tag at each word.

`python -m training.tagger.pseudo_labels --teacher RUN [--teacher RUN …] --to FILE` tags the tweets of
`training/tagger/unlabelled.py` and writes them with the mean of the teachers' CRF marginals. It goes on where it was
stopped: each teacher's answers are kept beside the file, a chunk at a time.

A student that learns these probabilities learns how sure its teachers are, too (Hinton et al. 2015; for structures
Wang et al., ACL 2020, whose posterior distillation this is).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tagstream.errors import CorruptState
from training.script import run_script
from workers.tagger.crf_decoder import TAGS
from workers.tagger.model_tagger import ModelTagger
from workers.tagger.texts import post_of

_CHUNK = 2000
_POSTS_A_BATCH = 48

HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class PseudoExample:
    """A post with the probability of each tag at each of its words: `marginals` (words, 9)."""

    text: str
    marginals: HalfArray


def write_pseudo_labels(path: Path, texts: Sequence[str], marginals: Sequence[HalfArray]) -> None:
    """Writes texts with their marginals as one archive of numpy."""
    with path.open("wb") as file:
        np.savez(
            file,
            texts=np.frombuffer("\0".join(text.replace("\0", " ") for text in texts).encode(), np.uint8),
            words=np.array([len(one) for one in marginals], np.int32),
            marginals=np.concatenate(marginals) if marginals else np.empty((0, len(TAGS)), np.float16),
        )


def read_pseudo_labels(path: Path) -> list[PseudoExample]:
    """Reads what `write_pseudo_labels` wrote.

    Raises:
        CorruptState: the file cannot be read as such an archive.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            texts = archive["texts"].tobytes().decode().split("\0")
            ends = np.cumsum(archive["words"])
            marginals = archive["marginals"]
    except (OSError, KeyError, ValueError) as error:
        raise CorruptState(f"{path}: not a file of pseudo-labels: {error}: make it again") from error
    if not len(ends):
        return []
    if len(texts) != len(ends) or ends[-1] != len(marginals) or marginals.shape[1] != len(TAGS):
        raise CorruptState(f"{path}: its texts and its probabilities do not belong together: make it again")
    return [PseudoExample(text, one) for text, one in zip(texts, np.split(marginals, ends[:-1]), strict=True)]


def label(texts: Sequence[str], tagger: ModelTagger) -> Iterator[HalfArray]:
    """Yields the marginals of each text, in order; (0, 9) of a text without words or too long for one sequence."""
    for start in range(0, len(texts), _CHUNK):
        prepared = tagger.prepare([post_of(text) for text in texts[start : start + _CHUNK]])
        order = sorted(range(len(prepared)), key=lambda index: prepared[index].length)
        answers = [np.empty((0, len(TAGS)), np.float16)] * len(prepared)
        read = [index for index in order if prepared[index].sequences == 1]
        for first in range(0, len(read), _POSTS_A_BATCH):
            batch = read[first : first + _POSTS_A_BATCH]
            for index, one in zip(batch, tagger.marginals([prepared[index] for index in batch]), strict=True):
                answers[index] = one.astype(np.float16)
        yield from answers
