"""What the fusion models have in common: the text's encoder, and the low-rank classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from baselines.data.batch import PADDING, TEXT, Batch
from baselines.models.kernels import max_of_words, max_of_words_plain

Pooling = Literal["max", "mean"]

#: Training texts that the centre is measured on.
MEASURED = 4096


class TextEncoder(nn.Module):
    """ψ(s): word vectors, trained; dropout; component-wise maximum or mean over the words.

    Duong et al. 2017, section 4.2, equations 7 to 9: GloVe-Twitter, d = 200; dropout .25 after the lookup
    (section 5.4). int64[B, L] -> float[B, d]; a text without words gives zeros.

    `centre`, not in the paper: ψ minus its mean over the training texts, measured before training. A linear
    layer after it can express the same, and so can a maximum with γ̃ + b̃. But a maximum over random words is
    .7 and more in every component, so γ̃ would hardly ever be the larger one.
    """

    centre: Tensor

    def __init__(self, vectors: Tensor, pooling: Pooling, dropout: float, centre: bool = True) -> None:
        super().__init__()
        self.lookup = nn.Embedding.from_pretrained(vectors.clone(), freeze=False, padding_idx=PADDING)
        self.register_buffer("centre", torch.zeros(vectors.shape[1]))
        self.dropout, self.pooling, self.centred = dropout, pooling, centre

    @torch.no_grad()
    def measure(self, posts: Batch) -> None:
        """Take the centre from the training posts with a text."""
        tokens = posts.inputs["words"][posts.present[:, TEXT]][:MEASURED]
        if not self.centred or not len(tokens):
            return
        was = self.training
        self.eval()
        self.centre.copy_(torch.cat([self._pooled(some) for some in tokens.split(256)]).mean(0))
        self.train(was)

    @property
    def width(self) -> int:
        """The vectors' width d."""
        return self.lookup.embedding_dim

    def forward(self, tokens: Tensor) -> Tensor:
        """Return ψ."""
        has_words = (tokens != PADDING).any(-1, keepdim=True)
        return (self._pooled(tokens) - self.centre).masked_fill(~has_words, 0)

    def _pooled(self, tokens: Tensor) -> Tensor:
        if self.pooling == "max":
            if self.training:
                return max_of_words(self.lookup, tokens, self.dropout)
            return max_of_words_plain(self.lookup, tokens, 0.0)
        words = nn.functional.dropout(self.lookup(tokens), self.dropout, self.training)
        return pool(words, (tokens != PADDING).unsqueeze(-1), -2, "mean")


def pool(vectors: Tensor, real: Tensor, dim: int, how: Pooling) -> Tensor:
    """Pool vectors over `dim`, without those that are not `real`; zeros where none is.

    Duong et al. 2017, equation 10. `real` is a bool tensor that broadcasts against `vectors`.
    """
    if how == "mean":
        return (vectors * real).sum(dim) / real.sum(dim).clamp(min=1)
    highest = vectors.masked_fill(~real, -torch.inf).amax(dim)
    return highest.masked_fill(~real.any(dim), 0)


class LowRank(nn.Sequential):
    """The classifier of the fused vector: a linear layer to h, then the last one, no activation between.

    Duong et al. 2017, sections 4.3 and 5.4: h = 100. float[B, D] -> float[B, C].
    """

    def __init__(self, width: int, classes: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.Linear(hidden, classes))
