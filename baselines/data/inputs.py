"""From a release to what the networks read: each split as a `Batch` on the CPU, made once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectory.core.errors import BaselineError
from affectory.encoders.image.backbones import Backbone
from affectory.encoders.image.features import extract
from affectory.encoders.text import subwords
from affectory.encoders.text.subwords import Subwords
from affectory.encoders.text.words import Vectors, Vocabulary, read_vectors, tokenise, vocabulary
from baselines.data.batch import Batch
from baselines.data.images import image_refs
from baselines.data.release import SPLITS, Part, Release
from baselines.settings import TextSettings


@dataclass(frozen=True)
class Images:
    """The features of a release's images: one row for each row of its splits, zeros where there is none."""

    width: int
    by_split: dict[str, NDArray[np.float16]]

    def of(self, part: Part) -> Tensor:
        """Return a part's features, float16[n, D], as they are kept: half the memory to read them from."""
        out = np.zeros((len(part), self.width), np.float16)
        for number, split in enumerate(SPLITS):
            mine = part.where[:, 0] == number
            out[mine] = self.by_split[split][part.where[mine, 1]]
        return torch.from_numpy(out)


def no_images(release: Release) -> Images:
    """Stand for the features of a release without images: one column of zeros."""
    return Images(1, {s: np.zeros((release.rows[s].num_rows, 1), np.float16) for s in SPLITS})


def frozen(release: Release, backbone: Backbone, cache: Path, device: torch.device) -> Images:
    """Return the features of a release's images. Raises `BaselineError`, as `extract` does, or for a network
    to which all of them are one."""
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
class Inputs:
    """The splits of a release, or of one fold of it, as the neural models read them."""

    release: Release
    images: Images
    vectors: Vectors | None
    words: Vocabulary
    batches: dict[str, Batch]

    def subwords(self, settings: TextSettings) -> Subwords:
        """Return the text-based model's dictionary of the training texts."""
        texts = self.release.parts["train"].texts
        return Subwords.fit(texts[texts != ""].tolist(), settings, self.vectors.rows if self.vectors else ())

    def digest(self) -> str:
        """Return a digest of all that a network is trained on."""
        sha256 = hashlib.sha256(self.words.start.tobytes())
        for word, vector in sorted(self.vectors.rows.items()) if self.vectors else ():
            sha256.update(word.encode("utf-8", "replace") + vector.tobytes())
        for split in ("train", "validation"):
            for tensor in self.batches[split]:
                sha256.update(tensor.numpy().tobytes())
            sha256.update("\0".join(self.release.parts[split].texts).encode("utf-8", "replace"))
        return sha256.hexdigest()


def prepare(release: Release, images: Images, vectors: Path | None, width: int) -> Inputs:
    """Make the inputs of a release. Raises `BaselineError` for vectors that can't be read."""
    texts = {split: release.parts[split].texts for split in SPLITS}
    found = None
    if vectors:
        every = [text for split in SPLITS for text in texts[split]]
        found = read_vectors(vectors, {w for text in every for w in (*tokenise(text), *subwords.words(text))})
    words = vocabulary(texts["train"], [*texts["validation"], *texts["test"]], found, width=width)
    batches = {
        split: batch(part, images, words.encode(part.texts.tolist())) for split, part in release.parts.items()
    }
    return Inputs(release, images, found, words, batches)


def batch(part: Part, images: Images, tokens: NDArray[np.int64]) -> Batch:
    """Return a part as one batch with these tokens."""
    present = np.column_stack([part.digests != "", part.texts != ""])
    return Batch(
        images.of(part),
        torch.from_numpy(tokens),
        torch.from_numpy(present),
        torch.from_numpy(part.labels),
    )


def only(batch: Batch, modalities: Sequence[bool]) -> Batch:
    """Return the batch as if image or text were missing: `(True, False)` leaves the image."""
    return batch._replace(present=batch.present & torch.tensor(modalities, device=batch.present.device))
