"""A build that would leave a split without a post fails, and says why."""

import numpy as np
import pyarrow as pa
import pytest

from curation.splits import RULES, EmptySplit, Split
from curation.splits.split import assign
from tests.curation.stores import built, make_store, post


def rows(number, **more):
    """Return as many posts of each of two classes."""
    labels = ["joy", "fear"] * number
    table = {
        "post_id": [f"local:{n:03}" for n in range(len(labels))],
        "label": labels,
        "agreeing": [None] * len(labels),
        "agreement": [None] * len(labels),
        "score": list(range(len(labels))),
    }
    return pa.table(table | more)


def split(table, groups, **options):
    chosen = RULES[options.get("rule", "top-score")].options
    return assign(table, np.asarray(groups), chosen(**options), ["fear", "joy"])


def test_one_group_of_all_posts_leaves_none_to_hold_out():
    with pytest.raises(EmptySplit) as caught:
        split(rows(10), [7] * 20)
    assert str(caught.value) == (
        "no post is left for validation and test (train 20, validation 0, test 0): the largest duplicate "
        "group has 20 of 20 rows and stays in one split: compare fewer posts under [duplicates], as with "
        'texts = "equal", or validation = 0 and test = 0 under [split] for a release without them, or '
        "collect more posts"
    )


@pytest.mark.parametrize("rule", ["top-score", "random"])
def test_a_share_too_small_for_a_post_is_no_split(rule):
    with pytest.raises(
        EmptySplit, match=r"^no post is left for test \(train 18, validation 2, test 0\): test = 0 "
    ):
        split(rows(10), range(20), rule=rule, test=0.01)


def test_a_recipe_may_do_without_a_split():
    found = split(rows(10), range(20), test=0)
    assert np.bincount(found.splits, minlength=3).tolist() == [18, 2, 0]


def test_a_published_split_without_test_posts_says_how_to_do_without():
    table = rows(10, split=["train"] * 20)
    with pytest.raises(
        EmptySplit, match=r"^no post is left for test \(train 18, validation 2, test 0\): test = 0 "
    ):
        split(table, range(20), rule="given")
    assert split(table, range(20), rule="given", test=0).splits.tolist().count(0) == 18


def test_published_test_posts_alone_train_nothing():
    table = rows(10, split=["validation", "test"] * 10)
    with pytest.raises(EmptySplit, match=r"^no post is left for train \(.*\): collect more posts$"):
        split(table, range(20), rule="given")


def test_options_of_all_rules_have_a_share_for_test_by_default():
    assert {Split().test, *(rule.options().test for rule in RULES.values())} == {0.1}


@pytest.mark.slow
def test_a_build_of_equal_titles_fails_and_leaves_nothing(tmp_path):
    posts = [post(n, "happy" if n % 2 else "creepy", title="the same title for all of us") for n in range(40)]
    store = make_store(tmp_path / "store", posts)
    with pytest.raises(EmptySplit, match=r"^no post is left for validation and test \(train 40, "):
        built(tmp_path, store, '[duplicates]\nimages = "off"\n')
    assert not list(tmp_path.glob("out/test/*"))
