"""What a model of two modalities answers to a post with one of them, corrected on validation posts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from baselines.data.task import SeveralLabels, SingleLabel
from baselines.training.correction import Correction, learnt

ONE = SingleLabel(("joy", "fear", "anger"))
SEVERAL = SeveralLabels(("shaming", "violence"))

#: 60, 30 and 10 of 100 posts.
TRAIN = torch.arange(100).ge(60).long() + torch.arange(100).ge(90).long()


def drawn(posts, seed=0):
    own = torch.Generator().manual_seed(seed)
    target = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), posts, True, generator=own)
    return target, torch.randn(posts, 3, generator=own, dtype=torch.float64)


def test_logits_that_say_nothing_become_the_shares_of_the_classes_in_training():
    target, noise = drawn(200)
    found = learnt(ONE, TRAIN, noise + torch.tensor([0.0, 0.0, 4.0]), target)
    assert found.scale == 0
    assert ONE.probabilities(found(noise))[0].tolist() == pytest.approx([0.6, 0.3, 0.1], abs=1e-3)


def test_logits_that_know_the_class_keep_their_order_once_a_shift_is_taken_away():
    target, noise = drawn(200)
    logits = 5 * F.one_hot(target, 3) + noise + torch.tensor([0.0, 0.0, 30.0])
    assert (logits.argmax(-1) == target).double().mean() < 0.2
    found = learnt(ONE, TRAIN, logits, target)
    assert (found(logits).argmax(-1) == target).double().mean() > 0.97
    assert found.scale > 0


def test_scale_and_shift_are_the_minimum_of_the_penalised_likelihood_where_the_evidence_is_overwhelming():
    """z' = log π + s (z − z̄) / σ + b, against a search over a fine grid of s with b = 0 by symmetry."""
    task, n = SingleLabel(("a", "b")), 4000
    own = torch.Generator().manual_seed(3)
    target = torch.arange(n) % 2
    margin = 2 * (2 * target - 1) + torch.randn(n, generator=own).double()
    logits = torch.stack([-margin / 2, margin / 2], 1)
    found = learnt(task, target, logits, target)
    scales = torch.linspace(0.1, 6, 600, dtype=torch.float64)
    losses = torch.stack([F.cross_entropy(s * logits, target) for s in scales])
    best = losses.min()
    mine = F.cross_entropy(found(logits), target)
    assert found.scale <= float(scales[losses.argmin()]) + 0.05
    assert float(mine - best) < 0.01


def test_of_several_labels_each_has_its_own_shift():
    own = torch.Generator().manual_seed(1)
    target = (torch.rand(300, 2, generator=own) < torch.tensor([0.5, 0.1])).float()
    noise = torch.randn(300, 2, generator=own).double()
    found = learnt(SEVERAL, target, noise, target)
    shares = target.double().mean(0)
    assert found.scale == 0
    assert torch.sigmoid(found(noise))[0].tolist() == pytest.approx(shares.tolist(), abs=1e-3)
    known = learnt(SEVERAL, target, 8 * target - 4 + noise + 10, target)
    assert bool(((known(8 * target - 4 + noise + 10) > 0) == target.bool()).double().mean() > 0.97)


@pytest.mark.parametrize(
    ("logits", "why"),
    [
        (torch.zeros(50, 3), "all alike"),
        (torch.full((50, 3), math.nan), "not finite"),
        (torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), "too few posts"),
        (torch.zeros(0, 3), "no post"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_nothing_can_be_learnt_the_shares_are_left(logits, why):
    found = learnt(ONE, TRAIN, logits, torch.zeros(len(logits), dtype=torch.int64))
    assert found.scale == 0
    assert F.softmax(torch.tensor(found.shift), -1).tolist() == pytest.approx([0.6, 0.3, 0.1], abs=1e-3)


def test_a_class_that_training_never_has_gets_a_small_share_and_no_infinite_shift():
    _, noise = drawn(60)
    found = learnt(ONE, torch.zeros(100, dtype=torch.int64), noise, torch.zeros(60, dtype=torch.int64))
    assert all(math.isfinite(one) for one in found.shift)
    assert found(noise).argmax(-1).tolist() == [0] * 60


@given(st.floats(0.01, 50), st.floats(-20, 20))
def test_a_correction_is_linear(scale, shift):
    found = Correction(scale, (shift, 0.0))(torch.tensor([[1.0, 2.0]], dtype=torch.float64))
    assert found.tolist() == [[scale + shift, 2 * scale]]
