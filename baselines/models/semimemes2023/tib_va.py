"""TIB-VA: a dense layer over the image of a pair, an LSTM over the tokens of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.samplers import Shuffled
from baselines.data.task import Task
from baselines.models.base import BestScore, Model, MultiStep, Optimiser, Spec, Stage
from baselines.models.settings import ModelSettings, setting

#: The label that decides which epoch is kept, where the task has it.
JUDGED = "misogynous"

#: The epochs after which the learning rate is halved.
MILESTONES = (5, 10, 15)


@dataclass(frozen=True, slots=True)
class TibVaSettings(ModelSettings):
    """Of the network and of its training. The defaults are the paper's."""

    width: int = setting(256, "width of both branches and of the layer over them", least=1)
    dropout: float = setting(0.2, "share of each branch's vector that is set to 0", least=0, most=0.95)
    lr: float = setting(1e-4, "learning rate of Adam; halved after 5, 10 and 15 epochs", above=0)
    weight_decay: float = setting(1e-4, "of Adam", least=0)
    clip: float = setting(1.0, "largest norm of all gradients together", above=0)
    batch: int = setting(64, "posts per mini-batch", least=1)
    epochs: int = setting(20, "epochs; the one with the best score on validation is kept", least=1)


class TibVa(Model):
    """Image and text of one frozen pair, each as a vector of width d, and a head for each label.

    Hakimov et al. 2022 (TIB-VA at SemEval-2022 task 5), on CLIP ViT-L/14. i = drop(ReLU(W₁ image)), t = drop
    of the last hidden state of a one-layer, one-way LSTM without biases that reads the states of all L
    tokens, padding included, and the heads read ReLU(W₂ [i; t]). A vector of a missing modality is zero.
    float[B, D], float[B, L, E] -> float[B, C].

    A head of width 1 for each label is one linear layer; the sum of their mean binary cross-entropies is the
    task's own loss. The paper has five labels, `misogynous` and its four kinds; here they are the release's.
    Of one label a post: softmax and cross-entropy.
    """

    def __init__(self, task: Task, image: int, text: int, settings: TibVaSettings) -> None:
        super().__init__(task)
        width = settings.width
        self.image = nn.Linear(image, width)
        self.text = nn.LSTM(text, width, bias=False, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.fuse = nn.Linear(2 * width, width)
        self.heads = nn.Linear(width, len(task.names))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        seen, told = (batch.present[:, column].unsqueeze(-1) for column in (IMAGE, TEXT))
        given = {name: one.to(self.fuse.weight.dtype) for name, one in batch.inputs.items()}
        image = self.dropout(torch.relu(self.image(given["pair_image"])))
        _, (last, _) = self.text(given["pair_states"])
        both = torch.cat([image * seen, self.dropout(last[-1]) * told], -1)
        return {"y": self.heads(torch.relu(self.fuse(both)))}


def build(task: Task, encoders: Mapping[str, Any], settings: TibVaSettings) -> TibVa:
    """Return a new model."""
    return TibVa(task, encoders["pair_image"].width, encoders["pair_states"].width, settings)


def stages(settings: TibVaSettings) -> tuple[Stage, ...]:
    """Return the training.

    The epoch with the best macro F1 of `misogynous` is kept (the mean of its positives' and negatives' F1),
    as in the paper; of a task without that label the one with the best headline metric.
    """
    optimiser = Optimiser(
        "adam", settings.lr, weight_decay=settings.weight_decay, betas=(0.99, 0.98), clip=settings.clip
    )
    return (
        Stage(
            settings.epochs,
            Shuffled(settings.batch),
            optimiser,
            BestScore(label=JUDGED),
            MultiStep(0.5, MILESTONES),
        ),
    )


SPEC = Spec(
    name="tib_va",
    title=lambda settings: "TIB-VA",
    reads=("image", "text"),
    inputs=("pair_image", "pair_states"),
    settings=TibVaSettings,
    build=build,
    stages=stages,
    grid={"lr": (1e-4, 1e-3), "dropout": (0.2, 0.5)},
    cost=20,
    stacks=False,  # an LSTM's fused kernel can't be mapped over networks
    ranks_by="score",
)
