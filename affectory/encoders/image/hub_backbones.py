"""Image encoders of `transformers` (CLIP, SigLIP, DINOv2, ViT, …), from the Hugging Face hub or a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from affectory.core import files
from affectory.core.errors import BaselineError
from affectory.encoders import hub
from affectory.encoders.image.network import RANDOM, Network, seeded


class Pooled(nn.Module):
    """The one vector that a model has for an image: float[B, 3, H, W] -> float[B, D].

    CLIP's and SigLIP's is the one that is compared with texts (projected, not normalised). Elsewhere it is
    the pooled output, or the first token (CLS) where the checkpoint has no trained pooler.
    """

    def __init__(self, model: nn.Module, pooler: bool) -> None:
        super().__init__()
        self.model: Any = model
        self.pooler = pooler

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the features."""
        if hasattr(self.model, "get_image_features"):
            out = self.model.get_image_features(pixel_values=pixels)
            pooled: Any = getattr(out, "pooler_output", out)  # a tensor before transformers 5
        else:
            out = self.model(pixel_values=pixels)
            pooled = getattr(out, "pooler_output", None) if self.pooler else None
            if pooled is None:
                pooled = out.last_hidden_state[:, 0]
        features: Tensor = pooled.flatten(1)  # ResNet and ConvNeXt pool to [B, D, 1, 1]
        return features


class Prepare:
    """An image as a model's own processor makes it the input: float[3, H, W].

    `squashed`: the height and width to which the whole image is resized, bicubic, in place of the processor's
    own resizing and crop.
    """

    def __init__(self, processor: Any, squashed: int | None = None) -> None:
        self.processor, self.squashed = processor, squashed

    def __call__(self, image: Image.Image) -> Tensor:
        """Return an RGB image's pixels."""
        more: dict[str, Any] = {}
        if self.squashed is not None:
            image = image.resize((self.squashed, self.squashed), Image.Resampling.BICUBIC)
            more = {"do_resize": False, "do_center_crop": False}
        pixels: Tensor = self.processor(images=image, return_tensors="pt", **more)["pixel_values"][0]
        return pixels


def load(name: str, weights: str | Path | None, seed: int, *, squash: bool = False) -> Network:
    """Load an encoder. Arguments and errors as of `load_backbone`."""
    random = str(weights) == RANDOM
    source = name if weights is None or random else hub.folder(Path(weights))
    local = hub.only_local(source)
    with hub.loading(name, source, local, "give its folder in place of its name"):
        processor, model, missing = _load(source, random, seed, local)
    hub.check_missing(name, source, missing, ("pooler.", "text_model."))
    if hasattr(model, "get_image_features") and hasattr(model, "text_model"):
        model.text_model = None  # half of CLIP, and never called here
    module = Pooled(model, pooler=not any(key.startswith("pooler.") for key in missing))
    transform = Prepare(processor)
    probe = transform(Image.new("RGB", (640, 480)))
    if probe.ndim != 3 or probe.shape[0] != 3 or probe.shape[1] != probe.shape[2]:
        raise BaselineError(
            f"{name} prepares images as {tuple(probe.shape)}: only square RGB inputs are supported"
        )
    side = int(probe.shape[1])
    words = _in_words(processor)
    if squash:
        transform, words = Prepare(processor, side), f"squash to {side} bicubic, then {words}"
    return Network(module, transform, words, side)


def save(network: Network, folder: Path) -> None:
    """Write a network as a folder that `load` reads, whole or not at all.

    Raises `AffectoryError` if it can't be written.
    """
    assert isinstance(network.module, Pooled)
    assert isinstance(network.transform, Prepare)
    with files.replacing_folder(folder) as temporary:
        try:
            network.module.model.save_pretrained(temporary)
            network.transform.processor.save_pretrained(temporary)
        except SafetensorError as error:  # "I/O error: No space left on device (os error 28)"
            if (number := re.search(r"\(os error (\d+)\)", str(error))) is None:
                raise
            raise OSError(int(number[1]), str(error)) from error


def _load(source: str, random: bool, seed: int, local: bool) -> tuple[Any, Any, set[str]]:
    """Return the image processor, the model and the names of weights that the checkpoint lacks."""
    they = hub.transformers()
    processor = they.AutoImageProcessor.from_pretrained(source, local_files_only=local)
    if random:
        config = they.AutoConfig.from_pretrained(source, local_files_only=local)
        return processor, seeded(lambda: they.AutoModel.from_config(config), seed), set()
    model, report = they.AutoModel.from_pretrained(source, output_loading_info=True, local_files_only=local)
    return processor, model.float(), set(report["missing_keys"])


def _in_words(processor: Any) -> str:
    """Return all that an image processor does, as one line of JSON."""
    told = processor.to_dict()
    for key in ("image_processor_type", "processor_class", "_processor_class", "device", "auto_map"):
        told.pop(key, None)
    return json.dumps({k: v for k, v in sorted(told.items()) if v is not None}, sort_keys=True, default=str)
