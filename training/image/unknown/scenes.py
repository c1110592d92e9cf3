"""Drawn pictures without writing: cartoons, skies, skylines, patterns, lights, stars and noise.

Each function draws one kind. None of the 200 things is drawn.
"""

import numpy as np
from PIL import Image, ImageFilter

from training.image.unknown.canvas import BLACK, WHITE, Canvas

_SKIN = ((255, 224, 189), (234, 192, 134), (198, 134, 66), (141, 85, 36), (92, 58, 30), (255, 221, 87))


def gradient(canvas: Canvas) -> None:
    """Draws one colour that runs into another."""
    canvas.gradient(canvas.colour(), canvas.colour(), horizontal=canvas.random.random() < 0.5)


def plain(canvas: Canvas) -> None:
    """Draws a picture of one colour, as of a lens that was covered, with a little noise."""
    _add_noise(canvas, canvas.random.choice([0, 2, 6, 12]))


def noise(canvas: Canvas) -> None:
    """Draws noise, fine or coarse, grey or coloured."""
    grain = canvas.random.choice([1, 2, 4, 8, 16])
    channels = canvas.random.choice([1, 3])
    shape = (canvas.height // grain + 1, canvas.width // grain + 1, channels)
    values = _generator(canvas).integers(0, 256, shape, np.uint8)
    image = Image.fromarray(np.broadcast_to(values, (*shape[:2], 3)).copy())
    smooth = canvas.random.random() < 0.5
    canvas.replace(image.resize(canvas.size, Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST))


def clouds(canvas: Canvas) -> None:
    """Draws noise of many scales between two colours: clouds, smoke, marble."""
    generator, total = _generator(canvas), np.zeros((canvas.height, canvas.width))
    for octave in range(1, 7):
        small = Image.fromarray(generator.random((2**octave, 2**octave)).astype(np.float32))
        total += np.asarray(small.resize(canvas.size, Image.Resampling.BICUBIC)) / 2**octave
    total = np.clip((total - total.min()) / np.ptp(total), 0, 1)[..., None]
    mixed = total * np.array(canvas.colour()) + (1 - total) * np.array(canvas.colour())
    canvas.replace(Image.fromarray(mixed.astype(np.uint8)))


def stripes(canvas: Canvas) -> None:
    """Draws a pattern of stripes, straight or slanted."""
    colours, wide = [canvas.colour() for _ in range(canvas.random.randint(2, 5))], canvas.random.randint(3, 40)
    slant = canvas.random.choice([0, 0, 64, 200])
    for number, left in enumerate(range(-slant, canvas.width + slant, wide)):
        corners = [(left, 0), (left + wide, 0), (left + wide - slant, canvas.height), (left - slant, canvas.height)]
        canvas.draw.polygon(corners, colours[number % len(colours)])
    if canvas.random.random() < 0.3:
        canvas.replace(canvas.image.rotate(90).resize(canvas.size))


def tiles(canvas: Canvas) -> None:
    """Draws a wallpaper of squares or discs."""
    side, colours = canvas.random.randint(6, 48), [canvas.colour() for _ in range(canvas.random.randint(2, 4))]
    discs = canvas.random.random() < 0.5
    for row, top in enumerate(range(0, canvas.height, side)):
        for column, left in enumerate(range(0, canvas.width, side)):
            box = (left, top, left + side, top + side)
            shade = colours[(row + column) % len(colours)]
            canvas.draw.ellipse(box, shade) if discs else canvas.draw.rectangle(box, shade)


def confetti(canvas: Canvas) -> None:
    """Draws a heap of shapes of all colours."""
    for _ in range(canvas.random.randint(15, 150)):
        centre, radius = canvas.point(), canvas.across(0.02, 0.15)
        if canvas.random.random() < 0.5:
            canvas.draw.circle(centre, radius, canvas.colour())
        else:
            turn = canvas.random.uniform(0, 90)
            canvas.draw.regular_polygon((*centre, radius), canvas.random.randint(3, 6), turn, canvas.colour())


def scribble(canvas: Canvas) -> None:
    """Draws lines by hand."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    for _ in range(canvas.random.randint(1, 8)):
        points, (x, y) = [], canvas.point()
        for _ in range(canvas.random.randint(10, 60)):
            x, y = x + canvas.random.gauss(0, 14), y + canvas.random.gauss(0, 10)
            points.append((x, y))
        canvas.draw.line(points, canvas.dark(), canvas.random.randint(1, 4), "curve")


def starry_sky(canvas: Canvas) -> None:
    """Draws stars or the lights of a city seen from above, on black."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.random.choice([BLACK, (5, 5, 25), (12, 8, 30)])))
    for _ in range(canvas.random.randint(30, 400)):
        canvas.draw.circle(canvas.point(), canvas.random.expovariate(1.2), canvas.pale())
    canvas.replace(canvas.image.filter(ImageFilter.GaussianBlur(canvas.random.uniform(0, 1.2))))


def bokeh(canvas: Canvas) -> None:
    """Draws lights out of focus in the dark, as of a concert."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.dark()))
    for _ in range(canvas.random.randint(10, 60)):
        layer = Image.new("RGB", canvas.size, canvas.vivid())
        mask = Canvas("", BLACK, canvas.size)
        mask.draw.circle(canvas.point(), canvas.across(0.02, 0.12), (canvas.random.randint(60, 200),) * 3)
        canvas.replace(Image.composite(layer, canvas.image, mask.image.convert("L")))
    canvas.replace(canvas.image.filter(ImageFilter.GaussianBlur(canvas.random.uniform(1, 5))))


def sunset(canvas: Canvas) -> None:
    """Draws an evening sky over a flat dark ground."""
    canvas.gradient(canvas.dark(), (255, canvas.random.randint(90, 200), canvas.random.randint(30, 120)))
    horizon = canvas.random.uniform(0.6, 0.85) * canvas.height
    if canvas.random.random() < 0.6:
        canvas.draw.circle(
            (canvas.random.uniform(0, canvas.width), horizon), canvas.across(0.05, 0.15), (255, 230, 160)
        )
    canvas.draw.rectangle((0, horizon, canvas.width, canvas.height), canvas.dark())
    _add_noise(canvas, 4)


def skyline(canvas: Canvas) -> None:
    """Draws tower blocks with lit windows."""
    canvas.gradient(canvas.colour(), canvas.pale())
    left = 0.0
    while left < canvas.width:
        wide, top = canvas.random.uniform(14, 44), canvas.random.uniform(0.2, 0.8) * canvas.height
        wall, glass = canvas.dark(), canvas.random.choice([(255, 240, 150), (160, 190, 220)])
        canvas.draw.rectangle((left, top, left + wide, canvas.height), wall)
        for y in np.arange(top + 4, canvas.height, 9):
            for x in np.arange(left + 3, left + wide - 4, 7):
                if canvas.random.random() < 0.6:
                    canvas.draw.rectangle((x, y, x + 3, y + 4), glass)
        left += wide + canvas.random.uniform(0, 6)


def cartoon_face(canvas: Canvas) -> None:
    """Draws a face in a few lines: eyes, mouth, hair."""
    skin, radius = canvas.random.choice(_SKIN), canvas.across(0.25, 0.42)
    x, y = canvas.width * canvas.random.uniform(0.4, 0.6), canvas.height * canvas.random.uniform(0.45, 0.55)
    canvas.draw.ellipse((x - 0.95 * radius, y - 1.15 * radius, x + 0.95 * radius, y + 0.2 * radius), canvas.dark())
    canvas.draw.rounded_rectangle(
        (x - 1.6 * radius, y + 0.9 * radius, x + 1.6 * radius, y + 4 * radius), 30, canvas.vivid()
    )
    canvas.draw.ellipse((x - 0.85 * radius, y - 0.9 * radius, x + 0.85 * radius, y + 1.05 * radius), skin)
    for side in (-1, 1):
        eye = (x + side * 0.35 * radius, y - 0.1 * radius)
        canvas.draw.circle(eye, 0.16 * radius, WHITE, BLACK)
        canvas.draw.circle(eye, 0.07 * radius, BLACK)
    smile = canvas.random.choice([(20, 160), (200, 340)])
    canvas.draw.arc((x - 0.4 * radius, y + 0.1 * radius, x + 0.4 * radius, y + 0.75 * radius), *smile, (120, 20, 30), 3)


def crowd(canvas: Canvas) -> None:
    """Draws rows of heads before a bright stage or a pale sky."""
    canvas.gradient(canvas.colour(), canvas.pale())
    row = canvas.random.uniform(0.3, 0.5) * canvas.height
    radius = canvas.random.uniform(4, 8)
    while row < canvas.height + radius:
        left = canvas.random.uniform(-radius, radius)
        while left < canvas.width:
            tone = canvas.random.choice([*_SKIN, canvas.dark(), canvas.dark()])
            canvas.draw.ellipse(
                (left - 1.5 * radius, row + radius, left + 1.5 * radius, row + 5 * radius), canvas.colour()
            )
            canvas.draw.circle((left, row), radius, tone)
            left += canvas.random.uniform(2.2, 3.4) * radius
        row, radius = row + 2.2 * radius, radius * 1.25
    canvas.replace(canvas.image.filter(ImageFilter.GaussianBlur(canvas.random.uniform(0, 1.5))))


def cartoon_scene(canvas: Canvas) -> None:
    """Draws figures of a cartoon with thick outlines in a flat room."""
    floor = canvas.random.uniform(0.55, 0.8) * canvas.height
    canvas.draw.rectangle((0, floor, canvas.width, canvas.height), canvas.colour())
    for _ in range(canvas.random.randint(1, 4)):
        x, head, skin = (
            canvas.random.uniform(20, canvas.width - 20),
            canvas.across(0.06, 0.14),
            canvas.random.choice(_SKIN),
        )
        top = floor - canvas.random.uniform(3, 5) * head
        canvas.draw.rounded_rectangle((x - head, top + head, x + head, floor), head / 2, canvas.vivid(), BLACK, 2)
        for side in (-1, 1):
            canvas.draw.line((x + side * head, top + 1.6 * head, x + side * 2.2 * head, top + 3 * head), BLACK, 4)
            canvas.draw.line((x + side * head / 2, floor, x + side * head / 2, floor + 2 * head), BLACK, 5)
        canvas.draw.circle((x, top), 1.1 * head, skin, BLACK, 2)
        for side in (-1, 1):
            canvas.draw.circle((x + side * 0.4 * head, top), 0.25 * head, WHITE, BLACK)


def abstract(canvas: Canvas) -> None:
    """Draws wide strokes of paint that run into each other."""
    for _ in range(canvas.random.randint(6, 30)):
        points = [canvas.point() for _ in range(canvas.random.randint(2, 4))]
        canvas.draw.line(points, canvas.colour(), canvas.random.randint(4, 40), "curve")
    canvas.replace(canvas.image.filter(ImageFilter.ModeFilter(canvas.random.choice([1, 5, 9]))))
    canvas.replace(canvas.image.filter(ImageFilter.GaussianBlur(canvas.random.uniform(0, 4))))


def _generator(canvas: Canvas) -> np.random.Generator:
    return np.random.default_rng(canvas.random.getrandbits(64))


def _add_noise(canvas: Canvas, deviation: float) -> None:
    noisy = np.asarray(canvas.image) + _generator(canvas).normal(0, deviation, (canvas.height, canvas.width, 3))
    canvas.replace(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))
