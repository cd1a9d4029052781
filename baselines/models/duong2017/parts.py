"""What the fusion models have in common: the text's encoder, the features' scale, the low-rank classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from baselines.data.batch import PADDING, Batch

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

    def measure(self, posts: Batch) -> None:
        """Take the features' scale and the texts' centre from the training posts, before any training."""
        seen, told = posts.present.T
        if seen.any():
            self.scale.measure(posts.image[seen])
        for part in self.modules():
            if isinstance(part, TextEncoder) and told.any():
                part.measure(posts.tokens[told][:MEASURED])

    def loss(self, batch: Batch, negatives: Tensor) -> Tensor:
        """Return the mean loss over the batch, a scalar: the negative log-likelihood.

        `negatives`: int64[B, g], places in the batch of posts whose texts are of other classes, drawn anew
        each step; -1 where there is none.
        """
        return nn.functional.cross_entropy(self(batch), batch.label)


#: Texts that tell the centre of all.
MEASURED = 4096

#: The expected norm of an image's features as the models see them: about that of a pooled text.
NORM = 4.0


class Standardise(nn.Module):
    """Features at mean 0, all of one variance, of norm 4 over the training posts: float[B, D] -> float[B, D].

    Features may come as float16; what comes out is float32.

    Ours, not the paper's. A linear layer after it can express the same function, but image and text then
    learn at similar speeds, whatever the network and its width. Raw image features have norms of 30 and more:
    the image branch would overfit while the word vectors are still near their initial values.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def measure(self, features: Tensor) -> None:
        """Take mean and scale from the training posts' features, float[n, D]."""
        features = features.to(self.mean.dtype)
        self.mean.copy_(features.mean(0))
        self.scale.copy_(NORM / features.shape[1] ** 0.5 / (features.std(0, correction=0) + 1e-6))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) * self.scale


def dropout(like: Tensor, p: float) -> tuple[Tensor, float]:
    """Draw what dropout keeps, uint8 in the shape of `like`, and what it multiplies that by.

    0 with probability p (to a 256th), else 1. With a byte a decision and no comparison it takes an eighth of
    `nn.Dropout`'s time on a CPU.
    """
    dropped = round(p * 256)
    if not dropped:
        return torch.ones_like(like, dtype=torch.uint8), 1.0
    words = torch.randint(-(2**63), 2**63 - 1, ((like.numel() + 7) // 8,), device=like.device)
    drawn = words.view(torch.uint8)[: like.numel()].view(like.shape)
    return drawn.clamp(dropped - 1, dropped) - (dropped - 1), 256 / (256 - dropped)


class TextEncoder(nn.Module):
    """ψ(s): word vectors, trained; dropout; component-wise maximum or mean over the words.

    Duong et al. 2017, section 3.2: GloVe-Twitter, d = 200, dropout .25 after the lookup.
    int64[B, L] -> float[B, d]; a text without words gives zeros.

    Ours, not the paper's: ψ is counted from its mean over the training texts, as it is before any training. A
    linear layer behind it can express the same, and a maximum with γ̃ + b̃ too. But a maximum over random words
    lies .7 and more above 0 in every component: γ̃ would hardly ever be the greater, and a rate that
    such a constant part bears is too small for all that differs.
    """

    centre: Tensor

    def __init__(self, vectors: Tensor, pooling: Pooling = "max", dropout: float = 0.25) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=PADDING)
        self.register_buffer("centre", torch.zeros(vectors.shape[1]))
        self.dropout = dropout
        self.pooling = pooling

    @torch.no_grad()
    def measure(self, tokens: Tensor) -> None:
        """Take the centre from texts, int64[n, L], that all have words."""
        was = self.training
        self.eval()
        self.centre.copy_(torch.cat([self._pooled(some) for some in tokens.split(256)]).mean(0))
        self.train(was)

    @property
    def width(self) -> int:
        """The vectors' width d."""
        return self.lookup.embedding_dim

    def forward(self, tokens: Tensor) -> Tensor:
        has_words = (tokens != PADDING).any(-1, keepdim=True)
        return (self._pooled(tokens) - self.centre).masked_fill(~has_words, 0)

    def _pooled(self, tokens: Tensor) -> Tensor:
        real = (tokens != PADDING).unsqueeze(-1)
        return self._highest(tokens, real) if self.pooling == "max" else self._mean(tokens, real)

    def _mean(self, tokens: Tensor, real: Tensor) -> Tensor:
        words = self.lookup(tokens)
        if self.training:
            keep, scale = dropout(words, self.dropout)
            words = words * (keep * scale)
        return pool(words, real, -2, "mean")

    def _highest(self, tokens: Tensor, real: Tensor) -> Tensor:
        """Find each component's word first: its gradient is then one number, not one for every word."""
        table = self.lookup.weight
        with torch.no_grad():
            words = nn.functional.embedding(tokens, table)
            keep, scale = dropout(words, self.dropout if self.training else 0)
            place = highest_place(words, keep, real)
            factor = keep.gather(-2, place).squeeze(-2) * scale
            word = tokens.gather(-1, place.squeeze(-2))
        return table.gather(0, word, sparse_grad=self.lookup.sparse) * factor


def highest_place(vectors: Tensor, keep: Tensor, real: Tensor) -> Tensor:
    """Return where the maximum over the second last dimension stands: float[…, L, d] -> int64[…, 1, d].

    What `keep`, uint8[…, L, d], doesn't keep counts as 0; what isn't `real`, bool[…, L, 1], is left out.
    `vectors` are overwritten.

    argmax is 10x slower than max on CPU, so each position is kept in the low mantissa bits, as many as L
    needs. Among values that differ only in these bits, any may be chosen.
    """
    number = vectors.shape[-2]
    whole = torch.int64 if vectors.dtype == torch.float64 else torch.int32
    upper = -(1 << (number - 1).bit_length())  # all bits but those of a place
    lowest = int(torch.tensor(torch.finfo(vectors.dtype).min, dtype=vectors.dtype).view(whole)) & upper
    place = torch.arange(number, dtype=whole, device=vectors.device).unsqueeze(-1)
    there = real.to(whole)
    bits = vectors.view(whole)
    bits &= keep.to(whole).mul_(there * upper)
    bits |= place | (1 - there) * lowest
    highest = vectors.amax(-2, keepdim=True)
    return (highest.view(whole) & ~upper).long().clamp(max=number - 1)  # NaN has arbitrary bits


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
