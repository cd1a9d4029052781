"""The frozen networks of a run: what its options say of them, and their features of a release by input."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from affectory.core.engine.choice import EngineChoice
from affectory.encoders.image.backbones import Backbone, load_backbone
from affectory.encoders.image.regions import detector, grid
from affectory.encoders.image.views import two_views
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import Output, TextNetwork, load_text_encoder
from baselines.data import inputs
from baselines.data.encoders import ImageEncoder
from baselines.data.release import Release
from baselines.options import SEPARATE, TrainingOptions
from baselines.training.checkpoint import Reading, Source

#: The tokens of a text whose states are read, at most: as many as CLIP has. Other networks read 256 or more,
#: nearly all of them padding of a meme's text.
STATES = 77


@dataclass(frozen=True)
class Seen:
    """What a run reads of images, by input: the encoders, and where their features come from.

    `backbone`: the network of --backbone; None if no model reads its features.
    """

    encoders: Mapping[str, ImageEncoder]
    sources: Mapping[str, Source]
    backbone: Backbone | None


def images(options: TrainingOptions, release: Release, wanted: Collection[str], device: torch.device) -> Seen:
    """Return what models with these inputs read of a release's images. Errors as of `inputs.frozen`."""
    encoders: dict[str, ImageEncoder] = {}
    sources: dict[str, Source] = {}
    backbone = None
    engine = EngineChoice(options.engine, options.address)
    if "image" in wanted:
        backbone = _backbone(options)
        encoders["image"] = inputs.frozen(release, backbone, options.features, device, engine)
        sources["image"] = _source(options, backbone)
    if "image_views" in wanted:
        # A view is a square of the input's size already: nothing is to be cropped once more.
        network = load_backbone(options.backbone, options.weights, side=options.side, squash=True)
        encoders["image_views"] = inputs.views(release, two_views(network), options.features, device, engine)
    if "pair_image" in wanted and options.pair == SEPARATE:
        pair = backbone or _backbone(options)
        encoders["pair_image"] = inputs.frozen(release, pair, options.features, device, engine)
        sources["pair_image"] = _source(options, pair)
    elif "pair_image" in wanted:
        pair = load_backbone(options.pair, squash=options.squash)
        encoders["pair_image"] = inputs.frozen(release, pair, options.features, device, engine)
        sources["pair_image"] = Source(options.pair, None, None, pair.digest, pair.dim, options.squash)
    if "regions" in wanted:
        encoders["regions"], sources["regions"] = _regions(options, release, device, engine)
    if "pixels" in wanted:
        side = options.pixels
        encoders["pixels"] = inputs.pixels(release, side)
        sources["pixels"] = Source("pixels", None, side, f"pixels-{side}", 3 * side * side, reading="pixels")
    return Seen(encoders, sources, backbone)


def _backbone(options: TrainingOptions) -> Backbone:
    return load_backbone(options.backbone, options.weights, side=options.side, squash=options.squash)


def _source(options: TrainingOptions, network: Backbone, reading: Reading = "features") -> Source:
    return Source(
        options.backbone,
        options.weights,
        options.side,
        network.digest,
        network.dim,
        options.squash,
        reading,
    )


def _regions(
    options: TrainingOptions, release: Release, device: torch.device, engine: EngineChoice
) -> tuple[ImageEncoder, Source]:
    if options.regions == "grid":
        network = grid(_backbone(options))
        source = _source(options, network, "grid")
    elif options.regions == "torchvision-frcnn":
        network = detector()
        source = Source(network.name, None, None, network.digest, network.dim, reading="torchvision-frcnn")
    else:
        found = inputs.computed_regions(release, Path(options.regions))
        return found, Source(Path(options.regions).name, None, None, "file", found.rows.width, reading="file")
    return inputs.regions(release, network, options.features, device, engine), source


def texts(
    options: TrainingOptions, release: Release, wanted: Collection[str], device: torch.device
) -> dict[str, FrozenText]:
    """Return the frozen text networks of models with these inputs, the release's features computed."""
    pair = options.text_encoder if options.pair == SEPARATE else options.pair
    states: Output = "projected states" if options.projected_states else "states"
    named: dict[str, Callable[[], TextNetwork]] = {
        "sentence": lambda: load_text_encoder(options.text_encoder),
        "first_token": lambda: load_text_encoder(options.text_encoder, pooling="cls"),
        "pair_text": lambda: load_text_encoder(pair),
        "pair_states": lambda: load_text_encoder(pair, output=states, tokens=STATES),
    }
    return {
        name: inputs.frozen_texts(release, load(), options.features, device)
        for name, load in named.items()
        if name in wanted
    }
