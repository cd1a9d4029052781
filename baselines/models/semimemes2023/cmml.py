"""CMML and CMML-CLIP: comprehensive semi-supervised multi-modal learning, as SemiMemes compares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.data.batch import IMAGE, TEXT, Batch
from baselines.data.samplers import LabelledAndUnlabelled, Sampler, Shuffled
from baselines.data.task import Task
from baselines.models.base import LastEpoch, Model, Optimiser, Spec, Stage, StepDecay, Term, Terms
from baselines.models.semimemes2023.features import PAIR, features
from baselines.models.semimemes2023.settings import DECAYS, DecayByShare
from baselines.models.settings import ModelSettings, setting

#: The decay of learning rates comes after so many steps: an epoch of MAMI.
EVERY = 200


@dataclass(frozen=True, slots=True)
class CMMLClipSettings(ModelSettings):
    """Of CMML-CLIP. The defaults are the released code's."""

    lr: float = setting(1e-4, "learning rate of Adam", above=0)
    weight_decay: float = setting(1e-4, "weight decay", least=0)
    decay: float | None = setting(
        None, "factor of lr after every 200 steps; none: by the share of labelled posts", above=0, most=1
    )
    batch: int = setting(40, "posts per mini-batch, labelled and unlabelled together", least=2)
    epochs: int = setting(50, "epochs; the last one is kept", least=1)
    hidden: int = setting(256, "width of both modalities' vectors", least=1)
    diversity: float = setting(
        0.0, "weight of the cosine of image and text predictions on labelled posts; .01 in CMML", least=0
    )
    threshold: float = setting(1.003, "of the Huber loss of 2 − cosine on unlabelled posts", above=0)

    def schedule(self) -> StepDecay | DecayByShare:
        """Return how the learning rate falls."""
        if self.decay is None:
            return DecayByShare(DECAYS, EVERY, "step")
        return StepDecay(self.decay, EVERY, "step")


@dataclass(frozen=True, slots=True)
class CMMLSettings(CMMLClipSettings):
    """Of CMML."""

    decay: float | None = setting(
        0.85, "factor of lr after every 200 steps; none: by the share of labelled posts", above=0, most=1
    )
    words: int = setting(384, "width of the text's first layer", least=1)


class CMML(Model):
    """Three heads: image, text, and both weighed by an attention that the modalities share.

    Yang, Wang, Zhan, Xiong, Jiang 2019: L_i + L_t + 2 L_fused on labelled posts, + .01 · the mean cosine of
    the image's and the text's predictions (diversity, off in SemiMemes), + on unlabelled posts a Huber loss
    of 2 − cosine of these predictions (consistency). Predictions are sigmoids, or the softmax of one class.
    Losses over several labels are their mean. A missing modality is left out of attention and losses; the
    fused head answers in every mode. float[B, D], float[B, D'] -> float[B, C] each.
    """

    def __init__(
        self,
        task: Task,
        image: nn.Module,
        text: nn.Module,
        settings: CMMLClipSettings,
        inputs: tuple[str, str],
    ) -> None:
        super().__init__(task)
        self.image, self.text, self.inputs = image, text, inputs
        self.attention = nn.Sequential(
            nn.Linear(settings.hidden, 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 1, bias=False),  # a bias would move both scores alike, and softmax ignores that
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(settings.hidden, len(task.names)) for name in ("image", "text", "fused")}
        )
        self.diversity, self.threshold = settings.diversity, settings.threshold

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits of the three heads."""
        image, text = features(batch, self.inputs, next(self.parameters()))
        vectors = torch.stack([self.image(image), self.text(text)], -2)  # [B, 2, hidden]
        scores = self.attention(vectors).squeeze(-1)
        scores = scores.masked_fill(~batch.present, torch.finfo(scores.dtype).min)
        # Where neither is there, no weight at all.
        weights = torch.softmax(scores, -1).masked_fill(~batch.present, 0)
        fused = (weights.unsqueeze(-1) * vectors).sum(-2)
        return {
            "image": self.heads["image"](vectors[..., IMAGE, :]),
            "text": self.heads["text"](vectors[..., TEXT, :]),
            "fused": self.heads["fused"](fused),
        }

    def terms(self, batch: Batch) -> Terms:
        """Return the three likelihoods, the diversity and the consistency."""
        logits, pairs = self(batch), batch.present.all(-1)
        alike = nn.functional.cosine_similarity(
            self.task.probabilities(logits["image"]), self.task.probabilities(logits["text"]), dim=-1
        )
        known, others = pairs & batch.labelled, pairs & ~batch.labelled
        mean = _mean(self.task)
        found = {
            "image": self.likelihood(logits["image"], batch, batch.present[:, IMAGE], mean),
            "text": self.likelihood(logits["text"], batch, batch.present[:, TEXT], mean),
            "fused": self.likelihood(logits["fused"], batch, batch.present.any(-1), 2 * mean),
            "consistency": Term((huber(2 - alike, self.threshold) * others).sum(), others.sum()),
        }
        if self.diversity:
            found["diversity"] = Term((alike * known).sum(), known.sum(), self.diversity)
        return found


def huber(distance: Tensor, threshold: float) -> Tensor:
    """Return d²/2 below the threshold δ, and δ (|d| − δ/2) from it on: float[…] -> float[…]."""
    return nn.functional.huber_loss(distance, torch.zeros_like(distance), reduction="none", delta=threshold)


class CMMLText(Model):
    """CMML's text branch with its head, for releases without images. float[B, D] -> float[B, C]."""

    def __init__(self, task: Task, words: int, settings: CMMLSettings) -> None:
        super().__init__(task)
        self.text = _text_branch(words, settings)
        self.head = nn.Linear(settings.hidden, len(task.names))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits; of a post without a text, or without a known word, those of an empty bag."""
        bag = batch.inputs["bag"] * batch.present[:, TEXT].unsqueeze(-1)
        return {"y": self.head(self.text(bag.to(self.head.weight.dtype)))}

    def terms(self, batch: Batch) -> Terms:
        """Return the likelihood of the posts that have a text."""
        weight = _mean(self.task)
        return {"y": self.likelihood(self(batch)["y"], batch, batch.present[:, TEXT], weight)}


def _mean(task: Task) -> float:
    """Return what makes a sum over several labels their mean."""
    return 1 / len(task.names) if task.kind == "several" else 1.0


def _text_branch(words: int, settings: CMMLSettings) -> nn.Module:
    return nn.Sequential(
        nn.Linear(words, settings.words), nn.ReLU(), nn.Linear(settings.words, settings.hidden)
    )


def build(task: Task, encoders: Mapping[str, Any], settings: CMMLSettings) -> CMML:
    """Return a new CMML: a linear layer on image features, two layers on the bag of words."""
    image = nn.Linear(encoders["image"].width, settings.hidden)
    return CMML(task, image, _text_branch(encoders["bag"].width, settings), settings, ("image", "bag"))


def build_text(task: Task, encoders: Mapping[str, Any], settings: CMMLSettings) -> CMMLText:
    """Return a new text branch."""
    return CMMLText(task, encoders["bag"].width, settings)


def build_clip(task: Task, encoders: Mapping[str, Any], settings: CMMLClipSettings) -> CMML:
    """Return a new CMML-CLIP: a linear layer on each modality's features."""
    image, text = (nn.Linear(encoders[name].width, settings.hidden) for name in PAIR)
    return CMML(task, image, text, settings, PAIR)


def stages(settings: CMMLClipSettings) -> tuple[Stage, ...]:
    """Return the training: labelled and unlabelled posts in every step, in proportion to their numbers."""
    return (_stage(settings, LabelledAndUnlabelled(settings.batch)),)


def text_stages(settings: CMMLSettings) -> tuple[Stage, ...]:
    """Return the training of the text branch, which has nothing to learn from unlabelled posts."""
    return (_stage(settings, Shuffled(settings.batch)),)


def _stage(settings: CMMLClipSettings, sampler: Sampler) -> Stage:
    return Stage(
        settings.epochs,
        sampler,
        Optimiser("adam", settings.lr, weight_decay=settings.weight_decay),
        LastEpoch(),
        settings.schedule(),
    )


SPEC = Spec(
    name="cmml",
    title=lambda settings: "CMML",
    reads=("image", "text"),
    inputs=("image", "bag"),
    settings=CMMLSettings,
    build=build,
    stages=stages,
    grid={"lr": (1e-4, 3e-4, 1e-3)},
    heads={"both": "fused", "image": "fused", "text": "fused"},
    cost=8,
    note="reconstructed: the command that SemiMemes published for CMML runs its CLIP variant",
)
CLIP = Spec(
    name="cmml_clip",
    title=lambda settings: "CMML-CLIP",
    reads=("image", "text"),
    inputs=PAIR,
    settings=CMMLClipSettings,
    build=build_clip,
    stages=stages,
    grid={"lr": (1e-4, 3e-4, 1e-3)},
    heads={"both": "fused", "image": "fused", "text": "fused"},
    cost=5,
)
TEXT_ALONE = Spec(
    name="cmml_text",
    title=lambda settings: "CMML, text alone",
    reads=("text",),
    inputs=("bag",),
    settings=CMMLSettings,
    build=build_text,
    stages=text_stages,
    grid={"lr": (1e-4, 3e-4, 1e-3)},
    cost=3,
    note="the text branch of CMML, which reads images too: for releases without them",
)
