"""Late fusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch


class LateFusion(nn.Module):
    """The product of two classifiers that were trained apart.

    Duong et al. 2017, section 3.3.1: argmax_y P(y|i) · P(y|s). A missing modality's factor is left out.
    `image` and `text` map a batch to logits float[B, C]; so does this, with logits log P(y|i) + log P(y|s).
    """

    def __init__(self, image: nn.Module, text: nn.Module) -> None:
        super().__init__()
        self.image = image
        self.text = text

    def forward(self, batch: Batch) -> Tensor:
        image = torch.log_softmax(self.image(batch), -1) * batch.present[:, IMAGE].unsqueeze(-1)
        text = torch.log_softmax(self.text(batch), -1) * batch.present[:, TEXT].unsqueeze(-1)
        return image + text
