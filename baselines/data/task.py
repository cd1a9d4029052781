"""What a model predicts of a post: one class, or several labels.

A task turns logits, float[…, C], into probabilities and decisions, and measures them:

    task = SingleLabel(("joy", "fear", "anger", "disgust"))
    task.losses(logits, target)                  # float[B], the negative log-likelihood of each post
    task.aimed(target, balance=True, select=None).losses(logits, target)  # the same, weighted by class
    decided = task.decide(task.probabilities(logits))
    task.scores(probabilities, target)           # {"accuracy": 0.86, "f1_macro": 0.84, …}
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from affectory.core.errors import BaselineError
from baselines.data import metrics
from baselines.data.aim import SELECTS, USUAL_AIM, Aim, Judged, Select, by_class, by_side
from baselines.data.metrics import Metric

Kind = Literal["single", "several"]

#: How two models' predictions become one: P₁ · P₂ (Duong et al. 2017, equation 2) or (P₁ + P₂) / 2.
Rule = Literal["product", "mean"]

Floats = NDArray[np.float64]

#: Metrics of a class or label by name: precision, recall, f1, support; of several labels auc too.
LabelMetrics = dict[str, float]


class Task(ABC):
    """A task with C classes or labels, `names`. `headline` is the metric by which rows are compared."""

    kind: Kind
    headline: str

    def __init__(self, names: Sequence[str], aim: Aim = USUAL_AIM) -> None:
        self.names = tuple(names)
        self.aim = aim

    def aimed(self, target: Tensor, *, balance: bool, select: Select | None) -> Self:
        """Return the task with an aim; weights are measured on `target`, that of the labelled training posts.

        Raises `BaselineError` for a `select` that the task doesn't have, or where a weight would be infinite.
        """
        if select is not None and (metric := SELECTS[select]) and metric not in self.titles:
            able = [one for one, metric in SELECTS.items() if not metric or metric in self.titles]
            raise BaselineError(
                f"--select {select}: there is no {select} of several labels a post; take {' or '.join(able)}"
            )
        return type(self)(self.names, Aim(self._balanced(target) if balance else (), select))

    @abstractmethod
    def _balanced(self, target: Tensor) -> tuple[tuple[float, ...], ...]:
        """Return the weights by which all classes, or both sides of each label, weigh alike."""

    @abstractmethod
    def weights(self, target: Tensor) -> Tensor | None:
        """Return the weight of each post's loss, float32[B, 1], of several labels that of each label,
        float32[B, C]; None where all weigh alike."""

    @property
    @abstractmethod
    def titles(self) -> Mapping[str, str]:
        """The metrics in the order of a table, with their titles."""

    @abstractmethod
    def losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return each post's negative log-likelihood, float[B], in nats; of several labels their sum."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """Return float[…, C]."""

    @abstractmethod
    def decide(self, probabilities: Tensor) -> Tensor:
        """Return what is predicted: int64[…], or bool[…, C]."""

    @abstractmethod
    def combined(self, logits: Sequence[Tensor], there: Sequence[Tensor], rule: Rule) -> Tensor:
        """Return the logits of two or more predictions combined; those not `there`, bool[B], are left out."""

    @abstractmethod
    def metric(self, name: str, probabilities: Tensor, target: Tensor) -> Metric:
        """Return a metric of the predictions of S seeds, float[S, n, C]."""

    @abstractmethod
    def confusion(self, probabilities: Tensor, target: Tensor) -> dict[str, dict[str, int]]:
        """Return the posts by true and predicted class; of several labels by label and outcome."""

    @abstractmethod
    def trivial(self, target: Tensor) -> tuple[str, Tensor]:
        """Return a prediction that reads no post, from training targets: its name, and float[C]."""

    @abstractmethod
    def target(self, labels: Sequence[Sequence[str]]) -> Tensor:
        """Return the targets of posts with these labels."""

    @abstractmethod
    def labels(self, decided: Tensor) -> list[list[str]]:
        """Return the names of what is predicted for each post."""

    @abstractmethod
    def patterns(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the different targets, and for each post the number of its own, int64[n]."""

    @abstractmethod
    def disjoint(self, patterns: Tensor, target: Tensor) -> Tensor:
        """Return whether a post shares no class or positive label with a pattern, bool[P, n]."""

    @abstractmethod
    def hot(self, decided: Tensor) -> NDArray[np.bool_]:
        """Return decisions or targets as indicators, bool[…, C]."""

    def scores(self, probabilities: Tensor, target: Tensor) -> dict[str, float]:
        """Return every metric of one seed's predictions, float[n, C]."""
        ones = np.ones((1, len(target)))
        return {
            name: float(self.metric(name, probabilities[None], target)(ones)[0, 0]) for name in self.titles
        }

    def judged(self, logits: Tensor, target: Tensor) -> Judged:
        """Return how logits do on validation, float[n, C]; no score where the loss is NaN or infinite."""
        likelihood = -float(self.losses(logits, target).mean())
        if not math.isfinite(likelihood):
            return Judged(math.nan, likelihood, math.nan)
        probabilities, true = self.probabilities(logits).cpu(), target.cpu()
        score, select = self.score(probabilities, true), self.aim.select
        if select is None:
            return Judged(score, likelihood, math.nan)
        metric = SELECTS[select]
        return Judged(score, likelihood, self.score(probabilities, true, metric) if metric else likelihood)

    def score(self, probabilities: Tensor, target: Tensor, name: str = "") -> float:
        """Return the headline metric, or another by its name, of one seed's predictions, float[n, C]."""
        metric = self.metric(name or self.headline, probabilities[None], target)
        return float(metric(np.ones((1, len(target))))[0, 0])

    def by_label(self, probabilities: Tensor, target: Tensor) -> dict[str, LabelMetrics]:
        """Return precision, recall, F1 and support of each class or label."""
        guess, true = self.hot(self.decide(probabilities)), self.hot(target)
        sums = metrics.outcome_counts(guess[None], true).sum((0, 1))  # [C, 4]
        return {name: _label(*sums[i]) for i, name in enumerate(self.names)}


def _label(hits: float, false: float, missed: float, rejected: float) -> LabelMetrics:
    return {
        "precision": float(hits / max(1, hits + false)),
        "recall": float(hits / max(1, hits + missed)),
        "f1": float(2 * hits / max(1, 2 * hits + false + missed)),
        "support": float(hits + missed),
    }


class SingleLabel(Task):
    """One class a post: softmax, the most probable class, accuracy and F1. Targets are int64[B]."""

    kind: Kind = "single"
    headline = "accuracy"

    @property
    def titles(self) -> Mapping[str, str]:
        """Accuracy, plain and balanced, and F1 averaged in three ways; of two classes the first's F1 too."""
        found = {
            "accuracy": "Accuracy %",
            "balanced_accuracy": "Balanced accuracy %",
            "f1_macro": "F1 macro",
            "f1_micro": "F1 micro",
            "f1_weighted": "F1 weighted",
        }
        return found | ({"f1": f"F1 {self.names[0]}"} if len(self.names) == 2 else {})

    def losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of each post, times the weight of its class."""
        found = F.cross_entropy(logits, target, reduction="none")
        weights = self.weights(target)
        return found if weights is None else found * weights.squeeze(-1).to(found.dtype)

    def _balanced(self, target: Tensor) -> tuple[tuple[float, ...], ...]:
        """Return the weight of each class."""
        posts = torch.bincount(target.cpu(), minlength=len(self.names)).tolist()
        return by_class(dict(zip(self.names, posts, strict=True)))

    def weights(self, target: Tensor) -> Tensor | None:
        """Return the weight of each post's class."""
        if not self.aim.weights:
            return None
        return torch.tensor(self.aim.weights[0], device=target.device)[target].unsqueeze(-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the softmax."""
        return torch.softmax(logits, -1)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return the most probable class."""
        return probabilities.argmax(-1)

    def combined(self, logits: Sequence[Tensor], there: Sequence[Tensor], rule: Rule) -> Tensor:
        """Return log Π P, or the log of the mean of P."""
        logs = [torch.log_softmax(one, -1) for one in logits]
        weights = [one.unsqueeze(-1).to(logs[0].dtype) for one in there]
        if rule == "product":
            return torch.stack([log * weight for log, weight in zip(logs, weights, strict=True)]).sum(0)
        mean = _mean(logs, weights)
        nothing = torch.stack(weights).sum(0) == 0
        return mean.masked_fill(nothing, 1).clamp(min=torch.finfo(mean.dtype).tiny).log()

    def metric(self, name: str, probabilities: Tensor, target: Tensor) -> Metric:
        """Return accuracy, balanced accuracy or an F1.

        Balanced accuracy is a mean over the classes that occur, macro F1 over those that occur or are
        predicted.
        """
        decided = self.decide(probabilities)
        if name == "accuracy":
            return metrics.post_mean((decided == target).numpy())
        finish = {
            "balanced_accuracy": metrics.recall_macro,
            "f1_macro": metrics.f1_macro,
            "f1_micro": metrics.f1_micro,
            "f1_weighted": metrics.f1_weighted,
            "f1": lambda sums: metrics.f1_micro(sums[..., :1, :]),
        }[name]
        return metrics.additive(metrics.outcome_counts(self.hot(decided), self.hot(target)), finish)

    def confusion(self, probabilities: Tensor, target: Tensor) -> dict[str, dict[str, int]]:
        """Return posts by true class and predicted class."""
        number = len(self.names)
        pairs = target * number + self.decide(probabilities)
        counts = torch.bincount(pairs, minlength=number**2).reshape(number, number).tolist()
        return {
            true: dict(zip(self.names, row, strict=True))
            for true, row in zip(self.names, counts, strict=True)
        }

    def trivial(self, target: Tensor) -> tuple[str, Tensor]:
        """Return the largest class of training."""
        largest = int(torch.bincount(target, minlength=len(self.names)).argmax())
        return f"Always {self.names[largest]!r}", F.one_hot(torch.tensor(largest), len(self.names)).double()

    def target(self, labels: Sequence[Sequence[str]]) -> Tensor:
        """Return int64[n]."""
        return torch.tensor([self.names.index(one[0]) for one in labels], dtype=torch.int64)

    def labels(self, decided: Tensor) -> list[list[str]]:
        """Return the class of each post."""
        return [[self.names[number]] for number in decided.tolist()]

    def patterns(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return every class, and the posts' own."""
        return torch.arange(len(self.names), device=target.device), target

    def disjoint(self, patterns: Tensor, target: Tensor) -> Tensor:
        """Return whether a post is of another class."""
        return patterns.unsqueeze(-1) != target

    def hot(self, decided: Tensor) -> NDArray[np.bool_]:
        """Return one true value a post."""
        found: NDArray[np.bool_] = F.one_hot(decided, len(self.names)).bool().numpy()
        return found


class SeveralLabels(Task):
    """Any number of labels a post: sigmoid, p > .5, the F1 of MAMI's scorer and AUC. Targets: float[B, C].

    The weighted F1 is the official one of SemEval-2022 Task 5, subtask B: per label the mean of the F1 of its
    positives and that of its negatives, weighted by the label's positives. An F1 without a true positive is
    0.
    Where targets and predictions hold one and the same class, the official script fails; here the absent
    class counts as 0.
    """

    kind: Kind = "several"
    headline = "f1_weighted"

    @property
    def titles(self) -> Mapping[str, str]:
        """Weighted F1, AUC (the mean over labels), and the mean F1 of the labels' positives."""
        return {"f1_weighted": "F1 weighted", "auc": "AUC", "f1_macro": "F1 macro"}

    def losses(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the binary cross-entropy of each post, the sum over its labels, each times its weight."""
        found = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
        weights = self.weights(target)
        return (found if weights is None else found * weights.to(found.dtype)).sum(-1)

    def _balanced(self, target: Tensor) -> tuple[tuple[float, ...], ...]:
        """Return the weights of each label's negatives, and of its positives."""
        positives = (target > 0).sum(0).tolist()
        return by_side(dict(zip(self.names, positives, strict=True)), len(target))

    def weights(self, target: Tensor) -> Tensor | None:
        """Return the weight of each label's side that a post is on."""
        if not self.aim.weights:
            return None
        negative, positive = torch.tensor(self.aim.weights, device=target.device)
        return torch.where(target > 0, positive, negative)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the sigmoid."""
        return torch.sigmoid(logits)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return the labels above .5."""
        return probabilities > 0.5

    def combined(self, logits: Sequence[Tensor], there: Sequence[Tensor], rule: Rule) -> Tensor:
        """Return the logits of Π P / (Π P + Π (1 - P)), which are their sum; or those of the mean of P."""
        weights = [one.unsqueeze(-1).to(logits[0].dtype) for one in there]
        if rule == "product":
            return torch.stack([one * weight for one, weight in zip(logits, weights, strict=True)]).sum(0)
        tiny = torch.finfo(logits[0].dtype).eps
        mean = _mean([F.logsigmoid(one) for one in logits], weights)
        nothing = torch.stack(weights).sum(0) == 0
        return torch.logit(mean.masked_fill(nothing, 0.5).clamp(tiny, 1 - tiny))

    def metric(self, name: str, probabilities: Tensor, target: Tensor) -> Metric:
        """Return weighted F1, AUC or macro F1."""
        if name == "auc":
            return metrics.auc(probabilities.double().numpy(), self.hot(target))
        finish = {"f1_weighted": metrics.f1_both_sides, "f1_macro": metrics.f1_macro}[name]
        counts = metrics.outcome_counts(self.hot(self.decide(probabilities)), self.hot(target))
        return metrics.additive(counts, finish)

    def by_label(self, probabilities: Tensor, target: Tensor) -> dict[str, LabelMetrics]:
        """Return precision, recall and F1 of each label's positives, their number, and the label's AUC."""
        found = super().by_label(probabilities, target)
        ones, true = np.ones((1, len(target))), self.hot(target)
        for i, one in enumerate(found.values()):
            column = probabilities[None, :, i : i + 1].double().numpy()
            one["auc"] = float(metrics.auc(column, true[:, i : i + 1])(ones)[0, 0])
        return found

    def confusion(self, probabilities: Tensor, target: Tensor) -> dict[str, dict[str, int]]:
        """Return for each label the posts by outcome: true and false positives and negatives."""
        guess, true = self.hot(self.decide(probabilities)), self.hot(target)
        sums = metrics.outcome_counts(guess[None], true).sum((0, 1)).astype(int).tolist()
        outcomes = ("true positive", "false positive", "false negative", "true negative")
        return {name: dict(zip(outcomes, sums[i], strict=True)) for i, name in enumerate(self.names)}

    def trivial(self, target: Tensor) -> tuple[str, Tensor]:
        """Return no label at all."""
        return "Never any label", torch.zeros(len(self.names), dtype=torch.float64)

    def target(self, labels: Sequence[Sequence[str]]) -> Tensor:
        """Return float[n, C]."""
        held = [[float(name in one) for name in self.names] for one in labels]
        return torch.tensor(held).reshape(len(labels), len(self.names))

    def labels(self, decided: Tensor) -> list[list[str]]:
        """Return the labels of each post."""
        return [[self.names[i] for i in np.flatnonzero(row)] for row in self.hot(decided)]

    def patterns(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the different sets of labels."""
        found, number = torch.unique(target, dim=0, return_inverse=True)
        return found, number

    def disjoint(self, patterns: Tensor, target: Tensor) -> Tensor:
        """Return whether a post has none of a pattern's labels, and isn't without labels as well."""
        nothing = (patterns.sum(1, keepdim=True) == 0) & (target.sum(1) == 0)
        return ((patterns @ target.T) == 0) & ~nothing

    def hot(self, decided: Tensor) -> NDArray[np.bool_]:
        """Return the labels of each post."""
        found: NDArray[np.bool_] = decided.bool().numpy()
        return found


def task_of(kind: str, names: Sequence[str], aim: Aim = USUAL_AIM) -> Task:
    """Return a task by its kind. Raises `BaselineError` for an unknown one."""
    kinds: dict[str, type[Task]] = {"single": SingleLabel, "several": SeveralLabels}
    if kind not in kinds:
        raise BaselineError(f"there is no task {kind!r}: it is one of {', '.join(kinds)}")
    return kinds[kind](names, aim)


def _mean(logs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Return the mean of probabilities over those that are there."""
    total = torch.stack(list(weights)).sum(0).clamp(min=1)
    return torch.stack([log.exp() * weight for log, weight in zip(logs, weights, strict=True)]).sum(0) / total
