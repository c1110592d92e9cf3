"""Drawn pictures of documents and graphics that feeds are full of: screenshots, memes, charts, maps, flags, logos.

Each function draws one kind. None of the 200 things is drawn.
"""

from math import cos, pi, sin, tau

from PIL import Image, ImageFilter

from training.image.unknown.canvas import BLACK, WHITE, Canvas


def text_page(canvas: Canvas) -> None:
    """Draws a printed page."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    margin, size = canvas.across(0.03, 0.12), canvas.random.uniform(7, 14)
    canvas.text((margin, margin), canvas.words(3), size * 1.6, canvas.dark())
    canvas.paragraph(margin, margin + 3 * size, canvas.width - margin, canvas.height - margin, size, canvas.dark())


def quotation(canvas: Canvas) -> None:
    """Draws a few large words on one colour."""
    dark = canvas.random.random() < 0.5
    canvas.replace(Image.new("RGB", canvas.size, canvas.dark() if dark else canvas.pale()))
    size = canvas.across(0.08, 0.16)
    lines = canvas.random.randint(2, 5)
    top = (canvas.height - 1.4 * size * lines) / 2
    for line in range(lines):
        text = canvas.words(canvas.random.randint(2, 4))
        canvas.centred(top + 1.4 * size * line, text, size, canvas.pale() if dark else canvas.dark())


def chat(canvas: Canvas) -> None:
    """Draws bubbles of a conversation on a telephone."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    canvas.draw.rectangle((0, 0, canvas.width, 24), canvas.vivid())
    canvas.text((8, 6), canvas.words(2), 11, WHITE)
    top, mine, theirs = 32.0, canvas.vivid(), canvas.pale()
    while top < canvas.height:
        height = canvas.random.uniform(18, 50)
        width = canvas.random.uniform(0.3, 0.7) * canvas.width
        own = canvas.random.random() < 0.5
        left = canvas.width - width - 6 if own else 6
        canvas.draw.rounded_rectangle((left, top, left + width, top + height), 8, mine if own else theirs, (200,) * 3)
        canvas.paragraph(left + 6, top + 3, left + width - 6, top + height, 9, canvas.dark())
        top += height + 7


def timeline(canvas: Canvas) -> None:
    """Draws a screenshot of a social network: round pictures, names, lines of text, cards."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.random.choice([WHITE, (21, 32, 43), BLACK])))
    ink = BLACK if canvas.image.getpixel((0, 0)) == WHITE else WHITE
    top = 6.0
    while top < canvas.height:
        canvas.draw.ellipse((6, top, 28, top + 22), canvas.colour())
        canvas.text((34, top), canvas.words(2), 10, ink)
        end = top + canvas.random.uniform(30, 60)
        canvas.paragraph(34, top + 12, canvas.width - 8, end, 8, ink)
        if canvas.random.random() < 0.4:
            canvas.draw.rounded_rectangle((34, end, canvas.width - 10, end + 40), 6, canvas.colour())
            end += 44
        canvas.draw.line((0, end + 4, canvas.width, end + 4), (128, 128, 128))
        top = end + 9


def web_form(canvas: Canvas) -> None:
    """Draws a page with a bar, fields and buttons."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    colour = canvas.vivid()
    canvas.draw.rectangle((0, 0, canvas.width, canvas.across(0.08, 0.2)), colour)
    top = canvas.across(0.22, 0.3)
    while top < canvas.height:
        canvas.text((12, top), canvas.words(2), 9, canvas.dark())
        canvas.draw.rectangle((12, top + 13, canvas.width * 0.7, top + 29), WHITE, (150, 150, 150))
        if canvas.random.random() < 0.5:
            canvas.draw.rounded_rectangle((canvas.width * 0.75, top + 13, canvas.width - 8, top + 29), 4, colour)
        top += canvas.random.uniform(34, 46)


def code_editor(canvas: Canvas) -> None:
    """Draws lines of a program in colours on black."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.dark()))
    colours = [canvas.vivid() for _ in range(4)] + [canvas.pale()]
    top, size = 4.0, canvas.random.uniform(7, 11)
    while top < canvas.height:
        left = 8 + 12 * canvas.random.randint(0, 4)
        for _ in range(canvas.random.randint(0, 6)):
            word = canvas.word()
            canvas.text((left, top), word, size, canvas.random.choice(colours))
            left += int(0.62 * size * (len(word) + 1))
        top += 1.3 * size


def spreadsheet(canvas: Canvas) -> None:
    """Draws a table of numbers."""
    canvas.replace(Image.new("RGB", canvas.size, WHITE))
    columns, rows = canvas.random.randint(3, 7), canvas.random.randint(6, 16)
    wide, high, head = canvas.width / columns, canvas.height / rows, canvas.colour()
    for row in range(rows):
        for column in range(columns):
            left, top = column * wide, row * high
            fill = head if row == 0 else canvas.random.choice([WHITE, WHITE, WHITE, canvas.pale()])
            canvas.draw.rectangle((left, top, left + wide, top + high), fill, (190, 190, 190))
            number = f"{canvas.random.uniform(0, 10 ** canvas.random.randint(1, 5)):,.1f}"
            canvas.text((left + 3, top + 2), number[: int(wide / 5)], 0.6 * high, BLACK)


def meme(canvas: Canvas) -> None:
    """Draws white capitals with a black edge above and below a coloured scene of blobs."""
    for _ in range(canvas.random.randint(3, 9)):
        canvas.blob(canvas.point(), canvas.across(0.1, 0.5), canvas.colour())
    canvas.replace(canvas.image.filter(ImageFilter.GaussianBlur(canvas.random.uniform(0, 6))))
    size = canvas.across(0.1, 0.15)
    canvas.centred(4, canvas.words(3).upper(), size, WHITE, outline=2)
    canvas.centred(canvas.height - 1.4 * size, canvas.words(3).upper(), size, WHITE, outline=2)


def bar_chart(canvas: Canvas) -> None:
    """Draws bars over an axis, with a heading."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    canvas.centred(3, canvas.words(3), 11, canvas.dark())
    count, colour, base = canvas.random.randint(3, 14), canvas.vivid(), canvas.height - 18
    wide = (canvas.width - 30) / count
    for number in range(count):
        top = canvas.random.uniform(24, base - 2)
        fill = colour if canvas.random.random() < 0.8 else canvas.vivid()
        canvas.draw.rectangle((24 + number * wide, top, 24 + (number + 0.8) * wide, base), fill)
    canvas.draw.line((24, 20, 24, base, canvas.width - 4, base), canvas.dark(), 2)


def line_chart(canvas: Canvas) -> None:
    """Draws curves over a grid."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.random.choice([WHITE, canvas.pale(), canvas.dark()])))
    for step in range(1, 8):
        height = canvas.height * step / 8
        canvas.draw.line((0, height, canvas.width, height), (150, 150, 150))
    for _ in range(canvas.random.randint(1, 4)):
        height, points = canvas.random.uniform(0.2, 0.8) * canvas.height, []
        for step in range(40):
            height += canvas.random.gauss(0, 0.04) * canvas.height
            points.append((canvas.width * step / 39, height))
        canvas.draw.line(points, canvas.vivid(), canvas.random.randint(1, 4), "curve")
    canvas.text((8, 4), canvas.words(3), 11, (128, 128, 128))


def pie_chart(canvas: Canvas) -> None:
    """Draws a pie of shares with a legend."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    radius, begin = canvas.across(0.28, 0.45), canvas.random.uniform(0, 360)
    centre = (canvas.width * 0.45, canvas.height * 0.52)
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    shares = [canvas.random.uniform(0.2, 1) for _ in range(canvas.random.randint(3, 7))]
    for number, share in enumerate(shares):
        end, colour = begin + 360 * share / sum(shares), canvas.colour()
        canvas.draw.pieslice(box, begin, end, colour, WHITE)
        canvas.draw.rectangle((canvas.width - 48, 8 + 14 * number, canvas.width - 40, 16 + 14 * number), colour)
        canvas.text((canvas.width - 36, 7 + 14 * number), canvas.word()[:6], 9, canvas.dark())
        begin = end


def street_map(canvas: Canvas) -> None:
    """Draws streets, a park and water from above, with names."""
    canvas.replace(Image.new("RGB", canvas.size, (238, 234, 224)))
    canvas.blob(canvas.point(), canvas.across(0.2, 0.5), (170, 211, 223))
    canvas.blob(canvas.point(), canvas.across(0.1, 0.3), (200, 225, 180))
    for _ in range(canvas.random.randint(8, 22)):
        canvas.draw.line([canvas.point(), canvas.point()], WHITE, canvas.random.randint(2, 6))
    for _ in range(canvas.random.randint(1, 3)):
        canvas.draw.line([canvas.point(), canvas.point(), canvas.point()], (249, 200, 120), 7, "curve")
    for _ in range(canvas.random.randint(3, 8)):
        canvas.text(canvas.point(), canvas.word().title(), 9, (90, 90, 90))


def country_map(canvas: Canvas) -> None:
    """Draws lands of several colours in a sea."""
    canvas.replace(Image.new("RGB", canvas.size, (150, 190, 230)))
    for _ in range(canvas.random.randint(3, 9)):
        corners = canvas.outline(canvas.point(), canvas.across(0.15, 0.45), canvas.random.randint(14, 30))
        canvas.draw.polygon(corners, canvas.colour(), (90, 90, 90))
    for _ in range(canvas.random.randint(2, 6)):
        canvas.text(canvas.point(), canvas.word().title(), 10, BLACK)


def flag(canvas: Canvas) -> None:
    """Draws a flag: stripes, a cross, a disc or a triangle, filling the picture."""
    stripes, upright = canvas.random.randint(2, 7), canvas.random.random() < 0.5
    for number in range(stripes):
        first, last = number / stripes, (number + 1) / stripes
        box = (first * canvas.width, 0, last * canvas.width, canvas.height)
        level = (0, first * canvas.height, canvas.width, last * canvas.height)
        canvas.draw.rectangle(box if upright else level, canvas.random.choice([WHITE, canvas.vivid(), canvas.vivid()]))
    shape, radius = canvas.random.randrange(4), canvas.across(0.15, 0.3)
    middle = (canvas.width / 2, canvas.height / 2)
    if shape == 0:
        canvas.draw.circle(middle, radius, canvas.vivid())
    elif shape == 1:
        canvas.draw.polygon([(0, 0), middle, (0, canvas.height)], canvas.vivid())
    elif shape == 2:
        canvas.draw.line((canvas.width / 3, 0, canvas.width / 3, canvas.height), canvas.vivid(), int(radius))
        canvas.draw.line((0, middle[1], canvas.width, middle[1]), canvas.vivid(), int(radius))


def emblem(canvas: Canvas) -> None:
    """Draws a logo: a simple shape or two, and a name, on one colour."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.random.choice([WHITE, WHITE, BLACK, canvas.colour()])))
    middle = (canvas.width / 2, canvas.height * 0.42)
    for _ in range(canvas.random.randint(1, 3)):
        radius, colour = canvas.across(0.12, 0.36), canvas.vivid()
        sides = canvas.random.randint(3, 8)
        if canvas.random.random() < 0.4:
            canvas.draw.circle(middle, radius, colour)
        elif canvas.random.random() < 0.5:
            canvas.draw.regular_polygon((*middle, radius), sides, canvas.random.uniform(0, 90), colour)
        else:
            star = [
                (middle[0] + r * cos(pi * k / sides), middle[1] + r * sin(pi * k / sides))
                for k in range(2 * sides)
                for r in [radius if k % 2 else radius / 2]
            ]
            canvas.draw.polygon(star, colour)
    canvas.centred(canvas.height * 0.78, canvas.word().upper(), canvas.across(0.1, 0.18), canvas.vivid())


def poster(canvas: Canvas) -> None:
    """Draws an announcement: rays of colour, large letters, a date, small print."""
    first, second = canvas.vivid(), canvas.vivid()
    canvas.replace(Image.new("RGB", canvas.size, first))
    middle, rays = canvas.point(), canvas.random.randint(0, 18)
    for ray in range(rays):
        corners = [middle] + [
            (middle[0] + 400 * cos(tau * angle / rays), middle[1] + 400 * sin(tau * angle / rays))
            for angle in (ray, ray + 0.5)
        ]
        canvas.draw.polygon(corners, second)
    size = canvas.across(0.13, 0.22)
    for line in range(canvas.random.randint(1, 3)):
        canvas.centred(10 + 1.2 * size * line, canvas.word().upper(), size, WHITE, outline=2)
    canvas.centred(canvas.height * 0.65, canvas.words(2), size * 0.6, BLACK)
    canvas.paragraph(20, canvas.height * 0.8, canvas.width - 20, canvas.height - 4, 8, BLACK)


def square_code(canvas: Canvas) -> None:
    """Draws a code of black and white squares for telephones to read."""
    canvas.replace(Image.new("RGB", canvas.size, WHITE))
    count, side = canvas.random.randint(21, 41), canvas.across(0.6, 0.95)
    left, top, step = (canvas.width - side) / 2, (canvas.height - side) / 2, side / count
    for row in range(count):
        for column in range(count):
            if canvas.random.random() < 0.5:
                x, y = left + column * step, top + row * step
                canvas.draw.rectangle((x, y, x + step, y + step), BLACK)
    for x, y in ((0, 0), (count - 7, 0), (0, count - 7)):
        for inset, colour in ((0, BLACK), (1, WHITE), (2, BLACK)):
            corner = (left + (x + inset) * step, top + (y + inset) * step)
            span = (7 - 2 * inset) * step
            canvas.draw.rectangle((*corner, corner[0] + span, corner[1] + span), colour)


def sheet_music(canvas: Canvas) -> None:
    """Draws staves with notes."""
    canvas.replace(Image.new("RGB", canvas.size, canvas.pale()))
    gap = canvas.random.uniform(4, 7)
    top = 3 * gap
    while top + 5 * gap < canvas.height:
        for line in range(5):
            canvas.draw.line((8, top + line * gap, canvas.width - 8, top + line * gap), BLACK)
        left = 20.0
        while left < canvas.width - 16:
            height = top + canvas.random.randint(-1, 9) * gap / 2
            canvas.draw.ellipse((left, height - gap / 2, left + 1.4 * gap, height + gap / 2), BLACK)
            canvas.draw.line((left + 1.4 * gap, height, left + 1.4 * gap, height - 3 * gap), BLACK)
            left += canvas.random.uniform(2, 5) * gap
        top += 9 * gap
