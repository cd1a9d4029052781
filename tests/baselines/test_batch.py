"""Batches: taken by rows, trimmed, cut, joined, and seen in a mode."""

import torch

from baselines.data.batch import Batch, trimmed


def test_the_padding_that_all_texts_share_is_cut_off():
    tokens = torch.tensor([[1, 2, 0, 0], [3, 0, 0, 0]])
    assert trimmed(tokens).tolist() == [[1, 2], [3, 0]]
    assert trimmed(torch.stack([tokens, tokens])).shape == (2, 2, 2)
    assert trimmed(torch.zeros(2, 4, dtype=torch.int64)).tolist() == [[0], [0]]
    assert trimmed(torch.zeros(2, 4)).shape == (2, 4)


def small():
    return Batch(
        {"image": torch.arange(6.0).reshape(3, 2), "words": torch.tensor([[1, 2, 3], [4, 0, 0], [5, 6, 0]])},
        torch.tensor([[True, True], [True, False], [False, True]]),
        torch.tensor([0, 1, 2]),
        torch.tensor([True, False, True]),
    )


def test_posts_are_taken_by_their_rows():
    found = small().take(torch.tensor([[2, 1], [1, 2]]))
    assert found.inputs["image"].tolist() == [[[4, 5], [2, 3]], [[2, 3], [4, 5]]]
    assert found.inputs["words"].tolist() == [[[5, 6], [4, 0]], [[4, 0], [5, 6]]]
    assert found.target.tolist() == [[2, 1], [1, 2]]
    assert found.present[0].tolist() == [[False, True], [True, False]]
    assert found.labelled.tolist() == [[True, False], [False, True]]


def test_a_mode_leaves_one_modality_of_each_post():
    assert small().only("both").present.tolist() == small().present.tolist()
    assert small().only("image").present.tolist() == [[True, False], [True, False], [False, False]]
    assert small().only("text").present.tolist() == [[False, True], [False, False], [False, True]]


def test_batches_are_cut_and_joined_again():
    joined = Batch.joined([small().slice(0, 1), small().slice(1, 3)])
    assert joined.size == 3
    for one, other in zip(joined[1:], small()[1:], strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(joined.inputs[name], small().inputs[name]) for name in ("image", "words"))
