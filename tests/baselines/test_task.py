"""Tasks: one label a post, and several."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from affectory.core.errors import BaselineError
from baselines.data.task import SeveralLabels, SingleLabel, task_of
from tests.baselines import reference

SINGLE = SingleLabel(("joy", "fear", "anger"))
SEVERAL = SeveralLabels(("shaming", "stereotype", "objectification", "violence"))

#: Positive posts of MAMI's 1,000 test memes, by label.
MAMI = (146, 350, 348, 153)


def drawn(n, classes, seed=0, several=False):
    """Logits and targets of n posts, float64."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    target = rng.integers(0, 2, (n, classes)).astype(float) if several else rng.integers(0, classes, n)
    return logits, target


# Losses, probabilities, decisions.


@pytest.mark.parametrize(("task", "several"), [(SINGLE, False), (SEVERAL, True)])
def test_losses_and_probabilities_are_those_of_the_formulas(task, several):
    logits, target = drawn(20, len(task.names), several=several)
    losses = task.losses(torch.from_numpy(logits), torch.from_numpy(target))
    np.testing.assert_allclose(losses.numpy(), reference.nll(logits, target), rtol=1e-12)
    found = task.probabilities(torch.from_numpy(logits)).numpy()
    expected = reference.sigmoid(logits) if several else reference.softmax(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_class_is_the_most_probable_and_several_labels_are_those_above_one_half():
    assert SINGLE.decide(torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])).tolist() == [1, 0]
    found = SEVERAL.decide(torch.tensor([[0.5, 0.51, 0.0, 1.0], [0.1, 0.2, 0.3, 0.4]]))
    assert found.tolist() == [[False, True, False, True], [False] * 4]


def test_labels_and_targets_are_each_other_s_inverse():
    assert SINGLE.target([["fear"], ["joy"]]).tolist() == [1, 0]
    assert SINGLE.labels(torch.tensor([1, 0])) == [["fear"], ["joy"]]
    several = [["violence", "shaming"], [], ["stereotype"]]
    target = SEVERAL.target(several)
    assert target.tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert SEVERAL.labels(target.bool()) == [["shaming", "violence"], [], ["stereotype"]]
    assert SEVERAL.target([]).shape == (0, 4)


def test_an_unknown_task_is_refused():
    assert task_of("single", ["a"]).kind == "single"
    assert task_of("several", ["a"]).names == ("a",)
    with pytest.raises(BaselineError) as error:
        task_of("ranking", ["a"])
    assert str(error.value) == "there is no task 'ranking': it is one of single, several"


# Predictions combined.


def combined(task, logits, there, rule):
    given_ = [torch.tensor([bool(one)] * len(logits[0])) for one in there]
    return task.probabilities(task.combined([torch.from_numpy(one) for one in logits], given_, rule)).numpy()


def test_the_product_of_two_classifiers_is_equation_2():
    """argmax P(y|i) · P(y|s), Duong et al. 2017; neither classifier alone would do."""
    first, second = drawn(40, 3, 0)[0], drawn(40, 3, 1)[0]
    one, other = reference.softmax(first), reference.softmax(second)
    product = one * other
    found = combined(SINGLE, (first, second), (1, 1), "product")
    np.testing.assert_allclose(found, product / product.sum(-1, keepdims=True), rtol=0, atol=1e-12)
    assert found.argmax(-1).tolist() == product.argmax(-1).tolist()
    assert (one.argmax(-1) != product.argmax(-1)).any()
    assert (other.argmax(-1) != product.argmax(-1)).any()


def test_the_product_of_several_labels_is_bayes_rule_label_by_label():
    first, second = drawn(20, 4, 0)[0], drawn(20, 4, 1)[0]
    p, q = reference.sigmoid(first), reference.sigmoid(second)
    expected = p * q / (p * q + (1 - p) * (1 - q))
    found = combined(SEVERAL, (first, second), (1, 1), "product")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("task", [SINGLE, SEVERAL])
def test_the_mean_of_two_classifiers_is_the_mean_of_their_probabilities(task):
    size = len(task.names)
    first, second = drawn(20, size, 0)[0], drawn(20, size, 1)[0]
    probabilities = reference.softmax if task is SINGLE else reference.sigmoid
    expected = (probabilities(first) + probabilities(second)) / 2
    found = combined(task, (first, second), (1, 1), "mean")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["product", "mean"])
@pytest.mark.parametrize("task", [SINGLE, SEVERAL])
def test_what_is_missing_is_left_out_and_nothing_at_all_is_undecided(task, rule):
    size = len(task.names)
    first, second = drawn(5, size, 0)[0], drawn(5, size, 1)[0]
    probabilities = reference.softmax if task is SINGLE else reference.sigmoid
    for there, expected in (
        ((1, 0), probabilities(first)),
        ((0, 1), probabilities(second)),
        ((0, 0), np.full((5, size), 1 / size if task is SINGLE else 0.5)),
    ):
        found = combined(task, (first, second), there, rule)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["product", "mean"])
@pytest.mark.parametrize("task", [SINGLE, SEVERAL])
def test_certain_predictions_combine_to_finite_logits(task, rule):
    sure = torch.full((2, len(task.names)), -300.0)
    sure[:, 0] = 300.0
    both = torch.ones(2, dtype=torch.bool)
    found = task.combined([sure, sure.flip(-1)], [both, both], rule)
    assert found.isfinite().all()
    assert task.probabilities(found).isfinite().all()


def test_each_post_has_its_own_missing_parts():
    first, second = (torch.from_numpy(drawn(3, 3, seed)[0]) for seed in (0, 1))
    there = [torch.tensor([True, True, False]), torch.tensor([True, False, True])]
    found = SINGLE.combined([first, second], there, "product")
    torch.testing.assert_close(found[1].softmax(-1), first[1].softmax(-1))
    torch.testing.assert_close(found[2].softmax(-1), second[2].softmax(-1))


# Rows that read no post.


def test_the_trivial_row_is_the_largest_class_of_training():
    title, row = SINGLE.trivial(torch.tensor([2, 0, 2, 1]))
    assert (title, row.tolist()) == ("Always 'anger'", [0.0, 0.0, 1.0])
    test = torch.tensor([2, 2, 0, 1])
    assert SINGLE.scores(row.expand(4, -1), test)["accuracy"] == 0.5


def mami():
    """MAMI's test targets as far as the metrics know them: the number of positives of each label."""
    target = torch.zeros(1000, 4)
    for label, positives in enumerate(MAMI):
        target[:positives, label] = 1
    return target


def test_the_trivial_row_of_several_labels_scores_what_mami_s_scorer_says():
    """SemiMemes' table has .4139 for Ext-PIE-Net at 10 and 5%: the all-negative prediction."""
    title, row = SEVERAL.trivial(mami())
    assert (title, row.tolist()) == ("Never any label", [0.0] * 4)
    scores = SEVERAL.scores(row.expand(1000, -1), mami())
    assert scores["f1_weighted"] == pytest.approx(0.4138810, abs=5e-8)
    assert scores["f1_macro"] == 0
    assert scores["auc"] == 0.5
    assert SEVERAL.score(row.expand(1000, -1), mami()) == scores["f1_weighted"]


def test_all_labels_for_every_post_score_what_mami_s_scorer_says():
    every = torch.ones(1000, 4, dtype=torch.float64)
    assert SEVERAL.scores(every, mami())["f1_weighted"] == pytest.approx(0.2201440, abs=5e-8)


# Metrics.


def f1(target, guess):
    """F1 of one side, from counts; 0 without a true positive."""
    hits = sum(t and g for t, g in zip(target, guess, strict=True))
    found, held = sum(guess), sum(target)
    if not hits:
        return 0.0
    precision, recall = hits / found, hits / held
    return 2 * precision * recall / (precision + recall)


def official(target, guess):
    """MAMI's scorer for sub-task B: label by label, the two sides' mean F1, weighted by the positives."""
    total, weights = 0.0, 0
    for label in range(target.shape[1]):
        true, said = target[:, label].astype(bool), guess[:, label].astype(bool)
        both = (f1(true, said) + f1(~true, ~said)) / 2
        total, weights = total + both * true.sum(), weights + true.sum()
    return total / weights if weights else 0.0


def area(target, scores):
    """The share of pairs of a positive and a negative post that are in order; ties count half."""
    pairs = [
        (p > n) + 0.5 * (p == n)
        for p, t in zip(scores, target, strict=True)
        if t
        for n, s in zip(scores, target, strict=True)
        if not s
    ]
    return np.mean(pairs) if pairs else None


@pytest.mark.slow
def test_weighted_f1_is_the_official_scorer_s_on_1000_random_prediction_sets():
    """Rare and absent labels, and predictions that agree, miss everything or name everything, included."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        posts = int(rng.integers(1, 60))
        target = rng.random((posts, 4)) < rng.choice([0, 0.1, 0.35, 1], 4)
        guess = rng.random((posts, 4)) < rng.choice([0, 0.1, 0.5, 1], 4)
        guess = np.where(rng.random(4) < 0.2, target, guess)
        probabilities = torch.from_numpy(np.where(guess, 0.9, 0.1))
        found = SEVERAL.score(probabilities, torch.from_numpy(target).float())
        assert found == pytest.approx(official(target, guess), abs=1e-12)


several_posts = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=n, max_size=n),
        st.lists(
            st.lists(st.sampled_from((0.0, 0.2, 0.5, 0.6, 0.9, 1.0)), min_size=4, max_size=4),
            min_size=n,
            max_size=n,
        ),
    )
)


@pytest.mark.slow
@given(several_posts)
def test_metrics_of_several_labels_are_those_of_the_official_scorer(posts):
    target, probabilities = np.array(posts[0]), np.array(posts[1])
    guess = probabilities > 0.5
    found = SEVERAL.scores(torch.from_numpy(probabilities), torch.from_numpy(target).float())
    assert list(found) == ["f1_weighted", "auc", "f1_macro"]
    assert found["f1_weighted"] == pytest.approx(official(target, guess), abs=1e-12)
    occurs = [i for i in range(4) if target[:, i].any() or guess[:, i].any()]
    macro = np.mean([f1(target[:, i], guess[:, i]) for i in occurs]) if occurs else 0
    assert found["f1_macro"] == pytest.approx(macro, abs=1e-12)
    areas = [a for i in range(4) if (a := area(target[:, i], probabilities[:, i])) is not None]
    assert found["auc"] == pytest.approx(np.mean(areas) if areas else 0.5, abs=1e-12)
    by_label = SEVERAL.by_label(torch.from_numpy(probabilities), torch.from_numpy(target).float())
    for i, name in enumerate(SEVERAL.names):
        own = area(target[:, i], probabilities[:, i])
        assert by_label[name]["f1"] == pytest.approx(f1(target[:, i], guess[:, i]), abs=1e-12)
        assert by_label[name]["auc"] == pytest.approx(0.5 if own is None else own, abs=1e-12)
        assert by_label[name]["support"] == target[:, i].sum()


single_posts = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


@pytest.mark.slow
@given(single_posts)
def test_metrics_of_one_class_are_those_of_the_formulas(posts):
    target, guess = map(np.array, posts)
    probabilities = torch.from_numpy(np.eye(3)[guess])
    found = SINGLE.scores(probabilities, torch.from_numpy(target))
    assert list(found) == ["accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted"]
    each = [f1(target == i, guess == i) for i in range(3)]
    occurs = [i for i in range(3) if (target == i).any() or (guess == i).any()]
    assert found["accuracy"] == pytest.approx((target == guess).mean())
    recalls = [(guess[target == i] == i).mean() for i in range(3) if (target == i).any()]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["f1_micro"] == pytest.approx((target == guess).mean())
    assert found["f1_macro"] == pytest.approx(np.mean([each[i] for i in occurs]))
    weighted = sum(each[i] * (target == i).sum() for i in range(3)) / len(target)
    assert found["f1_weighted"] == pytest.approx(weighted, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_those_of_torchmetrics(seed):
    from torchmetrics.functional import classification as tm

    logits, target = drawn(60, 3, seed)
    probabilities, true = SINGLE.probabilities(torch.from_numpy(logits)), torch.from_numpy(target)
    found = SINGLE.scores(probabilities, true)
    for average in ("macro", "micro", "weighted"):
        expected = tm.multiclass_f1_score(probabilities, true, 3, average=average).item()
        assert found[f"f1_{average}"] == pytest.approx(expected, abs=1e-6)
    logits, target = drawn(60, 4, seed, several=True)
    probabilities, true = SEVERAL.probabilities(torch.from_numpy(logits)), torch.from_numpy(target).long()
    found = SEVERAL.scores(probabilities, true.float())
    assert found["f1_macro"] == pytest.approx(
        tm.multilabel_f1_score(probabilities, true, 4, average="macro").item(), abs=1e-6
    )
    assert found["auc"] == pytest.approx(
        tm.multilabel_auroc(probabilities, true, 4, average="macro").item(), abs=1e-6
    )


def test_of_two_classes_the_f1_of_the_first_is_a_metric_too():
    task = SingleLabel(("positive", "negative"))
    assert task.titles["f1"] == "F1 positive"
    assert "f1" not in SINGLE.titles
    scores = task.scores(torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), torch.tensor([0, 1, 1]))
    assert scores["f1"] == pytest.approx(2 / 3)  # one hit, one false, none missed


def test_the_confusion_has_posts_by_true_and_predicted_class():
    probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert SINGLE.confusion(probabilities, torch.tensor([0, 0, 1])) == {
        "joy": {"joy": 1, "fear": 1, "anger": 0},
        "fear": {"joy": 0, "fear": 1, "anger": 0},
        "anger": {"joy": 0, "fear": 0, "anger": 0},
    }


def test_the_confusion_of_several_labels_has_posts_by_outcome():
    task = SeveralLabels(("a", "b"))
    probabilities = torch.tensor([[0.9, 0.9], [0.1, 0.9], [0.9, 0.1]])
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert task.confusion(probabilities, target) == {
        "a": {"true positive": 1, "false positive": 1, "false negative": 1, "true negative": 0},
        "b": {"true positive": 1, "false positive": 1, "false negative": 0, "true negative": 1},
    }


def test_scores_of_a_class_are_precision_recall_f1_and_support():
    probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
    assert SINGLE.by_label(probabilities, torch.tensor([0, 0, 1])) == {
        "joy": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2.0},
        "fear": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1.0},
        "anger": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0.0},
    }


@pytest.mark.parametrize(("task", "several"), [(SINGLE, False), (SEVERAL, True)])
def test_a_metric_of_several_seeds_and_weights_is_that_of_repeated_posts(task, several):
    """Weights of 0, 1, 2 are posts left out, taken once and twice."""
    size = len(task.names)
    _, target = drawn(30, size, 3, several)
    every = torch.stack([task.probabilities(torch.from_numpy(drawn(30, size, seed)[0])) for seed in (4, 5)])
    true = torch.from_numpy(target)
    weights = np.random.default_rng(0).integers(0, 3, (2, 30)).astype(float)
    for name in task.titles:
        found = task.metric(name, every, true)(weights)
        assert found.shape == (2, 2)
        for b, row in enumerate(weights):
            rows = torch.from_numpy(np.repeat(np.arange(30), row.astype(int)))
            for s in range(2):
                alone = task.scores(every[s][rows], true[rows])[name]
                assert found[b, s] == pytest.approx(alone, abs=1e-9)


def test_a_loss_of_sure_logits_is_finite():
    far = torch.tensor([[200.0, -200.0, 0.0]])
    assert SINGLE.losses(far, torch.tensor([1])).tolist() == [400.0]
    task = SeveralLabels(SINGLE.names)
    assert task.losses(far, torch.tensor([[0.0, 1.0, 1.0]])).tolist() == [pytest.approx(400 + math.log(2))]


# Which classes differ.


def test_every_post_of_another_class_is_disjoint():
    target = torch.tensor([0, 1, 0, 2])
    patterns, own = SINGLE.patterns(target)
    assert own.tolist() == [0, 1, 0, 2]
    assert SINGLE.disjoint(patterns, target).tolist() == [
        [False, True, False, True],
        [True, False, True, True],
        [True, True, True, False],
    ]


def test_of_several_labels_none_is_shared():
    task = SeveralLabels(("a", "b"))
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    patterns, own = task.patterns(target)
    assert patterns[own].tolist() == target.tolist()
    assert len(patterns) == 3
    assert task.disjoint(patterns, target)[own].tolist() == [
        [False, False, True, False],
        [False, False, False, False],
        [True, False, False, True],
        [False, False, True, False],
    ]


def test_decisions_as_indicators():
    assert SINGLE.hot(torch.tensor([2, 0])).tolist() == F.one_hot(torch.tensor([2, 0]), 3).bool().tolist()
    assert SEVERAL.hot(torch.tensor([[1.0, 0, 0, 1.0]])).tolist() == [[True, False, False, True]]
