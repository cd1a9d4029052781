"""The multitask model: three classifiers on two networks, trained with whatever modality a post has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.task import Task
from baselines.models.base import Model, Spec, Terms
from baselines.models.pagefortin2019.layers import Classifier, VisualNetwork, textual, where
from baselines.models.pagefortin2019.settings import WORD_GRID, MultitaskSettings, mixed_stages


class Multitask(Model):
    """Cv classifies the image, Ct the text, Cm both; the visual and the textual network are shared.

    Pagé Fortin and Chaib-draa 2019. The loss is α_v CE_v + α_t CE_t + α_m CE_m; each cross-entropy is a mean
    over the labelled posts of the step that have its modality, Cm's over those that have both. A network is
    run on no other posts. float[B, D], int64[B, L] -> float[B, C] by each head.
    """

    def __init__(self, task: Task, features: int, vectors: Tensor, settings: MultitaskSettings) -> None:
        super().__init__(task)
        self.visual = VisualNetwork(features, settings.hidden, settings.standardise)
        self.textual = textual(vectors, settings)
        self.cv = Classifier(settings.hidden, len(task.names), settings)
        self.ct = Classifier(settings.hidden, len(task.names), settings)
        self.cm = Classifier(2 * settings.hidden, len(task.names), settings)
        self.hidden = settings.hidden
        self.alphas = {"v": settings.alpha_v, "t": settings.alpha_t, "m": settings.alpha_m}

    def measure(self, posts: Batch) -> None:
        """Take the features' scale from the training posts."""
        self.visual.measure(posts)

    def classified(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits of Cv, Ct and Cm; zeros for the posts that lack what a classifier reads."""
        seen, told = batch.present[:, IMAGE], batch.present[:, TEXT]
        image = where(self.visual, batch.inputs["image"], seen, self.hidden)
        text = where(self.textual, batch.inputs["cased_words"], told, self.hidden)
        classes = len(self.task.names)
        return {
            "v": where(self.cv, image, seen, classes),
            "t": where(self.ct, text, told, classes),
            "m": where(self.cm, torch.cat([image, text], 1), seen & told, classes),
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits. Where a modality is missing, head "m" gives those of the other's classifier."""
        found = self.classified(batch)
        both = batch.present.all(1, keepdim=True)
        # Of a post with one modality the other classifier's logits are zeros.
        return found | {"m": torch.where(both, found["m"], found["v"] + found["t"])}

    def terms(self, batch: Batch) -> Terms:
        """Return the three cross-entropies."""
        found = self.classified(batch)
        held = {"v": batch.present[:, IMAGE], "t": batch.present[:, TEXT], "m": batch.present.all(1)}
        return {
            head: self.likelihood(logits, batch, held[head], self.alphas[head])
            for head, logits in found.items()
        }


def build(task: Task, encoders: Mapping[str, Any], settings: MultitaskSettings) -> Multitask:
    """Return a new model."""
    vectors = torch.from_numpy(encoders["cased_words"].start)
    return Multitask(task, encoders["image"].width, vectors, settings)


SPEC = Spec(
    name="cv_ct_cm",
    title=lambda settings: "Multitask",
    reads=("image", "text"),
    inputs=("image", "cased_words"),
    settings=MultitaskSettings,
    build=build,
    stages=mixed_stages,
    heads={"both": "m", "image": "v", "text": "t"},
    grid=WORD_GRID,
    cost=12,
    stacks=False,
    posts="both ways",
    names={"image": "Cv", "text": "Ct", "both": "Cm"},
    compared={"image": "si", "text": "st"},
)
