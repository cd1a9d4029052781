"""Convolutions over the words of texts, pooled by maximum, mean and minimum: a plain form, and one for CPUs.

Which windows count: a filter of w words reads windows of w words. Of a text of n words the windows that lie
within it count, n − w + 1; of a shorter text the first window, whose other words are zero vectors.

`benchmarks/kernels.py` measures both; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import PADDING
from baselines.models.kernels import dropout_mask


def convolved_plain(
    lookup: nn.Embedding, tokens: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], dropout: float
) -> Tensor:
    """Return what each filter finds in each text: int64[B, L] -> float[B, widths · 3 · filters].

    `weights`: float[w, filters, d] for each width w; `biases`: float[filters] each. `dropout`: of the word
    vectors; 0 in evaluation. The result holds for each width, in their order, maximum, mean and minimum of
    ReLU(filter) over the windows that count.
    """
    n = (tokens != PADDING).sum(1, keepdim=True)
    widest = max(map(len, weights))
    tokens = nn.functional.pad(tokens, (0, max(0, widest - tokens.shape[1])), value=PADDING)
    words = nn.functional.dropout(lookup(tokens), dropout).transpose(1, 2)
    pooled = []
    for weight, bias in zip(weights, biases, strict=True):
        found = nn.functional.conv1d(words, weight.permute(1, 2, 0), bias).relu()  # [B, filters, windows]
        counts = (n - len(weight) + 1).clamp(min=1)
        counted = (torch.arange(found.shape[2], device=tokens.device) < counts).unsqueeze(1)
        pooled += [
            found.masked_fill(~counted, -torch.inf).amax(2),
            (found * counted).sum(2) / counts,
            found.masked_fill(~counted, torch.inf).amin(2),
        ]
    return torch.cat(pooled, 1)


def convolved(
    lookup: nn.Embedding, tokens: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], dropout: float
) -> Tensor:
    """Return the same as `convolved_plain`, on a CPU about twice as fast.

    The words of all texts are put one after another, so that padding costs nothing, and each position of the
    filters is one matrix product for all widths.
    """
    n = (tokens != PADDING).sum(1)
    sizes = n.clamp(min=max(map(len, weights)))  # with the padding of short texts
    longest = int(sizes.max())
    tokens = nn.functional.pad(tokens, (0, max(0, longest - tokens.shape[1])), value=PADDING)[:, :longest]
    places = torch.arange(longest, device=tokens.device)
    words = lookup(tokens[places < sizes.unsqueeze(1)])
    if dropout:
        keep, scale = dropout_mask(words.detach(), dropout)
        words = words * (keep * scale)
    order = sorted(range(len(weights)), key=lambda i: -len(weights[i]))
    counts = torch.stack([(n - len(weights[i]) + 1).clamp(min=1) for i in order], 1)
    bias = torch.cat([biases[i] for i in order])
    pooled: Tensor = _Convolved.apply(words, sizes, counts, bias, *(weights[i] for i in order))
    back = sorted(range(len(order)), key=lambda i: order[i])
    return pooled[:, back].flatten(1)


class _Convolved(torch.autograd.Function):
    """The words of B texts, one after another, float[T, d] -> float[B, widths, 3, filters].

    `sizes`: int64[B], the rows of each text. `counts`: int64[B, widths], the windows that count. `bias`:
    float[widths · filters]. `weights`: float[w, filters, d] for each width, the widest first.

    Of equal maxima each gets an equal part of the gradient, as PyTorch's amax does it.
    """

    @staticmethod
    def forward(
        ctx: Any, words: Tensor, sizes: Tensor, counts: Tensor, bias: Tensor, *weights: Tensor
    ) -> Tensor:
        total, filters = len(words), weights[0].shape[1]
        # The k-th word of a window meets the filters that are wider than k: one product for all of them.
        parts = [torch.cat([one[k] for one in weights if len(one) > k]) for k in range(len(weights[0]))]
        found = torch.addmm(bias, words, parts[0].T)
        for k, part in enumerate(parts[1:], 1):
            found[: total - k, : len(part)].addmm_(words[k:], part.T)
        places = torch.arange(int(sizes.max()), device=words.device)
        rows = (sizes.cumsum(0) - sizes).unsqueeze(1) + places
        windows = found.relu_().index_select(0, rows.clamp_(max=total - 1).flatten())
        windows = windows.view(*rows.shape, len(weights), filters)  # [B, L, widths, filters]
        counted = (places.unsqueeze(1) < counts.unsqueeze(1)).unsqueeze(-1)
        lowest = windows.masked_fill(~counted, torch.inf).amin(1)
        windows *= counted
        highest, mean = windows.amax(1), windows.sum(1) / counts.unsqueeze(-1)
        ctx.save_for_backward(words, sizes, counts, windows, highest, lowest, *parts)
        ctx.widths = [len(one) for one in weights]
        return torch.stack([highest, mean, lowest], 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        words, sizes, counts, windows, highest, lowest, *parts = ctx.saved_tensors
        filters, total = windows.shape[-1], len(words)
        of_highest, of_mean, of_lowest = gradients[0].unbind(2)
        # Windows that don't count, and those below 0, hold 0: their gradient is set to 0 in the end.
        is_one = torch.eq(windows, highest.unsqueeze(1), out=torch.empty_like(windows))
        share = of_highest / is_one.sum(1).clamp_(min=1)
        gradient = is_one * share.unsqueeze(1)
        torch.eq(windows, lowest.unsqueeze(1), out=is_one)
        share = of_lowest / is_one.sum(1).clamp_(min=1)
        gradient.addcmul_(is_one, share.unsqueeze(1))
        gradient += (of_mean / counts.unsqueeze(-1)).unsqueeze(1)
        gradient *= torch.gt(windows, 0, out=is_one)
        held = torch.arange(windows.shape[1], device=words.device) < sizes.unsqueeze(1)
        gradient = gradient.flatten(2).flatten(0, 1)[held.flatten()]  # [T, widths · filters]
        of_words = gradient @ parts[0]
        of_weights = [words.new_empty(width, filters, words.shape[1]) for width in ctx.widths]
        for k, part in enumerate(parts):
            mine = gradient[: total - k, : len(part)]
            if k:
                of_words[k:].addmm_(mine, part)
            for whole, own in zip(of_weights, (mine.T @ words[k:]).split(filters), strict=False):
                whole[k] = own
        return of_words, None, None, gradient.sum(0), *of_weights
