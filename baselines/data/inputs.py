"""From a release to what the models read: the training and validation posts as batches, made once.

Each input of a batch has an encoder, which also encodes later posts: a checkpoint keeps its state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.features import extract
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.subwords import words as fasttext_words
from affectory.encoders.text.vectors import Vectors, VectorSource, WordVectors
from affectory.encoders.text.words import Vocabulary, cased_forms, tokenise, vocabulary
from baselines.data.batch import Batch
from baselines.data.images import image_refs
from baselines.data.release import SPLITS, Part, Release
from baselines.data.task import Task, task_of


class Encoder(Protocol):
    """What turns texts or images into one input of a batch."""

    modality: Literal["image", "text"]

    @property
    def width(self) -> int:
        """The width of a row of features, or of a word's vector."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it: tensors, numbers, strings, lists of these."""
        ...


class TextEncoder(Encoder, Protocol):
    """An encoder of texts."""

    def encode(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return a row for each text: ids, int64[n, L], padded with 0, or features, float[n, D]."""
        ...


@runtime_checkable
class WordEncoder(TextEncoder, Protocol):
    """An encoder of texts with a row for each word, which takes in more words after training."""

    @property
    def source(self) -> VectorSource | None:
        """Where the pretrained vectors are; None without."""
        ...

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that have no row, each once."""
        ...

    def extended(self, vectors: Vectors) -> Self:
        """Return the encoder with more words at its end, as `Model.add_words` appends their rows."""
        ...


@dataclass(frozen=True)
class Images:
    """The features of a release's images: one row for each row of its splits, zeros where there is none."""

    width: int
    by_split: dict[str, NDArray[np.float16]] = field(default_factory=dict, repr=False)
    modality: Literal["image"] = "image"

    def of(self, part: Part) -> NDArray[np.float16]:
        """Return a part's features, float16[n, D], as they are kept: half the memory to read them from."""
        out = np.zeros((len(part), self.width), np.float16)
        for number, split in enumerate(SPLITS):
            mine = part.where[:, 0] == number
            if mine.any():
                out[mine] = self.by_split[split][part.where[mine, 1]]
        return out

    def state(self) -> dict[str, Any]:
        """Return the width; the features stay in their cache."""
        return {"width": self.width}


def frozen(release: Release, backbone: Backbone, cache: Path, device: torch.device) -> Images:
    """Return the features of a release's images. Raises `BaselineError`, as `extract` does, or for a network
    that gives the same features for every image."""
    everything = release.everything()
    found = extract(image_refs(release, everything), backbone, cache, device)
    if len(found) > 1 and not np.ptp(found, axis=0).any():
        raise BaselineError(
            f"{backbone.name} with {backbone.digest} weights gives the same features for every image: "
            "take weights that were trained, or another network (resnet18 works with random ones)"
        )
    return extracted(release, everything, found)


def extracted(release: Release, part: Part, features: NDArray[np.float16]) -> Images:
    """Put the features of a part's images, in order, where their rows are."""
    width = features.shape[1]
    by_split = {s: np.zeros((release.rows[s].num_rows, width), np.float16) for s in SPLITS}
    where = part.where[part.digests != ""]
    for number, split in enumerate(SPLITS):
        mine = where[:, 0] == number
        by_split[split][where[mine, 1]] = features[mine]
    return Images(width, by_split)


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
            "train": tuple(self.train),
            "validation": tuple(self.validation),
            "encoders": {name: encoder.state() for name, encoder in self.encoders.items()},
            "start": {
                name: torch.from_numpy(encoder.start)
                for name, encoder in self.encoders.items()
                if isinstance(encoder, Vocabulary)
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
        for name, start in found["start"].items():
            encoders[name] = replace(encoders[name], start=start.numpy())
        vectors = None
        if given := found["vectors"]:
            rows = dict(zip(given["words"], given["rows"].numpy(), strict=True))
            source = VectorSource(**given["source"]) if given["source"] else None
            vectors = Vectors(given["name"], given["width"], rows, given["spread"], source)
        return cls(
            task_of(*found["task"]),
            Batch(*found["train"]),
            Batch(*found["validation"]),
            encoders,
            found["texts"],
            vectors,
        )


#: How the encoders of a checkpoint are read, by input.
_ENCODERS: dict[str, Any] = {
    "image": lambda state: Images(**state),
    "words": Vocabulary.from_state,
    "cased_words": Vocabulary.from_state,
    "ngrams": Subwords.from_state,
}


def load_encoders(states: Mapping[str, Any]) -> dict[str, Any]:
    """Return encoders from their states, by input."""
    return {name: _ENCODERS[name](state) for name, state in states.items()}


def prepare(
    release: Release,
    inputs: Iterable[str],
    images: Images | None,
    vectors: WordVectors | None = None,
    width: int = 200,
) -> Data:
    """Make what models with these inputs are trained on.

    `images`: the features of the images, for the input "image"; `vectors`: pretrained word vectors
    (`open_vectors`); `width`: that of random ones.
    """
    texts = {split: release.parts[split].texts for split in SPLITS}
    found = None
    if vectors is not None:
        every = [text for split in SPLITS for text in texts[split]]
        found = vectors.subset(w for text in every for w in (*tokenise(text), *fasttext_words(text)))
    encoders: dict[str, Any] = {}
    if "image" in inputs:
        assert images is not None
        encoders["image"] = images
    others = [*texts["validation"], *texts["test"]]
    if "words" in inputs:
        encoders["words"] = vocabulary(texts["train"], others, found, width=width)
    if "cased_words" in inputs:
        forms = cased_forms([*texts["train"], *others])
        known = None if vectors is None else vectors.subset(forms, lower=False)
        encoders["cased_words"] = vocabulary(texts["train"], others, known, width=width, cased=True)
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
            inputs[name] = torch.zeros(1, encoder.width) if features is None else features
        else:
            inputs[name] = torch.from_numpy(encoder.encode([text]))
    present = torch.tensor([[features is not None, bool(text)]])
    return Batch(inputs, present, task.target([task.names[:1]]), torch.zeros(1, dtype=torch.bool))
