"""The card of an exported image encoder: what it was made from, how good it is, what it cannot see."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from training.image.unknown.measure import RejectionFigures
from workers.models.image_repository import ImageDescription
from workers.models.version_folder import GPU_MODEL, MODEL

Figures = dict[str, dict[str, float]]

_WIDTH = 120
_GROUPS = {
    "drawn": "drawings: screenshots, memes, charts, maps, flags, logos, cartoons, noise; other kinds than in the fit",
    "destroyed": "pictures of the 200 things whose things were destroyed, in other ways than in the fit",
    "hidden class": "pictures of the 200 things, each with its class hidden from the model",
    "photos": "ordinary photos, judged by eye (`training/image/unknown/photos.toml`)",
    "samples": "photos of the 800 other classes of ImageNet (imagenet-sample-images), none of them in the fit",
}
_LIMITS = """## Limits

- It knows 200 things and nothing else (`labels.json`). Most photos in a feed show none of them, above all people: there
  is no class for a face, a crowd, a flag, a fire, a flood or a screenshot. Such a photo should get no label; the table
  of what it does not know says how many get a wrong one.
- How often a label is right is said of pictures that do show one of the 200. Where most photos show none, most labels
  may be wrong all the same.
- What resembles one of the 200 closely gets its name: a giraffe is a gazelle, an eagle a goose, a dog of another breed
  one of those that it knows.
- It sees 56 x 56 pixels. A thing that is small in a photo is not seen at all; writing cannot be read.
- A label names the one thing that fills the picture. It is a hint to the tagger, never a finding: it names no person,
  no place and no event.
- A photo wider than 4:3 loses its sides, a taller one than 3:4 its ends; less than that is squeezed.
- Neighbouring classes are mixed up (kinds of dogs, cats and butterflies; bridges; bottles; spoons and pans).
- The pictures come from ImageNet: gathered from photo sites before 2011, with its makers' choice of places and people.
- Regions are the features of 8 x 8 pixels each, which saw much of the picture around; no figure here measures them.
"""
_TERMS = """## Terms

The code is under the Apache License 2.0. These weights are learnt from Tiny ImageNet, whose pictures ImageNet gives
out for research and education that earns nothing, and from a MobileNet v2 (Apache-2.0). The files hold no picture.
Research, evaluation and trying tagstream out are what they are shipped for. Whether the data's terms reach any other
use is for its user to decide; weights of another origin can take their place (`docs/how-to/bring-your-own-model.md`).
"""


def write_card(
    folder: Path,
    description: ImageDescription,
    figures: Figures,
    rejected: RejectionFigures | None,
    version: int,
) -> None:
    """Writes `model_card.md`; the figures are those of `training.image.measure`, `rejected` None where nothing is."""
    recipe = description.record["recipe"]
    sizes = {name: f"{figure['megabytes']:.1f}" for name, figure in figures.items()}
    text = f"""# image_encoder, version {version}

What a photo shows, out of 200 things, and features of its 7 x 7 regions. A residual network
(`training/image/network.py`, 2.7 M parameters) over pixels as bytes, which it normalises itself. Generation
{description.generation}: answers with its labels replace those of lower ones.

`{MODEL}`: static int8, {sizes["int8"]} MB, for CPUs. `{GPU_MODEL}`: {sizes["fp16"]} MB, for GPUs (the same weights;
its figures are by float32 arithmetic on a CPU, its answers on a GPU are not measured).

| tensor | shape | what |
|---|---|---|
| `pixels` | rows, 3, 56, 56, uint8 | RGB, the whole picture |
| `logits` | rows, 200 | divided by {description.temperature:g} and through softmax: probabilities |
| `regions` | rows, 49, 256 | row by row from the top left |

## Data and recipe

{_recipe(recipe)}

Made by `python -m training.image.train --run RUN` and `python -m training.image.export --run RUN`. One seed.

## Figures

On the 10,000 validation pictures of Tiny ImageNet, shrunk to 56 x 56, through the code that serves the model. One half
of them chose the temperature and the threshold, and nothing else; labels and calibration are measured on the other. A
label is given from a probability of {description.threshold:.2f} on, so that {description.precision:.0%} are right: the
figures are by the threshold alone, without rejection.

| file | top-1 | top-5 | labels that are right | pictures with a label | calibration error | pictures/s, one core |
|---|---|---|---|---|---|---|
{_rows(figures)}

Speed: the network alone, one picture a call, on a core with AVX512-VNNI and AMX; decoding a thumbnail comes on top.

{_rejection(description, rejected)}{_LIMITS}
{_TERMS}"""
    (folder / "model_card.md").write_text(text, encoding="utf-8")


def _recipe(recipe: Mapping[str, Any]) -> str:
    phases = "; ".join(
        f"epochs at {phase['side']} x {phase['side']}: {phase['epochs']} ("
        + "learning rate up to {peak:g}, planned from epoch {begins} for {horizon}, ".format_map(phase["rate"])
        + ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in phase["augmentation"].items())
        + ")"
        for phase in recipe["phases"]
    )
    settings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in recipe.items() if name != "phases")
    paragraphs = (
        "80,000 pictures of Tiny ImageNet (200 classes of ImageNet, 64 x 64 pixels; research terms). Part of what is "
        "learnt comes from a teacher: a linear layer, fitted out of fold, over the features of a MobileNet v2 trained "
        "on ImageNet-1k (Apache-2.0). Nothing of either is in these files.",
        f"{phases[0].upper()}{phases[1:]}. {settings[0].upper()}{settings[1:]}.",
    )
    return "\n\n".join(fill(paragraph, _WIDTH) for paragraph in paragraphs)


def _rows(figures: Figures) -> str:
    return "\n".join(
        f"| {name} | {figure['top1']:.1%} | {figure['top5']:.1%} | {figure['precision']:.1%} "
        f"| {figure['coverage']:.1%} | {figure['calibration_error']:.3f} | {figure['pictures_a_second']:,.0f} |"
        for name, figure in figures.items()
    )


def _rejection(description: ImageDescription, rejected: RejectionFigures | None) -> str:
    if rejected is None or description.rejection is None:
        return ""
    lines = "\n".join(
        f"| {_GROUPS[name]} | {group.pictures:,} | {group.before / group.pictures:.1%} "
        f"| {group.after / group.pictures:.1%} | {group.low:.1%} to {group.high:.1%} |"
        for name, group in rejected.unknown.items()
    )
    before, after = rejected.before, rejected.after
    log_probability, largest, distance = description.rejection.weights
    paragraphs = (
        "A picture that seems to show none of the 200 things gets no label (`rejection.npz`, `rejection` in "
        f"`labels.json`). Its logits alone decide. It is known if {log_probability:.3g} x the log of its largest "
        f"probability + {largest:.3g} x its largest logit - {distance:.3g} x its Mahalanobis distance to the nearest "
        f"class is at least {description.rejection.least:.2f}.",
        "`python -m training.image.unknown.fit` chose the weights and the limit, so that at most "
        f"{description.rejection.share:.0%} of each group of unknown pictures get a label. On pictures that took no "
        "part in the fit, by the int8 file (`python -m training.image.measure`); the form of the sum and the share "
        "were chosen with figures of such pictures in view:",
    )
    text = "\n\n".join(fill(paragraph, _WIDTH) for paragraph in paragraphs)
    return f"""## What it does not know

{text}

| pictures that show none of the 200 things | count | labelled by the threshold | after rejection | 95 % interval |
|---|---|---|---|---|
{lines}

| pictures of the 200 things | threshold alone | after rejection |
|---|---|---|
| with a right label | {before.right:.1%} | {after.right:.1%} |
| labels that are right | {before.precision:.1%} | {after.precision:.1%} |

"""
