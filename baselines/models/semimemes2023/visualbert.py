"""VisualBERT: one transformer over the tokens of a text and the regions of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from baselines.data.batch import Batch
from baselines.data.task import Task
from baselines.models.base import Spec
from baselines.models.semimemes2023 import transformers
from baselines.models.semimemes2023.transformers import (
    Family,
    ImageTextTransformer,
    TransformerSettings,
    regions,
)
from baselines.models.settings import setting


@dataclass(frozen=True, slots=True)
class VisualBertSettings(TransformerSettings):
    """Of VisualBERT."""

    network: str = setting("uclanlp/visualbert-vqa-coco-pre", "id on the Hugging Face hub, or a folder")
    tokenizer: str = setting("google-bert/bert-base-uncased", "its tokenizer: an id, or a folder")
    tokens: int = setting(128, "tokens of a text that are read", least=2)


class VisualBert(ImageTextTransformer):
    """Li et al. 2019. Text tokens and regions in one sequence; the pooled vector is that of CLS.

    `uclanlp/visualbert-vqa-coco-pre` reads regions of 2048 features, `…-nlvr2-coco-pre` of 1024.
    int64[B, L], float[B, R, D + 5] -> float[B, C].
    """

    def pooled(self, ids: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """Return the pooled vectors."""
        features, _, there = regions(batch)
        found: Tensor = self.network(
            input_ids=ids, attention_mask=mask, visual_embeds=features, visual_attention_mask=there
        ).pooler_output
        return found


FAMILY = Family("visualbert", "visual_bert", "regions", VisualBert, "visual_embedding_dim")


def build(task: Task, encoders: Mapping[str, Any], settings: VisualBertSettings) -> ImageTextTransformer:
    """Return a model for the weights of a checkpoint."""
    return transformers.rebuilt(VisualBert, task, encoders, settings)


SPEC = Spec(
    name="visualbert",
    title=lambda settings: "VisualBERT",
    reads=("image", "text"),
    inputs=("regions", "tokens"),
    settings=VisualBertSettings,
    build=build,
    end_to_end=partial(transformers.fit, FAMILY),
    grid={"lr": (2e-5, 5e-5)},
    cost=200,
    ranks_by="score",
    selects="macro-f1",
)
