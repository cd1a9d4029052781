import pytest
import torch

from baselines.training.sgd import Sgd


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_the_library(momentum, decay):
    torch.manual_seed(0)
    first = [torch.randn(3, 4), torch.randn(4), torch.randn(2)]
    ours, theirs = ([value.clone().requires_grad_() for value in first] for _ in range(2))
    mine = Sgd(ours, lr=0.3, momentum=momentum, weight_decay=decay)
    library = torch.optim.SGD(theirs, lr=0.3, momentum=momentum, weight_decay=decay)
    for step in range(4):
        for values in (ours, theirs):
            used = values if step != 1 else values[:2]  # one without a gradient keeps what it has
            sum((value.sin() ** 2).sum() for value in used).backward()
        mine.step()
        library.step()
        library.zero_grad()
        assert all(value.grad is None for value in ours)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=0)


def test_a_sparse_gradient_moves_the_numbers_it_names_without_decay():
    table = torch.zeros(3, 2, requires_grad=True)
    optimiser = Sgd([table], lr=0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        table.gather(0, torch.tensor([[1, 2], [1, 1]]), sparse_grad=True).sum().backward()
        optimiser.step()
    assert table.tolist() == [[0, 0], [-2, -1], [0, -1]]
