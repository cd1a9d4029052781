"""A trained model on disk, with all that it takes to use it again: `<model>-seed<n>.pt`.

A file holds tensors, numbers and strings, nothing that runs when it is loaded. The file of a combined row
(late fusion) holds the two networks that it combines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from affectory.core import files
from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone, load_backbone
from affectory.encoders.image.pixels import squashed_pixels
from affectory.encoders.image.regions import detector, grid
from baselines.data.batch import MODES, Batch, Mode
from baselines.data.encoders import load_encoders
from baselines.data.task import Task, task_of
from baselines.models import registry
from baselines.models.base import Model, Spec
from baselines.models.settings import ModelSettings, Value, as_values
from baselines.training.correction import Correction

#: The format. Files of another version are trained anew.
VERSION = 4


#: What is read of an image. "file": regions that were computed elsewhere.
Reading = Literal["features", "grid", "torchvision-frcnn", "file", "pixels"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network's image features come from: what `load_backbone` was given, and the digest it found.

    `reading`: what was read of an image: the network's features, regions, or the pixels themselves.
    """

    name: str
    weights: str | None
    side: int | None
    digest: str
    features: int
    squash: bool = False
    reading: Reading = "features"

    def load(self, weights: str | None = None) -> Backbone:
        """Return the image network. `weights`: where they are, if they have moved since training.

        Raises `BaselineError` where they aren't available, or aren't those of training.
        """
        given = weights or self.weights
        if self.reading == "file":
            raise BaselineError(
                f"the regions of training were computed elsewhere ({self.name}): this model can't read "
                "another image; give a text alone"
            )
        if self.reading == "pixels":
            return squashed_pixels(self.side or 0)
        if self.reading == "torchvision-frcnn":
            backbone: Backbone = detector(given)
        else:
            backbone = load_backbone(self.name, given, side=self.side, squash=self.squash)
            backbone = grid(backbone) if self.reading == "grid" else backbone
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


#: Makes the posts as the batch that a network reads.
PostsFor = Callable[["Checkpoint"], Batch]


@dataclass(frozen=True)
class Checkpoint:
    """One network, or the parts of a combined row.

    `fingerprint`: tells whether it is the one that a run would train now. `encoders`: their states, by input.
    `score`, `likelihood`: on validation. `generated`: the note on generated posts in the training data.
    `corrections`: by mode, what is done to the logits of posts with one modality of two.
    """

    model: str
    task: Task
    settings: ModelSettings | None
    seed: int
    state: dict[str, Tensor] = field(repr=False)
    encoders: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fingerprint: str = ""
    epoch: int = 0
    score: float = 0.0
    likelihood: float = 0.0
    seconds: float = 0.0
    problem: str | None = None
    note: str = ""
    source: Source | None = None
    parts: tuple[Checkpoint, ...] = ()
    generated: str = ""
    history: tuple[float, ...] = ()  # the validation score after each epoch
    losses: tuple[tuple[float, float], ...] = ()  # of training and of validation, by epoch as `history`
    condition: str = ""  # what training had less or more of: "5% of the pairs"
    corrections: Mapping[Mode, Correction] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """The model's spec."""
        return registry.spec(self.model)

    def loaded_encoders(self) -> dict[str, Any]:
        """Return the encoders, by input."""
        return load_encoders(self.encoders)

    def network(self) -> Model:
        """Return the network, in evaluation mode. A combined row has none.

        Raises `BaselineError` where the parameters are those of another network, or of other labels.
        """
        assert self.spec.build is not None
        model = self.spec.build(self.task, self.loaded_encoders(), self.settings)
        try:
            model.load_state_dict(self.state)
        except RuntimeError as error:  # its first line names the class, the second a parameter
            why = str(error).partition("\n")[2].strip().partition("\n")[0].rstrip(".")
            raise BaselineError(
                f"the checkpoint of {self.model} doesn't fit its labels ({', '.join(self.task.names)}), "
                f"settings and encoders: {why}; repeat the command that trained it"
            ) from None
        return model.eval()

    def logits(self, posts: PostsFor, mode: Mode, rows: int = 4096) -> Tensor:
        """Return float[n, C] logits of posts in a mode, by the head that answers in it.

        Those of posts with one modality of two are corrected.
        """
        if self.parts:
            made_of = self.spec.made_of
            assert made_of is not None
            batches = [posts(part).only(mode) for part in self.parts]
            there = [_readable(batch, part.spec) for batch, part in zip(batches, self.parts, strict=True)]
            each = [part.logits(posts, mode, rows) for part in self.parts]
            return self._corrected(self.task.combined(each, there, made_of.rule), batches[0])
        network, batch = self.network(), posts(self).only(mode)
        head = self.spec.heads[mode]
        with torch.inference_mode():
            parts = [
                network(batch.slice(start, start + rows))[head]
                for start in range(0, max(1, batch.size), rows)
            ]
        return self._corrected(torch.cat(parts).float().cpu(), batch)

    def _corrected(self, logits: Tensor, batch: Batch) -> Tensor:
        for alone, corrected in self.corrections.items():
            held = (batch.present.cpu() == torch.tensor(MODES[alone])).all(-1, keepdim=True)
            logits = torch.where(held, corrected(logits), logits)
        return logits

    def sources(self) -> list[Source]:
        """Return where image features come from, also of the parts of a combined row."""
        own = [self.source] if self.source else []
        return own + [source for part in self.parts for source in part.sources()]

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        save({"version": VERSION, "checkpoint": _packed(self)}, path)


def save(content: object, path: Path) -> None:
    """Write what `torch.load` reads, whole or not at all. Raises `AffectoryError` if it can't be written."""
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch's own, raised on top of the file's, or of Ctrl-C
            own = isinstance(error.__context__, (OSError, KeyboardInterrupt))
            raise error.__context__ if own and error.__context__ else error from None


def _readable(batch: Batch, spec: Spec) -> Tensor:
    """Return whether a post has something that a model reads, bool[n]."""
    columns = [("image", "text").index(modality) for modality in spec.reads]
    return batch.present[:, columns].any(-1)


def _packed(one: Checkpoint) -> dict[str, Any]:
    found = {each.name: getattr(one, each.name) for each in fields(one)}
    found["task"] = [one.task.kind, list(one.task.names)]
    found["settings"] = None if one.settings is None else as_values(one.settings)
    found["source"] = None if one.source is None else asdict(one.source)
    found["parts"] = [_packed(part) for part in one.parts]
    found["encoders"] = dict(one.encoders)
    found["history"] = list(one.history)
    found["losses"] = [list(epoch) for epoch in one.losses]
    found["corrections"] = {mode: [each.scale, list(each.shift)] for mode, each in one.corrections.items()}
    return found


def _unpacked(found: dict[str, Any], folder: Path) -> Checkpoint:
    spec = registry.spec(found["model"])
    settings: dict[str, Value] | None = found["settings"]
    found["task"] = task_of(*found["task"])
    found["settings"] = spec.settings(**settings) if spec.settings and settings is not None else None
    found["source"] = None if found["source"] is None else Source(**found["source"]).seen_from(folder)
    found["history"] = tuple(found["history"])
    found["losses"] = tuple((trained, judged) for trained, judged in found.get("losses", ()))
    kept = found["corrections"]
    found["corrections"] = {mode: Correction(scale, tuple(shift)) for mode, (scale, shift) in kept.items()}
    found["parts"] = tuple(_unpacked(part, folder) for part in found["parts"])
    return Checkpoint(**found)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises `BaselineError` for a file that is none, or whose model no longer exists."""
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
        version, packed = found["version"], found["checkpoint"]
    except OSError as error:
        raise BaselineError(
            f"the checkpoint {str(path)!r} can't be read: {error.strerror}; affectory run NAME "
            "writes them to results/NAME/VERSION/checkpoints"
        ) from None
    except Exception as error:  # no zip, no pickle of ours, other keys: whatever torch says of it
        raise BaselineError(
            f"{str(path)!r} is not a checkpoint of affectory: {type(error).__name__}"
        ) from None
    if version != VERSION:
        raise BaselineError(
            f"the checkpoint {str(path)!r} has version {version}, and this program reads {VERSION}: "
            "repeat the command that trained it"
        )
    for model in (packed["model"], *(part["model"] for part in packed["parts"])):
        if model not in registry.MODELS:
            raise BaselineError(
                f"the checkpoint {str(path)!r} is of the model {model!r}, which this program doesn't "
                f"have: it has {', '.join(registry.MODELS)}"
            )
    try:
        return _unpacked(packed, path.parent)
    except (TypeError, BaselineError) as error:  # settings of an earlier form of the model
        raise BaselineError(
            f"the checkpoint {str(path)!r} has other settings than the model {packed['model']!r} has now "
            f"({error}): repeat the command that trained it"
        ) from None


def fingerprint(data: str, model: str, settings: ModelSettings, seed: int) -> str:
    """Return a digest of all that a network depends on. `data` is the digest of what it is trained on."""
    told = f"{VERSION} {torch.__version__} {data} {model} {settings!r} {seed}"
    return hashlib.sha256(told.encode()).hexdigest()
