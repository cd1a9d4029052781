"""Training by stages, on small data in memory."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.models import registry
from baselines.models.base import (
    own_terms,
)
from baselines.training import loop
from tests.baselines import reference
from tests.baselines.loops import NEURAL, PLAIN, data, same, staged, trained, vectors


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
    [one] = trained(name, data(0.3, several), replace(PLAIN[name], lr=0.1, epochs=30), (0,))
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
