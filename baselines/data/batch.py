"""What every model takes: a batch of posts, of which either modality may be missing."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

#: The columns of `present`.
IMAGE, TEXT = 0, 1

#: The id of the padding in `tokens`; words and n-grams count from 1.
PADDING = 0


class Batch(NamedTuple):
    """B posts. What is missing is marked in `present`; a model masks it out.

    `image`: float[B, D] features of a frozen network, or float[B, 3, H, W] pixels where it is trained too.
    `tokens`: int64[B, L], the text by the model's own encoder, padded with `PADDING`.
    `present`: bool[B, 2], whether image and text are there.
    `label`: int64[B].
    """

    image: Tensor
    tokens: Tensor
    present: Tensor
    label: Tensor
