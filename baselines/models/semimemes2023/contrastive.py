"""The losses of Ext-PIE-Net's pretraining: a hinge between two modalities, and NT-Xent between two views."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cosine_hinge(anchors: Tensor, others: Tensor, margin: float) -> Tensor:
    """Return Σ_{j≠i} max(0, margin + cos(aᵢ, oⱼ) − cos(aᵢ, oᵢ)) of each anchor i.

    Float[B, D], float[B, D] -> float[B]. The negatives of an anchor are all other posts of the mini-batch.
    """
    alike = F.normalize(anchors, dim=-1) @ F.normalize(others, dim=-1).T
    own = torch.eye(len(alike), dtype=torch.bool, device=alike.device)
    return (margin + alike - alike.diagonal().unsqueeze(-1)).clamp(min=0).masked_fill(own, 0).sum(-1)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the normalised temperature-scaled cross-entropy of each post, the mean of its two views'.

    Chen et al. 2020, equation 1: −log (exp(cos(zᵢ, zⱼ)/τ) / Σ_{k≠i} exp(cos(zᵢ, z_k)/τ)), where zⱼ is the
    other view of zᵢ, and k is over both views of all posts. Float[B, D], float[B, D] -> float[B].
    """
    views = F.normalize(torch.cat([first, second]), dim=-1)
    scores = views @ views.T / temperature
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    other = torch.arange(len(scores), device=scores.device).roll(len(first))
    losses = F.cross_entropy(scores.masked_fill(own, -torch.inf), other, reduction="none")
    return losses.unflatten(0, (2, -1)).mean(0)
