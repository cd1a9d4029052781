"""ViLT: one transformer over the tokens of a text and the patches of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from baselines.data.batch import IMAGE, Batch
from baselines.data.task import Task
from baselines.models.base import Spec
from baselines.models.semimemes2023 import transformers
from baselines.models.semimemes2023.transformers import Family, ImageTextTransformer, TransformerSettings
from baselines.models.settings import setting


@dataclass(frozen=True, slots=True)
class ViltSettings(TransformerSettings):
    """Of ViLT."""

    network: str = setting("dandelin/vilt-b32-mlm", "id on the Hugging Face hub, or a folder")
    tokenizer: str = setting("", "its tokenizer: an id, or a folder; empty: the network's")
    tokens: int = setting(40, "tokens of a text that are read", least=2)


class Vilt(ImageTextTransformer):
    """Kim et al. 2021. Text tokens and patches of pixels in one sequence; the pooled vector is that of CLS.

    Images are RGB, squashed to the network's square, from -1 to 1, so that every patch is of the image and
    has the position that it was trained with. int64[B, L], uint8[B, 3, S, S] -> float[B, C].
    """

    def pooled(self, ids: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """Return the pooled vectors."""
        patches = self.patches(batch.inputs["pixels"])
        there = batch.present[:, [IMAGE]].expand(patches.shape[:2]).long()
        found: Tensor = self.network(
            input_ids=ids, attention_mask=mask, image_embeds=patches, pixel_mask=there
        ).pooler_output
        return found

    def patches(self, pixels: Tensor) -> Tensor:
        """Return the image's tokens: its own CLS and the patches, row by row, with their positions."""
        embeddings = self.network.embeddings
        side = self.network.config.image_size
        scaled = pixels.float() / 127.5 - 1
        if scaled.shape[-1] != side:
            scaled = torch.nn.functional.interpolate(scaled, (side, side), mode="bicubic", antialias=True)
        found = embeddings.patch_embeddings(scaled).flatten(2).transpose(1, 2)
        first = embeddings.cls_token.expand(len(found), -1, -1)
        tokens: Tensor = embeddings.dropout(torch.cat([first, found], 1) + embeddings.position_embeddings)
        return tokens


FAMILY = Family("vilt", "vilt", "pixels", Vilt)


def build(task: Task, encoders: Mapping[str, Any], settings: ViltSettings) -> ImageTextTransformer:
    """Return a model for the weights of a checkpoint."""
    return transformers.rebuilt(Vilt, task, encoders, settings)


SPEC = Spec(
    name="vilt",
    title=lambda settings: "ViLT",
    reads=("image", "text"),
    inputs=("pixels", "tokens"),
    settings=ViltSettings,
    build=build,
    end_to_end=partial(transformers.fit, FAMILY),
    grid={"lr": (2e-5, 5e-5)},
    cost=200,
    ranks_by="score",
    selects="macro-f1",
    note="reconstructed: the released branch has two classes, BGR images and attends to padding; here it has "
    "the head of the other two, RGB and a mask",
)
