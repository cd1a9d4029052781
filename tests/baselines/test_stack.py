import pytest
import torch

from baselines.models import make
from baselines.settings import NEURAL, Settings
from baselines.training.stack import Stack
from tests.baselines import reference

SETTINGS = Settings(hidden=3, negatives=2, dropout=0.0)


def networks(name, number):
    return [reference.network(name, SETTINGS, seed) for seed in range(number)]


def stacked(batches):
    """Return the batches of several networks as one, with a first dimension of networks."""
    return type(batches[0])(*(torch.stack(parts) for parts in zip(*batches, strict=True)))


@pytest.mark.parametrize("name", NEURAL)
def test_stacked_networks_lose_and_learn_as_each_alone(name):
    models = networks(name, 3)
    g = models[0].negatives_per_post
    batches = [reference.posts(5, seed) for seed in range(3)]
    drawn = [reference.negatives(5, max(1, g), seed)[:, :g] for seed in range(3)]
    expected, gradients = [], []
    for model, batch, negatives in zip(models, batches, drawn, strict=True):
        loss = model.loss(batch, negatives)
        expected.append(loss.item())
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    stack = Stack(networks(name, 3))
    stack.train(True)
    found = stack.losses(stacked(batches), torch.stack(drawn))
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    together = torch.autograd.grad(found.sum(), list(stack.parameters().values()))
    for number, gradient in enumerate(together):
        alone = torch.stack([one[number] for one in gradients])
        torch.testing.assert_close(gradient, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", NEURAL)
def test_logits_of_a_stack_are_those_of_its_networks(name, size):
    batch = reference.posts(present=[[1, 1], [1, 0], [0, 1]] * 2)
    expected = torch.stack([model(batch) for model in networks(name, size)]).detach()
    stack = Stack(networks(name, size))
    stack.train(False)
    torch.testing.assert_close(stack.logits(batch), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
def test_a_networks_state_is_a_copy_under_the_models_own_names(size):
    models = networks("common", size)
    stack = Stack(networks("common", size))
    state = stack.state(size - 1)
    assert set(state) == set(models[-1].state_dict())
    fresh = make("common", reference.FEATURES, torch.zeros(reference.WORDS, 4), 3, SETTINGS).double()
    fresh.load_state_dict(state)
    batch = reference.posts()
    torch.testing.assert_close(fresh.eval()(batch), models[-1](batch), rtol=0, atol=1e-12)
    with torch.no_grad():
        for value in stack.parameters().values():
            value.zero_()
    assert torch.equal(state["classify.1.weight"], models[-1].state_dict()["classify.1.weight"])


def test_each_network_of_a_stack_has_dropout_of_its_own():
    settings = Settings(hidden=3, dropout=0.5)
    stack = Stack([reference.network("joint", settings, 0) for _ in range(2)])
    stack.train(True)
    batch = reference.posts(40)
    losses = stack.losses(stacked([batch, batch]), batch.tokens.new_zeros(2, 40, 0))
    assert losses[0].item() != losses[1].item()


def test_one_network_alone_has_sparse_gradients_of_its_words_and_a_stack_dense_ones():
    drawn = reference.negatives(5, 2)
    for size in (1, 2):
        stack = Stack(networks("common", size))
        stack.losses(stacked([reference.posts(5)] * size), torch.stack([drawn] * size)).sum().backward()
        [words] = [value for name, value in stack.parameters().items() if "lookup" in name]
        assert words.grad.is_sparse == (size == 1)
