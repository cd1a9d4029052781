"""Fast forms of what a text branch does in every step on a CPU, each beside its plain form.

`benchmarks/kernels.py` measures both; a test compares them. A fast form that isn't 1.3 times as fast goes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.data.batch import PADDING


def max_of_words_plain(lookup: nn.Embedding, tokens: Tensor, dropout: float) -> Tensor:
    """Return the component-wise maximum of the words' vectors: int64[B, L] -> float[B, d].

    `dropout`: the probability with which each component of each word is set to 0 before the maximum; 0 in
    evaluation. A text without words gives zeros.
    """
    real = (tokens != PADDING).unsqueeze(-1)
    words = nn.functional.dropout(lookup(tokens), dropout)
    return words.masked_fill(~real, -torch.inf).amax(-2).masked_fill(~real.any(-2), 0)


def max_of_words(lookup: nn.Embedding, tokens: Tensor, dropout: float) -> Tensor:
    """Return the same as `max_of_words_plain`, but for texts without words, whose values are arbitrary.

    The word of each component's maximum is found first, without gradients: the gradient then is one number a
    component, not one for every word.
    """
    table = lookup.weight
    real = (tokens != PADDING).unsqueeze(-1)
    with torch.no_grad():
        words = nn.functional.embedding(tokens, table)
        keep, scale = dropout_mask(words, dropout)
        place = argmax(words, keep, real)
        factor = keep.gather(-2, place).squeeze(-2) * scale
        word = tokens.gather(-1, place.squeeze(-2))
    return table.gather(0, word, sparse_grad=lookup.sparse) * factor


def dropout_mask(like: Tensor, p: float) -> tuple[Tensor, float]:
    """Draw what dropout keeps, uint8 in the shape of `like`, and the factor of what is kept.

    0 with probability p (to a 256th), else 1: one random byte a decision, and no comparison.
    """
    dropped = round(p * 256)
    if not dropped:
        return torch.ones_like(like, dtype=torch.uint8), 1.0
    words = torch.randint(-(2**63), 2**63 - 1, ((like.numel() + 7) // 8,), device=like.device)
    drawn = words.view(torch.uint8)[: like.numel()].view(like.shape)
    return drawn.clamp(dropped - 1, dropped) - (dropped - 1), 256 / (256 - dropped)


def argmax(vectors: Tensor, keep: Tensor, real: Tensor) -> Tensor:
    """Return where the maximum over the second last dimension is: float[…, L, d] -> int64[…, 1, d].

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
