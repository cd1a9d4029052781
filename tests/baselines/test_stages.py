"""Stages of training: optimisers, schedules, samplers and stopping rules."""

from dataclasses import replace

import pytest
import torch

from baselines.data.samplers import LabelledAndUnlabelled, MixedModalities, Shuffled
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.base import (
    BestScore,
    Group,
    LastEpoch,
    MultiStep,
    OneCycle,
    Optimiser,
    Stage,
    StepDecay,
    Validation,
    own_terms,
)
from baselines.training import loop
from baselines.training.loop import fit
from tests.baselines.loops import CPU, PLAIN, data, same, staged, vectors

# Stages.

RATE = Optimiser("sgd", 0.05)
CLIPPED = Optimiser("sgd", 0.05, clip=0.1)


def stage(epochs=2, **more):
    known = {"sampler": Shuffled(16), "optimiser": RATE, "stopping": LastEpoch()}
    return Stage(epochs=epochs, **(known | more))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_second_stage_starts_from_what_the_first_kept(seeds):
    """A second stage that moves nothing returns the first one's network."""
    still = stage(optimiser=Optimiser("sgd", 1e-30))
    told = []
    first = staged("joint", data(), PLAIN["joint"], (stage(3),), seeds)
    both = staged("joint", data(), PLAIN["joint"], (stage(3), still), seeds, told.append)
    assert told == [1, 2, 3, 1, 2]
    for one, other in zip(first, both, strict=True):
        assert same(one.state, other.state)
        assert (one.epoch, other.epoch) == (3, 2)
    more = staged("joint", data(), PLAIN["joint"], (stage(3), stage()), seeds)
    assert not same(more[0].state, both[0].state)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_stage_continues_from_the_best_epoch_and_not_from_the_last(seeds):
    """The first stage overfits noise; the second moves nothing, and has the likelihood of the best epoch."""
    settings = replace(PLAIN["early"], standardise=True)
    first = stage(40, optimiser=Optimiser("sgd", 0.3), stopping=Validation(patience=3))
    still = stage(1, optimiser=Optimiser("sgd", 1e-30))
    alone = staged("early", data(noise=6.0), settings, (first,), seeds)
    both = staged("early", data(noise=6.0), settings, (first, still), seeds)
    for one, other in zip(alone, both, strict=True):
        assert other.likelihood == pytest.approx(one.likelihood, abs=1e-6)
        assert same(one.state, other.state)


@pytest.mark.slow
def test_a_frozen_group_stays_in_its_stage_and_moves_in_the_next():
    frozen = stage(optimiser=Optimiser("adam", 0.01, groups=(Group("lookup", 0.0),)))
    open_ = stage(optimiser=Optimiser("adamw", 0.01, weight_decay=0.1))
    [one] = staged("joint", data(), PLAIN["joint"], (frozen,))
    assert torch.equal(one.state["text.lookup.weight"], vectors(data()))
    [two] = staged("joint", data(), PLAIN["joint"], (frozen, open_))
    assert not torch.equal(two.state["text.lookup.weight"], vectors(data()))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_each_stage_minimises_terms_of_its_own(seeds):
    """A term that names the classifier alone leaves the projection where it was."""

    def classifier(model, posts):
        size = sum((weight**2).sum() for weight in model.classify.parameters())
        return {"size": own_terms(model, posts)["y"]._replace(sum=size, posts=torch.ones(()))}

    [start, *_] = staged("joint", data(), PLAIN["joint"], (stage(optimiser=Optimiser("sgd", 1e-30)),), seeds)
    [one, *_] = staged("joint", data(), PLAIN["joint"], (stage(terms=classifier),), seeds)
    assert torch.equal(one.state["project.weight"], start.state["project.weight"])
    assert one.state["classify.0.weight"].norm() < start.state["classify.0.weight"].norm()


def test_step_decay_multiplies_by_epoch_or_by_step():
    by_epoch = StepDecay(0.5, every=2)
    assert [by_epoch.scale(epoch, 99, 500) for epoch in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    by_step = StepDecay(0.85, every=200, unit="step")
    assert [by_step.scale(99, step, 500) for step in (0, 199, 200, 400)] == [1, 1, 0.85, 0.85**2]
    assert StepDecay().scale(1000, 1000, 2000) == 1


def library_rates(schedule, steps):
    """The learning rates of one of the library's schedules, whose highest is 1."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = schedule(optimiser)
    found = []
    for _ in range(steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


@pytest.mark.slow
def test_a_cycle_and_milestones_are_those_of_the_library():
    milestones = MultiStep(0.5, (5, 10, 15))
    known = library_rates(lambda one: torch.optim.lr_scheduler.MultiStepLR(one, [5, 10, 15], 0.5), 20)
    assert [milestones.scale(epoch, 99, 500) for epoch in range(20)] == known
    cycle = torch.optim.lr_scheduler.OneCycleLR
    known = library_rates(lambda one: cycle(one, 1.0, total_steps=40, cycle_momentum=False), 39)
    assert [OneCycle().scale(step // 10, step, 40) for step in range(39)] == pytest.approx(known)
    assert OneCycle().scale(3, 39, 40) == pytest.approx(4e-6)
    assert all(0 < OneCycle().scale(0, step, few) <= 1 for few in (1, 2, 3, 4) for step in range(few))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (StepDecay(0.5, 1), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
        (StepDecay(0.5, 3, "step"), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (lambda posts: StepDecay(posts.size / 240), [1, 1, 1, 1, 0.25, 0.25, 0.25, 0.25]),
        (MultiStep(0.5, (1,)), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
        (OneCycle(), [OneCycle().scale(0, step, 8) for step in range(8)]),
    ],
)
def test_a_stage_takes_each_step_at_its_scheduled_rate(schedule, expected, monkeypatch):
    """Two epochs of four steps of 60 training posts; the next stage counts from 0 again."""
    scales = []
    step = loop.optimiser_of

    def spied(*given):
        steps = step(*given)
        take = steps.step
        steps.step = lambda scale: (scales.append(scale), take(scale))
        return steps

    monkeypatch.setattr(loop, "optimiser_of", spied)
    staged("image", data(), PLAIN["image"], (stage(2, schedule=schedule),) * 2)
    assert scales == expected * 2


@pytest.mark.slow
def test_the_last_epoch_is_kept_however_it_does_on_validation():
    told = []
    overfits = stage(8, optimiser=Optimiser("sgd", 0.5), sampler=Shuffled(8))
    [last] = staged("early", data(noise=6.0), PLAIN["early"], (overfits,), tell=told.append)
    assert told == list(range(1, 9))
    assert last.epoch == 8
    best = replace(overfits, stopping=Validation(patience=8))
    [kept] = staged("early", data(noise=6.0), PLAIN["early"], (best,))
    assert kept.epoch < 8
    assert kept.likelihood > last.likelihood


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_epoch_with_the_best_score_is_kept_and_every_epoch_is_trained(seeds):
    told = []
    noisy = stage(8, optimiser=Optimiser("sgd", 0.5), sampler=Shuffled(8), stopping=BestScore())
    for one in staged("early", data(noise=6.0), PLAIN["early"], (noisy,), seeds, told.append):
        assert one.score == max(one.history)
        assert one.epoch == 1 + one.history.index(one.score)
    assert told == list(range(1, 9))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_losses_of_training_and_of_validation_are_kept_for_each_epoch_of_the_last_stage(seeds):
    known = {"sampler": Shuffled(16), "stopping": BestScore()}
    still = stage(3, **(known | {"optimiser": Optimiser("sgd", 1e-30)}))
    moving = stage(4, **(known | {"optimiser": Optimiser("sgd", 0.3)}))
    for one in staged("joint", data(), PLAIN["joint"], (moving, still), seeds):
        assert len(one.losses) == len(one.history) == 3
        assert one.losses == (pytest.approx(one.losses[0], rel=0.1),) * 3
        assert one.losses[-1][1] == pytest.approx(-one.likelihood)
    for one in staged("joint", data(), PLAIN["joint"], (moving,), seeds):
        trained = [trained for trained, _ in one.losses]
        assert len(trained) == 4 and trained == sorted(trained, reverse=True)


def test_the_score_that_selects_is_the_headline_another_metric_or_the_f1_of_both_sides_of_a_label():
    task = SeveralLabels(("misogynous", "shaming"))
    target = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    guess = torch.tensor([[0.9, 0.1], [0.1, 0.1], [0.2, 0.8], [0.2, 0.8]])
    assert BestScore(label="misogynous").of(task, guess, target) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert BestScore("f1_macro").of(task, guess, target) == pytest.approx((2 / 3 + 1) / 2)
    assert BestScore(label="other").of(task, guess, target) == task.score(guess, target)
    single = SingleLabel(("misogynous", "not"))
    assert BestScore(label="misogynous").of(single, guess, torch.tensor([0, 1, 1, 1])) == 0.75


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_gradients_of_each_network_are_clipped_at_the_norm_of_all_together(seeds, monkeypatch):
    norms = []
    step = loop.optimiser_of

    def spied(wanted, parameters, embeddings):
        steps = step(wanted, parameters, embeddings)
        take = steps.step

        def counted(scale):
            flat = [one.grad.to_dense().reshape(len(seeds), -1) for one in parameters.values()]
            norms.append(torch.cat(flat, 1).norm(dim=1).tolist())
            take(scale)

        steps.step = counted
        return steps

    monkeypatch.setattr(loop, "optimiser_of", spied)
    staged("joint", data(), PLAIN["joint"], (stage(1, sampler=Shuffled(60)),), seeds)
    staged("joint", data(), PLAIN["joint"], (stage(1, sampler=Shuffled(60), optimiser=CLIPPED),), seeds)
    free, clipped = norms
    assert clipped == pytest.approx([0.1] * len(seeds), rel=1e-4)
    assert min(free) > 0.2


@pytest.mark.slow
def test_an_epoch_counts_as_better_only_with_the_gain_that_is_asked_for():
    """With a gain that nothing reaches the first epoch is kept, and patience counts from it."""
    told = []
    strict = stage(9, stopping=Validation(patience=3, gain=100.0))
    [one] = staged("image", data(), PLAIN["image"], (strict,), tell=told.append)
    assert (one.epoch, told) == (1, [1, 2, 3, 4])


def test_a_seed_given_up_in_the_first_stage_stays_given_up():
    broken = stage(2, optimiser=Optimiser("sgd", 1e30), stopping=Validation(patience=2))
    told = []
    [one] = staged("joint", data(), PLAIN["joint"], (broken, stage(5)), tell=told.append)
    assert one.problem == "the loss became NaN or infinite in epoch 1: try a smaller learning rate"
    assert (one.state, told) == ({}, [1, 1])


@pytest.mark.parametrize(
    "sampler", [LabelledAndUnlabelled(16, 12), MixedModalities(16)], ids=["unlabelled", "mixed"]
)
def test_a_stage_reads_what_its_sampler_draws(sampler, monkeypatch):
    read = []
    losses = loop.Stack.losses

    def spied(self, posts, terms):
        read.append(posts)
        return losses(self, posts, terms)

    monkeypatch.setattr(loop.Stack, "losses", spied)
    given = data(unlabelled=20)
    staged("joint", given, PLAIN["joint"], (stage(1, sampler=sampler),), seeds=(0, 1))
    drawn = sampler.epoch(given.train, torch.Generator().manual_seed(0))
    assert [posts.labelled[0].tolist() for posts in read] == [
        given.train.labelled[rows].tolist() for rows in drawn
    ]
    assert torch.equal(read[0].inputs["image"][0], given.train.inputs["image"][drawn[0]])


@pytest.mark.slow
def test_a_model_that_cannot_be_stacked_is_trained_seed_by_seed():
    spec = registry.spec("early")
    alone = fit(replace(spec, stacks=False), data(), PLAIN["early"], (0, 1), CPU)
    for seed, one in enumerate(alone):
        [expected] = fit(spec, data(), PLAIN["early"], (seed,), CPU)
        assert same(one.state, expected.state)
