"""Zero-shot classification with a frozen image-text pair (--pair): nothing is trained.

Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, section 3.1: a
class is the mean of the normalised embeddings of its prompts (3.1.4), and its logit the cosine to the image's
embedding times the logit scale that the pair was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from affectory.core.errors import BaselineError
from baselines.data.aim import USUAL_AIM
from baselines.data.batch import IMAGE, Batch
from baselines.data.inputs import Data
from baselines.data.task import Task
from baselines.models.base import Fitted, Model, Spec
from baselines.models.settings import ModelSettings, setting
from baselines.models.today.regression import readable

#: The prompts of a class or label, and those of nothing in particular.
PROMPTS = ("a photo that evokes {}", "a post about {}")
NEUTRAL = ("a photo", "a post")

#: The scale that CLIP's training ends at, for a pair without one of its own.
SCALE = 100.0


@dataclass(frozen=True, slots=True)
class ZeroShotSettings(ModelSettings):
    """Nothing is trained."""

    scale: float | None = setting(
        None, "what cosines are multiplied by; none: the pair's own logit scale, or 100", above=0
    )


class ZeroShot(Model):
    """Cosines of an image to each class, times the logit scale. float[B, D] -> float[B, C].

    One label a post: logit = scale · cos(class). Several: scale · (cos(label) - cos(neutral)), so that a
    label is predicted where its prompts are nearer than those of nothing in particular. Without an image
    every logit is 0.
    """

    def __init__(self, task: Task, width: int) -> None:
        super().__init__(task)
        self.register_buffer("classes", torch.zeros(len(task.names), width))
        self.register_buffer("neutral", torch.zeros(width))
        self.register_buffer("scale", torch.tensor(SCALE))

    classes: Tensor
    neutral: Tensor
    scale: Tensor

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        image = nn.functional.normalize(batch.inputs["pair_image"].float(), dim=-1)
        cosines = image @ self.classes.T
        if self.task.kind == "several":
            cosines = cosines - (image @ self.neutral).unsqueeze(-1)
        return {"y": self.scale * cosines * batch.present[:, IMAGE].unsqueeze(-1)}


def build(task: Task, encoders: Mapping[str, Any], settings: ZeroShotSettings) -> ZeroShot:
    """Return a model of zeros, for the embeddings of a checkpoint."""
    return ZeroShot(task, encoders["pair_image"].width)


def fit(data: Data, settings: ZeroShotSettings, seeds: Sequence[int], device: torch.device) -> list[Fitted]:
    """Encode the prompts, once for all seeds; "_" in a label's name is a space.

    Raises `BaselineError` for a pair whose embeddings aren't in one space.
    """
    image, text = data.encoders["pair_image"], data.encoders["pair_text"]
    if image.width != text.width:
        raise BaselineError(
            f"clip_zero_shot: the pair's images have width {image.width} and its texts {text.width}: take a "
            "pair with one space (openai/clip-vit-base-patch32), or leave clip_zero_shot out of --models"
        )
    names = [name.replace("_", " ") for name in data.task.names]
    prompts = [prompt.format(name) for name in names for prompt in PROMPTS]
    found = nn.functional.normalize(torch.from_numpy(text.encode([*prompts, *NEUTRAL])).float(), dim=-1)
    means = nn.functional.normalize(found.unflatten(0, (-1, len(PROMPTS))).mean(1), dim=-1)
    model = ZeroShot(data.task, image.width).eval()
    scale, whose = (settings.scale, "as set") if settings.scale else logit_scale(text)
    model.load_state_dict(
        {"classes": means[:-1], "neutral": means[-1], "scale": torch.tensor(scale, dtype=torch.float32)}
    )
    note = f"not trained, so all seeds are one network; logit scale {scale:.4g}, {whose}"
    if data.task.aim != USUAL_AIM:
        note += "; --balance and --select don't change it"
    score, likelihood = float("nan"), float("-inf")
    posts = data.validation.take(readable(data.validation, ("image",)))
    if posts.size:
        with torch.no_grad():
            logits = model(posts)["y"].double()
        score, likelihood, _ = data.task.judged(logits, posts.target)
    state = model.state_dict()
    encoders = {"pair_image": image.state()}  # posts' texts aren't read
    return [Fitted(seed, state, 0, score, likelihood, note=note, encoders=encoders) for seed in seeds]


def logit_scale(text: Any) -> tuple[float, str]:
    """Return what cosines are multiplied by, and whose it is: the network's own, or CLIP's 100."""
    own = getattr(text.network().model, "logit_scale", None)
    if isinstance(own, Tensor):
        return float(own.detach().float().exp()), "the network's own"
    return SCALE, "CLIP's: this network has none"


SPEC = Spec(
    name="clip_zero_shot",
    title=lambda settings: "Image-text pair, zero-shot",
    reads=("image",),
    inputs=("pair_image", "pair_text"),
    settings=ZeroShotSettings,
    build=build,
    fit=fit,
    cost=3,
    seeds_together=True,
    selects="nothing",
)
