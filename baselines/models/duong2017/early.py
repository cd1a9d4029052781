"""Early fusion."""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.models.duong2017.parts import Classifier, LowRank, Standardise, TextEncoder
from baselines.settings import Settings


class EarlyFusion(Classifier):
    """Both vectors side by side, then the low-rank classifier.

    Duong et al. 2017, section 3.3.2: [γ(i); ψ(s)] -> h -> |Y|. A missing one's part is zero: there is nothing
    to pool over. float[B, D], int64[B, L] -> float[B, C].
    """

    def __init__(
        self,
        features: int,
        vectors: Tensor,
        classes: int,
        settings: Settings = Settings(),
    ) -> None:
        super().__init__()
        self.scale = Standardise(features)
        self.text = TextEncoder(vectors, settings.pooling, settings.dropout)
        self.classify = LowRank(features + self.text.width, classes, settings.hidden)

    def forward(self, batch: Batch) -> Tensor:
        image = self.scale(batch.image) * batch.present[:, IMAGE].unsqueeze(-1)
        text = self.text(batch.tokens) * batch.present[:, TEXT].unsqueeze(-1)
        return self.classify(torch.cat([image, text], -1))
