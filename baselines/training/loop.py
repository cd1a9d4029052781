"""Training by stages of gradient descent, on inputs that are computed once.

    fitted = fit(registry.spec("joint"), data, JointSettings(), seeds=[0], device=torch.device("cpu"))

A split is one `Batch` on the device; a step takes rows of it. Seeds that are given together are trained
together as one stacked network, where the spec allows it: on a GPU all of them, on a CPU one a process.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from baselines.data.batch import Batch, trimmed
from baselines.data.inputs import Data
from baselines.data.samplers import OtherTexts
from baselines.models.base import (
    BestScore,
    Fitted,
    LastEpoch,
    Model,
    Spec,
    Stage,
    Terms,
    Unfinished,
    Validation,
    own_terms,
    selecting,
    total,
)
from baselines.training.epochs import untold
from baselines.training.optimisers import optimiser_of

Stopping = Validation | BestScore | LastEpoch

#: Rows of which logits are computed at once.
CHUNK = 4096


def fit(
    spec: Spec,
    data: Data,
    settings: Any,
    seeds: Sequence[int],
    device: torch.device,
    tell: Callable[[int], None] = untold,
    unfinished: Mapping[int, Unfinished] = MappingProxyType({}),
) -> list[Fitted]:
    """Train a model for each seed. A seed whose loss becomes NaN or infinite stops; the others continue.

    `tell` is called with each epoch that has ended. `unfinished`: by seed, where a network that is trained
    end to end keeps its last epoch.

    The same seed gives the same network on one device, but for rounding where seeds are stacked.
    """
    if spec.fit is not None:
        return spec.fit(data, settings, seeds, device)
    if spec.end_to_end is not None:
        return [spec.end_to_end(data, settings, seed, device, unfinished.get(seed), tell) for seed in seeds]
    if not spec.stacks and len(seeds) > 1:
        return [one for seed in seeds for one in fit(spec, data, settings, [seed], device, tell)]
    assert spec.stages is not None
    stack = Stack([new(spec, data, settings, seed).to(device) for seed in seeds])
    data = data.to(device)
    run = Run(spec, data, stack, seeds)
    *before, last = spec.stages(settings)
    for stage in (*before, selecting(last, data.task.aim.select)):
        run.stage(stage, tell)
    return run.fitted()


def new(spec: Spec, data: Data, settings: Any, seed: int) -> Model:
    """Return a model before any training, with its scales and centres measured on the training posts."""
    assert spec.build is not None
    torch.manual_seed(seed)
    model = spec.build(data.task, data.encoders, settings)
    model.measure(data.train)
    return model


class Run:
    """The training of one model with some seeds, stage by stage."""

    def __init__(self, spec: Spec, data: Data, stack: Stack, seeds: Sequence[int]) -> None:
        self.data, self.stack, self.seeds = data, stack, seeds
        self.head = spec.heads["both"]
        self.drawers = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.problems = [""] * len(seeds)
        self.kept: list[Fitted | None] = [None] * len(seeds)
        self.merits = [-math.inf] * len(seeds)  # of the epochs that were kept: likelihood, or a score
        self.history: list[list[float]] = [[] for _ in seeds]
        self.losses: list[list[tuple[float, float]]] = [[] for _ in seeds]
        self.note = ""
        torch.manual_seed(seeds[0])

    def stage(self, stage: Stage, tell: Callable[[int], None]) -> None:
        """Train a stage, from what the one before kept."""
        for i, one in enumerate(self.kept):
            if one is not None:
                self.stack.load(i, one.state)
        self.kept = [None] * len(self.seeds)
        self.history = [[] for _ in self.seeds]
        self.losses = [[] for _ in self.seeds]
        waited = [0] * len(self.seeds)
        optimiser = optimiser_of(stage.optimiser, self.stack.parameters(), self.stack.embeddings())
        others = self._other_texts(stage)
        found = stage.schedule
        schedule = found(self.data.train) if callable(found) else found
        every = stage.epochs * len(stage.sampler.epoch(self.data.train, torch.Generator()))
        step = 0
        for epoch in range(1, stage.epochs + 1):
            self.stack.train(True)
            each = []
            for posts in self._steps(stage, others):
                losses = self.stack.losses(posts, stage.terms)
                each.append(losses.detach())
                losses.sum().backward()
                if stage.optimiser.clip is not None:
                    self.stack.clip(stage.optimiser.clip)
                optimiser.step(schedule.scale(epoch - 1, step, every))
                step += 1
            self.stack.train(False)
            last = epoch == stage.epochs
            # A stage that keeps its last epoch and hasn't trained what answers needs no score before that.
            if last or stage.terms is own_terms or not isinstance(stage.stopping, LastEpoch):
                trained = torch.stack(each).double().mean(0).tolist()
                self._judge(stage.stopping, epoch, trained, last=last, waited=waited)
            tell(epoch)
            if all(self._over(stage.stopping, i, waited) for i in range(len(self.seeds))):
                break

    def _other_texts(self, stage: Stage) -> OtherTexts | None:
        if not stage.other_texts:
            return None
        others = OtherTexts(self.data.train, self.data.task, stage.other_texts)
        if missing := others.missing(self.data.train):
            self.note = (
                f"{missing} training posts have no text of another class: they train without that loss"
            )
        return others

    def _steps(self, stage: Stage, others: OtherTexts | None) -> Iterator[Batch]:
        """Yield each step's posts of every seed, tensors of shape [S, B, …]."""
        train = self.data.train
        epochs = [stage.sampler.epoch(train, drawer) for drawer in self.drawers]
        for of_seeds in zip(*epochs, strict=True):
            rows = torch.stack(of_seeds).to(train.labelled.device)
            posts = train.take(rows)
            if others is not None:
                drawn = torch.stack([others.draw(drawer) for drawer in self.drawers])  # [S, P, g]
                words = train.inputs["words"].index_select(0, drawn.flatten()).unflatten(0, drawn.shape)
                own = others.pattern[rows]
                posts.inputs["other_texts"] = trimmed(words)
                posts.inputs["pattern"] = own.where(others.count[own] > 0, -1)
            yield posts

    def _over(self, stopping: Stopping, i: int, waited: Sequence[int]) -> bool:
        return bool(self.problems[i]) or (isinstance(stopping, Validation) and waited[i] >= stopping.patience)

    def _judge(
        self, stopping: Stopping, epoch: int, trained: Sequence[float], *, last: bool, waited: list[int]
    ) -> None:
        """Score the networks on validation, and keep those that are to be kept.

        `trained`: each network's training loss in this epoch.
        """
        task, posts = self.data.task, self.data.validation
        for i, logits in enumerate(self.logits(posts)):
            if self._over(stopping, i, waited):
                continue
            score, likelihood, selected = task.judged(logits, posts.target)
            best, merit = self.kept[i], likelihood
            if isinstance(stopping, Validation) and stopping.selects:
                merit = selected
            elif isinstance(stopping, BestScore) and math.isfinite(likelihood):
                merit = stopping.of(task, task.probabilities(logits).cpu(), posts.target.cpu())
            self.history[i].append(score)
            self.losses[i].append((trained[i], -likelihood))
            if isinstance(stopping, LastEpoch) and not last and math.isfinite(likelihood):
                continue
            if not math.isfinite(likelihood):
                self.problems[i] = (
                    f"the loss became NaN or infinite in epoch {epoch}: try a smaller learning rate"
                )
            elif best is None or isinstance(stopping, LastEpoch) or merit > self.merits[i] + _gain(stopping):
                waited[i], self.merits[i] = 0, merit
                state = self.stack.state(i)
                self.kept[i] = Fitted(
                    self.seeds[i], state, epoch, score, likelihood, note=self.note, selected=selected
                )
            else:
                waited[i] += 1

    def logits(self, posts: Batch) -> Tensor:
        """Return float64[S, n, C] logits of a whole split, by the head that reads both modalities."""
        parts = [
            self.stack.logits(posts.slice(start, start + CHUNK), self.head)
            for start in range(0, max(1, posts.size), CHUNK)
        ]
        return torch.cat(parts, 1).double()

    def fitted(self) -> list[Fitted]:
        """Return what was kept; of a seed that was given up why."""
        found = []
        each = zip(self.seeds, self.kept, self.problems, self.history, self.losses, strict=True)
        for seed, kept, problem, history, losses in each:
            best = kept or Fitted(seed, {}, 0, math.nan, -math.inf)
            best = replace(best, history=tuple(history), losses=tuple(losses))
            if problem:
                best = Fitted(seed, {}, best.epoch, best.score, best.likelihood, problem)
            found.append(best)
        return found


def _gain(stopping: Validation | BestScore) -> float:
    """Return what an epoch must gain to count as better."""
    return stopping.gain if isinstance(stopping, Validation) else 0.0


class _Objective(nn.Module):
    """The loss as a module's call, for `functional_call`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, terms: Callable[[Any, Batch], Terms]) -> Tensor:
        return total(terms(self.model, batch))


class Stack:
    """S networks of one shape, a seed each, as one. Their parameters and batches have a first dimension S.

    With one network nothing is stacked, and gradients of embeddings can be sparse, which a CPU is best at.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.size = len(models)
        self.first = models[0]
        self._objective = _Objective(self.first)
        self._stacked: dict[str, Tensor] = {}
        self._buffers: dict[str, Tensor] = {}
        if self.size > 1:
            self._stacked, self._buffers = stack_module_state([_Objective(model) for model in models])
            self._objective = copy.deepcopy(self._objective).to("meta")

    def parameters(self) -> dict[str, Tensor]:
        """Return what is trained, by name."""
        found = self._stacked or dict(self._objective.named_parameters())
        return {name.removeprefix("model."): value for name, value in found.items()}

    def embeddings(self) -> dict[str, nn.Embedding]:
        """Return the lookups whose gradients may be sparse, by the name of their parameter."""
        if self.size > 1:
            return {}
        found = self.first.named_modules()
        return {f"{name}.weight": one for name, one in found if isinstance(one, nn.Embedding)}

    def losses(self, batch: Batch, terms: Callable[[Any, Batch], Terms]) -> Tensor:
        """Return each network's loss on its own batch, float[S]."""
        if self.size == 1:
            return torch.atleast_1d(self._objective(batch.map(lambda tensor: tensor[0]), terms))

        def one(values: dict[str, Tensor], buffers: dict[str, Tensor], posts: Batch) -> Tensor:
            found: Tensor = functional_call(self._objective, (values, buffers), (posts, terms))
            return found

        return torch.vmap(one, randomness="different")(self._stacked, self._buffers, batch)

    @torch.no_grad()
    def clip(self, most: float) -> None:
        """Scale down each network's gradients whose norm, of all together, is above `most`."""
        found = [one.grad for one in self.parameters().values() if one.grad is not None]
        norms = [torch.linalg.vector_norm(one.reshape(self.size, -1), dim=1) for one in found]
        norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        scale = (most / (norm + 1e-6)).clamp(max=1)  # as `clip_grad_norm_` has it
        for one in found:
            one.mul_(scale.reshape(-1, *[1] * (one.ndim - 1)) if self.size > 1 else scale[0])

    @torch.no_grad()
    def logits(self, batch: Batch, head: str) -> Tensor:
        """Return each network's logits for the same batch, float[S, B, C]. Call it in evaluation mode."""
        model = self._objective.model
        if self.size == 1:
            return model(batch)[head].unsqueeze(0)

        def one(values: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            inside = {name.removeprefix("model."): value for name, value in (values | buffers).items()}
            found: Tensor = functional_call(model, inside, (batch,))[head]
            return found

        return torch.vmap(one)(self._stacked, self._buffers)

    def train(self, on: bool) -> None:
        """Switch dropout on or off."""
        self._objective.train(on)

    def state(self, number: int) -> dict[str, Tensor]:
        """Return a copy of one network's parameters and buffers, on the CPU."""
        if self.size == 1:
            found = self.first.state_dict()
        else:
            every = self._stacked | self._buffers
            found = {name.removeprefix("model."): value[number] for name, value in every.items()}
        return {name: value.detach().cpu().clone() for name, value in found.items()}

    @torch.no_grad()
    def load(self, number: int, state: dict[str, Tensor]) -> None:
        """Give one network these parameters and buffers."""
        if self.size == 1:
            self.first.load_state_dict(state)
            return
        for name, value in (self._stacked | self._buffers).items():
            value[number].copy_(state[name.removeprefix("model.")])
