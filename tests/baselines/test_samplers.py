"""Which posts a step reads, and which texts of other classes it is given."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from baselines.data.batch import Batch
from baselines.data.samplers import LabelledAndUnlabelled, MixedModalities, OtherTexts, Shuffled
from baselines.data.task import SeveralLabels, SingleLabel

SINGLE = SingleLabel(("joy", "fear", "anger", "disgust"))
SEVERAL = SeveralLabels(("a", "b", "c"))


def drawer(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(target, present=None, labelled=None):
    """Posts with these targets; what isn't given is there."""
    n = len(target)
    there = torch.ones(n, 2, dtype=torch.bool) if present is None else torch.tensor(present)
    known = torch.ones(n, dtype=torch.bool) if labelled is None else torch.tensor(labelled)
    several = bool(target) and isinstance(target[0], (list, tuple))
    made = torch.tensor(target, dtype=torch.float32 if several else torch.int64)
    return Batch({}, there.reshape(n, 2), made, known)


labelled = st.lists(st.booleans(), min_size=1, max_size=60)


@pytest.mark.slow
@given(labelled, st.integers(1, 20), st.integers(0, 9))
def test_every_labelled_post_is_read_once_an_epoch(known, size, seed):
    posts = batch([0] * len(known), labelled=known)
    steps = Shuffled(size).epoch(posts, drawer(seed))
    read = torch.cat(steps).tolist()
    assert sorted(read) == [row for row, there in enumerate(known) if there]
    assert all(len(rows) == size for rows in steps[:-1])
    assert len(steps) == max(1, math.ceil(sum(known) / size))


def test_each_epoch_has_its_own_order_and_each_seed_its_own():
    posts, first = batch([0] * 50), drawer(0)
    orders = [torch.cat(Shuffled(8).epoch(posts, one)).tolist() for one in (first, first, drawer(1))]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    assert torch.cat(Shuffled(8).epoch(posts, drawer(0))).tolist() == orders[0]


def test_a_step_has_as_many_labelled_and_unlabelled_posts_as_were_asked_for():
    """CMML's batches at 30%: 12 labelled and 28 unlabelled posts of 40; the shorter part ends the epoch."""
    posts = batch([0] * 400, labelled=[row % 4 == 0 for row in range(400)])
    steps = LabelledAndUnlabelled(40, 12).epoch(posts, drawer())
    assert len(steps) == math.ceil(100 / 12)  # 300 unlabelled posts would be enough for 11 steps
    for rows in steps[:-1]:
        assert posts.labelled[rows].tolist() == [True] * 12 + [False] * 28
    assert posts.labelled[steps[-1]].tolist() == [True] * 4 + [False] * 28
    read = torch.cat(steps).tolist()
    assert len(read) == len(set(read))
    assert posts.labelled[read].sum() == 100


def test_a_mini_batch_of_one_post_is_refused():
    posts = batch([0] * 4, labelled=[True, False, True, False])
    with pytest.raises(BaselineError) as error:
        LabelledAndUnlabelled(1).epoch(posts, drawer())
    assert str(error.value) == (
        "a mini-batch of 1 post can't hold a labelled and an unlabelled one: set batch to 2 or more"
    )


def test_an_epoch_ends_with_the_unlabelled_posts_where_they_are_the_fewer():
    posts = batch([0] * 100, labelled=[row < 90 for row in range(100)])
    steps = LabelledAndUnlabelled(10, 5).epoch(posts, drawer())
    assert [posts.labelled[rows].tolist() for rows in steps] == [[True] * 5 + [False] * 5] * 2


kinds = st.lists(st.sampled_from(((True, True), (True, False), (False, True))), min_size=1, max_size=80)


@pytest.mark.slow
@given(kinds, st.integers(1, 16), st.integers(0, 9))
def test_every_step_has_the_same_share_of_pairs_image_only_and_text_only_posts(present, size, seed):
    posts = batch([0] * len(present), present)
    steps = MixedModalities(size).epoch(posts, drawer(seed))
    assert sorted(torch.cat(steps).tolist()) == list(range(len(present)))
    assert [len(rows) for rows in steps[:-1]] == [size] * (math.ceil(len(present) / size) - 1)
    for kind in ((True, True), (True, False), (False, True)):
        counts = [sum(tuple(posts.present[row].tolist()) == kind for row in rows) for rows in steps[:-1]]
        assert max(counts, default=0) - min(counts, default=0) <= 2


@pytest.mark.slow
@given(kinds, labelled)
def test_the_number_of_posts_of_each_step_does_not_depend_on_the_draw(present, known):
    """Seeds that are trained together have batches of one shape."""
    n = min(len(present), len(known))
    posts = batch([0] * n, present[:n], known[:n])
    samplers = [Shuffled(7), MixedModalities(7)]
    for sampler in samplers if all(known[:n]) else [*samplers, LabelledAndUnlabelled(7, 3)]:
        one, other = ([len(rows) for rows in sampler.epoch(posts, drawer(seed))] for seed in (0, 1))
        assert one == other


def test_mixed_modalities_leave_out_unlabelled_posts():
    posts = batch([0] * 6, [(True, True), (True, False)] * 3, [True, True, False, False, True, True])
    assert sorted(torch.cat(MixedModalities(4).epoch(posts, drawer())).tolist()) == [0, 1, 4, 5]
    nothing = batch([0] * 2, labelled=[False, False])
    assert MixedModalities(4).epoch(nothing, drawer()) == []


# Texts of other classes.


def drawn(others, posts, seed=0):
    """The rows that each post is given, None for a post without any."""
    rows = others.draw(drawer(seed))
    return [
        rows[own].tolist() if others.count[own] else None for own in (others.pattern[i] for i in range(posts))
    ]


@st.composite
def single(draw):
    n = draw(st.integers(1, 30))
    target = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    present = draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=n, max_size=n))
    known = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return batch(target, present, known)


@st.composite
def several(draw):
    n = draw(st.integers(1, 30))
    target = draw(st.lists(st.tuples(*[st.sampled_from((0.0, 1.0))] * 3), min_size=n, max_size=n))
    present = draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=n, max_size=n))
    known = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return batch(target, present, known)


def fitting(posts, task, row):
    """The labelled posts with a text that is of another class than a post."""
    own = posts.target[row]

    def differs(other):
        if task is SINGLE:
            return bool(other != own)
        return bool(own.any() or other.any()) and not (other * own).any()

    able = [i for i in range(posts.size) if posts.labelled[i] and posts.present[i, 1]]
    return [i for i in able if differs(posts.target[i])]


@pytest.mark.slow
@given(st.one_of(single(), several()), st.integers(0, 99))
def test_texts_are_of_another_class_and_of_any_labelled_post_that_has_one(posts, seed):
    task = SINGLE if posts.target.ndim == 1 else SEVERAL
    both = [i for i in range(posts.size) if posts.labelled[i] and posts.present[i].all()]
    able = [i for i in both if fitting(posts, task, i)]
    if both and not able:
        with pytest.raises(BaselineError):
            OtherTexts(posts, task, 3)
        return
    others = OtherTexts(posts, task, 3)
    assert others.missing(posts) == len(both) - len(able)
    for row, found in enumerate(drawn(others, posts.size, seed)):
        fits = fitting(posts, task, row)
        assert (found is None) == (not fits)
        if found is not None:
            assert len(found) == 3
            assert set(found) <= set(fits)


def test_every_text_of_another_class_is_drawn_as_often_and_anew_each_step():
    posts = batch([2, 0, 1, 0, 2, 0], [(True, row != 1) for row in range(6)])
    others, random = OtherTexts(posts, SINGLE, 3000), drawer()
    first, second = (others.draw(random)[2].tolist() for _ in range(2))
    counts = Counter(first)
    assert set(counts) == {2, 3, 5}
    assert list(counts.values()) == [pytest.approx(1000, abs=100)] * 3
    assert first != second


def test_posts_of_a_class_share_the_draw_of_a_step():
    posts = batch([0, 0, 1, 1, 0])
    found = drawn(OtherTexts(posts, SINGLE, 5), 5)
    assert found[0] == found[1] == found[4]
    assert set(found[0]) <= {2, 3}
    assert set(found[2]) <= {0, 1, 4}


def test_unlabelled_posts_and_posts_without_text_give_none():
    posts = batch([0, 1, 1, 1], [(True, True)] * 3 + [(True, False)], [True, False, True, True])
    assert set(drawn(OtherTexts(posts, SINGLE, 50), 4)[0]) == {2}


def test_a_training_set_without_a_text_of_another_class_is_refused():
    with pytest.raises(BaselineError) as error:
        OtherTexts(batch([1, 1, 1]), SINGLE, 3)
    assert str(error.value) == (
        "no training post has a text of another class, which common space fusion draws from: "
        "leave that model out"
    )


def test_some_posts_without_a_text_of_another_class_are_counted():
    posts = batch([(1, 1, 1), (1, 0, 0), (0, 1, 0)])
    others = OtherTexts(posts, SEVERAL, 2)
    assert others.missing(posts) == 1
    assert drawn(others, 3)[0] is None
    assert (drawn(others, 3)[1], drawn(others, 3)[2]) == ([2, 2], [1, 1])


def test_training_posts_without_any_text_have_nothing_to_draw():
    posts = batch([0, 1], [(True, False)] * 2)
    others = OtherTexts(posts, SINGLE, 2)
    assert others.count.tolist() == [0, 0, 0, 0]
    assert others.draw(drawer()).shape == (4, 2)
