import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.data.batch import Batch
from baselines.settings import NEURAL, Settings
from baselines.training import loop as train
from baselines.training.loop import Data, fit, take, trimmed

CPU = torch.device("cpu")
PLAIN = Settings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.0, negatives=2)
DROPPING = Settings(lr=0.05, batch=8, epochs=4, hidden=6, dropout=0.5, negatives=2)


def batch(n, seed, noise=1.0):
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
    return Batch(image, tokens * present[:, 1:], present, label)


def data(noise=1.0):
    vectors = torch.randn(12, 4, generator=torch.Generator().manual_seed(9))
    vectors[0] = 0
    return Data(batch(60, 1, noise), batch(24, 2, noise), vectors, 3)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_seeds_trained_together_are_as_each_alone(name):
    """Without dropout, whose draws differ. Among them momentum and decay, which spare the words."""
    settings = replace(PLAIN, momentum=0.9, weight_decay=0.01, patience=2)
    together = fit(name, data(), settings, (0, 1, 2), CPU)
    for seed in range(3):
        [alone] = fit(name, data(), settings, (seed,), CPU)
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
    first = fit(name, data(), DROPPING, seeds, CPU)
    torch.randn(7)  # what was drawn between them
    again = fit(name, data(), DROPPING, seeds, CPU)
    assert [one.epoch for one in first] == [one.epoch for one in again]
    assert all(same(one.state, other.state) for one, other in zip(first, again, strict=True))


@pytest.mark.slow
def test_the_models_learn_what_can_be_learnt():
    settings = Settings(lr=0.1, batch=8, epochs=30, hidden=6, negatives=2)
    for name in NEURAL:
        [one] = fit(name, data(noise=0.3), settings, (0,), CPU)
        assert one.accuracy >= 20 / 24
        assert -0.7 < one.likelihood < 0


@pytest.mark.slow
def test_words_that_no_text_holds_stay_and_the_padding_stays_zero():
    given_ = data()
    given_.train.tokens[given_.train.tokens == 11] = 10
    for seeds in ((0,), (0, 1)):
        words = fit("joint", given_, PLAIN, seeds, CPU)[0].state["text.lookup.weight"]
        assert torch.equal(words[11], given_.vectors[11])
        assert not words[0].any()
        assert not torch.equal(words[1:11], given_.vectors[1:11])


def test_words_learn_at_a_multiple_of_the_rate():
    """One step moves them so many times as far, and nothing else."""
    one_step = replace(PLAIN, batch=60, epochs=1)
    slow, fast = (
        fit("joint", data(), replace(one_step, word_rate=rate), (0,), CPU)[0].state for rate in (1.0, 3.0)
    )
    moved = {key: state["text.lookup.weight"] - data().vectors for key, state in (("1", slow), ("3", fast))}
    assert moved["1"].abs().max() > 1e-4
    torch.testing.assert_close(moved["3"], 3 * moved["1"], rtol=1e-3, atol=1e-6)
    assert all(torch.equal(slow[name], fast[name]) for name in slow if name != "text.lookup.weight")


def test_the_images_scale_is_that_of_the_training_images_that_are_there():
    state = fit("image", data(), PLAIN, (0,), CPU)[0].state
    part = data().train
    torch.testing.assert_close(state["scale.mean"], part.image[part.present[:, 0]].mean(0))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_best_epoch_is_kept_and_patience_ends_the_training(seeds):
    """Noise is overfitted soon. A training that ends with the best epoch gives that very network."""
    settings = Settings(lr=0.3, batch=8, epochs=60, hidden=6, dropout=0.0, patience=3)
    told = []
    found = fit("early", data(noise=6.0), settings, seeds, CPU, told.append)
    assert told == list(range(1, max(one.epoch for one in found) + 3 + 1))
    assert told[-1] < 60
    shorter = replace(settings, epochs=found[0].epoch)
    until = fit("early", data(noise=6.0), shorter, seeds, CPU)[0]
    assert same(until.state, found[0].state)
    assert (until.epoch, until.likelihood) == (found[0].epoch, found[0].likelihood)


@pytest.mark.slow
def test_a_seed_whose_loss_is_no_number_stops_alone(monkeypatch):
    expected = fit("joint", data(), PLAIN, (0, 1, 2), CPU)
    made = train.new

    def poisoned(name, given_, settings, seed):
        model = made(name, given_, settings, seed)
        if seed == 1:
            torch.nn.init.constant_(model.project.weight, math.nan)
        return model

    monkeypatch.setattr(train, "new", poisoned)
    found = fit("joint", data(), PLAIN, (0, 1, 2), CPU)
    assert found[1].problem == "its loss became NaN or infinite in epoch 1: try a smaller learning rate"
    assert (found[1].seed, found[1].state, found[1].likelihood) == (1, {}, -math.inf)
    for seed in (0, 2):
        assert found[seed].problem is None
        assert same(found[seed].state, expected[seed].state)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_training_ends_where_every_seed_is_lost(seeds):
    told = []
    settings = replace(PLAIN, lr=1e30, epochs=50)
    found = fit("joint", data(), settings, seeds, CPU, told.append)
    assert all(one.problem for one in found)
    assert len(told) < 50


@pytest.mark.slow
@given(st.data())
def test_negatives_are_texts_of_other_classes_wherever_the_step_has_one(draws):
    n = draws.draw(st.integers(1, 12))
    label = torch.tensor([draws.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)) for _ in range(2)])
    told = torch.tensor([draws.draw(st.lists(st.booleans(), min_size=n, max_size=n)) for _ in range(2)])
    seed = draws.draw(st.integers(0, 99))
    drawers = [torch.Generator().manual_seed(seed + i) for i in range(2)]
    found = train.negatives(label, told, 3, drawers)
    assert found.shape == (2, n, 3)
    for step, post in itertools.product(range(2), range(n)):
        others = [i for i in range(n) if told[step, i] and label[step, i] != label[step, post]]
        assert set(found[step, post].tolist()) <= set(others or [-1])


def test_every_text_of_another_class_is_drawn_as_often_and_anew_each_step():
    label = torch.tensor([[2, 0, 1, 0, 2, 0]])
    told = torch.tensor([[True, False, True, True, True, True]])
    drawer = torch.Generator().manual_seed(0)
    first, second = (train.negatives(label, told, 3000, [drawer])[0, 0] for _ in range(2))
    counts = torch.bincount(first, minlength=6)
    assert counts.nonzero().flatten().tolist() == [2, 3, 5]
    assert counts[[2, 3, 5]].tolist() == [pytest.approx(1000, abs=100)] * 3
    assert not torch.equal(first, second)


def test_models_without_negatives_draw_none():
    label = torch.zeros(2, 5, dtype=torch.int64)
    assert train.negatives(label, label == 0, 0, [torch.Generator(), torch.Generator()]).shape == (2, 5, 0)


def test_the_padding_that_all_texts_share_is_cut_off():
    tokens = torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]])
    assert trimmed(tokens).tolist() == [[1, 2], [3, 0]]
    assert trimmed(torch.stack([tokens, tokens])).shape == (2, 2, 2)
    assert trimmed(torch.zeros(2, 4, dtype=torch.int64)).tolist() == [[0], [0]]


def test_posts_are_taken_by_their_numbers():
    part = Batch(
        torch.arange(6.0).reshape(3, 2),
        torch.tensor([[1, 2, 3], [4, 0, 0], [5, 6, 0]]),
        torch.tensor([[True, True], [True, False], [False, True]]),
        torch.tensor([0, 1, 2]),
    )
    found = take(part, torch.tensor([[2, 1], [1, 2]]))
    assert found.image.tolist() == [[[4, 5], [2, 3]], [[2, 3], [4, 5]]]
    assert found.tokens.tolist() == [[[5, 6], [4, 0]], [[4, 0], [5, 6]]]
    assert found.label.tolist() == [[2, 1], [1, 2]]
    assert found.present[0].tolist() == [[False, True], [True, False]]


@pytest.mark.slow
def test_a_split_longer_than_a_chunk_is_scored_whole(monkeypatch):
    expected = fit("joint", data(), PLAIN, (0, 1), CPU)
    monkeypatch.setattr(train, "CHUNK", 7)
    found = fit("joint", data(), PLAIN, (0, 1), CPU)
    for one, other in zip(found, expected, strict=True):
        assert one.likelihood == pytest.approx(other.likelihood, abs=1e-6)
        assert one.accuracy == other.accuracy
