from pathlib import Path

import numpy as np
import pytest
from baselines.settings import MODELS
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import BaselineError
from baselines import pipeline
from baselines.data import inputs
from baselines.data.release import SPLITS, Part, Release, checked, folds, load
from baselines.results.schema import LeftOut
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
    assert pairs.classes == ("joy", "fear")
    assert train.post_ids.tolist() == ["reddit:0", "reddit:1", "reddit:91", "reddit:92"]
    assert train.labels.tolist() == [0, 1, 1, 0]
    assert train.texts.tolist() == ["title 0", "title 1", "", "title 92"]
    assert train.digests.tolist() == ["", "", f"{7:064x}", f"{8:064x}"]
    assert train.image_index.tolist() == [0, 0, 0, 1]
    assert train.groups.tolist() == ["reddit:0", "reddit:1", "reddit:91", "reddit:0"]


def test_a_post_without_a_label_is_left_out_and_the_rows_keep_their_places(pairs):
    assert pairs.parts["train"].where.tolist() == [[0, 0], [0, 1], [0, 3], [0, 4]]
    for split, number in pairs.everything().where.tolist():
        row = pairs.rows[SPLITS[split]].select_columns(["post_id"])[number]
        assert row["post_id"] in pairs.parts[SPLITS[split]].post_ids
    assert pairs.counts() == {
        "train": {"joy": 2, "fear": 2},
        "validation": {"joy": 1, "fear": 1},
        "test": {"joy": 1, "fear": 1},
    }


def test_features_stand_at_the_rows_of_their_images(pairs):
    images = inputs.extracted(pairs, pairs.everything(), np.array([[1, 2], [3, 4]], np.float16))
    assert images.of(pairs.parts["train"]).tolist() == [[0, 0], [0, 0], [1, 2], [3, 4]]
    [*_, dealt] = folds(pairs, 3)
    where = {str(post): row for row, post in enumerate(dealt.everything().post_ids)}
    found = images.of(dealt.everything()).tolist()
    assert (found[where["reddit:91"]], found[where["reddit:92"]]) == ([1, 2], [3, 4])


def test_a_batch_marks_what_is_there(pairs):
    made = inputs.prepare(
        pairs, inputs.extracted(pairs, pairs.everything(), np.ones((2, 3), np.float16)), None, 4
    )
    assert made.batches["train"].present.tolist() == [
        [False, True],
        [False, True],
        [True, False],
        [True, True],
    ]
    only = inputs.only(made.batches["train"], (True, False))
    assert only.present[:, 1].any().item() is False
    assert only.present[:, 0].tolist() == [False, False, True, True]


def test_the_newest_version_is_taken_and_another_refused(built, tmp_path):
    assert load("pairs", built, cache=tmp_path).version == "1.1.0"
    with pytest.raises(BaselineError) as error:
        load("pairs", built, version="2.0.0", cache=tmp_path)
    assert str(error.value) == f"{built / 'pairs'} has no version '2.0.0': it has 1.1.0, 1.0.0"


def test_a_name_that_is_not_built_lists_what_is(built):
    with pytest.raises(BaselineError) as error:
        load("flickr-emotion", built)
    assert str(error.value) == (
        f"'flickr-emotion' is not built in '{built}' (built: pairs, titles); "
        "build it: python -m curation.build flickr-emotion"
    )
    with pytest.raises(BaselineError, match=r"python -m curation.build NAME builds flickr-emotion, .*, vso$"):
        load("flikr", built)
    with pytest.raises(BaselineError, match=r"\(built: none\); .* NAME builds flickr-emotion, .*, vso$"):
        load("pairs", Path("no/where"))


def test_a_release_of_titles_leaves_out_what_reads_images_and_says_why(built, tmp_path):
    release = load("titles", built, cache=tmp_path)
    assert (release.has_images, release.has_texts) == (False, True)
    kept, left_out = pipeline.trainable(release, MODELS)
    assert kept == ("text",)
    assert left_out == tuple(
        LeftOut(model, "titles 1.0.0 has no images")
        for model in ("image", "late", "early", "joint", "common")
    )


def test_a_release_with_both_leaves_nothing_out(pairs):
    assert pipeline.trainable(pairs, ("joint", "text", "joint")) == (("joint", "text"), ())


def in_memory(labels, groups, texts=True):
    """A release of these rows, all in one split; `labels` are the classes' numbers."""
    n = len(labels)
    part = Part(
        np.array([f"reddit:{i}" for i in range(n)]),
        np.zeros(n, np.int16),
        np.array([f"title {i}" if texts else "" for i in range(n)], dtype=object),
        np.array(labels, np.int64),
        np.array([""] * n, dtype=object),
        np.array([f"reddit:{group}" for group in groups]),
        np.column_stack([np.zeros(n, np.int64), np.arange(n)]),
    )
    empty = part.take(np.arange(0))
    return Release("tiny", "1.0.0", CLASSES, {"train": part, "validation": empty, "test": empty}, None)


def test_a_class_missing_from_a_split_is_named():
    with pytest.raises(BaselineError) as error:
        checked(in_memory([0, 1, 1], range(3)))
    assert str(error.value) == (
        "tiny 1.0.0: train has no labelled post of anger; every class must be in every split "
        "(see the recipe's [split]), or use --folds"
    )


def test_a_split_that_has_no_file_is_an_empty_one(tmp_path):
    rows = [{"post_id": f"a:{i}", "label": i % 2, "text": "some words"} for i in range(4)]
    small.release(tmp_path / "tiny", {"train": rows, "validation": rows})
    loaded = load("tiny", tmp_path, cache=tmp_path / "cache")
    assert len(loaded.parts["test"]) == 0
    with pytest.raises(
        BaselineError, match=r"tiny 1\.0\.0: test has no labelled post of joy, fear; every class"
    ):
        checked(loaded)


def test_more_folds_than_a_class_has_posts_are_refused():
    with pytest.raises(BaselineError) as error:
        folds(in_memory([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2], range(11)), 4)
    assert str(error.value).startswith("tiny 1.0.0: ")
    assert str(error.value).endswith(
        "no labelled post of anger; every class must be in every split (see the recipe's [split]), "
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
            assert set(part.labels) == {0, 1, 2}
        for label in range(len(CLASSES)):
            groups = {s: set(part.groups[part.labels == label]) for s, part in one.parts.items()}
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
        groups = [len(set(one.parts["test"].groups[one.parts["test"].labels == label])) for one in found]
        assert max(groups) - min(groups) <= 1
