"""Two random views of each image: how they are drawn, and their features."""

import hashlib
import io
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from affectory.encoders.feature_cache import caches
from affectory.encoders.image import views
from affectory.encoders.image.backbones import Backbone, Network
from affectory.encoders.image.features import extract
from affectory.encoders.image.pixels import ImageRef
from affectory.encoders.image.views import two_views, view

SIDE = 16


class Colours(nn.Module):
    """The mean of each colour and the brightest red: 4 features."""

    def forward(self, pixels):
        return torch.cat([pixels.mean((2, 3)), pixels[:, :1].amax((2, 3))], 1)


def squashed(image):
    assert image.size == (SIDE, SIDE)  # a view needs no resizing
    return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1) / 255


def plain():
    return Backbone("colours", 4, "0" * 16, "0" * 64, Network(Colours(), squashed, "squash to 16", SIDE))


def network():
    return two_views(plain())


def picture(width=40, height=30, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def ref(number):
    out = io.BytesIO()
    picture(seed=number).save(out, "PNG")
    return ImageRef(f"reddit:{number}", hashlib.sha256(out.getvalue()).hexdigest(), out.getvalue)


def test_views_are_drawn_by_the_digest_of_the_file():
    made, image = network(), picture()
    first, again, other = (made.preprocess(image, digest) for digest in ("a", "a", "b"))
    assert first.shape == (6, SIDE, SIDE)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[:3], first[3:])


def test_features_are_the_network_s_of_each_view():
    made = network()
    pixels = torch.stack([made.preprocess(picture(seed=i), str(i)) for i in range(3)])
    each = [Colours()(pixels[:, at : at + 3]) for at in (0, 3)]
    np.testing.assert_allclose(made.module(pixels), torch.cat(each, 1), rtol=0, atol=1e-6)
    assert (made.width, made.dim, made.name, made.digest) == (4, 8, "colours", "0" * 16)


def test_the_cache_keeps_them_apart_from_other_features_and_gives_the_same_in_every_run(tmp_path):
    images = [ref(number) for number in range(5)]
    first = extract(images, network(), tmp_path / "a")
    turned = extract(images[::-1], network(), tmp_path / "b", batch=2)
    assert first.shape == (5, 8)
    np.testing.assert_array_equal(first, turned[::-1])
    [cache] = caches(tmp_path / "a")
    known = network()
    assert cache.folder.name == known.key
    assert known.key != plain().key
    known.module.forward = None  # a second run asks no network
    np.testing.assert_array_equal(extract(images, known, tmp_path / "a"), first)
    assert known.preprocessing == (
        "2 views by the file's sha256: crop (0.08, 1.0), flip 0.5, jitter 0.8 0.2 0.8, grey 0.2, "
        "blur (0.1, 2.0) 0.5, squash to 16"
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (300, 2), (40, 30)])
def test_every_image_has_views_however_small_or_long(size):
    image = picture(*size)
    for seed in range(20):
        found = view(image, SIDE, Random(seed))
        assert (found.size, found.mode) == ((SIDE, SIDE), "RGB")


@pytest.mark.parametrize(("width", "height"), [(400, 300), (300, 400), (2000, 100)])
def test_a_crop_lies_within_the_image_and_has_a_share_of_it_in_its_proportions(width, height):
    draw = Random(0)
    for _ in range(300):
        left, top, right, bottom = views._crop(width, height, draw)
        across, down = right - left, bottom - top
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert 3 / 4 - 1e-9 <= across / down <= 4 / 3 + 1e-9
        assert across * down / (width * height) <= 1 + 1e-9
        if width < 1000:
            assert across * down / (width * height) >= 0.08 - 1e-9


def test_a_view_without_changes_of_colour_is_the_crop(monkeypatch):
    for name in ("FLIP", "JITTER", "GREY", "BLUR"):
        monkeypatch.setattr(views, name, 0)
    found = view(picture(), SIDE, Random(3))
    box = views._crop(40, 30, Random(3))
    expected = picture().resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    assert found.tobytes() == expected.tobytes()


def test_a_view_is_flipped_greyed_and_blurred_as_often_as_simclr_does(monkeypatch):
    monkeypatch.setattr(views, "JITTER", 0)
    monkeypatch.setattr(views, "_crop", lambda width, height, draw: (0, 0, width, height))
    image = picture(SIDE, SIDE)
    plain, grey = image.tobytes(), 0
    kinds = {"as it is": 0, "flipped": 0}
    for seed in range(400):
        found = view(image, SIDE, Random(seed))
        red, green, blue = found.split()
        grey += red.tobytes() == green.tobytes() == blue.tobytes()
        kinds["as it is"] += found.tobytes() == plain
        kinds["flipped"] += found.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes() == plain
    assert grey / 400 == pytest.approx(0.2, abs=0.06)
    for share in kinds.values():  # neither grey nor blurred: .5 · .8 · .5
        assert share / 400 == pytest.approx(0.2, abs=0.06)


def test_a_hue_that_is_turned_by_a_third_makes_red_green():
    red = Image.new("RGB", (2, 2), (255, 0, 0))
    assert views._turned(red, 0).tobytes() == red.tobytes()
    found = np.array(views._turned(red, 1 / 3))[0, 0]
    assert found[1] == 255 and found[0] < 8 and found[2] < 8
