"""Convolutions of Pagé Fortin and Chaib-draa's textual network: the plain form, and the one for CPUs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines.models.pagefortin2019.convolutions import convolved, convolved_plain


def test_a_text_s_windows_lie_within_it_and_a_short_text_has_the_first_alone():
    """One filter of 1 and one of 2 words that add up their words; the padding is never among them."""
    lookup = nn.Embedding.from_pretrained(torch.tensor([[0.0], [1.0], [2.0], [5.0]]), padding_idx=0)
    weights, biases = [torch.ones(1, 1, 1), torch.ones(2, 1, 1)], [torch.zeros(1), torch.zeros(1)]
    tokens = torch.tensor([[1, 3, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]])
    expected = [
        [5.0, 8 / 3, 1.0, 7.0, 6.5, 6.0],  # 1, 5, 2; 6, 7
        [5.0, 5.0, 5.0, 5.0, 5.0, 5.0],  # 5; 5 and the padding
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    for form in (convolved, convolved_plain):
        torch.testing.assert_close(form(lookup, tokens, weights, biases, 0.0), torch.tensor(expected))


@pytest.mark.slow
@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    more=st.integers(0, 3),
    widths=st.sampled_from(((3, 4, 5), (1,), (2, 4), (5, 3))),
    seed=st.integers(0, 99),
)
def test_both_forms_of_the_convolutions_have_the_same_values_and_gradients(lengths, more, widths, seed):
    torch.manual_seed(seed)
    tokens = torch.zeros(len(lengths), max(1, max(lengths)) + more, dtype=torch.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.randint(1, 7, (length,))
    start = torch.randn(7, 3, dtype=torch.float64)
    found = []
    for form in (convolved, convolved_plain):
        torch.manual_seed(seed)
        lookup = nn.Embedding.from_pretrained(start.clone(), freeze=False, padding_idx=0)
        weights = [torch.randn(w, 2, 3, dtype=torch.float64, requires_grad=True) for w in widths]
        biases = [torch.randn(2, dtype=torch.float64, requires_grad=True) for _ in widths]
        out = form(lookup, tokens, weights, biases, 0.0)
        (out * torch.randn(out.shape, dtype=torch.float64)).sum().backward()
        found.append([out, lookup.weight.grad, *(one.grad for one in (*weights, *biases))])
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-10)


def test_both_forms_drop_out_components_of_the_word_vectors():
    """A filter that copies its word: a quarter of its values is 0, the others grow by a third."""
    lookup = nn.Embedding.from_pretrained(torch.ones(2, 2000), padding_idx=0)
    weights, biases = [torch.eye(2000).unsqueeze(0)], [torch.zeros(2000)]
    for form in (convolved, convolved_plain):
        torch.manual_seed(0)
        highest = form(lookup, torch.tensor([[1]]), weights, biases, 0.25)[0, :2000]
        assert highest.unique().tolist() == [0, pytest.approx(4 / 3)]
        assert (highest == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_equal_windows_share_the_gradient_as_in_the_library():
    tokens = torch.tensor([[1, 2, 1, 2, 1]])
    found = []
    for form in (convolved, convolved_plain):
        torch.manual_seed(0)
        lookup = nn.Embedding(3, 4, padding_idx=0)
        weights, biases = [torch.randn(2, 3, 4, requires_grad=True)], [torch.ones(3, requires_grad=True)]
        form(lookup, tokens, weights, biases, 0.0).square().sum().backward()
        found.append((lookup.weight.grad, weights[0].grad))
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right)
