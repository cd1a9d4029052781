"""The sandbox's pictures. They are drawn when they are needed, and are the same for the same key.

    render("0/17/0", "fear", (480, 360))     # the bytes of a JPEG

A cue decides palette, shapes and texture: joy is warm, bright and round; fear dark, cold and upright; anger
red, sharp and slanted; disgust brown-green with blotches; "dark" lies between fear and disgust. Exposure,
tint, everyday colours and grain vary at random, so that no simple pixel statistic tells the cue. All
positions are relative, so the same key at another size is a near-duplicate.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from collectors.sandbox.generated import stable
from collectors.sandbox.generated.posts import Format, ImageCue

Colours = NDArray[np.float32]

PALETTES: dict[ImageCue, list[tuple[int, int, int]]] = {
    "joy": [(250, 214, 96), (255, 170, 92), (140, 205, 240), (250, 180, 190), (190, 226, 130)],
    "fear": [(22, 28, 46), (40, 50, 66), (12, 14, 20), (58, 70, 88), (34, 44, 44)],
    "anger": [(184, 34, 26), (226, 92, 30), (74, 16, 16), (150, 44, 40), (36, 24, 24)],
    "disgust": [(104, 88, 40), (132, 66, 48), (86, 98, 44), (150, 118, 76), (72, 44, 34)],
    "dark": [(40, 40, 36), (66, 58, 46), (30, 36, 40), (80, 64, 50), (50, 54, 42)],
}
#: Colours of any photograph: walls, wood, skin, sky, screens.
EVERYDAY = [
    (128, 126, 122),
    (196, 186, 170),
    (110, 86, 66),
    (214, 170, 140),
    (150, 180, 205),
    (238, 238, 236),
]

_GRAIN_SIDE = 1024


def render(
    key: str,
    cue: ImageCue,
    size: tuple[int, int] = (480, 360),
    image_format: Format = "jpeg",
    quality: int = 82,
    detail: float = 1.0,
) -> bytes:
    """Draw a picture and encode it. `detail` scales the grain, and with it the size of a JPEG."""
    out = io.BytesIO()
    if image_format == "jpeg":
        draw(key, cue, size, detail).save(out, "JPEG", quality=quality)
    elif image_format == "webp":
        draw(key, cue, size, detail * 0.5).save(out, "WEBP", quality=quality, method=0)
    elif image_format == "png":
        # No grain: PNG can't compress noise, and screenshots have none.
        draw(key, cue, size, 0.0).save(out, "PNG", compress_level=3)
    else:
        still = draw(key, cue, size, 0.0)
        frames = [
            ImageChops.offset(still, step * size[0] // 24, 0).quantize(32, Image.Quantize.FASTOCTREE)
            for step in range(3)
        ]
        frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=0)
    return out.getvalue()


def draw(key: str, cue: ImageCue, size: tuple[int, int], detail: float = 1.0) -> Image.Image:
    """Draw a picture. The random numbers don't depend on the size."""
    rng = np.random.Generator(np.random.PCG64(stable.number("picture", key)))
    palette = _palette(cue, rng)
    image = _background(cue, palette, rng).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    _clutter(pen, size, rng)
    if cue == "joy":
        _discs(pen, size, palette, rng)
    elif cue == "anger":
        _shards(pen, size, palette, rng)
    if cue == "fear" or cue == "dark":
        _trunks(pen, size, palette, rng)
    if cue == "disgust" or cue == "dark":
        _blotches(pen, size, palette, rng)
    amplitude = float(rng.uniform(2, 4.5)) * detail
    left, top = (int(x) for x in rng.integers(0, 192, 2))
    return _with_grain(image, amplitude, left, top) if amplitude >= 1 else image


def _palette(cue: ImageCue, rng: np.random.Generator) -> Colours:
    """Return the cue's colours with a random exposure and tint, mixed with everyday ones."""
    colours = np.asarray(PALETTES[cue], dtype=np.float32)
    everyday = np.asarray(EVERYDAY, dtype=np.float32)[rng.integers(0, len(EVERYDAY), len(colours))]
    share = float(rng.uniform(0.0, 0.45))
    mixed = colours * (1 - share) + everyday * share
    if rng.random() < 0.05:  # a black-and-white photograph
        mixed = np.repeat(mixed.mean(axis=1, keepdims=True), 3, axis=1)
    exposure, tint = rng.uniform(0.7, 1.25), rng.uniform(0.9, 1.1, 3)
    return np.clip(mixed * exposure * tint, 0, 255).astype(np.float32)


def _background(cue: ImageCue, palette: Colours, rng: np.random.Generator) -> Image.Image:
    """Return a coarse grid of the palette's colours; enlarged, it looks like a blurred scene."""
    picks = palette[rng.integers(0, len(palette), (7, 9))]
    grid = picks * 0.5 + palette.mean(axis=0) * 0.5 + rng.normal(0, 8, (7, 9, 3))
    rows, columns = np.mgrid[-1:1:7j, -1:1:9j]
    slope = rng.normal(0, 12, 2)
    grid += (rows * slope[0] + columns * slope[1])[..., None]
    if cue == "fear":  # dark corners
        grid *= (1.1 - 0.3 * (rows**2 + columns**2))[..., None]
    return Image.fromarray(np.clip(grid, 0, 255).astype(np.uint8))


def _colour(palette: Colours, rng: np.random.Generator, shift: float = 0.0) -> tuple[int, int, int]:
    red, green, blue = np.clip(palette[rng.integers(len(palette))] + shift, 0, 255)
    return int(red), int(green), int(blue)


def _clutter(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    """Draw objects that any photograph may show."""
    everyday = np.asarray(EVERYDAY, dtype=np.float32)
    for _ in range(int(rng.integers(0, 4))):
        x, y, w, h = rng.uniform(0, 0.8), rng.uniform(0, 0.8), rng.uniform(0.08, 0.4), rng.uniform(0.08, 0.4)
        box = (x * size[0], y * size[1], (x + w) * size[0], (y + h) * size[1])
        colour = _colour(everyday, rng, shift=float(rng.uniform(-90, 10)))
        if rng.random() < 0.5:
            pen.rectangle(box, fill=colour)
        else:
            pen.ellipse(box, fill=colour)


def _discs(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: Colours, rng: np.random.Generator
) -> None:
    """Balloons and faces: large, round, bright."""
    for _ in range(int(rng.integers(3, 8))):
        x, y, r = rng.uniform(0, 1) * size[0], rng.uniform(0, 1) * size[1], rng.uniform(0.04, 0.16) * size[1]
        pen.ellipse((x - r, y - r, x + r, y + r), fill=_colour(palette, rng, 25))
        pen.arc((x - r / 2, y - r / 2, x + r / 2, y + r / 2), 20, 160, fill=(80, 40, 30), width=3)


def _trunks(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: Colours, rng: np.random.Generator
) -> None:
    """Upright dark shapes, and sometimes a pale disc or two eyes."""
    for _ in range(int(rng.integers(3, 8))):
        x, w, top = rng.uniform(0, 1) * size[0], rng.uniform(0.01, 0.06) * size[0], rng.uniform(0, 0.5)
        foot = [(x - w, size[1]), (x + w, size[1]), (x + w / 3, top * size[1]), (x - w / 3, top * size[1])]
        pen.polygon(foot, fill=_colour(palette, rng, -30))
    x, y, r = rng.uniform(0.1, 0.9) * size[0], rng.uniform(0.1, 0.5) * size[1], 0.03 * size[1]
    if rng.random() < 0.5:
        for side in (-2.0, 2.0):
            pen.ellipse((x + side * r - r, y - r, x + side * r + r, y + r), fill=(206, 206, 190))


def _shards(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: Colours, rng: np.random.Generator
) -> None:
    """Sharp triangles and slanted strokes."""
    for _ in range(int(rng.integers(4, 10))):
        x, y = rng.uniform(0, 1) * size[0], rng.uniform(0, 1) * size[1]
        reach, lean = rng.uniform(0.1, 0.3) * size[0], rng.uniform(0.5, 1.5)
        corners = [(x, y), (x + reach, y - reach * lean), (x + reach * 0.3, y + reach * 0.2)]
        pen.polygon(corners, fill=_colour(palette, rng, 10))
        pen.line((x, y, x - reach, y + reach * lean), fill=_colour(palette, rng, -40), width=4)


def _blotches(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], palette: Colours, rng: np.random.Generator
) -> None:
    """Many small irregular spots around one place."""
    cx, cy = rng.uniform(0.25, 0.75, 2)
    for x, y, r, stretch in rng.normal((cx, cy, 0.03, 1.0), (0.2, 0.2, 0.012, 0.3), (24, 4)):
        radius = max(0.006, abs(r)) * size[1]
        box = (x * size[0] - radius * (0.5 + abs(stretch)), y * size[1] - radius)
        pen.ellipse(
            (*box, x * size[0] + radius * (0.5 + abs(stretch)), y * size[1] + radius),
            fill=_colour(palette, rng, float(rng.uniform(-25, 25))),
        )


@functools.lru_cache(maxsize=64)
def _grain(amplitude: int) -> Image.Image:
    """Return a square of noise around 128, blurred a little as a sensor's is."""
    rng = np.random.Generator(np.random.PCG64(stable.number("grain", amplitude)))
    noise = rng.normal(0, amplitude, (_GRAIN_SIDE, _GRAIN_SIDE)).astype(np.float32)
    noise = noise + 0.6 * np.roll(noise, 1, axis=0) + 0.6 * np.roll(noise, 1, axis=1)
    return Image.fromarray(np.clip(noise + 128, 0, 255).astype(np.uint8))


def _with_grain(image: Image.Image, amplitude: float, left: int, top: int) -> Image.Image:
    grain = _grain(round(amplitude)).crop((left, top, left + image.width, top + image.height))
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)
