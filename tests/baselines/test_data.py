from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from baselines.data import inputs
from baselines.data.release import SPLITS, Part, Release, checked, folds, load
from baselines.data.task import SeveralLabels, SingleLabel
from tests.baselines import small

CLASSES = ("joy", "fear", "anger")


def post(number, label, **more):
    return {"post_id": f"reddit:{number}", "label": label, "text": f"title {number}", **more}


def picture(number):
    return {"image": small.png(number, 0, 0), "image_sha256": f"{number:064x}"}


def splits(**more):
    """One post of both classes in each split."""
    return {
        split: [post(2 * number + label, label, **more) for label in (0, 1)]
        for number, split in enumerate(SPLITS)
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of releases: `pairs` in two versions, and `titles`, which has no image."""
    folder = tmp_path_factory.mktemp("datasets")
    rows = splits()
    rows["train"] += [
        post(90, None),
        post(91, 1, text=None, **picture(7)),
        post(92, 0, image_index=1, duplicate_group="reddit:0", **picture(8)),
    ]
    small.release(folder / "pairs", rows)
    small.release(folder / "pairs", splits(**picture(1)), version="1.1.0")
    small.release(folder / "titles", splits())
    (folder / "flickr-emotion").mkdir()
    (folder / "flickr-emotion" / "recipe.toml").write_text("")
    return folder


@pytest.fixture(scope="module")
def pairs(built, tmp_path_factory):
    return load("pairs", built, version="1.0.0", cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
def test_rows_have_the_label_s_number_and_come_in_the_release_s_order(pairs):
    train = pairs.parts["train"]
    assert (pairs.task.kind, pairs.task.names) == ("single", ("joy", "fear"))
    assert train.post_ids.tolist() == ["reddit:0", "reddit:1", "reddit:90", "reddit:91", "reddit:92"]
    assert train.labelled.tolist() == [True, True, False, True, True]
    assert train.target[train.labelled].tolist() == [0, 1, 1, 0]
    assert train.texts.tolist() == ["title 0", "title 1", "title 90", "", "title 92"]
    assert train.digests.tolist() == ["", "", "", f"{7:064x}", f"{8:064x}"]
    assert train.image_index.tolist() == [0, 0, 0, 0, 1]
    assert train.groups.tolist() == ["reddit:0", "reddit:1", "reddit:90", "reddit:91", "reddit:0"]


@pytest.mark.slow
def test_only_training_keeps_unlabelled_posts_and_every_row_keeps_its_place(built, pairs, tmp_path):
    assert pairs.parts["train"].where.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4]]
    rows = splits()
    for split in SPLITS:
        rows[split].insert(0, post(90, None))
    small.release(tmp_path / "more", rows)
    more = load("more", tmp_path, cache=tmp_path / "cache")
    assert [len(more.parts[split]) for split in SPLITS] == [3, 2, 2]
    assert more.parts["test"].where.tolist() == [[2, 1], [2, 2]]
    for one in (pairs, more):
        for split, number in one.everything().where.tolist():
            row = one.rows[SPLITS[split]].select_columns(["post_id"])[number]
            assert row["post_id"] in one.parts[SPLITS[split]].post_ids
    assert pairs.counts() == {
        "train": {"joy": 2, "fear": 2},
        "validation": {"joy": 1, "fear": 1},
        "test": {"joy": 1, "fear": 1},
    }
    assert [pairs.rows_of(split) for split in SPLITS] == [4, 2, 2]


def test_features_stand_at_the_rows_of_their_images(pairs):
    images = inputs.extracted(pairs, pairs.everything(), np.array([[1, 2], [3, 4]], np.float16))
    assert images.of(pairs.parts["train"]).tolist() == [[0, 0], [0, 0], [0, 0], [1, 2], [3, 4]]
    [*_, fold] = folds(pairs, 3)
    where = {str(post): row for row, post in enumerate(fold.everything().post_ids)}
    found = images.of(fold.everything()).tolist()
    assert (found[where["reddit:91"]], found[where["reddit:92"]]) == ([1, 2], [3, 4])


def test_a_batch_marks_what_is_there_and_what_is_labelled(pairs):
    images = inputs.extracted(pairs, pairs.everything(), np.ones((2, 3), np.float16))
    made = inputs.prepare(pairs, ("image", "words"), {"image": images}, None, 4)
    assert made.train.present.tolist() == [
        [False, True],
        [False, True],
        [False, True],
        [True, False],
        [True, True],
    ]
    assert made.train.labelled.tolist() == [True, True, False, True, True]
    assert made.validation.labelled.tolist() == [True, True]
    assert list(made.train.inputs) == ["image", "words"]
    assert made.train.inputs["image"].dtype == torch.float16
    alone = made.of(("words",))
    assert (list(alone.train.inputs), list(alone.encoders)) == (["words"], ["words"])


def test_a_post_of_its_own_is_encoded_as_the_release_s_posts_are(pairs):
    images = inputs.extracted(pairs, pairs.everything(), np.ones((2, 3), np.float16))
    made = inputs.prepare(pairs, ("image", "words"), {"image": images}, None, 4)
    one = inputs.of_post(made.task, made.encoders, torch.ones(1, 3), "title 92")
    assert one.present.tolist() == [[True, True]]
    words = made.train.inputs["words"][4].tolist()
    assert one.inputs["words"].tolist()[0] == [word for word in words if word]
    without = inputs.of_post(made.task, made.encoders, None, "")
    assert without.present.tolist() == [[False, False]]
    assert without.inputs["image"].tolist() == [[0.0, 0.0, 0.0]]
    assert without.labelled.tolist() == [False]


# A release of several labels.


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """`memes` has labels and a label, some training posts neither."""
    folder = tmp_path_factory.mktemp("several")
    names = ("shaming", "stereotype", "violence")
    rows = splits(labels=[0, 2])
    for split in SPLITS:
        rows[split] += [post(70, 0, labels=[1]), post(71, 1, labels=[])]
    rows["train"] += [post(80, None, labels=None), post(81, 1, labels=None)]
    small.release(folder / "memes", rows, several=names)
    return load("memes", folder, cache=folder / "cache"), folder


@pytest.mark.slow
def test_several_labels_are_indicators_and_a_post_can_have_none_of_them(several):
    release, _ = several
    train = release.parts["train"]
    assert (release.task.kind, release.task.names) == ("several", ("shaming", "stereotype", "violence"))
    assert train.labelled.tolist() == [True, True, True, True, False, False]
    assert train.target[train.labelled].tolist() == [[1, 0, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert train.target.dtype == np.float32
    assert release.counts()["train"] == {"shaming": 2, "stereotype": 1, "violence": 2}
    assert release.rows_of("train") == 4
    assert len(release.parts["test"]) == 4
    assert checked(release) is release


@pytest.mark.slow
def test_a_release_that_has_both_can_be_read_by_its_one_label(several, tmp_path):
    _, folder = several
    one = load("memes", folder, cache=tmp_path, task="single")
    assert (one.task.kind, one.task.names) == ("single", ("joy", "fear"))
    assert one.parts["train"].target[one.parts["train"].labelled].tolist() == [0, 1, 0, 1, 1]
    assert one.parts["train"].labelled.tolist() == [True, True, True, True, False, True]


@pytest.mark.slow
def test_several_labels_that_a_release_has_not_are_refused(built, tmp_path):
    with pytest.raises(BaselineError) as error:
        load("titles", built, cache=tmp_path, task="several")
    assert str(error.value) == "--task several: titles 1.0.0 has one label a post, and no column `labels`"
    assert load("titles", built, cache=tmp_path, task="single").task.kind == "single"


def test_the_newest_version_is_taken_and_another_refused(built, tmp_path):
    assert load("pairs", built, cache=tmp_path).version == "1.1.0"
    with pytest.raises(BaselineError) as error:
        load("pairs", built, version="2.0.0", cache=tmp_path)
    assert str(error.value) == f"{built / 'pairs'} has no version '2.0.0': it has 1.1.0, 1.0.0"


def test_a_name_that_is_not_built_lists_what_is(built):
    with pytest.raises(BaselineError) as error:
        load("flickr-emotion", built)
    assert str(error.value) == (
        f"'flickr-emotion' is not built in '{built}' (built: pairs, titles): affectory build flickr-emotion"
    )
    with pytest.raises(BaselineError, match=r"the recipes are flickr-emotion, .*, vso$"):
        load("flikr", built)
    with pytest.raises(
        BaselineError, match=r"\(built: none\): there is no recipe .* are flickr-emotion, .*, vso$"
    ):
        load("pairs", Path("no/where"))


def in_memory(target, groups, labelled=None):
    """A release of these rows, all in one split; `target` are classes' numbers, or indicators of labels."""
    n = len(target)
    several = n > 0 and not isinstance(target[0], int)
    part = Part(
        post_ids=np.array([f"reddit:{i}" for i in range(n)]),
        image_index=np.zeros(n, np.int16),
        texts=np.array([f"title {i}" for i in range(n)], dtype=object),
        target=np.array(target, np.float32 if several else np.int64),
        labelled=np.ones(n, np.bool_) if labelled is None else np.array(labelled),
        digests=np.array([""] * n, dtype=object),
        groups=np.array([f"reddit:{group}" for group in groups]),
        where=np.column_stack([np.zeros(n, np.int64), np.arange(n)]),
    )
    empty = part.take(np.arange(0))
    task = SeveralLabels(CLASSES) if several else SingleLabel(CLASSES)
    return Release("tiny", "1.0.0", task, {"train": part, "validation": empty, "test": empty}, None)


def test_a_class_missing_from_a_split_is_named():
    with pytest.raises(BaselineError) as error:
        checked(in_memory([0, 1, 1], range(3)))
    assert str(error.value) == (
        "tiny 1.0.0: train has no labelled post of anger; every label must be in every split "
        "(see the recipe's [split]), or use --folds"
    )


def test_a_split_that_has_no_file_is_an_empty_one(tmp_path):
    rows = [{"post_id": f"a:{i}", "label": i % 2, "text": "some words"} for i in range(4)]
    small.release(tmp_path / "tiny", {"train": rows, "validation": rows})
    loaded = load("tiny", tmp_path, cache=tmp_path / "cache")
    assert len(loaded.parts["test"]) == 0
    with pytest.raises(
        BaselineError, match=r"tiny 1\.0\.0: test has no labelled post of joy, fear; every label"
    ):
        checked(loaded)


def test_more_folds_than_a_class_has_posts_are_refused():
    with pytest.raises(BaselineError) as error:
        folds(in_memory([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2], range(11)), 4)
    assert str(error.value).startswith("tiny 1.0.0: ")
    assert str(error.value).endswith(
        "no labelled post of anger; every label must be in every split (see the recipe's [split]), "
        "so take fewer folds than 4"
    )


@st.composite
def dealt(draw):
    """Groups of one class each, as many of every class as there are folds, or more."""
    number = draw(st.integers(3, 5))
    labels, groups, group = [], [], 0
    for label in range(len(CLASSES)):
        for _ in range(draw(st.integers(number, number + 20))):
            size = draw(st.sampled_from((1, 1, 1, 2, 5)))
            labels += [label] * size
            groups += [group] * size
            group += 1
    order = draw(st.permutations(range(len(labels))))
    return in_memory([labels[i] for i in order], [groups[i] for i in order]), number


@pytest.mark.slow
@given(dealt())
def test_folds_are_disjoint_and_complete_keep_groups_together_and_have_every_class(given_):
    release, number = given_
    found = folds(release, number)
    every = sorted(release.parts["train"].post_ids)
    assert len(found) == number
    assert sorted(post for one in found for post in one.parts["test"].post_ids) == every
    for one in found:
        assert sorted(post for part in one.parts.values() for post in part.post_ids) == every
        of_group = {(group, split) for split, part in one.parts.items() for group in part.groups}
        assert len(of_group) == len({group for group, _ in of_group})
        for part in one.parts.values():
            assert set(part.target) == {0, 1, 2}
        for label in range(len(CLASSES)):
            groups = {s: set(part.groups[part.target == label]) for s, part in one.parts.items()}
            rest = len(groups["train"] | groups["validation"])
            assert len(groups["validation"]) == -(-rest // 9)


@pytest.mark.slow
@given(dealt(), st.integers(0, 3))
def test_a_class_is_dealt_evenly_and_the_same_seed_deals_the_same(given_, seed):
    release, number = given_
    found, again = folds(release, number, seed), folds(release, number, seed)
    for one, other in zip(found, again, strict=True):
        assert one.parts["test"].post_ids.tolist() == other.parts["test"].post_ids.tolist()
    for label in range(len(CLASSES)):
        groups = [len(set(one.parts["test"].groups[one.parts["test"].target == label])) for one in found]
        assert max(groups) - min(groups) <= 1


@st.composite
def partly_labelled(draw):
    """Groups of one class each, some of whose rows have no label; a few groups without any."""
    release, number = draw(dealt())
    part = release.parts["train"]
    n = len(part)
    labelled = np.array(draw(st.lists(st.sampled_from((True, True, False)), min_size=n, max_size=n)))
    first = np.unique(part.groups, return_index=True)[1]
    labelled[first] = True
    more = in_memory([0, 0, 0], [900, 900, 901], [False] * 3).parts["train"]
    more = replace(more, post_ids=np.array(["reddit:x", "reddit:y", "reddit:z"]))
    whole = Part.joined([replace(part, labelled=labelled), more])
    return replace(release, parts=release.parts | {"train": whole}), number


@pytest.mark.slow
@given(partly_labelled())
def test_unlabelled_rows_are_always_training_and_never_copies_of_a_test_or_validation_post(given_):
    release, number = given_
    everything = release.everything()
    known = dict(zip(everything.post_ids.tolist(), everything.labelled.tolist(), strict=True))
    tested = []
    for one in folds(release, number):
        held = {split: set(part.groups) for split, part in one.parts.items()}
        assert not held["train"] & (held["validation"] | held["test"])
        for split in ("validation", "test"):
            assert one.parts[split].labelled.all()
        assert {"reddit:x", "reddit:y", "reddit:z"} <= set(one.parts["train"].post_ids)
        tested += one.parts["test"].post_ids.tolist()
    assert sorted(tested) == sorted(post for post, labelled in known.items() if labelled)


@pytest.mark.slow
@given(st.integers(3, 5), st.integers(0, 9))
def test_folds_of_several_labels_spread_each_set_of_labels_evenly(number, seed):
    rng = np.random.default_rng(seed)
    sets = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]]
    target = [sets[i] for i in rng.integers(0, 5, 200)]
    release = in_memory(target, range(200))
    found = folds(release, number, seed)
    assert sorted(post for one in found for post in one.parts["test"].post_ids.tolist()) == sorted(
        release.parts["train"].post_ids.tolist()
    )
    for held in sets:
        counts = [int((one.parts["test"].target == held).all(1).sum()) for one in found]
        assert max(counts) - min(counts) <= 1


@pytest.mark.slow
def test_a_learnable_release_has_what_the_whole_command_needs(tmp_path):
    for several in (False, True):
        name = f"tiny-{several}".lower()
        small.learnable(tmp_path / name, several)
        release = load(name, tmp_path, cache=tmp_path / "cache")
        assert release.task.kind == ("several" if several else "single")
        assert [len(release.parts[split]) for split in SPLITS] == [36, 15, 15]
        assert release.rows_of("train") == 30
        assert release.has_images and release.has_texts
        assert checked(release) is release
        assert (release.parts["test"].digests == "").any()
        assert (release.parts["test"].texts == "").any()
