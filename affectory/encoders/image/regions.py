"""Regions of an image as features and boxes, by a frozen network, for transformers that read image regions.

    network = grid(load_backbone("resnet50"))  # a Backbone whose features are its last feature map
    rows = extract(images, network, cache).reshape(-1, *network.shape)  # float16[n, 49, 2048 + BOX]

A region is a row of `width` features and `BOX` more: its box, x₁, y₁, x₂, y₂ as shares of the image's width
and height, and 1; rows of zeros pad an image with fewer regions than others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.error import URLError

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import RANDOM, Backbone, state_digest
from affectory.encoders.image.network import Network, seeded
from affectory.encoders.image.published_weights import fetch
from affectory.encoders.image.torchvision_import import without_the_compiler

#: The numbers of a region beside its features: four of its box, and 1.
BOX = 5

#: Regions of an image that the detector gives, those with the surest objects first (Tan and Bansal 2019).
MOST = 36

#: At this side every network has a last feature map of more than one cell.
WIDE = 224

#: Height and width to which images are squashed for the detector.
SIDE = 800


@dataclass(frozen=True)
class RegionNetwork(Backbone):
    """A network that turns an image into `regions` regions of `width` features, a row of `dim` numbers."""

    width: int = 0
    regions: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of a row: regions, and the numbers of each."""
        return self.regions, self.width + BOX


class _Reached(Exception):
    """Ends a run of the network at its last feature map."""

    def __init__(self, found: Tensor) -> None:
        self.found = found


class Grid(nn.Module):
    """The cells of a network's last feature map, row by row.

    float[B, 3, H, W] -> float[B, h · w · (D + BOX)]. What follows the map isn't run. `place`: the module that
    gives the map.
    """

    def __init__(self, network: nn.Module, place: str, shape: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        network.get_submodule(place).register_forward_hook(_stop)
        self.register_buffer("boxes", _cells(*shape), persistent=False)

    boxes: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the regions, flattened."""
        try:
            self.network(pixels)
        except _Reached as reached:  # of this thread: several run the network at once
            cells = reached.found.flatten(2).transpose(1, 2)
        boxes = self.boxes.to(cells.dtype).expand(len(cells), -1, -1)
        return torch.cat([cells, boxes], -1).flatten(1)


def _stop(module: nn.Module, given: Any, found: Tensor) -> NoReturn:
    raise _Reached(found)


def _cells(height: int, width: int) -> Tensor:
    """Return the boxes of the cells of a grid, and 1 for each, float[height · width, BOX]."""
    top, left = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    sides = [left / width, top / height, (left + 1) / width, (top + 1) / height, torch.ones(height, width)]
    return torch.stack(sides, -1).flatten(0, 1)


def grid(backbone: Backbone) -> RegionNetwork:
    """Return a network whose regions are the cells of a backbone's last feature map.

    Raises `BaselineError` for a backbone that isn't convolutional.
    """
    place, (width, height, across) = _last_map(backbone)
    module = Grid(copy.deepcopy(backbone.module), place, (height, across)).eval()
    how = f"{backbone.preprocessing}, grid {height} x {across} of {place}"
    number = height * across
    return _regions(backbone, module, how, width, number)


def _regions(backbone: Backbone, module: nn.Module, how: str, width: int, number: int) -> RegionNetwork:
    dim = number * (width + BOX)
    network = replace(backbone.network, module=module, preprocessing=how, dim=dim)
    return RegionNetwork(
        backbone.name, dim, backbone.digest, backbone.weights_sha256, network, width=width, regions=number
    )


def _last_map(backbone: Backbone) -> tuple[str, tuple[int, int, int]]:
    """Return the name of the module that gives the last feature map, and the map's shape [D, h, w]."""
    maps = _maps(backbone.module, max(backbone.side, WIDE)) or _maps(backbone.module, backbone.side)
    larger = [name for name, (_, height, width) in maps.items() if min(height, width) > 1]
    if len(larger) < 2:  # none, or the patches of a vision transformer
        raise BaselineError(
            f"--regions grid: {backbone.name} has no feature map; take a convolutional --backbone such as "
            "resnet50"
        )
    place = larger[-1]
    return place, _maps(backbone.module, backbone.side)[place]


def _maps(module: nn.Module, side: int) -> dict[str, tuple[int, int, int]]:
    """Return the shapes of the feature maps of an image, [D, h, w], by the module that gives them, in order.

    Nothing for a network that doesn't read images of that size.
    """
    found: dict[str, tuple[int, int, int]] = {}

    def noted(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, out: Any) -> None:
            if isinstance(out, Tensor) and out.ndim == 4:
                found.pop(name, None)
                found[name] = (out.shape[1], out.shape[2], out.shape[3])

        return hook

    hooks = [one.register_forward_hook(noted(name)) for name, one in module.named_modules() if name]
    try:
        with torch.inference_mode():
            module(torch.zeros(1, 3, side, side))
    except (ValueError, RuntimeError, AssertionError):
        return {}
    finally:
        for hook in hooks:
            hook.remove()
    return found


class Detected(nn.Module):
    """The regions of a Faster R-CNN: float[B, 3, S, S], 0 to 1 -> float[B, most · (1024 + BOX)].

    Of the detector's proposals those with the surest object, and the features before its last layers.
    """

    def __init__(self, detector: Any, most: int) -> None:
        super().__init__()
        self.detector, self.most = detector, most

    @property
    def width(self) -> int:
        """The width of a region's features."""
        return int(self.detector.roi_heads.box_predictor.cls_score.in_features)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the regions, flattened."""
        detector, heads = self.detector, self.detector.roi_heads
        images, _ = detector.transform(list(pixels))
        maps = detector.backbone(images.tensors)
        proposals, _ = detector.rpn(images, maps)
        pooled = heads.box_head(heads.box_roi_pool(maps, proposals, images.image_sizes))
        sure = heads.box_predictor(pooled)[0].softmax(-1)[:, 1:].amax(-1)  # class 0 is the background
        counts = [len(one) for one in proposals]
        out = pixels.new_zeros(len(pixels), self.most, self.width + BOX)
        parts = (pooled.split(counts), sure.split(counts), proposals, images.image_sizes)
        for row, (features, score, boxes, (height, width)) in enumerate(zip(*parts, strict=True)):
            best = score.topk(min(self.most, len(score))).indices
            scale = boxes.new_tensor([width, height, width, height])
            one = torch.ones(len(best), 1, device=boxes.device)
            out[row, : len(best)] = torch.cat([features[best], boxes[best] / scale, one], -1)
        return out.flatten(1)


def detector(weights: str | None = None) -> RegionNetwork:
    """Return torchvision's Faster R-CNN with a ResNet-50 as a network of `MOST` regions of 1024 features.

    `weights`: None for the published ones (COCO), or "random". Images are squashed to `SIDE` pixels. Raises
    `BaselineError` where the weights aren't available.
    """
    name = "fasterrcnn_resnet50_fpn"
    with without_the_compiler():
        from torchvision.models import detection
        from torchvision.transforms.functional import InterpolationMode, pil_to_tensor, resize

    def transform(image: Any) -> Tensor:
        squashed = resize(image, [SIDE, SIDE], InterpolationMode.BICUBIC)
        scaled: Tensor = pil_to_tensor(squashed).float() / 255
        return scaled

    chosen: Any = None if weights == RANDOM else detection.FasterRCNN_ResNet50_FPN_Weights.DEFAULT
    try:
        if chosen is not None:
            fetch(name, chosen.url)
        made: Any = seeded(
            lambda: detection.fasterrcnn_resnet50_fpn(
                weights=chosen, weights_backbone=None, min_size=SIDE, progress=False
            ),
            0,
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise BaselineError(
            f"the weights of {name} can't be fetched ({reason}): put {chosen.url} into torch's cache "
            f"({torch.hub.get_dir()}/checkpoints), or take --regions grid or a file of regions"
        ) from error
    module = Detected(made, MOST).eval()
    weights_sha256 = state_digest(module)
    how = f"squash to {SIDE} bicubic, {MOST} regions"
    found = Backbone(
        name,
        0,
        RANDOM if weights == RANDOM else weights_sha256[:16],
        weights_sha256,
        Network(module, transform, how, SIDE),
    )
    return _regions(found, module, how, module.width, MOST)
