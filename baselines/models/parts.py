"""What the fusion models have in common: the text's encoder, the features' scale, the low-rank classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from baselines.batch import PADDING, Batch

Pooling = Literal["max", "mean"]

#: What a missing modality is to a model: left out of the pooling, or a vector of zeros.
Missing = Literal["mask", "zero"]


class Classifier(nn.Module):
    """A model of posts: `forward(batch) -> logits` and a loss of its own where the paper has one."""

    #: What the image's features go through first.
    scale: Standardise

    #: What the learning rate is multiplied by: one rate then fits models whose losses are of other sizes.
    pace = 1.0

    #: Texts of other classes that `loss` wants for each post.
    negatives_per_post = 0

    def loss(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Return the mean loss over the batch, a scalar: the negative log-likelihood.

        `negatives`: int64[B, g, L], tokens of texts of other classes, drawn anew each step.
        """
        return nn.functional.cross_entropy(self(batch), batch.label)


#: The expected norm of an image's features as the models see them: about that of a pooled text.
NORM = 4.0


class Standardise(nn.Module):
    """Features at mean 0, all of one variance, of norm 4 over the training posts: float[B, D] -> float[B, D].

    Ours, not the paper's: a linear layer behind it can express the same. But image and text then learn at one
    pace, whatever the network and its width; else the image, of a norm of 30 and more, has overfitted before
    the words have moved.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def measure(self, features: Tensor) -> None:
        """Take mean and scale from the training posts' features, float[n, D]."""
        self.mean.copy_(features.mean(0))
        self.scale.copy_(NORM / features.shape[1] ** 0.5 / (features.std(0, correction=0) + 1e-6))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) * self.scale


class Dropout(nn.Module):
    """Dropout with a byte a decision: `p` to a 256th, and a quarter of `nn.Dropout`'s time on a CPU."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropped = round(p * 256)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return x
        words = torch.randint(-(2**63), 2**63 - 1, ((x.numel() + 7) // 8,), device=x.device)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * kept * (256 / (256 - self.dropped))


class TextEncoder(nn.Module):
    """ψ(s): word vectors, trained; dropout; component-wise maximum or mean over the words.

    Duong et al. 2017, section 3.2: GloVe-Twitter, d = 200, dropout .25 after the lookup.
    int64[…, L] -> float[…, d]; a text without words gives zeros.
    """

    def __init__(self, vectors: Tensor, pooling: Pooling = "max", dropout: float = 0.25) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=PADDING)
        self.dropout = Dropout(dropout)
        self.pooling = pooling

    @property
    def width(self) -> int:
        """The vectors' width d."""
        return self.lookup.embedding_dim

    def forward(self, tokens: Tensor) -> Tensor:
        words = self.dropout(self.lookup(tokens))
        real = (tokens != PADDING).unsqueeze(-1)
        return pool(words, real, -2, self.pooling)


def pool(vectors: Tensor, real: Tensor, dim: int, how: Pooling) -> Tensor:
    """Pool vectors over `dim`, those that are not `real` left out; zeros where none is.

    `real` is a bool tensor that broadcasts against `vectors`.
    """
    if how == "mean":
        return (vectors * real).sum(dim) / real.sum(dim).clamp(min=1)
    highest = vectors.masked_fill(~real, -torch.inf).amax(dim)
    return highest.masked_fill(~real.any(dim), 0)


class LowRank(nn.Sequential):
    """The classifier of the fused vector: a linear layer to h before the last one, nothing between.

    Duong et al. 2017, section 3.3: h = 100. float[B, D] -> float[B, C].
    """

    def __init__(self, width: int, classes: int, hidden: int = 100) -> None:
        super().__init__(nn.Linear(width, hidden), nn.Linear(hidden, classes))
