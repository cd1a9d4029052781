"""From the probabilities of each seed to a row's scores, and from rows to their comparison."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.data.task import SeveralLabels, SingleLabel
from baselines.results import evaluate, statistics
from baselines.results.evaluate import Sides
from baselines.results.schema import LabelScore

TASK = SingleLabel(("joy", "fear", "anger"))
MEMES = SeveralLabels(("shaming", "violence"))


def sure(guesses):
    """Probabilities that say these classes."""
    return torch.nn.functional.one_hot(torch.tensor(guesses), 3) * 0.7 + 0.1


def posts(n):
    """Every post is its own group."""
    return np.arange(n)


def scores(by_seed, target, task=TASK):
    return evaluate.scores(by_seed, target, posts(len(target)), task)


@pytest.mark.slow
def test_scores_are_those_by_hand():
    """joy: 2 of 3 found, 2 of 3 said rightly. fear: 1 of 2, 1 of 3. anger: 0 of 1, never said."""
    found = scores([sure([0, 0, 1, 1, 0, 1])], torch.tensor([0, 0, 0, 1, 1, 2]))
    joy, fear = 2 / 3, 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)
    assert {name: one.mean for name, one in found.metrics.items()} == {
        "accuracy": pytest.approx(0.5),
        "balanced_accuracy": pytest.approx((2 / 3 + 1 / 2 + 0) / 3),
        "f1_micro": pytest.approx(0.5),
        "f1_macro": pytest.approx((joy + fear + 0) / 3),
        "f1_weighted": pytest.approx((3 * joy + 2 * fear + 0) / 6),
    }
    by_label = {
        name: (one.precision, one.recall, one.f1, one.support) for name, one in found.by_label.items()
    }
    assert by_label == {
        "joy": (pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(joy), 3),
        "fear": (pytest.approx(1 / 3), pytest.approx(1 / 2), pytest.approx(fear), 2),
        "anger": (0, 0, 0, 1),
    }
    assert found.confusion == {
        "joy": {"joy": 2, "fear": 1, "anger": 0},
        "fear": {"joy": 1, "fear": 1, "anger": 0},
        "anger": {"joy": 0, "fear": 1, "anger": 0},
    }


def test_seeds_are_scored_apart_and_averaged():
    found = scores([sure([0, 1, 2, 0]), sure([0, 1, 0, 1])], torch.tensor([0, 1, 2, 0]))
    assert found.metrics["accuracy"].values == (1.0, 0.5)
    assert found.metrics["accuracy"].mean == 0.75
    assert found.confusion == {
        "joy": {"joy": 1.5, "fear": 0.5, "anger": 0},
        "fear": {"joy": 0, "fear": 1, "anger": 0},
        "anger": {"joy": 0.5, "fear": 0, "anger": 0.5},
    }
    assert found.by_label["anger"].recall == 0.5


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_micro_f1_is_the_accuracy_with_one_label_a_post(pairs):
    said, target = zip(*pairs, strict=True)
    found = scores([sure(list(said))], torch.tensor(target))
    assert found.metrics["f1_micro"].values == pytest.approx(found.metrics["accuracy"].values)
    assert sum(sum(row.values()) for row in found.confusion.values()) == len(pairs)


def test_several_labels_are_counted_by_outcome():
    """shaming: one found, one missed, one wrong, one rightly not said; violence: found and not said twice."""
    target = torch.tensor([[1.0, 1], [1, 0], [0, 1], [0, 0]])
    said = torch.tensor([[0.9, 0.8], [0.2, 0.1], [0.7, 0.9], [0.1, 0.3]])
    found = scores([said], target, MEMES)
    assert found.confusion == {
        "shaming": {"true positive": 1, "false positive": 1, "false negative": 1, "true negative": 1},
        "violence": {"true positive": 2, "false positive": 0, "false negative": 0, "true negative": 2},
    }
    assert found.by_label == {
        "shaming": LabelScore(0.5, 0.5, 0.5, 2, 0.75),
        "violence": LabelScore(1, 1, 1, 2, 1),
    }
    assert found.metrics["f1_weighted"].mean == pytest.approx(0.75)  # (2 · .5 + 2 · 1) / 4
    assert found.metrics["auc"].mean == pytest.approx(0.875)


def test_the_interval_over_seeds_is_students_and_that_with_the_posts_is_wider():
    """Accuracies .6, .7, .8 of ten posts: half = 4.3027 · .1 / √3."""
    target = torch.zeros(10, dtype=torch.int64)
    by_seed = [sure([0] * right + [1] * (10 - right)) for right in (6, 7, 8)]
    figure = scores(by_seed, target).metrics["accuracy"]
    half = 4.302653 * 0.1 / 3**0.5
    assert (figure.interval.low, figure.interval.high) == pytest.approx((0.7 - half, 0.7 + half), abs=1e-6)
    assert figure.sampled.low < figure.interval.low and figure.interval.high < figure.sampled.high


def test_posts_of_a_group_are_resampled_as_a_whole():
    """50 posts of which half are right: in ten groups of five the interval is wider than in 50."""
    target = torch.zeros(50, dtype=torch.int64)
    by_seed = [sure([0] * 25 + [1] * 25)] * 3
    alone = evaluate.scores(by_seed, target, posts(50), TASK).metrics["accuracy"].sampled
    grouped = evaluate.scores(by_seed, target, posts(50) // 5, TASK).metrics["accuracy"].sampled
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_a_few_groups_of_posts_have_no_interval_over_posts_however_many_posts_they_hold():
    """One post that all seeds answer wrongly isn't a score of 0 ± 0; nor are nine groups of ten."""
    wrong = [sure([1])] * 3
    figure = evaluate.scores(wrong, torch.tensor([0]), posts(1), TASK).metrics["accuracy"]
    assert (figure.mean, figure.sampled) == (0, None)
    halves = [sure([0, 1] * 45)] * 3
    nine = evaluate.scores(halves, torch.zeros(90, dtype=torch.int64), posts(90) // 10, TASK)
    assert nine.metrics["accuracy"].sampled is None
    ten = evaluate.scores(halves[:3], torch.zeros(90, dtype=torch.int64), posts(90) // 9, TASK)
    assert ten.metrics["accuracy"].sampled is not None


def test_two_seeds_have_no_interval():
    figure = scores([sure([0, 1]), sure([0, 0])], torch.tensor([0, 1])).metrics["accuracy"]
    assert (figure.mean, figure.values, figure.interval, figure.sampled) == (0.75, (1.0, 0.5), None, None)


def rows(*rights, seeds=3):
    """Rows of so many seeds that are right on so many of 100 posts, the first ones."""
    return [[sure([0] * right + [1] * (100 - right))] * seeds for right in rights]


def test_a_pair_is_the_second_row_minus_the_first():
    target = torch.zeros(100, dtype=torch.int64)
    weak, strong = rows(50, 80)
    [better] = evaluate.compared([Sides(0, 2, "both", weak, strong)], target, posts(100), TASK)
    assert (better.first, better.second, better.mode, better.metric) == (0, 2, "both", "accuracy")
    assert better.difference == pytest.approx(0.3)
    assert 0 < better.interval.low < 0.3 < better.interval.high
    assert better.p < 0.001
    [worse] = evaluate.compared([Sides(2, 0, "both", strong, weak)], target, posts(100), TASK)
    assert worse.difference == pytest.approx(-0.3)
    assert (worse.interval.low, worse.interval.high) == pytest.approx(
        (-better.interval.high, -better.interval.low)
    )


def test_p_is_corrected_for_the_number_of_pairs():
    target = torch.zeros(100, dtype=torch.int64)
    a, b, c = rows(50, 55, 80)
    pairs = evaluate.compared(
        [Sides(0, 1, "both", a, b), Sides(1, 2, "both", b, c)], target, posts(100), TASK
    )
    assert [pair.p_holm for pair in pairs] == statistics.holm([pair.p for pair in pairs])
    assert pairs[1].p_holm == pytest.approx(2 * pairs[1].p)


def test_a_pair_of_different_or_of_too_few_seeds_has_a_difference_alone():
    target = torch.zeros(100, dtype=torch.int64)
    weak, strong = rows(50, 80)
    sides = [Sides(0, 1, "both", weak[:2], strong[:2]), Sides(2, 3, "text", weak, strong[:2])]
    for pair in evaluate.compared(sides, target, posts(100), TASK):
        assert pair.difference == pytest.approx(0.3)
        assert (pair.interval, pair.p, pair.p_holm, pair.p_t) == (None, None, None, None)


def test_the_trivial_prediction_is_chosen_on_training_and_scored_on_test():
    one = evaluate.trivial(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 0, 1]), TASK)
    assert one.title == "Always 'fear'"
    assert one.metrics["accuracy"] == 0.25
    assert one.metrics["f1_micro"] == 0.25
    none = evaluate.trivial(torch.ones(3, 2), torch.tensor([[1.0, 0], [0, 1]]), MEMES)
    assert none.title == "Never any label"
    assert none.metrics == {
        "f1_weighted": pytest.approx(1 / 3),  # of each label the negatives' F1 is 2/3, the positives' 0
        "auc": 0.5,
        "f1_macro": 0.0,
    }


def test_never_any_label_on_mamis_test_set_is_the_anchor():
    """MAMI's test has 146, 350, 348 and 153 positives of 1,000: the official weighted F1 is .4138810."""
    task = SeveralLabels(("shaming", "stereotype", "objectification", "violence"))
    target = torch.zeros(1000, 4)
    for column, positives in enumerate((146, 350, 348, 153)):
        target[:positives, column] = 1
    assert evaluate.trivial(target, target, task).metrics["f1_weighted"] == pytest.approx(0.4138810, abs=5e-8)
