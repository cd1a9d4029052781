import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.models import EarlyFusion
from baselines.results.evaluate import Answers, answers, compare, figure, modes, probabilities, scores
from baselines.settings import Settings
from tests.baselines import reference

CLASSES = ("joy", "fear", "anger")


def sure(guesses):
    """Probabilities that say these classes."""
    return torch.nn.functional.one_hot(torch.tensor(guesses), 3) * 0.7 + 0.1


@pytest.mark.slow
def test_scores_are_those_by_hand():
    """joy: 2 of 3 found, 2 of 3 said rightly. fear: 1 of 2, 1 of 3. anger: 0 of 1, never said."""
    label = torch.tensor([0, 0, 0, 1, 1, 2])
    found = scores([sure([0, 0, 1, 1, 0, 1])], label, CLASSES)
    joy, fear = 2 / 3, 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)
    assert found.accuracy.mean == pytest.approx(0.5)
    assert found.f1_micro.mean == pytest.approx(0.5)
    assert found.f1_macro.mean == pytest.approx((joy + fear + 0) / 3)
    assert found.f1_weighted.mean == pytest.approx((3 * joy + 2 * fear + 0) / 6)
    by_class = {
        name: (one.precision, one.recall, one.f1, one.support) for name, one in found.per_class.items()
    }
    assert by_class == {
        "joy": (pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(joy), 3),
        "fear": (pytest.approx(1 / 3), pytest.approx(1 / 2), pytest.approx(fear), 2),
        "anger": (0, 0, 0, 1),
    }
    assert found.confusion == ((2, 1, 0), (1, 1, 0), (0, 1, 0))


def test_seeds_are_scored_apart_and_averaged():
    label = torch.tensor([0, 1, 2, 0])
    found = scores([sure([0, 1, 2, 0]), sure([0, 1, 0, 1])], label, CLASSES)
    assert found.accuracy.values == (1.0, 0.5)
    assert found.accuracy.mean == 0.75
    assert found.confusion == ((1.5, 0.5, 0), (0, 1, 0), (0.5, 0, 0.5))
    assert found.per_class["anger"].recall == 0.5


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_micro_f1_is_the_accuracy(pairs):
    said, label = zip(*pairs, strict=True)
    found = scores([sure(list(said))], torch.tensor(label), CLASSES)
    assert found.f1_micro.values == pytest.approx(found.accuracy.values)
    assert sum(map(sum, found.confusion)) == len(pairs)


def test_the_interval_of_a_mean_is_students():
    """Five seeds: mean .8, standard deviation .0158; t of 4 degrees of freedom at 97.5% is 2.776."""
    found = figure([0.78, 0.79, 0.80, 0.81, 0.82])
    half = 2.776445 * math.sqrt(0.00025) / math.sqrt(5)
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half), abs=1e-7)
    two = figure([0.5, 0.7])  # 12.706 at one degree: far wider
    assert two.high - two.mean == pytest.approx(12.706205 * math.sqrt(0.02) / math.sqrt(2), abs=1e-6)


def test_one_seed_has_no_interval():
    assert figure([0.25]) == figure([0.25]).__class__(0.25, 0.25, 0.25, (0.25,))


def test_answers_are_the_share_of_seeds_that_are_right():
    found = answers("joint", [sure([0, 1, 2]), sure([0, 2, 1])], torch.tensor([0, 1, 1]))
    assert found.right.tolist() == [1.0, 0.5, 0.5]


def rights(*counts):
    """Answers over posts: so many right, then so many wrong, in turns."""
    return np.concatenate([np.full(n, 1.0 - i % 2) for i, n in enumerate(counts)])


def test_the_difference_is_the_second_row_less_the_first():
    better = compare(Answers("early", rights(50, 50)), Answers("joint", rights(70, 30)), "both")
    assert (better.first, better.second, better.mode) == ("early", "joint", "both")
    assert better.difference == pytest.approx(0.2)
    assert 0 < better.low < 0.2 < better.high
    assert better.p < 0.001
    worse = compare(Answers("joint", rights(70, 30)), Answers("early", rights(50, 50)), "both")
    assert (worse.difference, worse.low, worse.high) == pytest.approx(
        (-better.difference, -better.high, -better.low)
    )
    assert worse.p == better.p


def test_the_bootstrap_is_paired_and_its_interval_that_of_the_mean_difference():
    """20 of 100 posts won, none lost: the standard error of the mean is sqrt(.2 · .8 / 100) = .04."""
    pair = compare(Answers("a", rights(50, 50)), Answers("b", rights(70, 30)), "both")
    assert (pair.low, pair.high) == pytest.approx((0.2 - 1.96 * 0.04, 0.2 + 1.96 * 0.04), abs=0.01)


def test_rows_that_are_as_good_have_no_small_p():
    first, second = rights(50, 50), rights(0, 50, 50)  # right on the other half
    pair = compare(Answers("a", first), Answers("b", second), "both")
    assert pair.difference == 0
    assert pair.low < 0 < pair.high
    assert pair.p > 0.9
    same = compare(Answers("a", first), Answers("b", first), "both")
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_p_is_two_sided():
    """7 posts won and 3 lost of 10 that differ: about 2 · P(mean ≤ 0), .25 by the normal's tail."""
    first, second = np.zeros(60), np.zeros(60)
    second[:7], first[7:10] = 1, 1
    pair = compare(Answers("a", first), Answers("b", second), "both")
    error = math.sqrt((10 / 60 - (4 / 60) ** 2) / 60)
    tail = math.erfc(4 / 60 / error / math.sqrt(2))
    assert tail < pair.p < tail + 0.12  # resamples with no difference at all count for both sides


def test_a_mode_hides_the_other_modality():
    torch.manual_seed(0)
    vectors = torch.randn(reference.WORDS, 4)
    model = EarlyFusion(reference.FEATURES, vectors, 3, Settings(hidden=3)).double()
    batch = reference.posts(7, present=[[1, 1]] * 5 + [[1, 0], [0, 1]])
    for mode, kept in (("image", 0), ("text", 1)):
        blind = batch.present.clone()
        blind[:, 1 - kept] = False
        expected = torch.softmax(model.eval()(batch._replace(present=blind)), -1).float()
        assert torch.equal(probabilities(model, batch, mode), expected)
    assert torch.equal(probabilities(model, batch, "both"), torch.softmax(model(batch), -1).float())
    in_parts = probabilities(model.train(), batch, "both", rows=3)  # dropout rests
    torch.testing.assert_close(in_parts, probabilities(model, batch, "both"))
    assert batch.present[:5].all()


def test_models_of_one_modality_are_not_scored_by_the_other():
    assert [modes(model) for model in ("image", "text", "late")] == [
        ("both", "image"),
        ("both", "text"),
        ("both", "image", "text"),
    ]
