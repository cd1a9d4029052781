"""Pictures to keep, and what became of them."""

import functools
import io
from pathlib import Path

import pytest
from PIL import Image, features

from collectors.crawl.decode import ImagePolicy, keep

ROOT = Path(__file__).parents[2]
ORIGINALS = ROOT.parent / "shared" / "data" / "met_meme" / "originals"
URL = "https://i.redd.it/rrinwcmrxzug1.jpg"
ORIENTED = Image.Exif()
ORIENTED[0x112] = 6  # turn it by 90 degrees to the right
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


@functools.cache
def picture(size=(400, 300)):
    """Red grows to the right, green downwards."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (across, down, Image.new("L", size, 90)))


def encoded(image, image_format, **options):
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def moving(image_format, **options):
    frames = [picture().rotate(angle) for angle in (9, 18)]
    return encoded(picture(), image_format, save_all=True, append_images=frames, **options)


def kept(folder, data, url=URL, **policy):
    """Keep an image: its outcome, and the file's bytes."""
    outcome = keep(data, url, folder, 7, ImagePolicy(**policy))
    assert list((folder / "media" / "tmp").iterdir()) == []
    if outcome.status != "stored":
        assert files(folder) == []
        return outcome, None
    (path,) = files(folder)
    return outcome, path.read_bytes()


def files(folder):
    return [path for path in (folder / "media").rglob("*") if path.is_file()]


def shown(outcome):
    return outcome.mime, outcome.width, outcome.height, outcome.frames


@functools.cache
def slow_jpeg(side=1000):
    """A grey JPEG that costs seconds: its last scan, which refines nothing, is there 10,000 times."""
    data = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    end = data[-2:]
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + 10_000 * scan + end
