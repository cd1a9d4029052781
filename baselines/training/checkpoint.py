"""A trained network on disk, with all that it takes to use it again: `<model>-<seed>.pt`.

A file holds tensors, numbers and strings, nothing that runs when it is loaded. A late fusion's file holds
the two networks that it multiplies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core import files
from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone, load_backbone
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.words import Vocabulary
from baselines import models
from baselines.settings import Settings, TextSettings

VERSION = 2


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network's image features come from: what `load_backbone` was given, and the digest it found."""

    name: str
    weights: str | None
    side: int | None
    digest: str
    features: int

    def load(self, weights: str | None = None) -> Backbone:
        """Return the network for images. `weights`: where they are, if they have moved since training.

        Raises `BaselineError` where they can't be had, or aren't those of training.
        """
        given = weights or self.weights
        backbone = load_backbone(self.name, given, side=self.side)
        if backbone.digest != self.digest:
            raise BaselineError(
                f"the weights {given or self.name!r} have the digest {backbone.digest}, "
                f"those of training {self.digest}: pass the same file with --weights"
            )
        return backbone

    def seen_from(self, folder: Path) -> Source:
        """Return the same for a checkpoint in `folder`: a fine-tuned network moves along with it."""
        beside = folder / Path(self.weights or "").name
        return replace(self, weights=str(beside)) if self.weights and beside.exists() else self


@dataclass(frozen=True)
class Checkpoint:
    """One network. `fingerprint` tells whether it is the one that a run would train now."""

    model: str
    classes: tuple[str, ...]
    settings: Settings | TextSettings | None  # None: late fusion
    seed: int
    state: dict[str, Tensor] = field(repr=False)
    fingerprint: str = ""
    epoch: int = 0
    accuracy: float = 0.0
    likelihood: float = 0.0
    seconds: float = 0.0
    problem: str | None = None
    words: tuple[str | int, ...] = field(default=(), repr=False)  # the vocabulary's, or fastText's pieces
    source: Source | None = None
    parts: tuple[Checkpoint, ...] = ()  # late fusion's: image, text
    generated: str = ""  # the note on generated posts in the training data

    def network(self) -> nn.Module:
        """Return the network, in evaluation mode."""
        if self.model == "late":
            image, text = self.parts
            return models.LateFusion(image.network(), text.network()).eval()
        model: nn.Module
        if self.model == "text":
            model = models.TextBased(self.state["rows"], self.state["output"])
        else:
            assert isinstance(self.settings, Settings)
            width = len(self.state["scale.mean"])
            vectors = self.state.get("text.lookup.weight", torch.zeros(2, 1))
            model = models.make(self.model, width, vectors, len(self.classes), self.settings)
            model.load_state_dict(self.state)
        return model.eval()

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return texts as the network reads them, int64[n, L]."""
        if self.model == "late":
            return self.parts[1].tokens(texts)
        if isinstance(self.settings, TextSettings):
            return torch.from_numpy(Subwords(self.settings, self.words).encode_all(texts))
        words = tuple(str(word) for word in self.words)
        start = self.state["text.lookup.weight"].numpy() if words else torch.zeros(2, 1).numpy()
        return torch.from_numpy(Vocabulary(words, start, "", None).encode(texts))

    def image_source(self) -> Source | None:
        """Return where its image features come from; None where it reads no image."""
        return self.parts[0].source if self.parts else self.source

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            torch.save({"version": VERSION, "checkpoint": _packed(self)}, temporary)


def _packed(one: Checkpoint) -> dict[str, Any]:
    found = {name: getattr(one, name) for name in one.__dataclass_fields__}
    found["settings"] = None if one.settings is None else asdict(one.settings)
    found["source"] = None if one.source is None else asdict(one.source)
    found["parts"] = [_packed(part) for part in one.parts]
    found["classes"], found["words"] = list(one.classes), list(one.words)
    return found


def _unpacked(found: dict[str, Any], folder: Path) -> Checkpoint:
    kind = TextSettings if found["model"] == "text" else Settings
    found["settings"] = None if found["settings"] is None else kind(**found["settings"])
    found["source"] = None if found["source"] is None else Source(**found["source"]).seen_from(folder)
    found["parts"] = tuple(_unpacked(part, folder) for part in found["parts"])
    found["classes"], found["words"] = tuple(found["classes"]), tuple(found["words"])
    return Checkpoint(**found)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises `BaselineError` for a file that is none."""
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
        if found["version"] != VERSION:
            raise BaselineError(
                f"the checkpoint {str(path)!r} has version {found['version']}, this program reads {VERSION}"
            )
        return _unpacked(found["checkpoint"], path.parent)
    except OSError as error:
        raise BaselineError(
            f"the checkpoint {str(path)!r} can't be read: {error.strerror}; python -m baselines.run NAME "
            "writes them to results/NAME/VERSION/checkpoints"
        ) from None
    except BaselineError:
        raise
    except Exception as error:  # no zip, no pickle of ours, other keys: whatever torch says of it
        raise BaselineError(
            f"{str(path)!r} is not a checkpoint of affectory: {type(error).__name__}"
        ) from None


def fingerprint(data: str, model: str, settings: Settings | TextSettings, seed: int) -> str:
    """Return a digest of all that a network depends on. `data` is the digest of what it is trained on."""
    told = f"{VERSION} {torch.__version__} {data} {model} {settings!r} {seed}"
    return hashlib.sha256(told.encode()).hexdigest()
