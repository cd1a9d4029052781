"""A batch of posts: what every model reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

#: The columns of `present`.
IMAGE, TEXT = 0, 1

#: The id of padding in inputs that are ids of words or n-grams.
PADDING = 0

Modality = Literal["image", "text"]

#: Which modalities a model is given at test.
Mode = Literal["both", "image", "text"]

#: What each mode leaves of `present`: image, text.
MODES: dict[Mode, tuple[bool, bool]] = {"both": (True, True), "image": (True, False), "text": (False, True)}


class Batch(NamedTuple):
    """B posts.

    `inputs`: a tensor of B rows for each input that the model reads, by name: "image", float[B, D], features
    of a frozen network (pixels, float[B, 3, H, W], where it is fine-tuned); "words", int64[B, L], ids padded
    with `PADDING`; … Rows of a missing modality are padding or zeros, and a model must not read them.
    `present`: bool[B, 2], whether image and text are there.
    `target`: int64[B], the class, or float[B, C], 1 for each label of the post (`data.task`).
    `labelled`: bool[B]; the target of an unlabelled post has no meaning.
    """

    inputs: dict[str, Tensor]
    present: Tensor
    target: Tensor
    labelled: Tensor

    @property
    def size(self) -> int:
        """The number of posts B."""
        return len(self.labelled)

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with each tensor replaced by `function` of it."""
        inputs = {name: function(tensor) for name, tensor in self.inputs.items()}
        return Batch(inputs, function(self.present), function(self.target), function(self.labelled))

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return self.map(lambda tensor: tensor.to(device))

    def take(self, rows: Tensor) -> Batch:
        """Return some posts: row numbers, int64[…], give tensors of shape […, …], padded as needed."""
        found = self.map(lambda tensor: tensor.index_select(0, rows.flatten()).unflatten(0, rows.shape))
        ids = {name for name, tensor in self.inputs.items() if tensor.ndim > 1}
        cut = {name: trimmed(tensor) if name in ids else tensor for name, tensor in found.inputs.items()}
        return found._replace(inputs=cut)

    def slice(self, start: int, end: int) -> Batch:
        """Return the posts from `start` to `end`."""
        return self.map(lambda tensor: tensor[start:end])

    def only(self, mode: Mode) -> Batch:
        """Return the batch as if the other modality were missing: "image" leaves the images."""
        return self._replace(present=self.present & torch.tensor(MODES[mode], device=self.present.device))

    @staticmethod
    def joined(batches: list[Batch]) -> Batch:
        """Return the posts of several batches, one after the other."""
        first = batches[0]
        return Batch(
            {name: torch.cat([one.inputs[name] for one in batches]) for name in first.inputs},
            *(torch.cat(tensors) for tensors in zip(*(one[1:] for one in batches), strict=True)),
        )


def trimmed(ids: Tensor) -> Tensor:
    """Cut off the padding that all rows of ids share: one long text would make every step as slow as itself.

    Inputs that aren't integers are returned as they are.
    """
    if ids.dtype != torch.int64:
        return ids
    longest = int((ids != PADDING).any(tuple(range(ids.ndim - 1))).sum())
    return ids[..., : max(1, longest)]
