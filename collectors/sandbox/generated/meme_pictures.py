"""The images of the sandbox's memes. They are drawn when they are needed, and are the same for the same key.

    render("0/17", ("celebration", "sarcasm"))     # the bytes of a JPEG

Celebration is confetti and balloons; complaint dim blue light and rain; nostalgia a faded brown print with a
white border; sarcasm a burst of rays behind the subject. One image may show several of them. Exposure,
colours, objects, black borders and grain vary at random. All arithmetic is on integers, so that the pixels
are the same on every machine.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Collection
from random import Random

from PIL import Image, ImageChops, ImageDraw

from collectors.sandbox.generated import stable

Colour = tuple[int, int, int]
Point = tuple[int, int]

#: Width and height.
SIZES = [(320, 240), (240, 320), (280, 280), (360, 240)]

#: Colours of any photograph: walls, wood, skin, sky, screens, leaves.
EVERYDAY: list[Colour] = [
    (128, 126, 122),
    (196, 186, 170),
    (110, 86, 66),
    (214, 170, 140),
    (150, 180, 205),
    (232, 232, 230),
    (96, 120, 84),
    (70, 72, 80),
]
CONFETTI: list[Colour] = [(240, 60, 90), (250, 205, 60), (60, 190, 120), (70, 130, 240), (240, 120, 220)]
RAYS: list[tuple[Colour, Colour]] = [
    ((250, 220, 120), (235, 150, 60)),
    ((170, 215, 245), (90, 140, 210)),
    ((235, 190, 225), (190, 110, 180)),
]

_GRAIN_SIDE = 512


def render(key: str, looks: Collection[str], quality: int = 82) -> bytes:
    """Draw an image and encode it as a JPEG."""
    out = io.BytesIO()
    draw(key, looks).save(out, "JPEG", quality=quality)
    return out.getvalue()


def draw(key: str, looks: Collection[str]) -> Image.Image:
    """Draw an image that shows these tones."""
    rng = stable.stream("meme picture", key)
    size = rng.choice(SIZES)
    exposure = rng.randint(65, 115)
    palette = [_exposed(colour, exposure) for colour in rng.sample(EVERYDAY, 4)]
    image = _background(size, palette, rng)
    pen = ImageDraw.Draw(image)
    if "sarcasm" in looks:
        _rays(pen, size, exposure, rng)
    _objects(pen, size, exposure, rng)
    _subject(pen, size, palette, rng)
    if "celebration" in looks:
        _confetti(pen, size, exposure, rng)
    if "complaint" in looks:
        image = _dimmed(image, rng)
        _rain(ImageDraw.Draw(image), size, rng)
    if "nostalgia" in looks:
        image = _faded(image, rng)
        _border(ImageDraw.Draw(image), size, rng.randint(4, 7), (238, 234, 222))
    elif rng.random() < 0.05:
        image = image.convert("L").convert("RGB")
    if rng.random() < 0.15:
        _border(ImageDraw.Draw(image), size, rng.randint(3, 7), (12, 12, 12))
    left, top = rng.randrange(_GRAIN_SIDE - size[0]), rng.randrange(_GRAIN_SIDE - size[1])
    grain = _grain(rng.randint(2, 6)).crop((left, top, left + size[0], top + size[1]))
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _exposed(colour: Colour, percent: int) -> Colour:
    red, green, blue = (min(255, value * percent // 100) for value in colour)
    return red, green, blue


def _background(size: tuple[int, int], palette: list[Colour], rng: Random) -> Image.Image:
    """Return a coarse grid of the palette's colours; enlarged, it looks like a blurred scene."""
    grid = bytes(value for _ in range(6 * 6) for value in rng.choice(palette))
    return Image.frombytes("RGB", (6, 6), grid).resize(size, Image.Resampling.BICUBIC)


def _objects(pen: ImageDraw.ImageDraw, size: tuple[int, int], exposure: int, rng: Random) -> None:
    """Draw up to five objects that any photograph may show, large and small."""
    for _ in range(rng.randint(0, 5)):
        wide, high = rng.randint(4, 40) * size[0] // 100, rng.randint(4, 40) * size[1] // 100
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        colour = _exposed(rng.choice(EVERYDAY), exposure * rng.randint(50, 110) // 100)
        shape = pen.rectangle if rng.random() < 0.5 else pen.ellipse
        shape((x - wide // 2, y - high // 2, x + wide // 2, y + high // 2), fill=colour)


def _subject(pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: list[Colour], rng: Random) -> None:
    """Draw the one whom the meme is about: head, shoulders, eyes."""
    x, y = size[0] * rng.randint(30, 70) // 100, size[1] * rng.randint(40, 60) // 100
    r = min(size) * rng.randint(12, 22) // 100
    body = _exposed(rng.choice(palette), rng.randint(50, 90))
    pen.ellipse((x - 2 * r, y + r, x + 2 * r, y + 5 * r), fill=body)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=rng.choice(palette), outline=(30, 30, 30))
    for side in (-1, 1):
        pen.ellipse((x + side * r // 2 - 3, y - 4, x + side * r // 2 + 3, y + 2), fill=(20, 20, 20))


def _confetti(pen: ImageDraw.ImageDraw, size: tuple[int, int], exposure: int, rng: Random) -> None:
    """Scatter confetti, few or many pieces, and up to three balloons."""
    for _ in range(rng.randint(0, 3)):
        x, y, r = rng.randrange(size[0]), rng.randrange(size[1] // 2), rng.randint(12, 24)
        pen.line((x, y, x + rng.randint(-8, 8), y + 4 * r), fill=(60, 60, 60))
        pen.ellipse((x - r, y - r, x + r, y + r * 5 // 4), fill=_exposed(rng.choice(CONFETTI), exposure))
    for _ in range(rng.randint(30, 110)):
        x, y, r = rng.randrange(size[0]), rng.randrange(size[1]), rng.randint(2, 6)
        shape = pen.rectangle if rng.random() < 0.6 else pen.ellipse
        shape((x - r, y - r, x + r, y + r), fill=_exposed(rng.choice(CONFETTI), exposure))


def _dimmed(image: Image.Image, rng: Random) -> Image.Image:
    """Return the image under a rainy sky: darker, red most and blue least."""
    share = rng.randint(60, 85)
    factors = (share - 8, share, share + 10)
    return image.point([value * factor // 100 for factor in factors for value in range(256)])


def _rain(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: Random) -> None:
    """Draw slanted pale strokes, few or many."""
    slant, grey = rng.randint(3, 10), rng.randint(130, 200)
    for _ in range(rng.randint(25, 90)):
        x, y, length = rng.randrange(size[0]), rng.randrange(size[1]), rng.randint(10, 28)
        pen.line((x, y, x - slant, y + length), fill=(grey, grey + 10, grey + 25), width=rng.randint(1, 2))


def _faded(image: Image.Image, rng: Random) -> Image.Image:
    """Return the image as an old print: half or wholly brown, with less contrast."""
    grey, lift = image.convert("L"), rng.randint(30, 60)
    brown = [lift + value * share // 100 for share in (76, 66, 50) for value in range(256)]
    print_ = Image.merge("RGB", (grey, grey, grey)).point([min(255, value) for value in brown])
    return ImageChops.add(image, print_, 2) if rng.random() < 0.5 else print_


def _border(pen: ImageDraw.ImageDraw, size: tuple[int, int], percent: int, colour: Colour) -> None:
    width = min(size) * percent // 100
    pen.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=colour, width=width)


def _rays(pen: ImageDraw.ImageDraw, size: tuple[int, int], exposure: int, rng: Random) -> None:
    """Draw rays from one point to the edges: triangles from it to every second stretch of the outline."""
    light, dark = (_exposed(colour, exposure) for colour in rng.choice(RAYS))
    centre = size[0] * rng.randint(35, 65) // 100, size[1] * rng.randint(35, 65) // 100
    count, (wide, high) = rng.randint(5, 9), size
    around = [(x * wide // count, 0) for x in range(count)]
    around += [(wide, y * high // count) for y in range(count)]
    around += [(wide - x * wide // count, high) for x in range(count)]
    around += [(0, high - y * high // count) for y in range(count)]
    pen.rectangle((0, 0, *size), fill=light)
    for number in range(0, len(around), 2):
        _triangle(pen, (centre, around[number], around[number + 1]), dark)


def _triangle(pen: ImageDraw.ImageDraw, corners: tuple[Point, Point, Point], fill: Colour) -> None:
    """Fill a triangle row by row: the pixels of Pillow's polygons differ between its versions 10 and 13."""
    edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    for y in range(min(y for _, y in corners), max(y for _, y in corners) + 1):
        crossed = [
            x0 + (x1 - x0) * (y - y0) // (y1 - y0)
            for (x0, y0), (x1, y1) in edges
            if y0 != y1 and min(y0, y1) <= y <= max(y0, y1)
        ]
        pen.line((min(crossed), y, max(crossed), y), fill=fill)


@functools.lru_cache(maxsize=8)
def _grain(amplitude: int) -> Image.Image:
    """Return a square of noise around 128, of at most `amplitude`."""
    noise = stable.stream("meme grain", amplitude).randbytes(_GRAIN_SIDE * _GRAIN_SIDE)
    spread = [128 + (value * (2 * amplitude + 1) // 256 - amplitude) for value in range(256)]
    return Image.frombytes("L", (_GRAIN_SIDE, _GRAIN_SIDE), noise).point(spread)
