"""Networks for images, without their last layer, with the preprocessing that their weights expect.

    backbone = load_backbone("mobilenet_v2", "weights.safetensors", side=225)
    pixels = backbone.preprocess(Image.open("a.jpg"))  # float[3, 225, 225]
    features = backbone.module(pixels[None])  # float[1, 1280]

A name is one of torchvision's (`inception_v3`, `densenet121`, `mobilenet_v2`, …), or a `transformers` model
for images: an id on the Hugging Face hub, or a folder. Duong et al. 2017, section 3.1, take Inception-v3.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from affectory.core import files
from affectory.core.errors import BaselineError
from affectory.core.rgb import to_rgb
from affectory.encoders.image.network import RANDOM, Network, state_digest

__all__ = ["RANDOM", "Backbone", "Network", "load_backbone", "save_backbone", "state_digest"]


@dataclass(frozen=True)
class Backbone:
    """A network that turns an image into `dim` features, in evaluation mode, on the CPU."""

    name: str
    dim: int
    digest: str  # the first 16 digits of `weights_sha256`, or "random"
    weights_sha256: str
    network: Network

    @property
    def module(self) -> nn.Module:
        """The network itself: float[B, 3, H, W] -> float[B, dim]."""
        return self.network.module

    @property
    def preprocessing(self) -> str:
        """What `preprocess` does, in words."""
        return self.network.preprocessing

    @property
    def side(self) -> int:
        """Height and width of what `preprocess` returns."""
        return self.network.side

    @property
    def key(self) -> str:
        """A folder's name for what was computed with it: name, weights, preprocessing."""
        how = hashlib.sha256(self.preprocessing.encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', self.name).strip('-.')}-{self.weights_sha256[:16]}-{how}"

    def preprocess(self, image: Image.Image, sha256: str = "") -> Tensor:
        """Return an image of any mode as the network's input, float[3, side, side].

        `sha256`: that of its file, for a network of which the input is drawn at random (`views`).
        """
        return self.network.transform(to_rgb(image))


def load_backbone(
    name: str,
    weights: str | Path | None = None,
    *,
    side: int | None = None,
    squash: bool = False,
    seed: int = 0,
) -> Backbone:
    """Load a network by name.

    `weights` is a file (.safetensors, .pth; a folder for a `transformers` model), "random" (drawn with
    `seed`), or None for those that its authors published, which are downloaded once. `side` is the input's
    height and width in place of the usual one (torchvision's only). `squash`: the whole image is resized to
    that square, bicubic, without a crop; else it is prepared as its authors did.

    Raises `BaselineError` where there is no such network, or its weights can't be had or are another's.
    """
    from affectory.encoders.image import hub_backbones, torchvision_backbones

    if name in torchvision_backbones.names():
        network = torchvision_backbones.load(name, weights, side, seed, squash=squash)
    elif "/" in name or Path(name).is_dir():
        if side is not None:
            raise BaselineError(f"--side {side}: {name} has its own input size; leave it out")
        network = hub_backbones.load(name, weights, seed, squash=squash)
    else:
        raise BaselineError(_unknown(name, torchvision_backbones.names()))
    network.module.eval()
    digest = state_digest(network.module)
    shown = RANDOM if str(weights) == RANDOM else digest[:16]
    return Backbone(name, _dim(name, network), shown, digest, network)


def save_backbone(backbone: Backbone, path: Path) -> None:
    """Write a backbone's weights (one that was fine-tuned, say) as `load_backbone(name, path)` reads them.

    `path` is a .safetensors file, or a folder for a `transformers` model. Raises `AffectoryError` if it can't
    be written.
    """
    from safetensors.torch import save

    from affectory.encoders.image import hub_backbones

    if isinstance(backbone.module, hub_backbones.Pooled):
        hub_backbones.save(backbone.network, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: tensor.contiguous() for key, tensor in backbone.module.state_dict().items()}
    # `save_file` would raise errors of its own for a full disk, and keep no errno.
    files.write(path, save(state, {"preprocessing": backbone.preprocessing}))


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 3) or ["inception_v3", "densenet121", "mobilenet_v2"]
    return (
        f"there is no backbone {name!r}: take one of torchvision's ({', '.join(near)}, …), a hub id such as "
        f"openai/clip-vit-base-patch32, or a folder with a transformers model"
    )


def _dim(name: str, network: Network) -> int:
    """Return the number of features; if it isn't known, by running the network once on zeros."""
    if network.dim is not None:
        return network.dim
    with torch.inference_mode():
        out = network.module(torch.zeros(1, 3, network.side, network.side))
    if out.ndim != 2:
        raise BaselineError(f"{name} gives {tuple(out.shape)} for one image, and not one row of features")
    return int(out.shape[1])
