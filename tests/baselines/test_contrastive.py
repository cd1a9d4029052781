"""The losses of Ext-PIE-Net's pretraining against their formulas, element by element in float64."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from baselines.models.semimemes2023.contrastive import cosine_hinge, nt_xent


def drawn(n, seed, width=5):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (n, width)))


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def hinge_of(anchors, others, margin):
    """Σ_{j≠i} max(0, margin + cos(aᵢ, oⱼ) − cos(aᵢ, oᵢ)), anchor by anchor."""
    n = len(anchors)
    return [
        sum(
            max(0.0, margin + cosine(anchors[i], others[j]) - cosine(anchors[i], others[i]))
            for j in range(n)
            if j != i
        )
        for i in range(n)
    ]


def nt_xent_of(first, second, temperature):
    """Of each post the mean of −log of the other view's share among all other views."""
    n, views = len(first), [*first, *second]
    losses = []
    for i, one in enumerate(views):
        each = [math.exp(cosine(one, other) / temperature) for other in views]
        losses.append(-math.log(each[(i + n) % (2 * n)] / (sum(each) - each[i])))
    return [(losses[i] + losses[n + i]) / 2 for i in range(n)]


@pytest.mark.parametrize("margin", [0.0, 0.2, 3.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_hinge_is_that_of_its_formula(n, margin):
    anchors, others = drawn(n, 1), drawn(n, 2)
    expected = hinge_of(anchors.numpy(), others.numpy(), margin)
    np.testing.assert_allclose(cosine_hinge(anchors, others, margin), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_nt_xent_is_that_of_its_formula(n, temperature):
    first, second = drawn(n, 1), drawn(n, 2)
    expected = nt_xent_of(first.numpy(), second.numpy(), temperature)
    np.testing.assert_allclose(nt_xent(first, second, temperature), expected, rtol=1e-12, atol=1e-12)


def test_a_post_alone_has_no_negative_and_no_loss():
    assert cosine_hinge(drawn(1, 1), drawn(1, 2), 0.5).tolist() == [0]
    assert nt_xent(drawn(1, 1), drawn(1, 2), 0.07).tolist() == [0]


def test_equal_views_that_are_orthogonal_to_all_others_have_the_least_loss():
    views = torch.eye(4).double()
    assert cosine_hinge(views, views, 0.0).tolist() == [0] * 4
    least = -math.log(math.exp(2) / (math.exp(2) + 6))
    np.testing.assert_allclose(nt_xent(views, views, 0.5), [least] * 4, rtol=1e-12)


@pytest.mark.parametrize("loss", [lambda a, b: cosine_hinge(a, b, 0.1), lambda a, b: nt_xent(a, b, 0.07)])
def test_gradients_are_finite_differences_and_nothing_that_is_given_changes(loss):
    first, second = drawn(5, 1).requires_grad_(), drawn(5, 2).requires_grad_()
    before = [first.detach().clone(), second.detach().clone()]
    assert gradcheck(loss, (first, second))
    assert all(torch.equal(one, was) for one, was in zip((first, second), before, strict=True))


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e20])
def test_losses_and_gradients_are_finite_whatever_the_length_of_the_vectors(scale):
    first, second = (scale * drawn(4, seed).float() for seed in (1, 2))
    first.requires_grad_()
    found = cosine_hinge(first, second, 0.0).sum() + nt_xent(first, second, 0.07).sum()
    found.backward()
    assert found.isfinite() and first.grad.isfinite().all()
