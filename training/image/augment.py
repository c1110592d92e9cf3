"""Random views of a batch of pictures, all at once as tensors: crop, mirror, colour, a patch taken out.

Owns what may be done to a picture without changing what it shows. All chance comes from the generator it is given, so
that an epoch can be repeated.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """`smallest_area`: the least share of a picture that a square crop shows; crops are stretched by up to a sixth, and
    where that leads over the edge, as much is lost. `colour`: how far brightness, contrast and saturation are scaled,
    0.3 meaning 0.7 to 1.3. `erase`: the probability that a patch of up to half a side is hidden.
    """

    smallest_area: float
    colour: float
    erase: float


def views(pixels: Tensor, side: int, augmentation: Augmentation, chance: torch.Generator) -> Tensor:
    """Returns (B, 3, side, side) on the scale 0 to 255, a random view of each of `pixels` (B, H, W, 3) uint8."""
    pictures = pixels.permute(0, 3, 1, 2).float()
    pictures = _crop(pictures, side, augmentation.smallest_area, chance)
    pictures = _recolour(pictures, augmentation.colour, chance)
    return _erase(pictures, augmentation.erase, chance)


def _uniform(count: int, low: float, high: float, chance: torch.Generator) -> Tensor:
    return torch.rand(count, generator=chance) * (high - low) + low


def _crop(pictures: Tensor, side: int, smallest_area: float, chance: torch.Generator) -> Tensor:
    """A part of every picture, stretched to `side` by bilinear sampling; half of them mirrored."""
    count = len(pictures)
    area = _uniform(count, smallest_area, 1, chance)
    ratio = torch.exp(_uniform(count, math.log(3 / 4), math.log(4 / 3), chance) / 2)
    width, height = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    left, top = ((1 - extent) * _uniform(count, -1, 1, chance) for extent in (width, height))
    mirror = torch.where(torch.rand(count, generator=chance) < 0.5, -1.0, 1.0)
    transform = torch.zeros(count, 2, 3)
    transform[:, 0, 0], transform[:, 0, 2] = width * mirror, left
    transform[:, 1, 1], transform[:, 1, 2] = height, top
    grid = functional.affine_grid(transform, [count, 3, side, side], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _recolour(pictures: Tensor, strength: float, chance: torch.Generator) -> Tensor:
    brightness, contrast, saturation = (
        _uniform(len(pictures), 1 - strength, 1 + strength, chance).view(-1, 1, 1, 1) for _ in range(3)
    )
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (pictures - grey) * saturation
    middle = grey.mean((2, 3), keepdim=True)
    return ((middle + (pictures - middle) * contrast) * brightness).clamp(0, 255)


def _erase(pictures: Tensor, probability: float, chance: torch.Generator) -> Tensor:
    """A square patch replaced by the picture's mean colour."""
    count, side = len(pictures), pictures.shape[-1]
    half = _uniform(count, 0.1, 0.25, chance) * side * (torch.rand(count, generator=chance) < probability)
    rows, columns = (_uniform(count, 0, side, chance).view(-1, 1) for _ in range(2))
    positions = torch.arange(side) + 0.5
    inside = ((positions - rows).abs() < half.view(-1, 1))[:, None, :, None] & (
        (positions - columns).abs() < half.view(-1, 1)
    )[:, None, None, :]
    return torch.where(inside, pictures.mean((2, 3), keepdim=True), pictures)
