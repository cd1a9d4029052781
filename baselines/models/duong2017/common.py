"""Common space fusion."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.data.batch import Batch
from baselines.models.duong2017 import losses
from baselines.models.duong2017.joint import JointFusion
from baselines.settings import Settings


class CommonSpaceFusion(JointFusion):
    """Joint fusion in a space that image and text share, for posts that lack one of them.

    Duong et al. 2017, section 3.3.4, equation 14: λ · NLL + the loss of `losses.common_space`, with g texts
    of other classes for each post, drawn anew each step; g = 3 (Reddit) or 4 (Flickr), λ = 3. Ours: they are
    drawn among the posts of the step, whose vectors are there already. A post without image or text, or in a
    step without a text of another class, has no such distance and adds its NLL alone.
    """

    def __init__(
        self,
        features: int,
        vectors: Tensor,
        classes: int,
        settings: Settings = Settings(),
    ) -> None:
        super().__init__(features, vectors, classes, settings)
        self.negatives_per_post = settings.g
        self.weight = settings.weight
        self.pace = 1 / settings.weight  # its loss is λ times joint fusion's, and more

    def loss(self, batch: Batch, negatives: Tensor) -> Tensor:
        image, text = self.vectors(batch)
        likelihood = nn.functional.cross_entropy(self.fuse(image, text, batch.present), batch.label)
        apart = losses.common_space(image, text, text[negatives.clamp(min=0)])
        has_distance = batch.present.all(-1) & (negatives >= 0).all(-1)
        return self.weight * likelihood + (apart * has_distance).mean()
