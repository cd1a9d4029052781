import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from baselines.data.release import SPLITS, Part, Release, folds
from baselines.data.subsets import (
    drawn_labels,
    drawn_pairs,
    has_unpaired,
    judged_on_pairs,
    pairs_only,
    with_labels,
    with_pairs,
)
from baselines.data.task import SingleLabel

TASK = SingleLabel(("joy", "fear"))
SHARES = st.floats(0.001, 1)


def release(train, validation="bb", test="bbb"):
    """Posts by what they have: b both, i the image, t the text; they are joy and fear by turns."""
    parts = {}
    for number, (split, kinds) in enumerate(zip(SPLITS, (train, validation, test), strict=True)):
        rows = np.arange(len(kinds))
        ids = np.array([f"{split}{row:03}" for row in rows], np.str_)
        parts[split] = Part(
            post_ids=ids,
            image_index=np.zeros(len(rows), np.int16),
            texts=np.array(["" if kind == "i" else f"text {row}" for row, kind in enumerate(kinds)], object),
            target=rows % 2,
            labelled=np.ones(len(rows), np.bool_),
            digests=np.array(["" if kind == "t" else f"d{row}" for row, kind in enumerate(kinds)], object),
            groups=ids,
            where=np.column_stack([np.full(len(rows), number), rows]),
        )
    return Release("made", "1.0.0", TASK, parts, rows=None)


def kinds(part):
    return "".join(
        "b" if digest and text else "i" if digest else "t"
        for digest, text in zip(part.digests, part.texts, strict=True)
    )


def test_pairs_alone_leave_test_posts_as_they_are():
    given = release("bbitbb", "bi", "bit")
    found = pairs_only(given)
    assert [kinds(found.parts[split]) for split in SPLITS] == ["bbbb", "b", "bit"]
    assert found.parts["train"].post_ids.tolist() == ["train000", "train001", "train004", "train005"]
    assert (has_unpaired(given), has_unpaired(found)) == (True, False)


def test_with_unpaired_posts_in_training_validation_still_is_pairs():
    given = release("bbitbb", "bib", "bit")
    found = judged_on_pairs(given)
    assert [kinds(found.parts[split]) for split in SPLITS] == ["bbitbb", "bb", "bit"]
    mask = drawn_pairs(given, 0.5, seed=0)
    assert kinds(with_pairs(given, mask, unpaired=True).parts["validation"]) == "bb"


def test_a_validation_part_without_a_pair_is_one_line():
    with pytest.raises(
        BaselineError, match="no validation post with image and text, which models of pairs are"
    ):
        pairs_only(release("bbbb", "it"))


def test_folds_keep_unpaired_posts_in_training_where_the_release_judges_by_pairs():
    for one in folds(release("b" * 12 + "itit", "bb", "bbbb"), 3):
        assert [set(kinds(one.parts[split])) for split in SPLITS] == [{"b", "i", "t"}, {"b"}, {"b"}]
        assert kinds(one.parts["train"]).count("b") + sum(len(one.parts[s]) for s in SPLITS[1:]) == 18
    tested = [kinds(one.parts["test"]) for one in folds(release("b" * 12 + "itit", "bb", "bbii"), 3)]
    assert sorted("".join(tested)).count("i") == 4


def test_a_class_without_a_pair_is_named():
    with pytest.raises(BaselineError, match="no training post with image and text of fear, which models of"):
        pairs_only(release("bibt"))


def test_a_mask_keeps_a_share_of_each_class_and_halves_the_others():
    given = release("b" * 40)
    mask = drawn_pairs(given, 0.1, seed=0)
    assert (len(mask.kept), len(mask.text_only), len(mask.image_only)) == (4, 18, 18)
    assert sorted(int(name[-3:]) % 2 for name in mask.kept) == [0, 0, 1, 1]
    assert kinds(with_pairs(given, mask, unpaired=False).parts["train"]) == "bbbb"
    every = kinds(with_pairs(given, mask, unpaired=True).parts["train"])
    assert (every.count("b"), every.count("t"), every.count("i")) == (4, 18, 18)
    assert drawn_pairs(given, 0.1, seed=0) == mask
    assert drawn_pairs(given, 0.1, seed=1).kept != mask.kept


@given(st.integers(2, 60), SHARES, SHARES, st.integers(0, 3), st.sampled_from(["", "ti"]))
def test_masks_of_a_seed_are_nested_and_part_the_pairs(pairs, one, other, seed, more):
    given = release("b" * pairs + more)
    small, large = (drawn_pairs(given, share, seed) for share in sorted((one, other)))
    assert set(small.kept) <= set(large.kept)
    for mask in (small, large):
        parted = [*mask.kept, *mask.text_only, *mask.image_only]
        assert sorted(parted) == [f"train{row:03}" for row in range(pairs)]
        assert abs(len(mask.text_only) - len(mask.image_only)) <= 1
        assert {int(name[-3:]) % 2 for name in mask.kept} == {0, 1}
        with_others = with_pairs(given, mask, unpaired=True).parts
        assert len(with_others["train"]) == pairs + len(more)
        assert kinds(with_others["test"]) == "bbb"


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_is_above_0_and_at_most_1(share):
    with pytest.raises(BaselineError, match=r"^--pairs .* is no share of the pairs"):
        drawn_pairs(release("bbbb"), share, 0)


@given(st.integers(10, 60), SHARES, SHARES, st.integers(0, 3), st.booleans())
def test_labels_of_a_seed_are_nested_and_of_every_class(posts, one, other, seed, stratified):
    given = release("b" * posts)
    found = []
    for share in sorted((one, other)):
        try:
            found.append(drawn_labels(given, share, seed, stratified=stratified))
        except BaselineError as error:
            assert "no labelled post of" in str(error)
            return
    small, large = found
    assert set(small.kept) <= set(large.kept)
    assert len(large.kept) == round(max(one, other) * posts)
    held = with_labels(given, large).parts["train"]
    assert held.post_ids[held.labelled].tolist() == sorted(large.kept)
    classes = [int(name[-3:]) % 2 for name in large.kept]
    if stratified:
        assert abs(classes.count(0) - classes.count(1)) <= 1


def test_a_share_that_leaves_a_class_without_a_label_is_refused():
    with pytest.raises(BaselineError, match=r"^--ratios 0.1, seed 0: no labelled post of (joy|fear) is left"):
        drawn_labels(release("b" * 10), 0.1, 0)
