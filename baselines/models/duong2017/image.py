"""Image-based classification."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.data.batch import IMAGE, Batch
from baselines.models.duong2017.parts import Classifier, Standardise


class ImageBased(Classifier):
    """A linear softmax classifier on frozen features γ(i).

    Duong et al. 2017, section 3.1: P(y|i) = softmax(W γ(i) + b), γ Inception-v3 without its last layer,
    2048-d. float[B, D] -> float[B, C]. Without an image the bias is left, the classes' prior.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.scale = Standardise(features)
        self.last = nn.Linear(features, classes)

    def forward(self, batch: Batch) -> Tensor:
        seen = batch.present[:, IMAGE].unsqueeze(-1)
        return self.last(self.scale(batch.image) * seen)
