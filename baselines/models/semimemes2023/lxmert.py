"""LXMERT: transformers over the tokens of a text and the regions of an image, with cross-attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from affectory.encoders.text.tokens import Tokens
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
class LxmertSettings(TransformerSettings):
    """Of LXMERT."""

    network: str = setting("unc-nlp/lxmert-base-uncased", "id on the Hugging Face hub, or a folder")
    tokenizer: str = setting("", "its tokenizer: an id, or a folder; empty: the network's")
    tokens: int = setting(32, "tokens of a text that are read", least=2)


class Lxmert(ImageTextTransformer):
    """Tan and Bansal 2019. The pooled vector is that of CLS after the last cross-attention.

    The visual half of the last layer has no effect on it and is frozen, and so are the types of tokens: the
    type of every text token is 0, which the network has as padding and never trains. Where every region is
    masked, the softmax over equal scores is uniform: the regions of a missing image are zeros, so that
    nothing of it is read. int64[B, L], float[B, R, D + 5] -> float[B, C].
    """

    def __init__(self, task: Task, network: Any, tokens: Tokens, settings: Any) -> None:
        super().__init__(task, network, tokens, settings)
        last = network.encoder.x_layers[-1]
        unused = (last.visn_self_att, last.visn_inter, last.visn_output)
        for still in (*unused, network.embeddings.token_type_embeddings):
            still.requires_grad_(False)

    def pooled(self, ids: Tensor, mask: Tensor, batch: Batch) -> Tensor:
        """Return the pooled vectors."""
        features, boxes, there = regions(batch)
        found: Tensor = self.network(
            input_ids=ids,
            attention_mask=mask,
            visual_feats=features,
            visual_pos=boxes,
            visual_attention_mask=there,
            token_type_ids=torch.zeros_like(ids),
        ).pooled_output
        return found


FAMILY = Family("lxmert", "lxmert", "regions", Lxmert, "visual_feat_dim", needs_boxes=True)


def build(task: Task, encoders: Mapping[str, Any], settings: LxmertSettings) -> ImageTextTransformer:
    """Return a model for the weights of a checkpoint."""
    return transformers.rebuilt(Lxmert, task, encoders, settings)


SPEC = Spec(
    name="lxmert",
    title=lambda settings: "LXMERT",
    reads=("image", "text"),
    inputs=("regions", "tokens"),
    settings=LxmertSettings,
    build=build,
    end_to_end=partial(transformers.fit, FAMILY),
    grid={"lr": (2e-5, 5e-5)},
    cost=200,
    ranks_by="score",
    selects="macro-f1",
)
