import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from baselines.data.metrics import (
    additive,
    auc,
    f1_both_sides,
    f1_macro,
    f1_micro,
    f1_weighted,
    outcome_counts,
    post_mean,
)
from baselines.results.statistics import (
    Resampled,
    compare,
    holm,
    resample,
    sampling_interval,
    seed_interval,
    t_test,
)
from benchmarks.statistics import Scene, measure

#: Four seeds on 17 posts in ten groups, for properties.
SEEDS, POSTS, RESAMPLES = 4, 17, 199
GROUPS = np.array(list("aabbbbcddeeefghij"))
OUTCOMES = hnp.arrays(np.float64, (SEEDS, POSTS), elements=st.sampled_from([0.0, 1.0]))


def rows_of(*outcomes, groups=GROUPS):
    return resample([post_mean(one) for one in outcomes], groups, resamples=RESAMPLES)


def right(rng, share, seeds=5, posts=200):
    return (rng.random((seeds, posts)) < share).astype(float)


def test_the_interval_over_seeds_is_students():
    found = seed_interval([0.80, 0.82, 0.84, 0.86, 0.88])
    half = 2.7764451052 * 0.0316227766 / math.sqrt(5)  # t(.975, 4 degrees of freedom) · s / √5
    assert (found.mean, found.low, found.high) == (
        pytest.approx(0.84),
        pytest.approx(0.84 - half, abs=1e-9),
        pytest.approx(0.84 + half, abs=1e-9),
    )


def test_fewer_than_three_seeds_have_no_interval():
    first, second = resample([post_mean(np.ones((2, 30))), post_mean(np.zeros((2, 30)))], np.arange(30))
    assert [seed_interval([0.8]), seed_interval([0.8, 0.9]), sampling_interval(first)] == [None] * 3
    assert compare(first, second) is None


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.3])
def test_the_t_test_is_the_paired_one_of_scipy(shift):
    first = np.array([0.61, 0.64, 0.58, 0.66, 0.6])
    second = first + shift + np.array([0.01, -0.02, 0.03, 0.0, 0.01])
    assert t_test(first, second) == pytest.approx(stats.ttest_rel(second, first).pvalue, rel=1e-9)


def test_rows_that_differ_equally_for_every_seed_have_no_t_test():
    first = np.array([0.61, 0.64, 0.58])
    assert t_test(first, first + 0.1) is None


def test_holm_multiplies_the_smallest_by_all_and_never_decreases():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6, 0.9]) == [1, 1, 1]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(p):
    found = holm(p)
    assert all(one <= new <= min(1, len(p) * one) for one, new in zip(p, found, strict=True))
    assert [new for _, new in sorted(zip(p, found, strict=True))] == sorted(found)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_not_a_probability(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, p])


def test_p_is_never_zero():
    first, second = resample([post_mean(np.zeros((5, 60))), post_mean(np.ones((5, 60)))], np.arange(60))
    found = compare(first, second)
    assert (found.difference, found.low, found.high, found.p) == (1, 1, 1, pytest.approx(1 / 10_001))


@pytest.mark.slow
def test_a_row_without_randomness_has_the_binomial_interval():
    outcomes = np.repeat([1.0, 0.0], [320, 80])
    (row,) = resample([post_mean(np.broadcast_to(outcomes, (5, 400)))], np.arange(400))
    found = sampling_interval(row)
    half = 1.959964 * math.sqrt(0.8 * 0.2 / 400)
    assert (found.mean, found.high - found.mean) == (pytest.approx(0.8), pytest.approx(half, rel=0.03))


def test_a_row_of_seeds_alone_has_an_interval_as_wide_as_students():
    scores = [0.80, 0.82, 0.84, 0.86, 0.88]
    (row,) = resample([post_mean(np.repeat(scores, 10).reshape(5, 10))], np.arange(10))
    found, students = sampling_interval(row), seed_interval(scores)
    assert found.high - found.low == pytest.approx(students.high - students.low, rel=0.1)


def test_near_duplicates_count_once():
    """200 posts in groups of four equal ones have the standard error of 50 posts, twice as large."""
    posts = np.repeat(right(np.random.default_rng(0), 0.8, 1, 50), 4, axis=1)
    metric = post_mean(np.broadcast_to(posts, (5, 200)))
    (alone,) = resample([metric], np.arange(200), resamples=1999)
    (together,) = resample([metric], np.repeat(np.arange(50), 4), resamples=1999)
    widths = [found.high - found.low for found in map(sampling_interval, (alone, together))]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.1)


def test_a_resample_draws_whole_groups_as_many_as_there_are():
    seen = []

    def metric(weights):
        seen.append(weights)
        return np.ones((len(weights), 3))

    resample([metric], GROUPS, resamples=50)
    plain, drawn = seen
    assert plain.tolist() == [[1] * POSTS]
    first, member = np.unique(GROUPS, return_index=True, return_inverse=True)[1:]
    assert (drawn == drawn[:, first][:, member]).all()
    assert (drawn[:, first].sum(1) == 10).all()


@pytest.mark.slow
@given(OUTCOMES, OUTCOMES)
@settings(max_examples=50, deadline=None)
def test_swapping_the_rows_negates_the_difference_and_keeps_p(one, other):
    first, second = rows_of(one, other)
    there, back = compare(first, second), compare(second, first)
    assert (back.difference, back.low, back.high, back.p) == (
        -there.difference,
        -there.high,
        -there.low,
        there.p,
    )


@pytest.mark.slow
@given(OUTCOMES)
@settings(max_examples=50, deadline=None)
def test_equal_rows_have_p_1(one):
    found = compare(*rows_of(one, one))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.slow
@given(OUTCOMES, OUTCOMES)
@settings(max_examples=50, deadline=None)
def test_p_is_at_most_5_percent_exactly_if_the_interval_excludes_0(one, other):
    found = compare(*rows_of(one, other))
    assert 0 < found.p <= 1
    assert (found.p <= 0.05) == (found.low > 1e-9 or found.high < -1e-9)


@pytest.mark.slow
@given(OUTCOMES, OUTCOMES, st.permutations(range(POSTS)))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_posts_does_not_matter(one, other, order):
    before = compare(*rows_of(one, other))
    after = compare(*rows_of(one[:, order], other[:, order], groups=GROUPS[order]))
    assert (after.difference, after.low, after.high, after.p) == pytest.approx(
        (before.difference, before.low, before.high, before.p), abs=1e-9
    )


def test_equal_seeds_give_equal_figures_and_other_seeds_others():
    rng = np.random.default_rng(0)
    metrics = [post_mean(right(rng, share)) for share in (0.8, 0.75)]
    found = [compare(*resample(metrics, np.arange(200), resamples=499, seed=seed)) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_f1_scores_are_those_by_hand():
    """joy: 2 of 3 found, 2 of 3 predictions right. fear: 1 of 2, 1 of 3. anger: 0 of 1. disgust: absent."""
    target, guess = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 1])
    sums = outcome_counts(np.eye(4)[guess][None], np.eye(4)[target]).sum(1)
    assert sums.tolist() == [[[2, 1, 1, 2], [1, 2, 1, 2], [0, 0, 1, 5], [0, 0, 0, 6]]]
    joy, fear = 2 / 3, 2 / 5
    assert f1_macro(sums).tolist() == pytest.approx([(joy + fear + 0) / 3])
    assert f1_weighted(sums).tolist() == pytest.approx([(3 * joy + 2 * fear + 0) / 6])
    assert f1_micro(sums).tolist() == pytest.approx([3 / 6])


def test_the_trivial_predictions_have_mamis_scores():
    """MAMI's 1,000 test memes: 146 shaming, 350 stereotype, 348 objectification, 153 violence."""
    positive = np.array([146, 350, 348, 153])
    target = np.arange(1000)[:, None] < positive
    guesses = np.stack([np.zeros((1000, 4)), np.ones((1000, 4))])
    sums = outcome_counts(guesses, target).sum(1)
    assert f1_both_sides(sums).tolist() == pytest.approx([0.4138810, 0.2201440], abs=5e-8)


def test_a_weighted_f1_equals_that_of_the_repeated_posts():
    rng = np.random.default_rng(0)
    guess, target = np.eye(3)[rng.integers(0, 3, (2, 40))], np.eye(3)[rng.integers(0, 3, 40)]
    weights = rng.integers(0, 3, 40)
    chosen = np.repeat(np.arange(40), weights)
    found = additive(outcome_counts(guess, target), f1_macro)(weights[None].astype(float))
    repeated = additive(outcome_counts(guess[:, chosen], target[chosen]), f1_macro)(np.ones((1, len(chosen))))
    assert found[0].tolist() == pytest.approx(repeated[0].tolist())


@pytest.mark.slow
@given(
    hnp.arrays(np.float64, (2, 8, 3), elements=st.sampled_from([0.1, 0.4, 0.5, 0.9])),
    hnp.arrays(np.bool_, (8, 3)),
    hnp.arrays(np.float64, (2, 8), elements=st.sampled_from([0.0, 1.0, 2.0])),
)
@settings(deadline=None)
def test_auc_is_the_share_of_pairs_that_are_ordered_rightly(score, target, weights):
    for found, of in zip(auc(score, target)(weights), weights, strict=True):
        for seed, area in enumerate(found):
            labels = []
            for c in range(3):
                positive, negative = np.flatnonzero(target[:, c]), np.flatnonzero(~target[:, c])
                high, low = score[seed, positive, c][:, None], score[seed, negative, c]
                pairs = of[positive][:, None] * of[negative]
                if pairs.sum():
                    labels.append((pairs * ((high > low) + (high == low) / 2)).sum() / pairs.sum())
            assert area == pytest.approx(np.mean(labels) if labels else 0.5)


def test_an_undefined_score_is_refused():
    with pytest.raises(ValueError, match="row 0 has scores that aren't finite"):
        resample([lambda weights: np.full((len(weights), 3), np.nan)], np.arange(6))


def test_an_area_without_a_positive_post_is_a_half():
    probability, target = np.full((3, 6, 1), 0.7), np.zeros((6, 1))
    assert auc(probability, target)(np.ones((1, 6))).tolist() == [[0.5, 0.5, 0.5]]


def test_rows_of_other_seeds_or_too_few_resamples_are_refused():
    rng = np.random.default_rng(0)
    row = resample([post_mean(right(rng, 0.8))], np.arange(200), resamples=18)[0]
    with pytest.raises(ValueError, match="compare rows of the same seeds"):
        compare(row, Resampled(row.scores[:4], row.draws[:, :4], row.groups))
    with pytest.raises(ValueError, match="18 resamples are too few"):
        sampling_interval(row)


@pytest.mark.slow
def test_a_seed_effect_leaves_false_positives_between_3_and_7_percent():
    runs = 1000
    margin = 2.6 * math.sqrt(0.05 * 0.95 / runs)  # 99% of a binomial share
    for scene in (Scene("own", seed=(0.3, 0.3)), Scene("common", seed=(0.3, 0.3), common=0.8)):
        rates = measure(scene, seeds=5, posts=325, runs=runs, resamples=400)
        assert rates.posts_only > 0.15
        assert 0.03 - margin < rates.new < 0.07 + margin
