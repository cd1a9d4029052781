from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from affectory.encoders.text.subwords import UNSEEN, Ngrams, Subwords
from affectory.encoders.text.words import Vectors
from baselines.data.batch import Batch
from baselines.data.inputs import Data
from baselines.data.task import SeveralLabels, SingleLabel
from baselines.models import registry
from baselines.models.duong2017.fasttext import (
    Line,
    first_rows,
    reading_order,
    schedule,
    sigmoid,
    softmax,
    step,
    train,
)
from baselines.models.duong2017.fasttext import fit as fit_rows
from baselines.models.duong2017.text import TextBased, TextSettings, fit
from tests.baselines import oracle

CPU = torch.device("cpu")

#: 36 texts of two classes that word pairs tell apart and words don't.
PAIRS = [
    " ".join((*rest, a, b))
    for a, b, rest in product(["good", "bad"], ["day", "night"], product("xyz", "uvw"))
]
IS_GOOD = np.array([int("good" in text) for text in PAIRS])
IS_GOOD_DAY = np.array([int(("good" in text) == ("day" in text)) for text in PAIRS])
#: Two labels: good, and day; every text has one at least, or none.
BOTH = np.array([["good" in text, "day" in text] for text in PAIRS], np.float32)
TWO = SingleLabel(("bad", "good"))
LABELS = SeveralLabels(("good", "day"))
PLAIN = TextSettings(lr=0.5, epoch=5, dim=8, minn=0, maxn=0)
EVERYTHING = TextSettings(lr=0.5, epoch=20, dim=16, wordNgrams=3, minn=2, maxn=4, bucket=4000)


def dictionary(texts, settings, pretrained=()):
    found = Subwords.fit(texts, settings.ngrams, pretrained)
    return replace(found, width=settings.dim)


def batch(tokens, present=True):
    n = len(tokens)
    there = torch.tensor([[False, present]] * n)
    target, known = torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.bool)
    return Batch({"ngrams": torch.as_tensor(tokens)}, there, target, known)


def data(texts, target, task, labelled=None, present=None, vectors=None):
    """Training texts, which are the validation ones too."""
    n = len(texts)
    there = torch.tensor([[False, True]] * n if present is None else present)
    known = torch.ones(n, dtype=torch.bool) if labelled is None else torch.tensor(labelled)
    posts = Batch({}, there, torch.as_tensor(target), known)
    every = posts._replace(labelled=torch.ones(n, dtype=torch.bool))
    return Data(task, posts, every, {}, {"train": texts, "validation": texts}, vectors)


def test_logits_are_the_output_matrix_times_the_mean_of_the_rows():
    rows = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, -2.0]])
    model = TextBased(TWO, rows, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    # [2, 3, 3]: mean (7/3, -2/3). [2, unseen]: mean (1/2, 1). Nothing: zero.
    logits = model(batch([[2, 3, 3], [2, UNSEEN, 0], [0, 0, 0]]))["y"]
    expected = torch.tensor([[7 / 3, -2 / 3, 5 / 3], [0.5, 1.0, 1.5], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(logits, expected)


def test_without_text_every_class_is_as_likely():
    model = TextBased(TWO, torch.ones(4, 2), torch.ones(3, 2))
    logits = model(batch([[2, 3, 3]], present=False))["y"]
    assert logits.softmax(-1).tolist() == [pytest.approx([1 / 3] * 3)]


@pytest.mark.parametrize(
    ("activation", "target"), [(softmax, [0.0, 1.0, 0.0]), (sigmoid, [1.0, 1.0, 0.0]), (sigmoid, [0.0] * 3)]
)
def test_a_step_goes_down_the_gradient_of_the_loss(activation, target):
    """B -= lr dL/dB, and A -= lr dL/dA, each in float64 by autograd from the formula of the loss.

    Of several labels the loss is a sum over them, as in the C++, and not their mean.
    """
    rng = np.random.default_rng(0)
    ids, lr = [2, 5, 5, 3], 0.7
    rows, output = rng.normal(size=(7, 2, 5)), rng.normal(size=(2, 3, 5))
    a, b = torch.tensor(rows, requires_grad=True), torch.tensor(output, requires_grad=True)
    hidden = a[ids].mean(0)
    scores, true = (b * hidden[:, None]).sum(-1), torch.tensor(target, dtype=torch.float64)
    if activation is softmax:
        loss = -(torch.log_softmax(scores, -1) * true).sum()
    else:
        log, other = torch.nn.functional.logsigmoid(scores), torch.nn.functional.logsigmoid(-scores)
        loss = -(log * true + other * (1 - true)).sum()
    loss.backward()
    shares = np.array([[0.25], [0.25], [0.5]], np.float32)
    line = Line(np.array([2, 3, 5]), shares, np.array(target, np.float32), 6)
    step(line, lr, mine := rows.astype(np.float32), ours := output.astype(np.float32), activation)
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
        TextSettings(lr=0.5, epoch=20, dim=16, minn=0, maxn=0),
        TextSettings(lr=0.3, epoch=17, dim=8, minCount=9, wordNgrams=2, minn=0, maxn=0, bucket=300),
        EVERYTHING,
    ],
)
def test_training_takes_the_same_steps_as_the_oracle(settings):
    """From the oracle's own first rows, all rows come out as its do, but for rounding."""
    subwords = dictionary(PAIRS, settings)
    first = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0)
    last = oracle.train(PAIRS, IS_GOOD, settings)
    places = oracle.places(first, subwords)
    rows = np.zeros((len(subwords), 1, settings.dim), np.float32)
    rows[2:, 0] = first.get_input_matrix()[places]
    output = np.zeros((1, 2, settings.dim), np.float32)
    hot = np.eye(2, dtype=np.float32)[IS_GOOD]
    lines = [Line.of(subwords, text, target) for text, target in zip(PAIRS, hot, strict=True)]
    assert train(lines, rows, output, settings, softmax) == {}
    mine = [last.labels.index(f"/label/{label}") for label in (0, 1)]
    assert np.abs(output).max() > 0.5
    np.testing.assert_allclose(output[0], last.get_output_matrix()[mine], rtol=0, atol=1e-5)
    np.testing.assert_allclose(rows[2:, 0], last.get_input_matrix()[places], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_training_of_several_labels_takes_the_same_steps_as_the_oracle():
    """`-loss ova`. The C++ looks sigmoid and logarithm up in tables, to 1/64: so equal to about .01.

    It skips texts without a label, which we train on: here every text has one.
    """
    settings = TextSettings(lr=0.2, epoch=10, dim=8, minn=0, maxn=0)
    labels = [tuple(np.flatnonzero(row).tolist()) or (2,) for row in BOTH]
    hot = np.array([[float(c in of) for c in range(3)] for of in labels], np.float32)
    subwords = dictionary(PAIRS, settings)
    first = oracle.train(PAIRS, labels, settings, lr=0.0, loss="ova")
    last = oracle.train(PAIRS, labels, settings, loss="ova")
    places = oracle.places(first, subwords)
    rows = np.zeros((len(subwords), 1, settings.dim), np.float32)
    rows[2:, 0] = first.get_input_matrix()[places]
    output = np.zeros((1, 3, settings.dim), np.float32)
    lines = [Line.of(subwords, text, target) for text, target in zip(PAIRS, hot, strict=True)]
    assert train(lines, rows, output, settings, sigmoid) == {}
    mine = [last.labels.index(f"/label/{label}") for label in range(3)]
    assert np.abs(output).max() > 0.5
    np.testing.assert_allclose(output[0], last.get_output_matrix()[mine], rtol=0, atol=0.02)
    np.testing.assert_allclose(rows[2:, 0], last.get_input_matrix()[places], rtol=0, atol=0.02)


def trained(settings, target, task, seeds, texts=PAIRS, vectors=None):
    subwords = dictionary(texts, settings, vectors.rows if vectors else ())
    return subwords, fit_rows(subwords, texts, target, task, settings, seeds, vectors)


def test_word_pairs_are_learnt_where_words_alone_cannot_tell():
    right = {}
    for ngrams in (1, 2):
        settings = replace(PLAIN, epoch=50, wordNgrams=ngrams)
        subwords, [(rows, output)] = trained(settings, IS_GOOD_DAY, TWO, [0])
        model = TextBased(TWO, torch.from_numpy(rows), torch.from_numpy(output))
        guess = model(batch(subwords.encode(PAIRS)))["y"].argmax(-1).numpy()
        right[ngrams] = (guess == IS_GOOD_DAY).mean()
    assert right[1] < 0.7
    assert right[2] == 1.0


def test_several_labels_are_learnt_one_against_all():
    subwords, [(rows, output)] = trained(replace(PLAIN, epoch=30), BOTH, LABELS, [0])
    model = TextBased(LABELS, torch.from_numpy(rows), torch.from_numpy(output))
    decided = LABELS.decide(LABELS.probabilities(model(batch(subwords.encode(PAIRS)))["y"]))
    assert decided.tolist() == BOTH.astype(bool).tolist()


def test_seeds_trained_together_are_as_those_trained_alone():
    _, together = trained(EVERYTHING, IS_GOOD_DAY, TWO, [0, 1, 2])
    _, [alone] = trained(EVERYTHING, IS_GOOD_DAY, TWO, [1])
    np.testing.assert_allclose(together[1][0], alone[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(together[1][1], alone[1], rtol=0, atol=1e-5)
    assert np.abs(together[0][1] - alone[1]).max() > 1e-3
    assert not together[1][0][: UNSEEN + 1].any()


@pytest.mark.slow
def test_rows_begin_as_all_threads_of_the_oracle_draw_them():
    """Uniform within ±1/dim. One thread of the oracle alone draws a tenth of them and leaves zeros."""
    settings = TextSettings(lr=0.5, dim=50, wordNgrams=2, minn=0, maxn=0, bucket=2000)
    peer = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0, thread=10).get_input_matrix()
    ours = first_rows(dictionary(PAIRS, settings), 0)[2:]
    for rows in (peer, ours):
        assert np.abs(rows).max() == pytest.approx(1 / 50, rel=0.01)
        assert rows.std() == pytest.approx(1 / 50 / np.sqrt(3), rel=0.02)
        assert rows.mean() == pytest.approx(0, abs=0.0005)
    alone = oracle.train(PAIRS, IS_GOOD, settings, lr=0.0).get_input_matrix()
    assert (alone != 0).mean() == pytest.approx(0.1, abs=0.001)


def test_the_texts_are_read_shuffled():
    assert reading_order(6).tolist() != [0, 1, 2, 3, 4, 5]
    assert sorted(reading_order(6).tolist()) == [0, 1, 2, 3, 4, 5]


def test_a_seed_whose_loss_becomes_nan_is_given_up():
    _, found = trained(TextSettings(lr=1e30, epoch=5, dim=4), IS_GOOD_DAY, TWO, [3, 4])
    assert found == ["the loss became NaN or infinite in epoch 1: try an lr below 1e+30"] * 2


def test_a_seed_that_is_given_up_leaves_the_others_as_they_are():
    settings = replace(PLAIN, epoch=3)
    subwords = dictionary(PAIRS, settings)
    hot = np.eye(2, dtype=np.float32)[IS_GOOD_DAY]
    lines = [Line.of(subwords, text, target) for text, target in zip(PAIRS, hot, strict=True)]
    rows = np.stack([first_rows(subwords, 0), first_rows(subwords, 1)], 1)
    rows[5, 0] = np.inf
    alone = rows[:, 1:].copy()
    output, only = np.zeros((2, 2, 8), np.float32), np.zeros((1, 2, 8), np.float32)
    assert train(lines, rows, output, settings, softmax) == {0: 1}
    train(lines, alone, only, settings, softmax)
    np.testing.assert_allclose(output[1], only[0], rtol=0, atol=1e-6)


def test_words_begin_with_their_vectors():
    vectors = Vectors(
        "tiny.txt", 2, {"day": np.array([3, 4], np.float32), "dawn": np.array([5, 6], np.float32)}
    )
    settings = TextSettings(dim=2, minn=0, maxn=0)
    subwords = dictionary(["good day"], settings, vectors.rows)
    rows = first_rows(subwords, 0, vectors)
    assert rows[subwords.place("day")].tolist() == [3, 4]
    assert np.abs(rows[subwords.place("good")]).max() < 0.5
    # A word that no training text holds keeps its vector, and takes part.
    [(rows, _)] = fit_rows(subwords, ["good day"], np.array([0]), TWO, settings, [0], vectors)
    assert rows[subwords.place("dawn")].tolist() == [5, 6]
    assert subwords.place("dawn") in subwords.ids("at dawn")


def test_vectors_of_another_width_are_refused():
    vectors = Vectors("glove.txt", 25, {})
    with pytest.raises(BaselineError) as error:
        fit(data(PAIRS, IS_GOOD, TWO, vectors=vectors), TextSettings(dim=100), [0], CPU)
    assert str(error.value) == (
        "'glove.txt' holds vectors of width 25, and dim is 100: set dim to 25, or take vectors of width 100"
    )


# The model's own training, as the rest of the program calls it.


def test_the_width_of_a_row_is_that_of_the_settings_of_the_vectors_or_100():
    tiny = Vectors("tiny.txt", 3, {})
    for settings, vectors, width in (
        (replace(PLAIN, epoch=1), None, 8),
        (replace(PLAIN, epoch=1, dim=None), tiny, 3),
        (replace(PLAIN, epoch=1, dim=None), None, 100),
    ):
        [one] = fit(data(PAIRS, IS_GOOD, TWO, vectors=vectors), settings, [0], CPU)
        assert one.state["rows"].shape[1] == one.encoders["ngrams"]["width"] == width


def test_the_model_is_trained_on_the_labelled_posts_with_a_text_alone():
    """Other posts' texts are not even in its dictionary."""
    labelled = [row % 2 == 0 for row in range(36)]
    present = [[False, row % 4 == 0] for row in range(36)]
    texts = [text if row % 4 == 0 else f"{text} unread" for row, text in enumerate(PAIRS)]
    [one] = fit(data(texts, IS_GOOD, TWO, labelled, present), PLAIN, [3], CPU)
    rows = [row for row in range(36) if row % 4 == 0]
    read = [texts[row] for row in rows]
    assert "unread" not in one.encoders["ngrams"]["learnt"]
    subwords = dictionary(read, PLAIN)
    [(expected, output)] = fit_rows(subwords, read, IS_GOOD[rows], TWO, PLAIN, [3])
    assert one.seed == 3
    assert one.epoch == PLAIN.epoch
    np.testing.assert_array_equal(one.state["rows"].numpy(), expected)
    np.testing.assert_array_equal(one.state["output"].numpy(), output)


@pytest.mark.parametrize(("target", "task"), [(IS_GOOD, TWO), (BOTH, LABELS)], ids=["single", "several"])
def test_score_and_likelihood_are_those_of_the_validation_posts(target, task):
    made = data(PAIRS, target, task)
    [one] = fit(made, PLAIN, [0], CPU)
    model = registry.spec("text").build(task, {"ngrams": Subwords.from_state(one.encoders["ngrams"])}, PLAIN)
    model.load_state_dict(one.state)
    subwords = Subwords.from_state(one.encoders["ngrams"])
    with torch.no_grad():
        logits = model(batch(subwords.encode(PAIRS)))["y"].double()
    assert one.likelihood == pytest.approx(-task.losses(logits, torch.as_tensor(target)).mean().item())
    assert one.score == task.score(task.probabilities(logits), torch.as_tensor(target))


def test_a_network_that_was_given_up_says_why():
    [one] = fit(data(PAIRS, IS_GOOD, TWO), replace(PLAIN, lr=1e30), [4], CPU)
    assert (one.seed, one.state) == (4, {})
    assert one.problem == "the loss became NaN or infinite in epoch 1: try an lr below 1e+30"


def test_the_settings_of_ngrams_are_those_of_the_dictionary():
    assert TextSettings(minn=2, maxn=5, wordNgrams=2, minCount=3, bucket=7).ngrams == Ngrams(3, 2, 2, 5, 7)
