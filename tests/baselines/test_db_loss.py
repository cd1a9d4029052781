"""The distribution-balanced focal loss against its formula, element by element."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from baselines.models.semimemes2023.db_loss import PRESETS, Balance, DBFocalLoss, db_focal_loss


def reference(logits, target, counts, posts, one):
    """The formula in float64, label by label."""
    out = np.zeros(logits.shape)
    for b, (row, held) in enumerate(zip(logits, target, strict=True)):
        total = sum(1 / n for n, y in zip(counts, held, strict=True) if y)
        for i, (z, y, n) in enumerate(zip(row, held, counts, strict=True)):
            weight = 1 + one.alpha
            if total:
                weight = one.alpha + 1 / (1 + math.exp(-one.beta * ((1 / n) / total - one.mu)))
            shifted = z - one.kappa / one.lam * math.log(posts / n - 1)
            if y:
                probability = 1 / (1 + math.exp(-shifted))
            else:
                probability = 1 / (1 + math.exp(one.lam * shifted))  # 1 − σ(λ (z − ν))
                weight /= one.lam
            focal = (1 - probability) ** one.gamma
            out[b, i] = one.balance_param * weight * focal * -math.log(probability)
    return out


constants = st.builds(
    Balance,
    alpha=st.floats(0, 12),
    beta=st.floats(0, 12),
    mu=st.floats(0, 1),
    lam=st.floats(0.5, 6),
    kappa=st.floats(0, 0.3),
    gamma=st.sampled_from((0, 0.5, 1, 2, 3.5)),
    balance_param=st.sampled_from((1, 2)),
)


@st.composite
def cases(draw):
    posts, labels, known = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(2, 500))
    rows = st.lists(st.floats(-4, 4), min_size=labels, max_size=labels)
    ones = st.lists(st.integers(0, 1), min_size=labels, max_size=labels)
    logits = draw(st.lists(rows, min_size=posts, max_size=posts))
    target = draw(st.lists(ones, min_size=posts, max_size=posts))
    counts = draw(st.lists(st.integers(1, known - 1), min_size=labels, max_size=labels))
    return np.array(logits), np.array(target), np.array(counts), known


def double(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.slow
@settings(max_examples=200)
@given(cases(), st.one_of(constants, st.sampled_from(tuple(PRESETS.values()))))
def test_it_is_the_formula_element_by_element(case, one):
    logits, target, counts, posts = case
    found = db_focal_loss(double(logits), double(target), double(counts), posts, one)
    np.testing.assert_allclose(found, reference(logits, target, counts, posts, one), rtol=1e-9, atol=1e-12)


def test_values_of_the_presets_written_out():
    """Two labels of 100 posts, 10 and 50: r = 5/6 and 1/6 of a post with both, 1 and .2 with the first."""
    logits, target = double([[0.5, -0.5], [0.0, 0.0]]), double([[1, 1], [0, 0]])
    found = db_focal_loss(logits, target, double([10, 50]), 100, PRESETS["semimemes"])
    nu = 0.1 / 5 * math.log(9)
    first = (10 + 1 / (1 + math.exp(-0.2 * (5 / 6 - 0.1)))) * math.log(1 + math.exp(-(0.5 - nu)))
    second = (10 + 1 / (1 + math.exp(-0.2 * (1 / 6 - 0.1)))) * math.log(1 + math.exp(0.5))
    without = [11 / 5 * math.log(1 + math.exp(-5 * nu)), 11 / 5 * math.log(2)]
    np.testing.assert_allclose(found, [[first, second], without], rtol=1e-12)
    coco = db_focal_loss(logits, target, double([10, 50]), 100, PRESETS["coco"])
    assert coco[1, 1] == pytest.approx(1.1 / 2 * 0.5**2 * math.log(2))
    doubled = replace(PRESETS["coco"], balance_param=2.0)
    assert torch.equal(db_focal_loss(logits, target, double([10, 50]), 100, doubled), 2 * coco)
    assert PRESETS["coco"] == Balance(0.1, 10, 0.2, 2, 0.05, 2, 1.0)
    assert PRESETS["voc"] == Balance(0.1, 10, 0.3, 5, 0.05, 2, 1.0)
    assert PRESETS["semimemes"] == Balance(10, 0.2, 0.1, 5, 0.1, 0, 1.0)


@pytest.mark.parametrize("one", [*PRESETS.values(), replace(PRESETS["voc"], gamma=0.5)])
def test_its_gradient_is_right_and_it_changes_nothing(one):
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target, counts = double([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]), double([3, 40, 99])
    before = [tensor.detach().clone() for tensor in (logits, target, counts)]
    assert torch.autograd.gradcheck(lambda z: db_focal_loss(z, target, counts, 100, one), (logits,))
    for tensor, was in zip((logits, target, counts), before, strict=True):
        assert torch.equal(tensor.detach(), was)


@pytest.mark.parametrize("one", [*PRESETS.values(), replace(PRESETS["voc"], gamma=0.5)])
def test_loss_and_gradient_are_finite_for_large_logits(one):
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    found = db_focal_loss(logits, torch.eye(2), torch.tensor([1.0, 9.0]), 10, one)
    found.mean().backward()
    assert found.isfinite().all()
    assert logits.grad.isfinite().all()


def test_the_module_counts_the_labelled_posts():
    module = DBFocalLoss(("a", "b"), PRESETS["semimemes"])
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    module.measure(target)
    assert (module.counts.tolist(), float(module.posts)) == ([2.0, 1.0], 3.0)
    logits = torch.randn(3, 2)
    expected = db_focal_loss(logits, target, torch.tensor([2.0, 1.0]), 3, PRESETS["semimemes"])
    assert torch.equal(module(logits, target), expected)


@pytest.mark.parametrize(("second", "which"), [(0.0, "none"), (1.0, "every one")])
def test_a_label_that_no_labelled_post_has_or_all_have_is_named(second, which):
    with pytest.raises(BaselineError) as error:
        DBFocalLoss(("a", "b"), PRESETS["coco"]).measure(torch.tensor([[1.0, second], [0.0, second]]))
    assert str(error.value) == (
        f"{which} of the 2 labelled training posts has the label 'b', for which the distribution-balanced "
        "loss has no weight: leave the label out, or label more posts"
    )
