"""What holds of the split rules for whatever posts there are."""

from collections import Counter, defaultdict
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from curation import splits
from curation.splits import top_score, twins, unanimous


@st.composite
def crowds(draw, mixed=True):
    """Posts of up to three classes, of one to three images, with ties and duplicate groups at will."""
    columns = []
    spread = draw(st.sampled_from([60, 400]))  # few groups link most posts, many leave most alone
    for name in draw(st.lists(st.sampled_from(["joy", "fear", "rage"]), min_size=1, unique=True)):
        for number in range(draw(st.integers(10, 40))):
            score = draw(st.none() | st.integers(-2, 6))
            groups = draw(st.lists(st.integers(0, spread), min_size=1, max_size=3))
            shift = 0 if mixed else {"joy": 0, "fear": 1000, "rage": 2000}[name]
            columns += [(f"{number}{name}", name, score, group + shift) for group in groups]
    columns = draw(st.permutations(columns))
    return [list(column) for column in zip(*columns, strict=True)]


RULES = {
    "top_score": lambda ids, labels, score, groups, how: top_score(
        ids, labels, (score,), groups, leakage=how
    ),
    "top_score of all": lambda ids, labels, score, groups, how: top_score(
        ids, labels, (score,), groups, within="all", seed=3, leakage=how
    ),
    "random": lambda ids, labels, score, groups, how: splits.random(ids, labels, groups, leakage=how),
    "unanimous": lambda ids, labels, score, groups, how: unanimous(
        ids, labels, [s or 0 for s in score], [abs(s or 0) for s in score], groups, leakage=how
    ),
}
anyhow = st.sampled_from(["group", "paper"])
any_rule = st.sampled_from(sorted(RULES))


def by_post(ids, result):
    """Return the split of each post; all its rows must have the same."""
    found = defaultdict(set)
    for post, split in zip(ids, result.splits.tolist(), strict=True):
        found[post].add(split)
    assert all(len(one) == 1 for one in found.values())
    return {post: one.pop() for post, one in found.items()}


def ticket(post, seed):
    """Return the ticket that breaks ties."""
    return blake2b(f"{seed}\0{post}".encode(), digest_size=8, person=b"ties").digest()


def units(ids, groups):
    """Join posts through their groups, the slow and plain way; returns the sets of posts."""
    joined = []
    for post, group in zip(ids, groups, strict=True):
        touching = [unit for unit in joined if post in unit[0] or group in unit[1]]
        joined = [unit for unit in joined if unit not in touching]
        joined.append(({post}.union(*(u[0] for u in touching)), {group}.union(*(u[1] for u in touching))))
    return [posts for posts, _ in joined]


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), any_rule, anyhow)
def test_splits_are_disjoint_and_complete_and_none_tears_a_post(crowd, rule, how):
    result = RULES[rule](*crowd, how)
    assert (result.splits.dtype, len(result.splits)) == (np.int8, len(crowd[0]))
    assert set(by_post(crowd[0], result).values()) <= {0, 1, 2}


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), st.sampled_from(["top_score", "random"]))
def test_the_paper_rule_holds_out_exactly_its_share_of_each_class(crowd, rule):
    ids, labels, _, _ = crowd
    split = by_post(ids, RULES[rule](*crowd, "paper"))
    held = Counter((label, split[post]) for post, label in dict(zip(ids, labels, strict=True)).items())
    for label in set(labels):
        n = sum(held[label, number] for number in range(3))
        assert (held[label, 2], held[label, 1]) == (n // 10, n // 5 - n // 10)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), any_rule, anyhow, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(crowd, rule, how, shuffler):
    order = list(range(len(crowd[0])))
    shuffler.shuffle(order)
    shuffled = [[column[at] for at in order] for column in crowd]
    before = by_post(crowd[0], RULES[rule](*crowd, how))
    assert by_post(shuffled[0], RULES[rule](*shuffled, how)) == before


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(mixed=False), st.sampled_from(["top_score", "random"]), anyhow, st.integers(-2, 6))
def test_a_post_added_to_another_class_changes_nothing(crowd, rule, how, score):
    ids, labels, _, _ = crowd
    before = by_post(ids, RULES[rule](*crowd, how))
    more = [[*column, new] for column, new in zip(crowd, ("0new", labels[0], score, 9999), strict=True)]
    after = by_post(more[0], RULES[rule](*more, how))
    others = {post for post, label in zip(ids, labels, strict=True) if label != labels[0]}
    assert {post: after[post] for post in others} == {post: before[post] for post in others}


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), any_rule)
def test_no_duplicate_group_straddles_splits(crowd, rule):
    ids, _, _, groups = crowd
    result = RULES[rule](*crowd, "group")
    split = by_post(ids, result)
    assert all(len({split[post] for post in unit}) == 1 for unit in units(ids, groups))
    found = twins(result.splits, ids, np.asarray(groups))
    assert (found.test, found.validation, found.rows.any()) == (0, 0, False)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds())
def test_quotas_are_never_exceeded_and_missed_by_less_than_the_smallest_unit_that_trains(crowd):
    ids, labels, score, groups = crowd
    split = by_post(ids, top_score(ids, labels, (score,), groups))
    label, best = dict(zip(ids, labels, strict=True)), dict(zip(ids, score, strict=True))
    of_class = defaultdict(list)
    for unit in units(ids, groups):
        first = min(unit, key=lambda post: (99 if best[post] is None else -best[post], ticket(post, 0)))
        of_class[label[first]].append((len(unit), split[first]))
    for sizes in of_class.values():
        n = sum(size for size, _ in sizes)
        smallest = min((size for size, where in sizes if where == 0), default=1)
        for number, quota in ((2, n // 10), (1, n // 5 - n // 10)):
            missed = quota - sum(size for size, where in sizes if where == number)
            assert 0 <= missed < smallest


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), st.sampled_from(["class", "all"]), st.integers(0, 5))
def test_a_better_score_always_wins_and_the_lower_ticket_among_equals(crowd, within, seed):
    ids, labels, score, _ = crowd
    result = top_score(ids, labels, (score,), within=within, seed=seed)
    found = defaultdict(set)
    for post, label, one, where in zip(ids, labels, score, result.splits.tolist(), strict=True):
        found[label if within == "class" else ""].add(
            (99 if one is None else -one, ticket(post, seed), -where)
        )
    for pool in found.values():
        held = [-where for _, _, where in sorted(pool)]
        n = len(pool)
        assert held == [2] * (n // 10) + [1] * (n // 5 - n // 10) + [0] * (n - n // 5)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(mixed=False))
def test_what_is_held_out_of_a_class_scores_as_well_as_what_trains_with_it(crowd):
    ids, labels, score, _ = crowd
    alone = dict(zip(ids, zip(labels, score, strict=True), strict=True))
    ids, (labels, score) = list(alone), zip(*alone.values(), strict=True)
    split = top_score(ids, labels, (score,)).splits
    for name in set(labels):
        order = [
            (-99 if s is None else s, where)
            for s, where, label in zip(score, split, labels, strict=True)
            if label == name
        ]
        lows = [min((s for s, where in order if where == number), default=99) for number in (2, 1)]
        highs = [max((s for s, where in order if where == number), default=-99) for number in (1, 0)]
        assert lows[0] >= highs[0] and lows[1] >= highs[1]


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@over(crowds(), anyhow, st.integers(1, 60))
def test_images_alone_are_never_held_out_and_change_nothing_for_the_pairs(crowd, how, n):
    ids, labels, score, groups = crowd
    votes = [abs(one or 0) for one in score]
    before = unanimous(ids, labels, votes, votes, groups, leakage=how).splits.tolist()
    after = unanimous(
        [*ids, *(f"alone {i}" for i in range(n))],
        [*labels, *[labels[0]] * n],
        [*votes, *[9] * n],
        [*votes, *[9] * n],
        [*groups, *range(9000, 9000 + n)],
        pairs=[True] * len(ids) + [False] * n,
        leakage=how,
    ).splits.tolist()
    assert after == before + [0] * n
