import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines.models.base import Group, Optimiser
from baselines.training.optimisers import Adam, Sgd, optimiser_of

ROOT = Path(__file__).parents[2]


def parameters():
    """The same random parameters twice."""
    torch.manual_seed(0)
    first = [torch.randn(3, 4), torch.randn(4), torch.randn(2)]
    return ([value.clone().requires_grad_() for value in first] for _ in range(2))


def check_steps(ours, theirs, mine, library):
    """Both optimisers move the same parameters to the same values, to the bit."""
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


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_of_sgd_are_those_of_the_library(momentum, decay):
    ours, theirs = parameters()
    mine = Sgd(ours, lr=0.3, momentum=momentum, weight_decay=decay)
    library = torch.optim.SGD(theirs, lr=0.3, momentum=momentum, weight_decay=decay)
    check_steps(ours, theirs, mine, library)


@pytest.mark.parametrize("decoupled", [False, True], ids=["adam", "adamw"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_of_adam_are_those_of_the_library(decoupled, decay):
    ours, theirs = parameters()
    mine = Adam(ours, lr=0.03, weight_decay=decay, decoupled=decoupled)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    library = kind(theirs, lr=0.03, weight_decay=decay, fused=True)
    check_steps(ours, theirs, mine, library)


def test_adam_takes_other_betas():
    ours, theirs = parameters()
    mine = Adam(ours, lr=0.03, weight_decay=0.1, betas=(0.99, 0.98))
    library = torch.optim.Adam(theirs, lr=0.03, weight_decay=0.1, betas=(0.99, 0.98), fused=True)
    check_steps(ours, theirs, mine, library)


@pytest.mark.slow
def test_training_imports_no_compiler():
    """It takes each process seconds, and torch's own optimisers import it."""
    program = (
        "import sys, torch\nfrom baselines.models.base import Optimiser\n"
        "from baselines.training.optimisers import optimiser_of\n"
        "for kind in ('sgd', 'adam', 'adamw'):\n"
        "    value = torch.zeros(3, requires_grad=True)\n"
        "    steps = optimiser_of(Optimiser(kind, 0.1, 0.0), {'value': value}, {})\n"
        "    value.sum().backward()\n    steps.step()\n    assert (value < 0).all()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def test_a_sparse_gradient_moves_the_numbers_it_names_without_decay():
    table = torch.zeros(3, 2, requires_grad=True)
    optimiser = Sgd([table], lr=0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        table.gather(0, torch.tensor([[1, 2], [1, 1]]), sparse_grad=True).sum().backward()
        optimiser.step()
    assert table.tolist() == [[0, 0], [-2, -1], [0, -1]]


def test_lazy_steps_of_adam_are_those_of_the_library_and_leave_the_other_rows_alone():
    torch.manual_seed(0)
    tables = [nn.Embedding(6, 3, sparse=True) for _ in range(2)]
    tables[1].load_state_dict(tables[0].state_dict())
    before = tables[0].weight.detach().clone()
    mine, library = (
        Adam(tables[0].parameters(), lr=0.03),
        torch.optim.SparseAdam(tables[1].parameters(), lr=0.03),
    )
    for rows in ([1, 2, 2], [2], [4, 1], [2, 2]):
        for table in tables:
            table(torch.tensor(rows)).sin().sum().backward()
        mine.step()
        library.step()
        library.zero_grad()
    torch.testing.assert_close(tables[0].weight, tables[1].weight, rtol=0, atol=1e-7)
    assert torch.equal(tables[0].weight[[0, 3, 5]], before[[0, 3, 5]])
    assert (tables[0].weight[[1, 2, 4]] != before[[1, 2, 4]]).all()


def test_lazy_adam_moves_single_numbers_too():
    table = torch.zeros(3, 2, requires_grad=True)
    mine = Adam([table], lr=0.5)
    table.gather(0, torch.tensor([[1, 2]]), sparse_grad=True).sum().backward()
    mine.step()
    torch.testing.assert_close(table.detach(), torch.tensor([[0, 0], [-0.5, 0], [0, -0.5]]))


NAMES = ("first.weight", "first.bias", "words.weight")


def start():
    torch.manual_seed(0)
    return {name: torch.randn(3, 2).requires_grad_() for name in NAMES}


def loss(values):
    return sum(((i + 1) * value.sin() ** 2).sum() for i, value in enumerate(values.values()))


LIBRARY = {
    "sgd": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_groups_have_rates_and_decays_of_their_own_and_scale_together(kind):
    """As the library does it with parameter groups and a schedule; SGD's momentum is that of the rest."""
    wanted = Optimiser(
        kind,
        lr=0.1,
        momentum=0.9,
        weight_decay=0.01,
        groups=(Group("words", 0.3, 0.05), Group("bias", 0.2)),
    )
    ours, theirs = start(), start()
    steps = optimiser_of(wanted, ours, {})
    of_words, of_bias = ({"momentum": 0.0} if kind == "sgd" else {} for _ in range(2))
    library = LIBRARY[kind](
        [
            {"params": [theirs["first.weight"]], "lr": 0.1, "weight_decay": 0.01},
            {"params": [theirs["words.weight"]], "lr": 0.3, "weight_decay": 0.05} | of_words,
            {"params": [theirs["first.bias"]], "lr": 0.2, "weight_decay": 0.0} | of_bias,
        ]
    )
    rates = [group["lr"] for group in library.param_groups]
    for scale in (1.0, 1.0, 0.5, 0.25):
        loss(ours).backward()
        steps.step(scale)
        assert all(value.grad is None for value in ours.values())
        for group, rate in zip(library.param_groups, rates, strict=True):
            group["lr"] = rate * scale
        loss(theirs).backward()
        library.step()
        library.zero_grad()
    for name in NAMES:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_a_group_with_rate_0_is_frozen_even_by_decay_and_can_be_trained_later(kind):
    values, first = start(), start()
    frozen = Optimiser(kind, lr=0.1, momentum=0.9, weight_decay=0.5, groups=(Group("words", 0.0, 0.5),))
    steps = optimiser_of(frozen, values, {})
    for _ in range(2):
        loss(values).backward()
        steps.step()
    assert torch.equal(values["words.weight"], first["words.weight"])
    assert not torch.equal(values["first.weight"], first["first.weight"])
    optimiser = optimiser_of(Optimiser(kind, lr=0.1), values, {})
    loss(values).backward()
    optimiser.step()
    assert not torch.equal(values["words.weight"], first["words.weight"])


def test_a_parameter_belongs_to_the_first_group_that_matches():
    values, first = start(), start()
    wanted = Optimiser("sgd", lr=1.0, groups=(Group("first.b", 0.0), Group("first", 0.5)))
    steps = optimiser_of(wanted, values, {})
    sum(value.sum() for value in values.values() if value.requires_grad).backward()
    steps.step()
    moved = {name: (first[name] - values[name]).mean().item() for name in NAMES}
    assert moved == {
        "first.weight": pytest.approx(0.5),
        "first.bias": 0,
        "words.weight": pytest.approx(1),
    }


@pytest.mark.parametrize(
    ("wanted", "sparse"),
    [
        (Optimiser("sgd", 0.1, groups=(Group("words", 0.2),)), True),
        (Optimiser("sgd", 0.1, momentum=0.9, weight_decay=0.1, groups=(Group("words", 0.2),)), True),
        (Optimiser("sgd", 0.1), True),
        (Optimiser("sgd", 0.1, momentum=0.9), False),
        (Optimiser("sgd", 0.1, weight_decay=0.1), False),
        (Optimiser("sgd", 0.1, clip=1.0), False),
        (Optimiser("sgd", 0.1, groups=(Group("words", 0.2, 0.1),)), False),
        (Optimiser("adam", 0.1), False),
        (Optimiser("adam", 0.1, lazy=True), True),
        (Optimiser("adam", 0.1, weight_decay=0.1, lazy=True), False),
        (Optimiser("adam", 0.1, weight_decay=0.1, groups=(Group("words", 0.2),), lazy=True), True),
        (Optimiser("adamw", 0.1), False),
    ],
)
def test_gradients_of_embeddings_are_sparse_without_decay_in_plain_sgd_and_lazy_adam(wanted, sparse):
    lookup = nn.Embedding(3, 2)
    optimiser_of(wanted, start() | {"words.weight": lookup.weight}, {"words.weight": lookup})
    assert lookup.sparse == sparse
