import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.func import functional_call

from baselines.models import TextBased
from baselines.models.duong2017 import losses
from baselines.settings import NEURAL, Settings
from baselines.training.stack import _Objective
from tests.baselines import reference

SETTINGS = Settings(hidden=3, negatives=2, weight=3.0)
#: Posts with both, without text, without image, with neither.
GAPS = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 1], [1, 1]]


def test_common_space_is_equation_13_by_hand():
    """d⁺ = 5; d⁻ = 1 and 5: log(1 + e⁴) + log 2."""
    image, text = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    negatives = torch.tensor([[[1.0, 0.0], [0.0, -5.0]]])
    expected = math.log(1 + math.exp(4)) + math.log(2)
    assert losses.common_space(image, text, negatives).tolist() == [pytest.approx(expected)]


vectors = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3)


@pytest.mark.slow
@given(vectors, vectors, st.lists(vectors, min_size=1, max_size=4))
def test_common_space_is_equation_13_as_it_is_printed(gamma, psi, others):
    got = losses.common_space(
        torch.tensor([gamma], dtype=torch.float64),
        torch.tensor([psi], dtype=torch.float64),
        torch.tensor([others], dtype=torch.float64),
    )
    # A distance of 0 is 1e-6 to us, so that it has a gradient.
    assert got.tolist() == [pytest.approx(reference.apart(gamma, psi, others), abs=1e-5, rel=1e-9)]


def test_common_space_stays_a_number_where_the_printed_form_is_none():
    far = losses.common_space(torch.zeros(1, 2), torch.tensor([[2000.0, 0.0]]), torch.zeros(1, 1, 2))
    assert far.tolist() == [pytest.approx(2000.0)]


def test_vectors_that_meet_have_a_finite_gradient():
    same = torch.ones(1, 3, requires_grad=True)
    losses.common_space(same, same.detach().clone(), torch.ones(1, 2, 3)).sum().backward()
    assert same.grad.isfinite().all()


def test_the_gradient_of_common_space_is_that_of_its_differences():
    torch.manual_seed(0)
    shapes = ((4, 3), (4, 3), (4, 2, 3))
    given_ = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert gradcheck(losses.common_space, given_)


@pytest.mark.parametrize("missing", ["mask", "zero"])
@pytest.mark.parametrize("fusion", ["max", "mean"])
def test_the_common_space_loss_is_equation_14(fusion, missing):
    settings = replace(SETTINGS, fusion=fusion, missing=missing)
    model, batch = reference.network("common", settings), reference.posts(present=GAPS)
    drawn = reference.negatives(6, 2)
    expected = reference.common_loss(reference.numbers(model), batch, drawn, settings)
    assert model.loss(batch, drawn).item() == pytest.approx(expected, rel=1e-9)


def test_posts_without_image_or_text_add_their_likelihood_alone():
    model = reference.network("common", SETTINGS)
    batch = reference.posts(present=[[1, 0], [0, 1]] * 3)
    expected = np.mean(
        reference.nll(
            reference.logits("common", reference.numbers(model), batch, SETTINGS), batch.label.tolist()
        )
    )
    for seed in (0, 1):
        drawn = reference.negatives(6, 2, seed)
        assert model.loss(batch, drawn).item() == pytest.approx(3 * expected, rel=1e-9)


@pytest.mark.parametrize("name", ["image", "early", "joint"])
def test_the_other_losses_are_the_mean_negative_log_likelihood(name):
    model, batch = reference.network(name, SETTINGS), reference.posts(present=GAPS)
    scores = reference.logits(name, reference.numbers(model), batch, SETTINGS)
    expected = np.mean(reference.nll(scores, batch.label.tolist()))
    assert model.loss(batch, batch.tokens.new_zeros(6, 0)).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_the_gradient_of_each_loss_is_that_of_its_differences(name):
    model, batch = reference.network(name, SETTINGS), reference.posts(present=GAPS)
    drawn = reference.negatives(6, model.negatives_per_post)
    objective = _Objective(model)
    names, values = zip(*objective.named_parameters(), strict=True)

    def loss(*given_):
        return functional_call(objective, dict(zip(names, given_, strict=True)), (batch, drawn))

    # The row of the padding has no gradient, and its differences have none either: nothing reads it.
    assert gradcheck(loss, [value.detach().clone().requires_grad_() for value in values])


def test_the_gradient_of_the_text_based_loss_is_that_of_its_differences():
    torch.manual_seed(0)
    batch = reference.posts(present=GAPS)
    rows, output = torch.randn(reference.WORDS, 4).double(), torch.randn(3, 4).double()
    model = TextBased(rows, output)

    def loss(rows, output):
        values = {"rows": rows, "output": output}
        scores = functional_call(model, values, (batch,))
        return torch.nn.functional.cross_entropy(scores, batch.label)

    assert gradcheck(loss, [rows.clone().requires_grad_(), output.clone().requires_grad_()])
