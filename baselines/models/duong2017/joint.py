"""Joint fusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.data.batch import Batch
from baselines.models.duong2017.parts import Classifier, LowRank, Standardise, TextEncoder, pool
from baselines.settings import Settings


class JointFusion(Classifier):
    """Image and text in vectors of one width, pooled component by component.

    Duong et al. 2017, section 3.3.3: γ̃ = W̃ γ(i) + b̃ (equation 11, whose W̃ is printed transposed),
    x = max(γ̃, ψ(s)) or their mean (equation 12), then x -> h -> |Y|. A missing modality is left out of the
    pooling; with `missing="zero"` it takes part as zeros, as the paper's Table 5 seems to have it.
    float[B, D], int64[B, L] -> float[B, C].
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
        self.project = nn.Linear(features, self.text.width)
        self.classify = LowRank(self.text.width, classes, settings.hidden)
        self.fusion = settings.fusion
        self.missing = settings.missing

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return γ̃ and ψ, float[B, d] each."""
        return self.project(self.scale(batch.image)), self.text(batch.tokens)

    def fuse(self, image: Tensor, text: Tensor, present: Tensor) -> Tensor:
        """Pool γ̃ and ψ and classify what comes out."""
        both = torch.stack([image, text], -2)
        real = present.unsqueeze(-1)
        if self.missing == "zero":  # the paper's, which doesn't count ψ from its centre
            both, real = torch.where(real, both, -self.text.centre), torch.ones_like(real)
        return self.classify(pool(both, real, -2, self.fusion))

    def forward(self, batch: Batch) -> Tensor:
        image, text = self.vectors(batch)
        return self.fuse(image, text, batch.present)
