"""Two random views of each image by a frozen network, for contrastive pretraining.

    network = two_views(load_backbone("resnet18", squash=True))
    rows = extract(images, network, cache).reshape(-1, VIEWS, network.width)  # float16[n, 2, 512]

Views are those of SimCLR (Chen et al. 2020, appendix A): a random crop, resized to the network's square, a
horizontal flip, colour jitter, grey, blur. They are drawn by the sha256 of the image's file, so that they are
the same in every run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import torch
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor, nn

from affectory.core.rgb import to_rgb
from affectory.encoders.image.backbones import Backbone

#: Views of an image.
VIEWS = 2

#: The share of an image that is seen, and its proportions, width by height.
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)

#: Brightness, contrast and saturation change by up to this factor, the hue by this share of the circle.
STRENGTH, HUE = 0.8, 0.2

#: How often a view is flipped, its colours are changed, it is grey, and it is blurred.
FLIP, JITTER, GREY, BLUR = 0.5, 0.8, 0.2, 0.5

#: Standard deviation of the blur, in pixels of the view.
SIGMA = (0.1, 2.0)

HOW = (
    f"{VIEWS} views by the file's sha256: crop {AREA}, flip {FLIP}, jitter {STRENGTH} {HUE} {JITTER}, "
    f"grey {GREY}, blur {SIGMA} {BLUR}"
)


class _Both(nn.Module):
    """Features of all views, one after the other: float[B, 3 · VIEWS, H, W] -> float[B, VIEWS · D]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features."""
        features = self.network(pixels.unflatten(1, (VIEWS, -1)).flatten(0, 1))
        found: Tensor = features.unflatten(0, (-1, VIEWS)).flatten(1)
        return found


@dataclass(frozen=True)
class ViewNetwork(Backbone):
    """A network that turns an image into `VIEWS` rows of `width` features, of two random views."""

    width: int = 0

    def preprocess(self, image: Image.Image, sha256: str = "") -> Tensor:
        """Return both views of an image, float[3 · VIEWS, side, side]."""
        rgb, draw = to_rgb(image), Random(sha256)
        return torch.cat([self.network.transform(view(rgb, self.side, draw)) for _ in range(VIEWS)])


def two_views(backbone: Backbone) -> ViewNetwork:
    """Return a network whose features are those of two views. `backbone` is one that squashes images."""
    dim = VIEWS * backbone.dim
    how = f"{HOW}, {backbone.preprocessing}"
    network = replace(backbone.network, module=_Both(backbone.module), preprocessing=how, dim=dim)
    return ViewNetwork(
        backbone.name, dim, backbone.digest, backbone.weights_sha256, network, width=backbone.dim
    )


def view(image: Image.Image, side: int, draw: Random) -> Image.Image:
    """Return a random view of an RGB image, `side` pixels wide and high."""
    found = image.resize((side, side), Image.Resampling.BICUBIC, box=_crop(*image.size, draw))
    if draw.random() < FLIP:
        found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if draw.random() < JITTER:
        found = _jittered(found, draw)
    if draw.random() < GREY:
        found = found.convert("L").convert("RGB")
    if draw.random() < BLUR:
        found = found.filter(ImageFilter.GaussianBlur(draw.uniform(*SIGMA)))
    return found


def _crop(width: int, height: int, draw: Random) -> tuple[float, float, float, float]:
    """Return a random box: left, top, right, bottom."""
    for _ in range(10):
        area = width * height * draw.uniform(*AREA)
        ratio = math.exp(draw.uniform(*map(math.log, RATIO)))
        across, down = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if across <= width and down <= height:
            break
    else:  # an image that is too long or too high for most: its middle
        across, down = min(width, height * RATIO[1]), min(height, width / RATIO[0])
        left, top = (width - across) / 2, (height - down) / 2
        return left, top, left + across, top + down
    left, top = draw.random() * (width - across), draw.random() * (height - down)
    return left, top, min(width, left + across), min(height, top + down)


def _jittered(image: Image.Image, draw: Random) -> Image.Image:
    """Return an image with other brightness, contrast, saturation and hue, changed in a random order."""
    changes = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color, None]
    for change in sorted(changes, key=lambda _: draw.random()):
        if change is None:
            image = _turned(image, draw.uniform(-HUE, HUE))
        else:
            image = change(image).enhance(draw.uniform(1 - STRENGTH, 1 + STRENGTH))
    return image


def _turned(image: Image.Image, share: float) -> Image.Image:
    """Return an image whose hues are turned by a share of the circle."""
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + round(256 * share)) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")
