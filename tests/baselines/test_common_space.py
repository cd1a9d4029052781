import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.func import functional_call

from baselines.models import registry
from baselines.models.base import Model, Term, own_terms, total
from baselines.models.duong2017.common import auxiliary
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.models.duong2017.text import TextBased
from baselines.training.loop import _Objective
from tests.baselines import reference

SETTINGS = {
    "image": ImageSettings(),
    "early": FusionSettings(hidden=3),
    "joint": JointSettings(hidden=3),
    "common": CommonSettings(hidden=3, negatives=2, weight=3.0),
}
#: Posts with both, without text, without image, with neither.
GAPS = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 1], [1, 1]]

TASKS = pytest.mark.parametrize("several", [False, True], ids=["single", "several"])


def task(several):
    return reference.SEVERAL if several else reference.SINGLE


def test_the_auxiliary_loss_is_equation_13_by_hand():
    """d⁺ = 5; d⁻ = 1 and 5: log(1 + e⁴) + log 2."""
    image, text = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    negatives = torch.tensor([[[1.0, 0.0], [0.0, -5.0]]])
    expected = math.log(1 + math.exp(4)) + math.log(2)
    assert auxiliary(image, text, negatives).tolist() == [pytest.approx(expected)]


vectors = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3)


@pytest.mark.slow
@given(vectors, vectors, st.lists(vectors, min_size=1, max_size=4))
def test_the_auxiliary_loss_is_equation_13_as_it_is_printed(gamma, psi, others):
    got = auxiliary(
        torch.tensor([gamma], dtype=torch.float64),
        torch.tensor([psi], dtype=torch.float64),
        torch.tensor([others], dtype=torch.float64),
    )
    # The square root of 1e-12 keeps the gradient of a distance of 0 finite.
    assert got.tolist() == [pytest.approx(reference.apart(gamma, psi, others), abs=1e-5, rel=1e-9)]


def test_the_auxiliary_loss_is_finite_where_the_printed_form_overflows():
    far = auxiliary(torch.zeros(1, 2), torch.tensor([[2000.0, 0.0]]), torch.zeros(1, 1, 2))
    assert far.tolist() == [pytest.approx(2000.0)]


def test_equal_vectors_have_a_finite_gradient():
    same = torch.ones(1, 3, requires_grad=True)
    auxiliary(same, same.detach().clone(), torch.ones(1, 2, 3)).sum().backward()
    assert same.grad.isfinite().all()


def test_the_gradient_of_the_auxiliary_loss_is_that_of_finite_differences():
    torch.manual_seed(0)
    shapes = ((4, 3), (4, 3), (4, 2, 3))
    given_ = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert gradcheck(auxiliary, given_)


@TASKS
@pytest.mark.parametrize("unlabelled", [(), (1, 4)])
@pytest.mark.parametrize("missing", ["mask", "zero"])
@pytest.mark.parametrize("fusion", ["max", "mean"])
def test_the_common_space_loss_is_equation_14_over_the_posts_that_have_each_term(
    fusion, missing, unlabelled, several
):
    settings = replace(SETTINGS["common"], fusion=fusion, missing=missing)
    model = reference.network("common", settings, task=task(several))
    batch = reference.posts(present=GAPS, several=several, unlabelled=unlabelled)
    batch = reference.with_other_texts(batch, 2)
    expected = reference.common_loss(reference.numbers(model), batch, settings)
    terms = model.terms(batch)
    # Posts 0, 4, 5 have both; post 0 has no text of another class, and post 4 may have no label.
    assert terms["common space"].posts.item() == 2 - len(unlabelled) // 2
    assert terms["likelihood"].posts.item() == 6 - len(unlabelled)
    assert total(terms).item() == pytest.approx(expected, rel=1e-6 if several else 1e-9)


@pytest.mark.parametrize("name", reference.NEURAL)
def test_a_stage_minimises_the_terms_that_the_model_defines(name):
    model = reference.network(name, SETTINGS[name])
    batch = reference.with_other_texts(reference.posts(present=GAPS), 2)
    [stage] = registry.spec(name).stages(SETTINGS[name])
    assert total(stage.terms(model, batch)).item() == total(model.terms(batch)).item()
    assert list(stage.terms(model, batch)) == (["likelihood", "common space"] if name == "common" else ["y"])


@TASKS
def test_posts_without_image_or_text_add_their_likelihood_alone(several):
    model = reference.network("common", SETTINGS["common"], task=task(several))
    batch = reference.posts(present=[[1, 0], [0, 1]] * 3, several=several)
    scores = reference.logits("common", reference.numbers(model), batch, SETTINGS["common"])
    expected = np.mean(reference.nll(scores, batch.target))
    for seed in (0, 1):
        found = total(model.terms(reference.with_other_texts(batch, 2, seed))).item()
        assert found == pytest.approx(3 * expected, rel=1e-6)


@TASKS
@pytest.mark.parametrize("name", ["image", "early", "joint"])
def test_the_other_losses_are_the_mean_negative_log_likelihood_of_the_labelled_posts(name, several):
    model = reference.network(name, SETTINGS[name], task=task(several))
    batch = reference.posts(present=GAPS, several=several, unlabelled=(0, 3))
    scores = reference.logits(name, reference.numbers(model), batch, SETTINGS[name])
    every = reference.nll(scores, batch.target)
    expected = np.mean([every[row] for row in (1, 2, 4, 5)])
    assert total(model.terms(batch)).item() == pytest.approx(expected, rel=1e-6)


@TASKS
@pytest.mark.parametrize("name", reference.NEURAL)
def test_the_target_of_an_unlabelled_post_has_no_weight(name, several):
    """Neither the loss nor a gradient changes with it."""

    def loss_and_gradients(change):
        model = reference.network(name, SETTINGS[name], task=task(several))
        batch = reference.posts(present=GAPS, several=several, unlabelled=(4,))
        batch = reference.with_other_texts(batch, 2)
        batch.target[4] = (
            (1 - batch.target[4] if several else (batch.target[4] + 1) % 3) if change else (batch.target[4])
        )
        loss = total(model.terms(batch))
        return loss, torch.autograd.grad(loss, list(model.parameters()))

    (one, first), (other, second) = loss_and_gradients(False), loss_and_gradients(True)
    assert one.item() == other.item()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_step_of_unlabelled_posts_has_the_loss_0():
    model = reference.network("common", SETTINGS["common"])
    batch = reference.with_other_texts(reference.posts(unlabelled=range(6)), 2)
    assert total(model.terms(batch)).item() == 0


def test_each_term_is_divided_by_the_posts_that_have_it():
    terms = {
        "first": Term(torch.tensor(6.0), torch.tensor(3)),
        "second": Term(torch.tensor(8.0), torch.tensor(2), weight=0.5),
        "none": Term(torch.tensor(0.0), torch.tensor(0), weight=100.0),
    }
    assert total(terms).item() == 2 + 0.5 * 4


def test_by_default_every_head_s_likelihood_is_a_term_of_weight_1():
    class TwoHeads(Model):
        def forward(self, batch):
            return {"a": batch.inputs["image"][:, :3], "b": batch.inputs["image"][:, 2:5]}

    batch = reference.posts(unlabelled=(2,))
    terms = TwoHeads(reference.SINGLE).terms(batch)
    assert list(terms) == ["a", "b"]
    features = batch.inputs["image"].numpy()
    expected = 0.0
    for scores in (features[:, :3], features[:, 2:5]):
        every = reference.nll(scores, batch.target)
        expected += sum(every[row] for row in (0, 1, 3, 4, 5)) / 5
    assert total(terms).item() == pytest.approx(expected, rel=1e-9)


def test_a_term_of_some_posts_counts_the_labelled_ones_among_them():
    batch = reference.posts(unlabelled=(2,))
    held = torch.tensor([True, False, True, False, True, False])
    logits = batch.inputs["image"][:, :3]
    model = registry.spec("image").build(reference.SINGLE, reference.encoders(), ImageSettings())
    term = model.likelihood(logits, batch, held, weight=2)
    every = reference.nll(logits.numpy(), batch.target)
    assert (term.sum.item(), term.posts.item(), term.weight) == (pytest.approx(every[0] + every[4]), 2, 2)


@pytest.mark.slow
@TASKS
@pytest.mark.parametrize("name", reference.NEURAL)
def test_the_gradient_of_each_loss_is_that_of_finite_differences(name, several):
    model = reference.network(name, SETTINGS[name], task=task(several))
    batch = reference.with_other_texts(reference.posts(present=GAPS, several=several), 2)
    objective = _Objective(model)
    names, values = zip(*objective.named_parameters(), strict=True)

    def loss(*given_):
        terms = registry.spec(name).stages(SETTINGS[name])[0].terms
        return functional_call(objective, dict(zip(names, given_, strict=True)), (batch, terms))

    # The row of the padding has no gradient, and its differences have none either: nothing reads it.
    assert gradcheck(loss, [value.detach().clone().requires_grad_() for value in values])


@TASKS
def test_the_gradient_of_the_text_based_loss_is_that_of_finite_differences(several):
    torch.manual_seed(0)
    batch = reference.posts(present=GAPS, several=several)
    batch = batch._replace(inputs={"ngrams": batch.inputs["words"]})
    rows, output = torch.randn(reference.WORDS, 4).double(), torch.randn(3, 4).double()
    model = _Objective(TextBased(task(several), rows, output))

    def loss(rows, output):
        values = {"model.rows": rows, "model.output": output}
        return functional_call(model, values, (batch, own_terms))

    assert gradcheck(loss, [rows.clone().requires_grad_(), output.clone().requires_grad_()])
