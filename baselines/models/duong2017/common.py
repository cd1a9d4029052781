"""Common space fusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.data.batch import Batch
from baselines.data.task import Task
from baselines.models.base import Spec, Stage, Term, Terms
from baselines.models.duong2017.joint import JointFusion
from baselines.models.duong2017.settings import WORD_GRID, CommonSettings, stages

#: Keeps the gradient of a distance finite where two vectors are equal.
TINY = 1e-12


class CommonSpaceFusion(JointFusion):
    """Joint fusion in a space that image and text share, for posts that lack one of them.

    Duong et al. 2017, section 4.3, equation 14: λ · NLL + the auxiliary loss of equation 13, with g texts of
    other classes for each post, drawn anew each step; g = 3 (Reddit) or 4 (Flickr), λ = 3. The auxiliary loss
    is a mean over the posts that have image and text.
    """

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: CommonSettings) -> None:
        super().__init__(task, features, vectors, settings)
        self.weight = settings.weight

    def terms(self, batch: Batch) -> Terms:
        """Return the likelihood and the auxiliary loss."""
        image, text = self.vectors(batch)
        logits = self.fuse(image, text, batch.present)
        ids, own = batch.inputs["other_texts"], batch.inputs["pattern"]  # [P, g, L], [B]
        others = self.text(ids.flatten(0, 1)).unflatten(0, ids.shape[:2])
        apart = auxiliary(image, text, others[own.clamp(min=0)])
        held = batch.present.all(-1) & batch.labelled & (own >= 0)
        return {
            "likelihood": self.likelihood(logits, batch, weight=self.weight),
            "common space": Term((apart * held).sum(), held.sum()),
        }


def auxiliary(image: Tensor, text: Tensor, negatives: Tensor) -> Tensor:
    """Pull a post's image and text together, and push its image away from texts of other classes.

    Duong et al. 2017, equation 13, with d⁺ = d(γ̃, ψ⁺) and d⁻_j = d(γ̃, ψ⁻_j):

        Σ_j −log( e^{−d⁺} / (e^{−d⁺} + e^{−d⁻_j}) )  =  Σ_j softplus(d⁺ − d⁻_j)

    `image`: γ̃, float[B, d]. `text`: ψ⁺, float[B, d]. `negatives`: ψ⁻, float[B, g, d]. Returns float[B].
    """
    positive = distance(image, text).unsqueeze(-1)
    return F.softplus(positive - distance(image.unsqueeze(-2), negatives)).sum(-1)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance between vectors: float[…, d], float[…, d] -> float[…].

    The paper leaves the distance open.
    """
    return ((a - b).square().sum(-1) + TINY).sqrt()


def build(task: Task, encoders: Mapping[str, Any], settings: CommonSettings) -> CommonSpaceFusion:
    """Return a new model."""
    vectors = torch.from_numpy(encoders["words"].start)
    return CommonSpaceFusion(task, encoders["image"].width, vectors, settings)


def with_other_texts(settings: CommonSettings) -> tuple[Stage, ...]:
    """Return the training of joint fusion, with g texts of other classes for each post."""
    return stages(settings, other_texts=settings.negatives)


SPEC = Spec(
    name="common",
    title=lambda settings: f"Common space fusion ({settings.fusion})",
    reads=("image", "text"),
    inputs=("image", "words"),
    settings=CommonSettings,
    build=build,
    stages=with_other_texts,
    grid=WORD_GRID | {"lr": tuple(lr / 3 for lr in WORD_GRID["lr"])},
    cost=4,
    shared_space=True,
)
