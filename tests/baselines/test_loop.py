"""Training by stages, on small data in memory."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.encoders.text.words import Vocabulary
from baselines.data.batch import Batch, trimmed
from baselines.data.inputs import Data, Images
from baselines.data.samplers import LabelledAndUnlabelled, MixedModalities, Shuffled
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.base import (
    Group,
    LastEpoch,
    Optimiser,
    Stage,
    StepDecay,
    Validation,
    own_terms,
)
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.training import loop
from baselines.training.loop import fit
from tests.baselines import reference

CPU = torch.device("cpu")
CLASSES = ("joy", "fear", "anger")
NEURAL = reference.NEURAL
PLAIN = {
    "image": ImageSettings(lr=0.05, batch=8, epochs=4),
    "early": FusionSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0),
    "joint": JointSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0),
    "common": CommonSettings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0, negatives=2),
}


def batch(n, seed, noise=1.0, several=False, unlabelled=0):
    """n posts of three classes: features around the class's own place, one of whose words is telling."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 3
    image = torch.nn.functional.one_hot(label, 5) * 3.0 + noise * torch.randn(n, 5, generator=draw)
    tokens = torch.randint(4, 12, (n, 6), generator=draw)
    tokens[:, 0] = 1 + label
    tokens[::5, 3:] = 0
    present = torch.ones(n, 2, dtype=torch.bool)
    present[7::11, 0] = False
    present[4::13, 1] = False
    target = torch.nn.functional.one_hot(label, 3).float() if several else label
    labelled = torch.arange(n) < n - unlabelled
    return Batch({"image": image, "words": tokens * present[:, 1:]}, present, target, labelled)


def data(noise=1.0, several=False, unlabelled=0):
    vectors = torch.randn(12, 4, generator=torch.Generator().manual_seed(9))
    vectors[0] = 0
    encoders = {
        "image": Images(5),
        "words": Vocabulary(tuple("abcdefghij"), vectors.numpy(), "random, 4-d", None),
    }
    task = SeveralLabels(CLASSES) if several else SingleLabel(CLASSES)
    train = batch(60, 1, noise, several, unlabelled)
    texts = {"train": [""] * 60, "validation": [""] * 24}
    return Data(task, train, batch(24, 2, noise, several), encoders, texts)


def vectors(given):
    return torch.from_numpy(given.encoders["words"].start)


def trained(name, given, settings, seeds, tell=lambda epoch: None):
    spec = registry.spec(name)
    return fit(spec, given.of(spec.inputs), settings, seeds, CPU, tell)


def staged(name, given, settings, stages, seeds=(0,), tell=lambda epoch: None):
    """Train a model by other stages than its own."""
    spec = replace(registry.spec(name), stages=lambda settings: stages)
    return fit(spec, given.of(spec.inputs), settings, seeds, CPU, tell)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
@pytest.mark.parametrize("name", NEURAL)
def test_seeds_trained_together_are_as_each_alone(name, several):
    """Without dropout, whose draws differ. With momentum and decay, which the words have none of."""
    settings = replace(PLAIN[name], momentum=0.9, weight_decay=0.01, patience=2)
    given = data(several=several, unlabelled=6)
    together = trained(name, given, settings, (0, 1, 2))
    for seed in range(3):
        [alone] = trained(name, given, settings, (seed,))
        assert together[seed].seed == alone.seed == seed
        assert together[seed].epoch == alone.epoch
        assert together[seed].likelihood == pytest.approx(alone.likelihood, abs=1e-4)
        for key, value in alone.state.items():
            torch.testing.assert_close(together[seed].state[key], value, rtol=0, atol=1e-4)
    assert not same(together[0].state, together[1].state)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(3,), (3, 4)])
@pytest.mark.parametrize("name", ["image", "common"])
def test_the_same_seed_gives_the_same_network_to_the_bit(name, seeds):
    dropping = PLAIN[name] if name == "image" else replace(PLAIN[name], dropout=0.5)
    first = trained(name, data(), dropping, seeds)
    torch.randn(7)  # draws in between
    again = trained(name, data(), dropping, seeds)
    assert [one.epoch for one in first] == [one.epoch for one in again]
    assert all(same(one.state, other.state) for one, other in zip(first, again, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True], ids=["single", "several"])
@pytest.mark.parametrize("name", NEURAL)
def test_the_models_learn_what_can_be_learnt(name, several):
    lr = 0.3 if several else 0.1
    [one] = trained(name, data(0.3, several), replace(PLAIN[name], lr=lr, epochs=30), (0,))
    assert one.score >= 0.8
    assert -0.7 < one.likelihood < 0


@pytest.mark.slow
def test_the_score_of_an_epoch_is_the_task_s_headline_metric_on_validation():
    for several in (False, True):
        given = data(several=several)
        [one] = trained("image", given, PLAIN["image"], (0,))
        network = registry.spec("image").build(given.task, given.encoders, PLAIN["image"])
        network.load_state_dict(one.state)
        with torch.no_grad():
            logits = network.eval()(given.validation)["y"].double()
        scores = given.task.scores(given.task.probabilities(logits), given.validation.target)
        assert one.score == scores["f1_weighted" if several else "accuracy"]
        expected = -np.mean(reference.nll(logits.numpy(), given.validation.target))
        assert one.likelihood == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_vectors_of_words_in_no_text_stay_and_the_padding_stays_zero():
    given = data()
    words = given.train.inputs["words"]
    words[words == 11] = 10
    for seeds in ((0,), (0, 1)):
        found = trained("joint", given, PLAIN["joint"], seeds)[0].state["text.lookup.weight"]
        assert torch.equal(found[11], vectors(given)[11])
        assert not found[0].any()
        assert not torch.equal(found[1:11], vectors(given)[1:11])


def test_words_learn_at_a_multiple_of_the_rate():
    """One step moves them so many times as far, and nothing else."""
    one_step = replace(PLAIN["joint"], batch=60, epochs=1)
    slow, fast = (
        trained("joint", data(), replace(one_step, word_rate=rate), (0,))[0].state for rate in (1.0, 3.0)
    )
    moved = [state["text.lookup.weight"] - vectors(data()) for state in (slow, fast)]
    assert moved[0].abs().max() > 1e-4
    torch.testing.assert_close(moved[1], 3 * moved[0], rtol=1e-3, atol=1e-6)
    assert all(torch.equal(slow[name], fast[name]) for name in slow if name != "text.lookup.weight")


def test_the_images_scale_is_that_of_the_training_images_that_are_there():
    state = trained("image", data(), PLAIN["image"], (0,))[0].state
    part = data().train
    features = part.inputs["image"][part.present[:, 0]]
    torch.testing.assert_close(state["scale.mean"], features.mean(0))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_best_epoch_is_kept_and_patience_ends_the_training(seeds):
    """Noise is overfitted soon. A training that ends with the best epoch gives that very network."""
    settings = replace(PLAIN["early"], lr=0.3, epochs=60, patience=3)
    told = []
    found = trained("early", data(noise=6.0), settings, seeds, told.append)
    assert told == list(range(1, max(one.epoch for one in found) + 3 + 1))
    assert told[-1] < 60
    shorter = replace(settings, epochs=found[0].epoch)
    until = trained("early", data(noise=6.0), shorter, seeds)[0]
    assert same(until.state, found[0].state)
    assert (until.epoch, until.likelihood) == (found[0].epoch, found[0].likelihood)


@pytest.mark.slow
def test_a_seed_whose_loss_becomes_nan_stops_alone(monkeypatch):
    expected = trained("joint", data(), PLAIN["joint"], (0, 1, 2))
    new = loop.new

    def poisoned(spec, given, settings, seed):
        model = new(spec, given, settings, seed)
        if seed == 1:
            torch.nn.init.constant_(model.project.weight, math.nan)
        return model

    monkeypatch.setattr(loop, "new", poisoned)
    found = trained("joint", data(), PLAIN["joint"], (0, 1, 2))
    assert found[1].problem == "the loss became NaN or infinite in epoch 1: try a smaller learning rate"
    assert (found[1].seed, found[1].state, found[1].likelihood) == (1, {}, -math.inf)
    for seed in (0, 2):
        assert found[seed].problem is None
        assert same(found[seed].state, expected[seed].state)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_training_ends_where_every_seed_is_given_up(seeds):
    told = []
    settings = replace(PLAIN["joint"], lr=1e30, epochs=50)
    found = trained("joint", data(), settings, seeds, told.append)
    assert all(one.problem for one in found)
    assert len(told) < 50


@pytest.mark.slow
def test_a_split_longer_than_a_chunk_is_scored_whole(monkeypatch):
    expected = trained("joint", data(), PLAIN["joint"], (0, 1))
    monkeypatch.setattr(loop, "CHUNK", 7)
    found = trained("joint", data(), PLAIN["joint"], (0, 1))
    for one, other in zip(found, expected, strict=True):
        assert one.likelihood == pytest.approx(other.likelihood, abs=1e-6)
        assert one.score == other.score


@pytest.mark.slow
def test_unlabelled_posts_change_nothing_of_a_model_that_reads_labelled_ones():
    given = data(unlabelled=12)
    without = replace(given, train=given.train.slice(0, 48), texts=given.texts | {"train": [""] * 48})
    settings = replace(PLAIN["image"], standardise=False)  # the scale is measured on all images
    [one], [other] = (trained("image", each, settings, (0,)) for each in (given, without))
    assert same(one.state, other.state)


# Common space fusion's texts of other classes.


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 8])
def test_common_space_fusion_has_its_auxiliary_loss_in_a_step_of_any_size(size, monkeypatch):
    """A mini-batch of one post has its g texts too: they come from all training posts."""
    seen = []
    losses = loop.Stack.losses

    def spied(self, posts, terms):
        found = terms(self.first, posts.map(lambda tensor: tensor[0]))
        seen.append((posts, found["common space"]))
        return losses(self, posts, terms)

    monkeypatch.setattr(loop.Stack, "losses", spied)
    trained("common", data(), replace(PLAIN["common"], batch=size, epochs=1), (0,))
    assert len(seen) == math.ceil(60 / size)
    for posts, term in seen:
        both = posts.present[0].all(-1)
        assert posts.inputs["other_texts"].shape[:3] == (1, 3, 2)
        assert term.posts.item() == both.sum().item()
        assert (term.sum.item() > 0) == bool(both.any())


@pytest.mark.slow
def test_a_mini_batch_of_one_post_trains_common_space_fusion_by_more_than_its_likelihood():
    """With λ·NLL alone the network would be another."""
    settings = replace(PLAIN["common"], batch=1, epochs=1)
    [whole] = trained("common", data(), settings, (0,))
    [stage] = registry.spec("common").stages(settings)

    def only(model, posts):
        return {"likelihood": own_terms(model, posts)["likelihood"]}

    [alone] = staged("common", data(), settings, (replace(stage, terms=only),))
    assert not torch.equal(whole.state["project.weight"], alone.state["project.weight"])


@pytest.mark.slow
def test_a_row_notes_posts_that_have_no_text_of_another_class():
    """Of several labels: no text has a label that a post with all of them hasn't."""
    given = data(several=True)
    given.train.target[:6] = 1
    settings = replace(PLAIN["common"], epochs=1)
    [one] = trained("common", given, settings, (0,))
    assert given.train.present[:6].all(1).sum() == 5
    assert one.note == "5 training posts have no text of another class: they train without that loss"
    assert trained("common", data(several=True), settings, (0,))[0].note == ""
    assert trained("common", data(), settings, (0,))[0].note == ""


# Stages.

RATE = Optimiser("sgd", 0.05)


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
    assert [by_epoch.scale(epoch, 99) for epoch in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    by_step = StepDecay(0.85, every=200, unit="step")
    assert [by_step.scale(99, step) for step in (0, 199, 200, 400)] == [1, 1, 0.85, 0.85**2]
    assert StepDecay().scale(1000, 1000) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (StepDecay(0.5, 1), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
        (StepDecay(0.5, 3, "step"), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
    ],
)
def test_a_stage_takes_each_step_at_its_scheduled_rate(schedule, expected, monkeypatch):
    """Two epochs of four steps; the next stage counts from 0 again."""
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


# Batches.


def test_the_padding_that_all_texts_share_is_cut_off():
    tokens = torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]])
    assert trimmed(tokens).tolist() == [[1, 2], [3, 0]]
    assert trimmed(torch.stack([tokens, tokens])).shape == (2, 2, 2)
    assert trimmed(torch.zeros(2, 4, dtype=torch.int64)).tolist() == [[0], [0]]
    assert trimmed(torch.zeros(2, 4)).shape == (2, 4)


def small():
    return Batch(
        {"image": torch.arange(6.0).reshape(3, 2), "words": torch.tensor([[1, 2, 3], [4, 0, 0], [5, 6, 0]])},
        torch.tensor([[True, True], [True, False], [False, True]]),
        torch.tensor([0, 1, 2]),
        torch.tensor([True, False, True]),
    )


def test_posts_are_taken_by_their_rows():
    found = small().take(torch.tensor([[2, 1], [1, 2]]))
    assert found.inputs["image"].tolist() == [[[4, 5], [2, 3]], [[2, 3], [4, 5]]]
    assert found.inputs["words"].tolist() == [[[5, 6], [4, 0]], [[4, 0], [5, 6]]]
    assert found.target.tolist() == [[2, 1], [1, 2]]
    assert found.present[0].tolist() == [[False, True], [True, False]]
    assert found.labelled.tolist() == [[True, False], [False, True]]


def test_a_mode_leaves_one_modality_of_each_post():
    assert small().only("both").present.tolist() == small().present.tolist()
    assert small().only("image").present.tolist() == [[True, False], [True, False], [False, False]]
    assert small().only("text").present.tolist() == [[False, True], [False, False], [False, True]]


def test_batches_are_cut_and_joined_again():
    joined = Batch.joined([small().slice(0, 1), small().slice(1, 3)])
    assert joined.size == 3
    for one, other in zip(joined[1:], small()[1:], strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(joined.inputs[name], small().inputs[name]) for name in ("image", "words"))
