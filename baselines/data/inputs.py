"""From a release to what the models read: the training and validation posts as batches, made once.

Each input of a batch has an encoder (`data.encoders`), which also encodes later posts: a checkpoint keeps its
state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectory.core.engine.choice import LOCAL, EngineChoice
from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.features import extract
from affectory.encoders.image.pixels import pixel_batches, squashed_pixels
from affectory.encoders.image.regions import RegionNetwork
from affectory.encoders.image.views import ViewNetwork
from affectory.encoders.text.frozen import FrozenText
from affectory.encoders.text.hub_encoders import TextNetwork
from affectory.encoders.text.subwords import words as fasttext_words
from affectory.encoders.text.vectors import Vectors, VectorSource, WordVectors
from affectory.encoders.text.words import Vocabulary, tokenise
from baselines.data.aim import USUAL_AIM, Aim, Select
from baselines.data.batch import Batch
from baselines.data.encoders import INPUTS, Given, ImageEncoder, Images, Pixels, Regions, Views, load_encoders
from baselines.data.images import image_refs
from baselines.data.regions import read_regions
from baselines.data.release import SPLITS, Part, Release
from baselines.data.task import Task, task_of

#: The default dimension of random word vectors.
WIDTH = 200


def frozen(
    release: Release, backbone: Backbone, cache: Path, device: torch.device, engine: EngineChoice = LOCAL
) -> Images:
    """Return the features of a release's images. Raises `BaselineError`, as `extract` does, or for a network
    that gives the same features for every image."""
    everything = release.everything()
    found = extract(image_refs(release, everything), backbone, cache, device, engine=engine)
    if len(found) > 1 and not np.ptp(found, axis=0).any():
        raise BaselineError(
            f"{backbone.name} with {backbone.digest} weights gives the same features for every image: "
            "take weights that were trained, or another network (resnet18 works with random ones)"
        )
    return extracted(release, everything, found)


def extracted(release: Release, part: Part, features: NDArray[np.float16]) -> Images:
    """Put the features of a part's images, in order, where their rows are."""
    return Images(features.shape[1], _by_split(release, part, features))


def _by_split(release: Release, part: Part, features: NDArray[Any]) -> dict[str, NDArray[Any]]:
    shape = features.shape[1:]
    by_split = {s: np.zeros((release.rows[s].num_rows, *shape), features.dtype) for s in SPLITS}
    where = part.where[part.digests != ""]
    for number, split in enumerate(SPLITS):
        mine = where[:, 0] == number
        by_split[split][where[mine, 1]] = features[mine]
    return by_split


def regions(
    release: Release, network: RegionNetwork, cache: Path, device: torch.device, engine: EngineChoice = LOCAL
) -> Regions:
    """Return the regions of a release's images by a frozen network. Errors as of `frozen`."""
    name = f"{network.regions} of {network.name}"
    rows = frozen(release, network, cache, device, engine)
    return Regions(network.width, network.regions, name, rows=rows)


def computed_regions(release: Release, path: Path) -> Regions:
    """Return the regions of a release's images from a file. Errors as of `read_regions`."""
    everything = release.everything()
    part = everything.take(np.flatnonzero(everything.digests != ""))
    found = read_regions(path, part)
    rows = extracted(release, part, found.rows)
    return Regions(found.width, found.number, f"{found.number} of {path.name}", found.has_boxes, rows)


def views(
    release: Release, network: ViewNetwork, cache: Path, device: torch.device, engine: EngineChoice = LOCAL
) -> Views:
    """Return the features of two views of each image of a release. Errors as of `frozen`."""
    return Views(network.width, frozen(release, network, cache, device, engine))


def pixels(release: Release, side: int) -> Pixels:
    """Return the images of a release, squashed to a square. Raises `BaselineError` for a damaged image."""
    everything = release.everything()
    refs = image_refs(release, everything)
    batches = [range(at, min(at + 64, len(refs))) for at in range(0, len(refs), 64)]
    found = np.zeros((len(refs), 3, side, side), np.uint8)
    for rows, decoded in zip(batches, pixel_batches(refs, squashed_pixels(side), batches), strict=True):
        found[rows.start : rows.stop] = decoded.numpy()
    return Pixels(side, _by_split(release, everything, found))


def frozen_texts(release: Release, network: TextNetwork, cache: Path, device: torch.device) -> FrozenText:
    """Return the encoder of a release's texts by a frozen network, its features computed."""
    return FrozenText.fill(release.everything().texts.tolist(), network, cache, device)


@dataclass(frozen=True)
class Data:
    """What a model is trained on: batches on one device, their encoders by input, and the raw texts.

    `vectors`: the pretrained vectors of the release's words, by name, where a file was given.
    """

    task: Task
    train: Batch
    validation: Batch
    encoders: Mapping[str, Any]
    texts: Mapping[str, Sequence[str]] = field(repr=False)  # of "train" and "validation"
    vectors: Vectors | None = field(default=None, repr=False)

    def to(self, device: torch.device) -> Data:
        """Return the same with its batches on a device."""
        return replace(self, train=self.train.to(device), validation=self.validation.to(device))

    def aimed(self, *, balance: bool, select: Select | None) -> Data:
        """Return the same with an aim of its training. Errors as of `Task.aimed`."""
        known = self.train.target[self.train.labelled]
        return replace(self, task=self.task.aimed(known, balance=balance, select=select))

    def of(self, inputs: Sequence[str]) -> Data:
        """Return the same with these inputs only."""
        encoders = {name: one for name, one in self.encoders.items() if name in inputs}
        batches = [
            posts._replace(inputs={name: posts.inputs[name] for name in encoders})
            for posts in (self.train, self.validation)
        ]
        return replace(self, train=batches[0], validation=batches[1], encoders=encoders)

    def digest(self, inputs: Sequence[str]) -> str:
        """Return a digest of all that a network with these inputs is trained on."""
        return self.of(inputs)._digest()

    def _digest(self) -> str:
        sha256 = hashlib.sha256(f"{self.task.kind} {self.task.names}".encode())
        if self.task.aim != USUAL_AIM:  # networks without an aim keep their digest
            sha256.update(f"{self.task.aim}".encode())
        for name, encoder in sorted(self.encoders.items()):
            sha256.update(f"{name} {encoder.width}".encode())
            if isinstance(encoder, Vocabulary):
                sha256.update(encoder.start.tobytes())
        for word, vector in sorted(self.vectors.rows.items()) if self.vectors else ():
            sha256.update(word.encode("utf-8", "replace") + vector.tobytes())
        for split, posts in (("train", self.train), ("validation", self.validation)):
            for name, tensor in sorted(posts.inputs.items()):
                sha256.update(name.encode() + tensor.numpy().tobytes())
            for tensor in posts[1:]:
                sha256.update(tensor.numpy().tobytes())
            sha256.update("\0".join(self.texts[split]).encode("utf-8", "replace"))
        return sha256.hexdigest()

    def packed(self) -> dict[str, Any]:
        """Return everything as tensors, numbers and strings, for a file that other processes read."""
        given = self.vectors
        rows = list(given.rows.values()) if given else []
        return {
            "task": (self.task.kind, list(self.task.names)),
            "aim": (self.task.aim.weights, self.task.aim.select),
            "train": tuple(self.train),
            "validation": tuple(self.validation),
            "encoders": {name: encoder.state() for name, encoder in self.encoders.items()},
            "starts": {
                name: torch.from_numpy(one.start)
                for name, one in self.encoders.items()
                if isinstance(one, Vocabulary)
            },
            "texts": {split: list(texts) for split, texts in self.texts.items()},
            "vectors": None
            if given is None
            else {
                "name": given.name,
                "width": given.width,
                "words": list(given.rows),
                "rows": torch.from_numpy(np.array(rows, np.float32)),
                "spread": given.spread,
                "source": given.source.state() if given.source else None,
            },
        }

    @classmethod
    def unpacked(cls, found: Mapping[str, Any]) -> Data:
        """Return what `packed` holds."""
        encoders = load_encoders(found["encoders"])
        for name, start in found["starts"].items():
            encoders[name] = replace(encoders[name], start=start.numpy())
        vectors = None
        if given := found["vectors"]:
            rows = dict(zip(given["words"], given["rows"].numpy(), strict=True))
            source = VectorSource(**given["source"]) if given["source"] else None
            vectors = Vectors(given["name"], given["width"], rows, given["spread"], source)
        kind, names = found["task"]
        return cls(
            task_of(kind, names, Aim(*found["aim"])),
            Batch(*found["train"]),
            Batch(*found["validation"]),
            encoders,
            found["texts"],
            vectors,
        )


def prepare(
    release: Release,
    inputs: Iterable[str],
    images: Mapping[str, ImageEncoder],
    vectors: WordVectors | None = None,
    width: int = WIDTH,
    frozen_texts: Mapping[str, FrozenText] | None = None,
) -> Data:
    """Make what models with these inputs are trained on.

    `images`, `frozen_texts`: frozen features by input; `vectors`: pretrained word vectors (`open_vectors`);
    `width`: that of random ones.
    """
    texts = {split: release.parts[split].texts for split in SPLITS}
    found = None
    if vectors is not None:
        every = [text for split in SPLITS for text in texts[split]]
        found = vectors.subset(w for text in every for w in (*tokenise(text), *fasttext_words(text)))
    others = [*texts["validation"], *texts["test"]]
    given = Given(texts["train"].tolist(), others, vectors, found, width, images, frozen_texts or {})
    wanted = set(inputs)
    encoders = {name: one.make(given) for name, one in INPUTS.items() if name in wanted and one.make}
    batches = {split: batch(release.parts[split], encoders) for split in ("train", "validation")}
    kept = {split: texts[split].tolist() for split in batches}
    return Data(release.task, batches["train"], batches["validation"], encoders, kept, found)


def batch(part: Part, encoders: Mapping[str, Any]) -> Batch:
    """Return a part as one batch, with the inputs of these encoders."""
    inputs = {
        name: torch.from_numpy(
            encoder.of(part) if encoder.modality == "image" else encoder.encode(part.texts.tolist())
        )
        for name, encoder in encoders.items()
    }
    present = np.column_stack([part.digests != "", part.texts != ""])
    return Batch(
        inputs,
        torch.from_numpy(present),
        torch.from_numpy(part.target),
        torch.from_numpy(part.labelled),
    )


def of_post(task: Task, encoders: Mapping[str, Any], features: Tensor | None, text: str) -> Batch:
    """Return one post as a batch. `features`: float[1, D] of its image, or None; `text`: "" for none."""
    inputs = {}
    for name, encoder in encoders.items():
        if encoder.modality == "image":
            shape = (1, *encoder.shape)
            inputs[name] = torch.zeros(shape) if features is None else features.reshape(shape)
        else:
            inputs[name] = torch.from_numpy(encoder.encode([text]))
    present = torch.tensor([[features is not None, bool(text)]])
    return Batch(inputs, present, task.target([task.names[:1]]), torch.zeros(1, dtype=torch.bool))
