from dataclasses import replace

import pytest
import torch

from baselines.data.batch import Batch
from baselines.models import registry
from baselines.models.base import own_terms, total
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.training.loop import Stack
from tests.baselines import reference

SETTINGS = {
    "image": ImageSettings(),
    "early": FusionSettings(hidden=3, dropout=0.0),
    "joint": JointSettings(hidden=3, dropout=0.0),
    "common": CommonSettings(hidden=3, negatives=2, dropout=0.0),
}
NAMES = reference.NEURAL


def networks(name, number):
    return [reference.network(name, SETTINGS[name], seed) for seed in range(number)]


def batches(number, n=5, g=2, **more):
    return [reference.with_other_texts(reference.posts(n, seed, **more), g, seed) for seed in range(number)]


def stacked(every):
    """Return the batches of several networks as one, with a first dimension of networks."""
    inputs = {name: torch.stack([one.inputs[name] for one in every]) for name in every[0].inputs}
    return Batch(inputs, *(torch.stack(parts) for parts in zip(*(one[1:] for one in every), strict=True)))


@pytest.mark.parametrize("name", NAMES)
def test_stacked_networks_lose_and_learn_as_each_alone(name):
    expected, gradients = [], []
    given = batches(3, unlabelled=(1,))
    for model, batch in zip(networks(name, 3), given, strict=True):
        loss = total(model.terms(batch))
        expected.append(loss.item())
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    stack = Stack(networks(name, 3))
    stack.train(True)
    found = stack.losses(stacked(given), own_terms)
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    together = torch.autograd.grad(found.sum(), list(stack.parameters().values()))
    for number, gradient in enumerate(together):
        alone = torch.stack([one[number] for one in gradients])
        torch.testing.assert_close(gradient, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_logits_of_a_stack_are_those_of_its_networks(name, size):
    batch = reference.posts(present=[[1, 1], [1, 0], [0, 1]] * 2)
    expected = torch.stack([model(batch)["y"] for model in networks(name, size)]).detach()
    stack = Stack(networks(name, size))
    stack.train(False)
    torch.testing.assert_close(stack.logits(batch, "y"), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
def test_a_network_s_state_is_a_copy_under_the_model_s_own_names(size):
    models = networks("common", size)
    stack = Stack(networks("common", size))
    state = stack.state(size - 1)
    assert set(state) == set(models[-1].state_dict())
    build = registry.spec("common").build
    fresh = build(reference.SINGLE, reference.encoders(5), SETTINGS["common"]).double()
    fresh.load_state_dict(state)
    batch = reference.posts()
    torch.testing.assert_close(fresh.eval()(batch), models[-1](batch), rtol=0, atol=1e-12)
    with torch.no_grad():
        for value in stack.parameters().values():
            value.zero_()
    assert torch.equal(state["classify.1.weight"], models[-1].state_dict()["classify.1.weight"])


@pytest.mark.parametrize("size", [1, 2])
def test_a_network_of_a_stack_can_be_given_another_s_numbers(size):
    stack = Stack(networks("joint", size))
    other = reference.network("joint", SETTINGS["joint"], seed=7)
    stack.load(size - 1, other.state_dict())
    batch = reference.posts()
    stack.train(False)
    torch.testing.assert_close(stack.logits(batch, "y")[-1], other(batch)["y"], rtol=0, atol=1e-12)
    if size > 1:
        first = networks("joint", 1)[0]
        torch.testing.assert_close(stack.logits(batch, "y")[0], first(batch)["y"], rtol=0, atol=1e-12)


def test_each_network_of_a_stack_has_dropout_of_its_own():
    settings = replace(SETTINGS["joint"], dropout=0.5)
    stack = Stack([reference.network("joint", settings, 0) for _ in range(2)])
    stack.train(True)
    batch = reference.posts(40)
    losses = stack.losses(stacked([batch, batch]), own_terms)
    assert losses[0].item() != losses[1].item()


def test_only_a_network_alone_has_lookups_whose_gradients_may_be_sparse():
    alone, two = Stack(networks("common", 1)), Stack(networks("common", 2))
    [(name, lookup)] = alone.embeddings().items()
    assert name == "text.lookup.weight"
    assert name in alone.parameters()
    assert two.embeddings() == {}
    lookup.sparse = True
    alone.losses(stacked(batches(1)), own_terms).sum().backward()
    assert alone.parameters()[name].grad.is_sparse
