"""Which posts lose their image or text: nested draws, their file, and what a file must be."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectory.core.errors import InputError
from baselines.data import masks
from baselines.data.masks import has
from baselines.data.task import SeveralLabels
from tests.baselines.test_subsets import kinds, release

RATES = st.floats(0, 1)


def lost(found, given, modality, rate, seed=0, split="train"):
    """Return the numbers of the posts of a part that lose a modality."""
    return np.flatnonzero(found.lost(given.parts[split], modality, rate, seed)).tolist()


def several(posts):
    """Posts of several labels, of which one is rare, every sixth without a text."""
    made = release("".join("i" if row % 6 == 5 else "b" for row in range(posts)))
    parts = {}
    for split, part in made.parts.items():
        rows = np.arange(len(part))
        target = np.column_stack([rows % 2 == 0, rows % 3 == 0, rows == 0]).astype(np.float32)
        parts[split] = type(part)(*(target if n == "target" else getattr(part, n) for n in part.__slots__))
    return type(made)("made", "1.0.0", SeveralLabels(("joy", "fear", "awe")), parts, rows=None)


@given(st.integers(2, 60), RATES, RATES, st.integers(0, 3), st.booleans(), st.sampled_from(["image", "text"]))
def test_masks_of_a_seed_are_nested_and_spare_a_post_of_each_label_below_rate_1(
    posts, one, other, seed, multi, modality
):
    made = several(posts) if multi else release("b" * posts)
    found = masks.drawn(made, [seed])
    small, large = (set(lost(found, made, modality, rate, seed)) for rate in sorted((one, other)))
    assert small <= large
    part = made.parts["train"]
    able = np.flatnonzero(has(part, modality))
    held = part.target if multi else np.eye(2)[part.target]
    for rate, gone in ((min(one, other), small), (max(one, other), large)):
        labels = int(held[able].any(0).sum())
        if rate < 1:
            left = [row for row in able.tolist() if row not in gone]
            assert (held[left].sum(0) > 0).tolist() == (held[able].sum(0) > 0).tolist()
            assert np.floor(rate * len(able) + 0.5) - labels <= len(gone) <= rate * len(able) + 0.5
        else:
            assert gone == set(able.tolist())


def test_a_rate_takes_its_share_of_each_class_at_random():
    made = release("b" * 40)  # 20 of each class
    found = masks.drawn(made, [0, 1])
    for rate in (0, 0.25, 0.5, 0.75, 1):
        gone = lost(found, made, "text", rate)
        assert abs(sum(row % 2 for row in gone) - 20 * rate) <= 1
        assert abs(len(gone) - 40 * rate) <= 1
    assert lost(found, made, "text", 0.5, seed=0) != lost(found, made, "text", 0.5, seed=1)
    assert lost(found, made, "text", 0.5) != lost(found, made, "image", 0.5)


def test_posts_that_lose_a_modality_keep_the_other_one_and_other_splits_stay():
    made = release("bbbbit", "bbb", "bbbb")
    left = masks.drawn(made, [0]).without(made, "text", 1, 0, ("train", "validation"))
    assert [kinds(left.parts[split]) for split in ("train", "validation")] == ["iiiiit", "iii"]
    assert kinds(left.parts["test"]) == "bbbb"
    assert left.parts["train"].texts.tolist() == [""] * 6
    assert [digest != "" for digest in left.parts["train"].digests] == [True] * 5 + [False]


def test_unlabelled_training_posts_lose_nothing():
    made = release("bbbbbb")
    made.parts["train"].labelled[4:] = False
    found = masks.drawn(made, [0])
    assert lost(found, made, "image", 1) == [0, 1, 2, 3]


def test_a_file_gives_the_same_posts_and_the_same_bytes(tmp_path):
    made = release("b" * 12)
    drawn = masks.drawn(made, [0, 1, 2])
    path = drawn.write(tmp_path / "masks.json")
    again = masks.read(path, made, [0, 1], (0, 0.5, 1))
    assert again == drawn
    assert again.write(tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert masks.drawn(made, [0, 1, 2]).write(tmp_path / "new.json").read_bytes() == path.read_bytes()


def test_the_file_has_a_place_for_each_post_of_a_modality(tmp_path):
    made = release("bbit", "bb", "bb")
    found = json.loads(masks.drawn(made, [7]).write(tmp_path / "masks.json").read_text())
    assert {key: found[key] for key in ("schema", "release", "version")} == {
        "schema": 1,
        "release": "made",
        "version": "1.0.0",
    }
    [mask] = found["masks"]
    assert mask["seed"] == 7
    others = ["test000", "test001", "validation000", "validation001"]
    assert list(mask["image"]) == sorted(["train000", "train001", "train002", *others])
    assert list(mask["text"]) == sorted(["train000", "train001", "train003", *others])
    assert all(0 < place <= 1 for place in mask["text"].values())


def edited(tmp_path, change, made=None):
    """Write the masks of a release after a change of their content, and read them; return the error."""
    made = made or release("b" * 8)
    path = masks.drawn(made, [0]).write(tmp_path / "masks.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        masks.read(path, made, [0], (0, 0.5, 1))
    said = str(error.value)
    assert "\n" not in said
    return said.removeprefix(f"--masks {str(path)!r}")


def test_masks_of_another_release_are_refused(tmp_path):
    said = edited(tmp_path, lambda found: found.update(version="1.0.1"))
    assert said == (
        " is of made 1.0.1, and this release is made 1.0.0: choose it with --version, or draw new masks"
    )


def test_masks_of_posts_that_the_release_lacks_are_refused(tmp_path):
    said = edited(tmp_path, lambda found: found["masks"][0]["text"].update(other=0.5, more=0.5))
    assert said == (
        ", seed 0, text: 2 posts that made 1.0.0 lacks; the first is 'more': take the file of this release, "
        "or draw new masks"
    )


def test_masks_that_lack_posts_are_refused(tmp_path):
    said = edited(tmp_path, lambda found: found["masks"][0]["image"].pop("train003"))
    assert said == (
        ", seed 0, image: no place for 1 post of made 1.0.0; the first is 'train003': draw new masks"
    )


def test_masks_that_leave_a_class_without_training_posts_are_refused(tmp_path):
    def change(found):
        found["masks"][0]["text"] |= {f"train{row:03}": 0.5 for row in (1, 3, 5, 7)}

    assert edited(tmp_path, change) == (
        ", seed 0: at rate 0.5 no training post of 'fear' keeps its text: give one of them a place above "
        "0.5, or leave the rate out"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.update(schema=2), " has schema 2, and this program reads 1: draw new masks"),
        (
            lambda found: found["masks"][0]["text"].update(train000=1.5),
            ", seed 0, text: 'train000' has the place 1.5; a place is above 0 and at most 1",
        ),
        (
            lambda found: found["masks"][0].update(seed=3),
            " has no mask of seed 0, but of 3: take fewer --seeds, or draw new masks",
        ),
    ],
)
def test_other_files_of_masks_are_refused(tmp_path, change, said):
    assert edited(tmp_path, change) == said


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "masks.json"
    path.write_bytes(b'[{"share": 0.5}]')
    with pytest.raises(InputError, match=r"is no file of masks \(Expected `object`, got `array`\): give the"):
        masks.read(path, release("bb"), [0], (0, 1))
