"""Losses, as pure functions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

#: Keeps the gradient of a distance finite where two vectors meet.
TINY = 1e-12


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance between vectors: float[…, d], float[…, d] -> float[…]."""
    return ((a - b).square().sum(-1) + TINY).sqrt()


def common_space(image: Tensor, text: Tensor, negatives: Tensor) -> Tensor:
    """Draw a post's image and text together, and its image away from texts of other classes.

    Duong et al. 2017, equation 13, with d⁺ = d(γ̃, ψ⁺) and d⁻_j = d(γ̃, ψ⁻_j):

        Σ_j −log( e^{−d⁺} / (e^{−d⁺} + e^{−d⁻_j}) )  =  Σ_j softplus(d⁺ − d⁻_j)

    `image`: γ̃, float[B, d]. `text`: ψ⁺, float[B, d]. `negatives`: ψ⁻, float[B, g, d]. Returns float[B].
    """
    positive = distance(image, text).unsqueeze(-1)
    return F.softplus(positive - distance(image.unsqueeze(-2), negatives)).sum(-1)
