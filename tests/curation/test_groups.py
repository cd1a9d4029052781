"""Labellings and their union, against plain graph search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.components import ALONE, Forest, merge


def components(size, pairs):
    """Label by repeated relabelling, the slow way."""
    labels = list(range(size))
    for a, b in pairs:
        old, new = sorted((labels[a], labels[b]), reverse=True)
        labels = [new if label == old else label for label in labels]
    return labels


@st.composite
def several_labelings(draw):
    size = draw(st.integers(0, 12))
    one = st.lists(st.integers(ALONE, 5), min_size=size, max_size=size)
    return [np.array(labels, dtype=np.int64) for labels in draw(st.lists(one, min_size=1, max_size=4))]


def test_rows_linked_by_any_labelling_share_the_smallest_row():
    by_bytes = np.array([0, 1, 1, 3, 4, 5])
    by_text = np.array([0, 1, 2, 2, ALONE, ALONE])
    assert merge(by_bytes, by_text).tolist() == [0, 1, 1, 1, 4, 5]


def test_rows_without_anything_to_compare_are_alone():
    assert merge(np.array([ALONE, ALONE, 7, 7])).tolist() == [0, 1, 2, 2]


def test_no_row_makes_no_group():
    assert merge(np.array([], dtype=np.int64)).tolist() == []


def test_labellings_of_different_tables_are_refused():
    with pytest.raises(ValueError, match=r"with \[2, 3\] rows"):
        merge(np.array([0, 1]), np.array([0, 1, 2]))


def test_nothing_to_merge_is_refused():
    with pytest.raises(ValueError, match="give one labelling or more"):
        merge()


@pytest.mark.parametrize("order", ["up", "down", "shuffled"])
def test_a_chain_of_a_hundred_thousand_links_is_one_group(order):
    links = np.arange(99_999)
    if order == "shuffled":
        links = np.random.default_rng(0).permutation(links)
    forest = Forest(100_000)
    forest.link(*((links + 1, links) if order == "down" else (links, links + 1)))
    assert np.unique(forest.labels()).tolist() == [0]


@given(st.integers(1, 20).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, n - 1)] * 2))))
def test_links_give_the_connected_components(pairs):
    forest = Forest(20)
    for batch in (pairs[::2], pairs[1::2]):
        left, right = np.array(batch, dtype=np.int64).reshape(-1, 2).T
        forest.link(left, right)
    assert forest.labels().tolist() == components(20, pairs)


@given(several_labelings())
def test_merging_is_what_graph_search_finds(labelings):
    size = len(labelings[0])
    pairs = [
        (a, b)
        for labels in labelings
        for a in range(size)
        for b in range(a)
        if labels[a] == labels[b] != ALONE
    ]
    assert merge(*labelings).tolist() == components(size, pairs)


@pytest.mark.slow
@given(several_labelings(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_of_labellings_changes_no_group(labelings, random):
    order = random.sample(range(len(labelings[0])), len(labelings[0]))
    permuted = merge(*(labels[order] for labels in reversed(labelings)))
    assert merge(permuted).tolist() == merge(merge(*labelings)[order]).tolist()
