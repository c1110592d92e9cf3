"""A canvas for drawn pictures: chance, colours, words and lettering. What is drawn is in `drawn.py` and `scenes.py`."""

from collections.abc import Sequence
from math import cos, sin, tau
from random import Random

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
_CONSONANTS, _VOWELS = "bcdfghklmnprstvwz", "aeio"
_SHAPES = ((256, 192), (192, 256), (256, 256), (256, 144), (144, 256), (256, 171))


class Canvas:
    """One picture in the making. Equal seeds draw equal pictures."""

    def __init__(self, seed: str, background: Colour | None = None, size: tuple[int, int] | None = None) -> None:
        self.random = Random(seed)
        self.size = size or self.random.choice(_SHAPES)
        self.image = Image.new("RGB", self.size, background or self.colour())
        self.draw = ImageDraw.Draw(self.image)

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.size[0]

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.size[1]

    def replace(self, image: Image.Image) -> None:
        """Goes on with another picture of the same size."""
        self.image = image
        self.draw = ImageDraw.Draw(image)

    def colour(self) -> Colour:
        """Returns any colour."""
        return (self.random.randrange(256), self.random.randrange(256), self.random.randrange(256))

    def pale(self) -> Colour:
        """Returns a colour near white."""
        return (self.random.randint(215, 255), self.random.randint(215, 255), self.random.randint(215, 255))

    def dark(self) -> Colour:
        """Returns a colour near black."""
        return (self.random.randint(0, 70), self.random.randint(0, 70), self.random.randint(0, 70))

    def vivid(self) -> Colour:
        """Returns a saturated colour."""
        channels = [self.random.randint(180, 255), self.random.randint(0, 80), self.random.randrange(256)]
        self.random.shuffle(channels)
        return (channels[0], channels[1], channels[2])

    def point(self) -> Point:
        """Returns a point of the picture."""
        return self.random.uniform(0, self.width), self.random.uniform(0, self.height)

    def across(self, least: float, most: float) -> float:
        """Returns a length between two shares of the shorter side."""
        return self.random.uniform(least, most) * min(self.size)

    def word(self) -> str:
        """Returns a word of no language."""
        return "".join(
            self.random.choice(_CONSONANTS) + self.random.choice(_VOWELS) for _ in range(self.random.randint(1, 4))
        )

    def words(self, count: int) -> str:
        """Returns words, the first with a capital."""
        return " ".join(self.word() for _ in range(count)).capitalize()

    def text(self, at: Point, text: str, size: float, colour: Colour, *, outline: int = 0) -> None:
        """Writes from the top left corner `at`; an outline is black."""
        self.draw.text(at, text, colour, _font(size), stroke_width=outline, stroke_fill=BLACK)

    def centred(self, height: float, text: str, size: float, colour: Colour, *, outline: int = 0) -> None:
        """Writes one line in the middle of the picture's width."""
        font = _font(size)
        self.draw.text(
            (self.width / 2, height), text, colour, font, anchor="ma", stroke_width=outline, stroke_fill=BLACK
        )

    def paragraph(self, left: float, top: float, right: float, bottom: float, size: float, colour: Colour) -> None:
        """Fills a box with lines of words, each a line's width long or shorter."""
        while top + size < bottom:
            line = self.words(self.random.randint(3, 16))
            letters = max(int((right - left) / (0.55 * size)), 1)
            self.text((left, top), line[:letters], size, colour)
            top += 1.35 * size

    def gradient(self, first: Colour, last: Colour, *, horizontal: bool = False) -> None:
        """Fills the picture with a run of one colour into another."""
        ramp = Image.linear_gradient("L")
        if horizontal:
            ramp = ramp.transpose(Image.Transpose.ROTATE_90)
        self.replace(
            Image.composite(
                Image.new("RGB", self.size, last), Image.new("RGB", self.size, first), ramp.resize(self.size)
            )
        )

    def blob(self, centre: Point, radius: float, colour: Colour, corners: int = 12) -> None:
        """Draws a shape with an uneven edge."""
        self.draw.polygon(self.outline(centre, radius, corners), colour)

    def outline(self, centre: Point, radius: float, corners: int) -> Sequence[Point]:
        """Returns corners around a centre, each at a distance of its own."""
        return [
            (
                centre[0] + radius * self.random.uniform(0.6, 1.2) * cos(tau * corner / corners),
                centre[1] + radius * self.random.uniform(0.6, 1.2) * sin(tau * corner / corners),
            )
            for corner in range(corners)
        ]


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Pillow's own, so that the pictures do not depend on the fonts of the machine.
    return ImageFont.load_default(max(size, 6))
