"""Pictures of the 200 things whose things were destroyed: textures, mixtures and scraps that photos might consist of.

Each function takes pixels (count, side, side, 3) uint8 of one or more pictures and gives those of one picture.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageFilter

from training.image.dataset import Pixels

# Pictures that are laid over each other: no thing of any is left to see.
MIXED = 8


def shuffled(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Cuts a picture into 64 squares and lays them in another order."""
    side = pixels.shape[1] // 8
    squares = pixels[0].reshape(8, side, 8, side, 3).swapaxes(1, 2).reshape(64, side, side, 3)
    mixed: Pixels = squares[random.permutation(64)].reshape(8, 8, side, side, 3).swapaxes(1, 2).reshape(pixels[0].shape)
    return mixed


def scrap(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Enlarges a scrap of an eighth of the side: fur, leaves, a wall."""
    picture, side = Image.fromarray(pixels[0]), pixels.shape[1]
    left, top = random.integers(0, side - side // 8, 2).tolist()
    box = (left, top, left + side // 8, top + side // 8)
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))


def blurred(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Blurs a picture until its colours alone are left."""
    return np.asarray(Image.fromarray(pixels[0]).filter(ImageFilter.GaussianBlur(random.uniform(6, 12))))


def mixture(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Lays several pictures over each other, with their contrast raised again."""
    shares = random.dirichlet(np.full(len(pixels), 8.0))
    mixed = np.tensordot(shares, pixels.astype(np.float64), axes=1)
    contrasted: Pixels = np.clip(128 + 1.8 * (mixed - mixed.mean()), 0, 255).astype(np.uint8)
    return contrasted


def scrambled(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Keeps how much a picture holds of each frequency, and scatters where it stands: a texture of its colours."""
    spectrum = np.fft.fft2(pixels[0].astype(np.float64), axes=(0, 1))
    phases = np.fft.fft2(random.random(pixels.shape[1:3]))
    turned = spectrum * (phases / np.maximum(np.abs(phases), 1e-9))[..., None]
    turned[0, 0] = spectrum[0, 0]
    return np.clip(np.fft.ifft2(turned, axes=(0, 1)).real, 0, 255).astype(np.uint8)


KINDS: Mapping[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    function.__name__: function for function in (shuffled, scrap, blurred, mixture, scrambled)
}
