"""The distribution-balanced focal loss of multi-label classification with few and uneven labels.

Wu, Huang, Liu, Wang, Lin 2020, as the SemiMemes slides print it. Of a label i that n_i of the N labelled
training posts have, and a post with the labels y:

    r_i = (1/n_i) / Σ_{y_j = 1} 1/n_j         r̂_i = α + σ(β (r_i − μ))         ν_i = (κ/λ) ln(N/n_i − 1)
    y_i = 1:  r̂_i (1 − p_t)^γ softplus(−(z_i − ν_i))
    y_i = 0:  r̂_i (1 − p_t)^γ softplus(λ (z_i − ν_i)) / λ

p_t is the probability that the shifted and scaled logit gives to what is true. A post without any label has
no r in this formula: there r → ∞, so r̂ = 1 + α. Predictions use z, without ν.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.core.errors import BaselineError


@dataclass(frozen=True, slots=True)
class Balance:
    """The constants of the loss. `lam` is λ; `gamma` 0 switches the focal factor off.

    `balance_param`: a factor of the whole loss, 2 in the authors' implementation; the slides lack it.
    """

    alpha: float
    beta: float
    mu: float
    lam: float
    kappa: float
    gamma: float
    balance_param: float = 1.0


#: The constants of the authors for two corpora, and those that the released code of SemiMemes runs with.
PRESETS = {
    "coco": Balance(alpha=0.1, beta=10, mu=0.2, lam=2, kappa=0.05, gamma=2),
    "voc": Balance(alpha=0.1, beta=10, mu=0.3, lam=5, kappa=0.05, gamma=2),
    "semimemes": Balance(alpha=10, beta=0.2, mu=0.1, lam=5, kappa=0.1, gamma=0),
}


def db_focal_loss(
    logits: Tensor, target: Tensor, counts: Tensor, posts: Tensor | float, balance: Balance
) -> Tensor:
    """Return the loss of each post and label, float[B, C]; its mean is what is minimised.

    `logits`: z, float[B, C]. `target`: y, float[B, C], 0 or 1. `counts`: n, float[C], above 0 and below N.
    `posts`: N.
    """
    inverse = 1 / counts
    held = (target * inverse).sum(-1, keepdim=True)
    rarity = inverse / held.where(held > 0, 1)
    weight = balance.alpha + torch.sigmoid(balance.beta * (rarity - balance.mu)).where(held > 0, 1)
    shifted = logits - balance.kappa / balance.lam * torch.log(posts / counts - 1)
    positive = target > 0
    true = torch.where(positive, shifted, -balance.lam * shifted)  # the logit of what is true
    scale = torch.where(positive, weight, weight / balance.lam)
    loss = -balance.balance_param * scale * F.logsigmoid(true)
    # (1 − p_t)^γ, in a form whose gradient is finite for every γ.
    return loss * torch.exp(balance.gamma * F.logsigmoid(-true)) if balance.gamma else loss


class DBFocalLoss(nn.Module):
    """`db_focal_loss` with the counts of the labelled training posts: float[B, C] twice -> float[B, C]."""

    counts: Tensor
    posts: Tensor

    def __init__(self, labels: Sequence[str], balance: Balance) -> None:
        super().__init__()
        self.labels, self.balance = tuple(labels), balance
        # Until they are measured: values at which the loss is finite.
        self.register_buffer("counts", torch.ones(len(labels)))
        self.register_buffer("posts", torch.tensor(2.0))

    def measure(self, target: Tensor) -> None:
        """Take n and N from the targets of the labelled training posts, float[N, C].

        Raises `BaselineError` for a label that none of them has, or all: its ν is infinite.
        """
        counts = target.sum(0)
        for name, count in zip(self.labels, counts.tolist(), strict=True):
            if count in (0, len(target)):
                which = "none" if count == 0 else "every one"
                raise BaselineError(
                    f"{which} of the {len(target)} labelled training posts has the label {name!r}, for which "
                    "the distribution-balanced loss has no weight: leave the label out, or label more posts"
                )
        self.counts.copy_(counts)
        self.posts.fill_(len(target))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each post and label."""
        return db_focal_loss(logits, target.to(logits.dtype), self.counts, self.posts, self.balance)
