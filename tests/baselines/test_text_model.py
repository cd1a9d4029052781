from itertools import product

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import UNSEEN, Subwords, TextSettings
from affectory.encoders.text.words import Vectors
from baselines.data.batch import Batch
from baselines.models.duong2017.fasttext import (
    Line,
    first_rows,
    fit_text,
    read,
    reading_order,
    schedule,
    step,
)
from baselines.models.duong2017.text import TextBased
from baselines.results.schema import Stopped
from tests.baselines import oracle

#: 64 texts of two classes that word pairs tell apart and words don't.
PAIRS = [
    " ".join((*rest, a, b))
    for a, b, rest in product(["good", "bad"], ["day", "night"], product("xyz", "uvw"))
]
IS_GOOD = [int("good" in text) for text in PAIRS]
IS_GOOD_DAY = [int(("good" in text) == ("day" in text)) for text in PAIRS]
EVERYTHING = TextSettings(lr=0.5, epoch=20, dim=16, wordNgrams=3, minn=2, maxn=4, bucket=4000)


def batch(tokens, present=True):
    n = len(tokens)
    there = torch.tensor([[False, present]] * n)
    return Batch(torch.zeros(n, 1), torch.as_tensor(tokens), there, torch.zeros(n, dtype=torch.int64))


def test_logits_are_the_output_matrix_times_the_mean_of_the_rows():
    rows = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, -2.0]])
    model = TextBased(rows, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    # [2, 3, 3]: mean (7/3, -2/3). [2, unseen]: mean (1/2, 1). Nothing: zero.
    logits = model(batch([[2, 3, 3], [2, UNSEEN, 0], [0, 0, 0]]))
    expected = torch.tensor([[7 / 3, -2 / 3, 5 / 3], [0.5, 1.0, 1.5], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(logits, expected)


def test_without_text_every_class_is_as_likely():
    model = TextBased(torch.ones(4, 2), torch.ones(3, 2))
    assert model(batch([[2, 3, 3]], present=False)).softmax(-1).tolist() == [pytest.approx([1 / 3] * 3)]


def test_a_step_goes_down_the_gradient_of_the_loss():
    """B -= lr dL/dB, and A -= lr dL/dA, each in float64 by autograd from the formula of the loss."""
    rng = np.random.default_rng(0)
    ids, label, lr = [2, 5, 5, 3], 1, 0.7
    rows, output = rng.normal(size=(7, 2, 5)), rng.normal(size=(2, 3, 5))
    a, b = torch.tensor(rows, requires_grad=True), torch.tensor(output, requires_grad=True)
    hidden = a[ids].mean(0)
    loss = -torch.log_softmax((b * hidden[:, None]).sum(-1), -1)[:, label].sum()
    loss.backward()
    line = Line(np.array([2, 3, 5]), np.array([[0.25], [0.25], [0.5]], np.float32), label, 6)
    step(line, lr, mine := rows.astype(np.float32), ours := output.astype(np.float32))
    np.testing.assert_allclose(ours, output - lr * b.grad.numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(mine, rows - lr * a.grad.numpy(), rtol=0, atol=1e-6)


def test_the_learning_rate_falls_with_the_tokens_read_every_so_many_tokens():
    settings = TextSettings(lr=1.0, epoch=2, lrUpdateRate=7)
    # 9 of the 18 tokens are read when the first change comes, after 4 + 5.
    assert list(schedule([4, 5], settings)) == [(0, 1.0), (1, 1.0), (0, 0.5), (1, 0.5)]
    # One text of 3 tokens: 6 are to be read, and the end is noticed at 9.
    assert [line for line, _ in schedule([3], settings)] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        TextSettings(lr=0.5, epoch=20, dim=16),
        TextSettings(lr=0.3, epoch=17, dim=8, minCount=9, wordNgrams=2, bucket=300),
        EVERYTHING,
    ],
)
def test_training_goes_the_way_of_the_oracle(settings):
    """From the oracle's own first rows, all rows come out as its do, but for rounding."""
    subwords = Subwords.fit(PAIRS, settings)
    first = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0)
    last = oracle.train(PAIRS, IS_GOOD, settings)
    places = oracle.places(first, subwords)
    rows = np.zeros((len(subwords), 1, settings.dim), np.float32)
    rows[2:, 0] = first.get_input_matrix()[places]
    output = np.zeros((1, 2, settings.dim), np.float32)
    lines = [Line.of(subwords, text, label) for text, label in zip(PAIRS, IS_GOOD, strict=True)]
    assert read(lines, rows, output, settings) == {}
    mine = [last.labels.index(f"/label/{label}") for label in (0, 1)]
    assert np.abs(output).max() > 0.5
    np.testing.assert_allclose(output[0], last.get_output_matrix()[mine], rtol=0, atol=1e-5)
    np.testing.assert_allclose(rows[2:, 0], last.get_input_matrix()[places], rtol=0, atol=1e-5)


def test_word_pairs_are_learnt_where_words_alone_cannot_tell():
    right = {}
    for ngrams in (1, 2):
        subwords = Subwords.fit(PAIRS, TextSettings(lr=0.5, epoch=50, dim=8, wordNgrams=ngrams))
        [model] = fit_text(subwords, PAIRS, IS_GOOD_DAY, 2, [0])
        guess = model(batch(subwords.encode_all(PAIRS))).argmax(-1)
        right[ngrams] = float((guess == torch.tensor(IS_GOOD_DAY)).float().mean())
    assert right[1] < 0.7
    assert right[2] == 1.0


def test_seeds_trained_together_are_as_those_trained_alone():
    subwords = Subwords.fit(PAIRS, EVERYTHING)
    together = fit_text(subwords, PAIRS, IS_GOOD_DAY, 2, [0, 1, 2])
    [alone] = fit_text(subwords, PAIRS, IS_GOOD_DAY, 2, [1])
    torch.testing.assert_close(together[1].rows, alone.rows, rtol=0, atol=1e-5)
    torch.testing.assert_close(together[1].output, alone.output, rtol=0, atol=1e-5)
    assert (together[0].output - alone.output).abs().max() > 1e-3
    assert not together[1].rows[: UNSEEN + 1].any()


@pytest.mark.slow
def test_rows_begin_as_all_threads_of_the_oracle_draw_them():
    """Uniform within ±1/dim. One thread of the oracle alone draws a tenth of them and leaves zeros."""
    settings = TextSettings(lr=0.5, dim=50, wordNgrams=2, bucket=2000)
    peer = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0, thread=10).get_input_matrix()
    subwords = Subwords.fit(PAIRS, settings)
    ours = first_rows(subwords, 0)[2:]
    for rows in (peer, ours):
        assert np.abs(rows).max() == pytest.approx(1 / 50, rel=0.01)
        assert rows.std() == pytest.approx(1 / 50 / np.sqrt(3), rel=0.02)
        assert rows.mean() == pytest.approx(0, abs=0.0005)
    alone = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0).get_input_matrix()
    assert (alone != 0).mean() == pytest.approx(0.1, abs=0.001)


def test_the_texts_are_read_shuffled():
    assert reading_order(6).tolist() != [0, 1, 2, 3, 4, 5]
    assert sorted(reading_order(6).tolist()) == [0, 1, 2, 3, 4, 5]


def test_a_seed_whose_loss_is_no_number_is_stopped():
    told = []
    subwords = Subwords.fit(PAIRS, TextSettings(lr=1e30, epoch=5, dim=4))
    fitted = fit_text(subwords, PAIRS, IS_GOOD_DAY, 2, [3, 4], tell=told.append)
    reason = "its loss became NaN or infinite in epoch 1: try an lr below 1e+30"
    assert fitted == [Stopped(3, reason), Stopped(4, reason)]
    assert told == [1]


def test_a_seed_that_is_lost_leaves_the_others_as_they_are():
    settings = TextSettings(lr=0.5, epoch=3, dim=8)
    subwords = Subwords.fit(PAIRS, settings)
    lines = [Line.of(subwords, text, label) for text, label in zip(PAIRS, IS_GOOD_DAY, strict=True)]
    rows = np.stack([first_rows(subwords, 0), first_rows(subwords, 1)], 1)
    rows[5, 0] = np.inf
    alone = rows[:, 1:].copy()
    output, only = np.zeros((2, 2, 8), np.float32), np.zeros((1, 2, 8), np.float32)
    assert read(lines, rows, output, settings) == {0: 1}
    read(lines, alone, only, settings)
    np.testing.assert_allclose(output[1], only[0], rtol=0, atol=1e-6)


def test_words_begin_with_their_vectors():
    vectors = Vectors(
        "tiny.txt", 2, {"day": np.array([3, 4], np.float32), "dawn": np.array([5, 6], np.float32)}
    )
    subwords = Subwords.fit(["good day"], TextSettings(dim=2), vectors.rows)
    rows = first_rows(subwords, 0, vectors)
    assert rows[subwords.place("day")].tolist() == [3, 4]
    assert np.abs(rows[subwords.place("good")]).max() < 0.5
    # A word that no training text holds keeps its vector, and takes part.
    [model] = fit_text(subwords, ["good day"], [0], 2, [0], vectors=vectors)
    assert model.rows[subwords.place("dawn")].tolist() == [5, 6]
    assert subwords.place("dawn") in subwords.encode("at dawn")


def test_vectors_of_another_width_are_refused():
    vectors = Vectors("glove.txt", 25, {})
    with pytest.raises(BaselineError) as error:
        first_rows(Subwords.fit(["a"], TextSettings(dim=100)), 0, vectors)
    assert str(error.value) == (
        "'glove.txt' holds vectors of width 25, and dim is 100: set dim to 25, or take vectors of width 100"
    )
