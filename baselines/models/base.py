"""What a model says of itself, in its own file: its spec, its network, its loss terms, its training.

    class Linear(Model):
        def __init__(self, task: Task, width: int) -> None:
            super().__init__(task)
            self.last = nn.Linear(width, len(task.names))

        def forward(self, batch: Batch) -> dict[str, Tensor]:
            return {"y": self.last(batch.inputs["image"].float())}

    SPEC = Spec(name="linear", title=…, reads=("image",), inputs=("image",), settings=LinearSettings, …)

The rest of the program asks the spec; no other file compares a model's name.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from baselines.data.aim import Select
from baselines.data.batch import Batch, Modality, Mode
from baselines.data.samplers import Sampler
from baselines.data.task import Kind, Rule, SeveralLabels, Task
from baselines.models.settings import ModelSettings

if TYPE_CHECKING:
    from baselines.data.encoders import Encoder
    from baselines.data.inputs import Data


class Term(NamedTuple):
    """One term of a loss: `weight` · `sum` / `posts`, over the posts that have it; nothing where none has."""

    sum: Tensor  # scalar, over those posts
    posts: Tensor  # scalar, their number
    weight: float = 1.0


Terms = dict[str, Term]


def total(terms: Terms) -> Tensor:
    """Return the loss, a scalar: each term is normalised by the posts that have it."""
    return torch.stack([one.weight * one.sum / one.posts.clamp(min=1) for one in terms.values()]).sum()


class Model(nn.Module, ABC):
    """A network that reads a batch. Its `forward` must not read what `batch.present` says is missing."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def measure(self, posts: Batch) -> None:
        """Take what the network needs from the training posts (scales, centres) before any training."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return logits by head, float[B, C] each."""

    def terms(self, batch: Batch) -> Terms:
        """Return the terms of the loss; by default the likelihood of every head, with weight 1."""
        return {head: self.likelihood(logits, batch) for head, logits in self(batch).items()}

    def likelihood(self, logits: Tensor, batch: Batch, held: Tensor | None = None, weight: float = 1) -> Term:
        """Return the negative log-likelihood of the labelled posts, those `held` where given, bool[B]."""
        counted = batch.labelled if held is None else batch.labelled & held
        return Term((self.task.losses(logits, batch.target) * counted).sum(), counted.sum(), weight)

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """Return vectors that the page draws in two dimensions, float[B, d] each by name; by default none.

        Each is a picture of its own, with a point a post: "raw" and "cooked" features. A spec with
        `shared_space` has "image" and "text", float[B, d], which are drawn in one picture. Only posts with
        image and text are asked for, in evaluation mode and without gradients.
        """
        return {}

    def add_words(self, vectors: Tensor) -> None:
        """Append the vectors of words that training never saw, float[n, d], to the rows of the lookup."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                module.weight = nn.Parameter(torch.cat([module.weight, vectors.to(module.weight.dtype)]))
                module.num_embeddings = len(module.weight)


def own_terms(model: Model, batch: Batch) -> Terms:
    """Return the terms of the model's own loss."""
    return model.terms(batch)


@dataclass(frozen=True, slots=True)
class Group:
    """The parameters whose name contains `part`, with a learning rate and a weight decay of their own.

    `lr` 0 freezes them.
    """

    part: str
    lr: float
    weight_decay: float = 0.0


@dataclass(frozen=True, slots=True)
class Optimiser:
    """SGD, Adam or AdamW as PyTorch defines them. A parameter belongs to the first group that matches.

    `lazy`, of Adam: a row of an embedding, and its moments, change only in the steps that read it
    (`torch.optim.SparseAdam`). Adam itself moves every row in every step, by its momentum.
    `clip`: the norm of all gradients together is scaled down to it where it is larger.
    """

    kind: Literal["sgd", "adam", "adamw"]
    lr: float
    momentum: float = 0.0  # of SGD
    weight_decay: float = 0.0
    groups: tuple[Group, ...] = ()
    lazy: bool = False
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam
    clip: float | None = None


class Schedule(Protocol):
    """How the learning rates change within a stage."""

    def scale(self, epoch: int, step: int, steps: int) -> float:
        """Return what the rates are multiplied by in an epoch and a step, both counted from 0.

        `step` counts on over the epochs; `steps` is the number of steps of all epochs.
        """
        ...


@dataclass(frozen=True, slots=True)
class StepDecay:
    """Multiplies every learning rate by `factor` after each `every` epochs, or steps."""

    factor: float = 1.0
    every: int = 1
    unit: Literal["epoch", "step"] = "epoch"

    def scale(self, epoch: int, step: int, steps: int) -> float:
        """Return what the rates are multiplied by."""
        return self.factor ** ((epoch if self.unit == "epoch" else step) // self.every)


@dataclass(frozen=True, slots=True)
class MultiStep:
    """Multiplies every learning rate by `factor` after each of some epochs: `MultiStepLR`."""

    factor: float
    epochs: tuple[int, ...]

    def scale(self, epoch: int, step: int, steps: int) -> float:
        """Return what the rates are multiplied by."""
        return self.factor ** sum(epoch >= one for one in self.epochs)


@dataclass(frozen=True, slots=True)
class OneCycle:
    """The rates rise from 1/25 of the optimiser's to all of it, then fall to 4e-6 of it, along half cosines.

    `OneCycleLR` with its own defaults (Smith and Topin 2017), but the momentum stays. `rise`: the share of
    the steps in which the rates rise.
    """

    rise: float = 0.3

    def scale(self, epoch: int, step: int, steps: int) -> float:
        """Return what the rates are multiplied by."""
        low, least = 1 / 25, 1 / 25 / 1e4
        top, last = self.rise * steps - 1, steps - 1
        if step < top:
            return _between(low, 1.0, step / top)
        return _between(1.0, least, (step - top) / (last - top))


def _between(start: float, end: float, share: float) -> float:
    """Return where half a cosine is between two values."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True, slots=True)
class Validation:
    """Ends after `patience` epochs without a better validation likelihood; the best epoch is kept.

    `gain`: what the mean log-likelihood must gain, in nats, for an epoch to count as better. `selects`:
    epochs are compared by the score of --select instead (`Task.judged`).
    """

    patience: int
    gain: float = 0.0
    selects: bool = False


@dataclass(frozen=True, slots=True)
class BestScore:
    """Trains all epochs and keeps the one with the best validation score, the first of several as good.

    The score is `metric`, or the task's headline metric; where a task of several labels has `label`, the mean
    F1 of that label's positives and negatives.
    """

    metric: str = ""
    label: str = ""

    def of(self, task: Task, probabilities: Tensor, target: Tensor) -> float:
        """Return the score of predictions, float[n, C]."""
        if task.kind == "several" and self.label in task.names:
            column = task.names.index(self.label)
            alone = SeveralLabels((self.label,))  # whose weighted F1 is that mean
            return alone.score(probabilities[:, [column]], target[:, [column]])
        return task.score(probabilities, target, self.metric)


@dataclass(frozen=True, slots=True)
class LastEpoch:
    """Trains all epochs and keeps the last."""


@dataclass(frozen=True)
class Stage:
    """A stage of training: at most `epochs` epochs that minimise `terms`.

    `schedule`: how learning rates fall; a function where it depends on the training posts.
    `other_texts`: the number of texts of other classes that each post's loss is given, in the inputs
    "other_texts", int64[P, g, L], and "pattern", int64[B], the row of the post's own (`data.samplers`).
    """

    epochs: int
    sampler: Sampler
    optimiser: Optimiser
    stopping: Validation | BestScore | LastEpoch
    schedule: Schedule | Callable[[Batch], Schedule] = StepDecay()
    terms: Callable[[Any, Batch], Terms] = own_terms
    other_texts: int = 0


def selecting(stage: Stage, select: Select | None) -> Stage:
    """Return a stage that keeps the epoch with the best score of --select; as it is without one.

    It ends by the patience that it has; one without trains all its epochs.
    """
    if select is None:
        return stage
    own = stage.stopping
    rule = own if isinstance(own, Validation) else Validation(stage.epochs)
    gain = rule.gain if select == "likelihood" else 0.0  # nats
    return replace(stage, stopping=Validation(rule.patience, gain, selects=True))


@dataclass(frozen=True)
class Fitted:
    """A trained network: the parameters of its kept epoch, and how it did there on validation."""

    seed: int
    state: dict[str, Tensor] = field(repr=False)
    epoch: int
    score: float  # the task's headline metric on validation
    likelihood: float  # mean log-likelihood on validation, nats
    problem: str | None = None  # why training was given up; the state is then empty
    note: str = ""  # what a reader of the row has to know
    history: tuple[float, ...] = ()  # the validation score after each epoch of the last stage
    losses: tuple[tuple[float, float], ...] = ()  # of training and of validation, by epoch as `history`
    encoders: Mapping[str, Any] | None = field(default=None, repr=False)  # states; None: those of the data
    selected: float = math.nan  # the score of --select on validation


@dataclass(frozen=True)
class Unfinished:
    """Where a training keeps its last epoch until it is over; `mark` tells it from any other training."""

    path: Path
    mark: str


class EndToEnd(Protocol):
    """The training of a network as a whole, by `training.hub_trainer`: on several devices too, and resumed
    after its last epoch."""

    def __call__(
        self,
        data: Data,
        settings: Any,
        seed: int,
        device: torch.device,
        unfinished: Unfinished | None,
        tell: Callable[[int], None] = ...,
    ) -> Fitted:
        """Return the network. `tell` is called with each epoch that has ended."""
        ...


class Fit(Protocol):
    """A way of training that isn't stages of gradient descent over mini-batches."""

    def __call__(self, data: Data, settings: Any, seeds: Sequence[int], device: torch.device) -> list[Fitted]:
        """Return the networks, seed by seed."""
        ...


@dataclass(frozen=True)
class Combination:
    """A row made of two others: their predictions combined by a rule, without training."""

    first: str
    second: str
    rule: Rule


#: Which head answers in each mode, for a model with one head.
ONE_HEAD: Mapping[Mode, str] = {"both": "y", "image": "y", "text": "y"}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A model. Exactly one of `stages`, `fit`, `end_to_end` and `made_of` says how it comes about.

    `cost`: its time of training beside other models', so that no core waits in the end.
    `stacks`: whether seeds can be trained together as one stacked network, which is faster on a GPU.
    `seeds_together`: whether one process trains all seeds faster than one process a seed.
    `shared_space`: whether `pictures(batch)` returns "image" and "text" in one space, which are one picture.
    `ranks_by`: what tells candidates of `--tune` apart on validation.
    `selects`: of a model without `stages`, the validation score by which it keeps an epoch, or chooses a
    setting.
    `posts`: the training and validation posts that it reads: all; those with image and text; or "both ways",
    which gives a second row, trained on image-only and text-only posts too.
    `names`: the paper's names of its rows by mode, where each mode has one of its own ("SM_I").
    `compared`: by mode the model that it is compared with there, beside its neighbours in the table.
    `note`: what every reader of its rows has to know ("reconstructed: …").
    """

    name: str
    title: Callable[[Any], str]
    reads: tuple[Modality, ...]
    inputs: tuple[str, ...]
    tasks: tuple[Kind, ...] = ("single", "several")
    settings: type[ModelSettings] | None = None
    build: Callable[[Task, Mapping[str, Encoder], Any], Model] | None = None
    stages: Callable[[Any], tuple[Stage, ...]] | None = None
    fit: Fit | None = None
    end_to_end: EndToEnd | None = None
    made_of: Combination | None = None
    heads: Mapping[Mode, str] = field(default_factory=lambda: ONE_HEAD)
    grid: Mapping[str, tuple[Any, ...]] | Callable[[Any], list[dict[str, Any]]] = field(default_factory=dict)
    cost: float = 1.0
    stacks: bool = True
    seeds_together: bool = False
    shared_space: bool = False
    ranks_by: Literal["likelihood", "score"] = "likelihood"
    selects: Select | Literal["nothing"] = "likelihood"
    posts: Literal["all", "pairs", "both ways"] = "all"
    names: Mapping[Mode, str] = field(default_factory=dict)
    compared: Mapping[Mode, str] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        ways = sum(way is not None for way in (self.stages, self.fit, self.end_to_end, self.made_of))
        assert ways == 1, f"{self.name}: give one of stages, fit, end_to_end and made_of"

    @property
    def own_rule(self) -> Select | Literal["nothing", "another"]:
        """What an epoch is chosen by without --select; "nothing": with it too there is nothing to choose."""
        if self.stages is None or self.settings is None:
            return self.selects
        last = self.stages(self.settings())[-1].stopping
        return "likelihood" if isinstance(last, Validation) else "another"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes in which the model is scored: one that reads one modality has the same answer in two."""
        return ("both", *self.reads)
