"""Rows that are trained on less: on pairs alone, on shares of the pairs, on shares of the labels."""

import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from baselines import run
from baselines.models import registry
from baselines.results.schema import Condition, read
from tests.baselines import small, toy_model

pytestmark = pytest.mark.slow

HALF, EVERY = Condition(pairs=0.5), Condition(unpaired=True)
HALF_AND_OTHERS = Condition(pairs=0.5, unpaired=True)


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.MODELS, "toy", toy_model.BOTH_WAYS_ENTRY)
        yield


def trained(folder, *more):
    """Run the command on 36 training posts: 6 lack the image, 6 the text, 6 of the others are unlabelled."""
    small.learnable(folder / "datasets" / "tiny")
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    code = run.main(["tiny", *places, *network, "--width", "4", "--seeds", "3", *more])
    return code, folder / "out" / "tiny" / "1.0.0"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return trained(
        tmp_path_factory.mktemp("pairs"),
        "--models",
        "image",
        "text",
        "toy",
        "--pairs",
        "0.5",
        "1",
        "--set",
        "toy.epochs=2",
    )


def test_a_model_of_unpaired_posts_has_a_row_with_and_one_without_them_at_each_share(pairs):
    code, folder = pairs
    assert code == 0
    rows = [(row.model, row.condition) for row in read(folder).rows]
    assert rows == [
        ("image", Condition()),
        ("text", Condition()),
        ("toy", Condition()),
        ("toy", HALF),
        ("toy", HALF_AND_OTHERS),
        ("toy", EVERY),
    ]


def test_each_condition_has_checkpoints_of_its_own(pairs):
    _, folder = pairs
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        f"{name}-seed{seed}.pt"
        for name in ("image", "text", "toy", "toy-pairs50", "toy-pairs50-unpaired", "toy-unpaired")
        for seed in range(3)
    }


def test_the_masks_stand_beside_the_results_and_part_the_labelled_pairs(pairs):
    _, folder = pairs
    masks = json.loads((folder / "masks.json").read_text())
    assert [(one["share"], one["seed"]) for one in masks] == [(0.5, 0), (0.5, 1), (0.5, 2)]
    each = [[*one["kept"], *one["text_only"], *one["image_only"]] for one in masks]
    assert len({tuple(sorted(names)) for names in each}) == 1  # the same pairs
    assert len({tuple(one["kept"]) for one in masks}) == 3  # drawn anew for each seed


def test_rows_with_and_without_unpaired_posts_are_compared(pairs):
    _, folder = pairs
    results = read(folder)
    compared = {(one.first, one.second, one.mode) for one in results.pairs}
    numbers = {(row.model, row.condition): number for number, row in enumerate(results.rows)}
    image, text = numbers["image", Condition()], numbers["text", Condition()]
    usual = numbers["toy", Condition()]
    assert compared == {
        (image, text, "both"),
        (text, usual, "both"),
        (text, usual, "text"),
        (image, usual, "image"),  # as the toy's spec says
        *(
            (numbers["toy", HALF], numbers["toy", HALF_AND_OTHERS], mode)
            for mode in ("both", "image", "text")
        ),
        *((usual, numbers["toy", EVERY], mode) for mode in ("both", "image", "text")),
    }


def test_predictions_name_the_condition(pairs):
    _, folder = pairs
    table = pq.read_table(folder / "predictions.parquet")
    named = pc.unique(table.filter(pc.equal(table["model"], "toy"))["condition"]).to_pylist()
    assert named == ["", "50% of the pairs", "50% of the pairs, with unpaired posts", "with unpaired posts"]


def test_shares_of_the_labels_have_rows_of_every_model(tmp_path, capsys):
    code, folder = trained(
        tmp_path, "--models", "text", "toy", "--ratios", "0.5", "1", "--set", "toy.epochs=2", "text.epoch=2"
    )
    assert code == 0, capsys.readouterr().err
    half = Condition(labelled=0.5)
    rows = [(row.model, row.condition) for row in read(folder).rows]
    assert rows == [("text", Condition()), ("toy", Condition()), ("text", half), ("toy", half)]
    masks = json.loads((folder / "masks.json").read_text())
    assert [(one["labelled"], one["seed"], len(one["kept"])) for one in masks] == [
        (0.5, 0, 15),
        (0.5, 1, 15),
        (0.5, 2, 15),
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ("--models", "text", "--pairs", "0.5"),
            "--pairs: none of text learns from unpaired posts; name cv_ct_cm, toy",
        ),
        (("--models", "toy", "--pairs", "2"), "--pairs 2 is no share: it must be above 0 and at most 1"),
        (("--models", "toy", "--ratios", "0"), "--ratios 0 is no share: it must be above 0 and at most 1"),
        (("--models", "toy", "--stratified"), "--stratified has no effect without --ratios"),
        (
            ("--models", "toy", "--pairs", "0.5", "--ratios", "0.5"),
            "--ratios can't be combined with --pairs: run them one after the other",
        ),
    ],
)
def test_a_share_that_can_not_be_used_is_one_line(tmp_path, capsys, more, said):
    code, _ = trained(tmp_path, *more)
    assert code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_share_of_the_labels_without_a_class_is_one_line(tmp_path, capsys):
    code, _ = trained(tmp_path, "--models", "toy", "--ratios", "0.04")
    assert code == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("error: --ratios 0.04, seed 0: no labelled post of ")
    )


def of_one_modality(folder, modality):
    """A release whose posts have an image, or a text, and never both."""
    splits = {
        split: [
            {"post_id": f"reddit:{split}{row}", "image_sha256": f"{number}{row:063x}", "label": row % 3}
            | (
                {"image": small.png(40 * (row % 3), row, 90)}
                if modality == "image"
                else {"text": f"day {row}"}
            )
            for row in range(size)
        ]
        for number, (split, size) in enumerate((("train", 30), ("validation", 9), ("test", 9)))
    }
    small.release(folder / "datasets" / "tiny", splits, ("joy", "fear", "anger"))


@pytest.mark.parametrize(
    ("modality", "model", "lacking"), [("image", "si", "texts"), ("text", "st", "images")]
)
def test_a_release_of_one_modality_trains_the_model_of_it(tmp_path, capsys, modality, model, lacking):
    of_one_modality(tmp_path, modality)
    places = [f"--{name}={tmp_path / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    small_ = ["--set", "multitask.epochs=1", "multitask.hidden=4", "multitask.filters=2"]
    code = run.main(
        ["tiny", *places, *network, "--width", "4", "--seeds", "1", "--models", "multitask", *small_]
    )
    assert code == 0, capsys.readouterr().err
    results = read(tmp_path / "out" / "tiny" / "1.0.0")
    assert [row.model for row in results.rows] == [model]
    assert {one.model: one.reason for one in results.left_out} == {
        other: f"tiny 1.0.0 has no {lacking}" for other in registry.selected(["multitask"]) if other != model
    }
