"""Difference hashes against ImageHash's, and what is hashed of a picture."""

import hashlib
import io
import random as standard_random

import numpy as np
import pytest
from PIL import Image, ImageCms

from affectory.core.image_files import open_image
from affectory.core.rgb import to_rgb
from curation.duplicates.dhash import difference_hash
from curation.recipe.recipe import Images
from curation.rows.pixels import _look_at


def ramps(size=(90, 80)):
    """Red grows to the right, green downwards, blue to the left and downwards."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return Image.fromarray(np.stack([x * 2, y * 3, (x * 7 + y * 5) % 256], axis=2).astype(np.uint8))


def noise(seed=5):
    rng = standard_random.Random(seed)
    return Image.frombytes("RGB", (64, 48), rng.randbytes(64 * 48 * 3))


#: Each picture with `imagehash.dhash(picture)` of ImageHash 4.3.2.
PICTURES = [
    ("ramps", ramps, 0xDDDB_B376_6ECD_D9BB),
    ("noise", noise, 0x9052_2AD2_D694_7633),
    ("grey", lambda: noise().convert("L"), 0x9052_2AD2_D694_7633),
    ("opaque", lambda: noise().convert("RGBA"), 0x9052_2AD2_D694_7633),
    ("palette", lambda: noise().convert("P"), 0x9052_2AD2_D694_7633),
    ("black", lambda: Image.new("RGB", (9, 8)), 0x0),
    ("brighter to the right", lambda: Image.linear_gradient("L").rotate(90), 0xFFFF_FFFF_FFFF_FFFF),
    ("bilevel", lambda: noise().convert("1"), 0x9013_2AD2_9694_7631),
]


@pytest.mark.parametrize(("make", "expected"), [p[1:] for p in PICTURES], ids=[p[0] for p in PICTURES])
def test_a_picture_has_the_hash_that_imagehash_gives_it(make, expected):
    assert f"{difference_hash(to_rgb(make())):016x}" == f"{expected:016x}"


def test_what_is_transparent_is_hashed_over_white():
    black = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    black.paste(noise().crop((16, 12, 48, 36)), (16, 12))
    white = Image.new("RGB", (64, 48), "white")
    white.paste(noise().crop((16, 12, 48, 36)), (16, 12))
    assert difference_hash(to_rgb(black)) == difference_hash(white)


def test_a_tiff_in_lab_is_hashed_like_the_same_picture_in_rgb():
    lab = ImageCms.profileToProfile(
        ramps(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    out = io.BytesIO()
    lab.save(out, "TIFF")
    with open_image(out.getvalue()) as image:
        assert image.mode == "LAB"
        assert (difference_hash(to_rgb(image)) ^ difference_hash(ramps())).bit_count() <= 3


def test_the_first_bit_is_the_top_left_corner():
    image = Image.new("RGB", (9, 8))
    image.putpixel((1, 0), (255, 255, 255))
    assert f"{difference_hash(image):016x}" == "8000000000000000"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_hash_of_a_file_is_that_of_imagehash(tmp_path, mode):
    imagehash = pytest.importorskip("imagehash")
    out = io.BytesIO()
    ramps((900, 700)).convert(mode).save(out, "JPEG", quality=80)
    with open_image(out.getvalue()) as image:
        expected = int(str(imagehash.dhash(to_rgb(image))), 16)
    path = tmp_path / "a.jpg"
    path.write_bytes(out.getvalue())
    seen = _look_at(path, hashlib.sha256(out.getvalue()).hexdigest(), Images(), {})
    assert f"{seen.hash:016x}" == f"{expected:016x}"
