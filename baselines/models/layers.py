"""Layers that several families share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, Batch

#: The expected norm of an image's features as the models see them: about that of a pooled text.
NORM = 4.0


class Standardise(nn.Module):
    """Features with mean 0, equal variances and norm 4 over the training posts: float[B, D] -> float[B, D].

    Features may be float16; the result is float32. With `on=False` they are returned as they come.

    Not in the paper. A linear layer after it can express the same function, but image and text then learn at
    similar speeds, whatever the network and its width: raw features have norms of 30 and more.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, on: bool = True) -> None:
        super().__init__()
        self.on = on
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def measure(self, posts: Batch) -> None:
        """Take mean and scale from the training posts with an image."""
        features = posts.inputs["image"][posts.present[:, IMAGE]].to(self.mean.dtype)
        if self.on and len(features):
            self.mean.copy_(features.mean(0))
            self.scale.copy_(NORM / features.shape[1] ** 0.5 / (features.std(0, correction=0) + 1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Return the scaled features."""
        return (features - self.mean) * self.scale
