"""`python -m baselines.missing`: areas, mixed answers, gaps, bad input, and a run from release to page."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from baselines import missing, plan
from baselines.data import masks, subsets
from baselines.data.task import SingleLabel
from baselines.data.text_only import gone
from baselines.models import registry
from baselines.results.areas import Scores, mixed, weights
from baselines.results.missing_schema import read
from baselines.results.schema import USUAL, Condition
from baselines.training import checkpoint
from tests.baselines import small, toy_model
from tests.baselines.test_subsets import kinds, release

TASK = SingleLabel(("joy", "fear"))


def test_the_area_is_the_mean_of_straight_lines_between_the_rates():
    assert weights((0, 1)) == (0.5, 0.5)
    assert weights((0, 0.25, 0.5, 0.75, 1)) == (0.125, 0.25, 0.25, 0.25, 0.125)
    assert weights((0.2, 0.3, 0.7)) == pytest.approx((0.1, 0.5, 0.4))


def one_hot(*classes):
    return torch.eye(2)[torch.tensor(classes)]


def test_the_area_of_scores_by_hand_counts_the_trivial_prediction_at_a_gap():
    target = torch.tensor([0, 0, 0, 1] * 3)
    answers = {"all": [one_hot(*[0, 0, 0, 1] * 3)] * 3, "half": [one_hot(*[0, 0, 1, 0] * 3)] * 3}
    scores = Scores.of(answers, one_hot(0)[0], target, np.arange(12), TASK)
    assert scores.figures["half"]["accuracy"].mean == 0.5
    area = scores.area(["all", "half", None], (0, 0.5, 1), 3)  # 1, .5 and the largest class, .75
    assert area.values == (0.25 * 1 + 0.5 * 0.5 + 0.25 * 0.75,) * 3
    assert area.sampled.low < area.mean < area.sampled.high
    level = scores.area(["half", "half", "half"], (0, 0.5, 1), 3)
    assert level.values == scores.figures["half"]["accuracy"].values
    assert level.sampled == scores.figures["half"]["accuracy"].sampled


def test_each_post_is_answered_in_the_mode_of_what_can_be_read_of_it():
    by_mode = {
        "both": torch.tensor([[0.9, 0.1]] * 4),
        "image": torch.tensor([[0.8, 0.2]] * 4),
        "text": torch.tensor([[0.3, 0.7]] * 4),
    }
    present = np.array([(True, True), (True, False), (False, True), (False, False)])
    trivial = torch.tensor([0.0, 1.0], dtype=torch.float64)
    both = mixed(by_mode, present, ("image", "text"), trivial)
    assert both.tolist() == pytest.approx(np.array([(0.9, 0.1), (0.8, 0.2), (0.3, 0.7), (0, 1)]))
    texts = mixed({"both": by_mode["text"], "text": by_mode["text"]}, present, ("text",), trivial)
    assert texts.tolist() == pytest.approx(np.array([(0.3, 0.7), (0, 1), (0.3, 0.7), (0, 1)]))


def test_a_post_that_a_model_can_not_read_does_not_count_as_training():
    made = release("bbbbbit", "bbi", "bb")
    found = {need: subsets.readable(made, need).parts for need in ("pairs", "image", "text", "any")}
    assert {need: kinds(parts["train"]) for need, parts in found.items()} == {
        "pairs": "bbbbb",
        "image": "bbbbbi",
        "text": "bbbbbt",
        "any": "bbbbbit",
    }
    assert {need: kinds(parts["validation"]) for need, parts in found.items()} == {
        "pairs": "bb",
        "image": "bbi",
        "text": "bb",
        "any": "bbi",
    }


def test_models_that_can_not_be_trained_at_a_rate_are_gaps_with_the_reason():
    made = release("b" * 8, "bbbb", "bb")
    models = ("image", "text", "late", "early", "st", "sm", "cv_ct_cm")
    conditions = (USUAL, *(Condition(missing="text", rate=rate) for rate in (0.5, 1)))
    found = plan.gaps(made, models, conditions, masks.drawn(made, [0]), [0])
    every = conditions[2]
    assert found == {
        ("text", every): "no training post has a text",
        ("late", every): "its part text: no training post has a text",
        ("st", every): "no training post has image and text",
        ("sm", every): "no training post has image and text",
    }


def test_a_modality_that_a_model_does_not_read_concerns_it_not():
    without_text = Condition(missing="text", rate=0.5)
    assert [plan.concerns(without_text, model) for model in ("image", "text", "late")] == [False, True, True]
    assert (without_text.text, without_text.slug) == ("50% without texts", "no-text50")


DROPPED = (
    ("reddit:a", "joy", "image_gone", "a sunny day of its own"),
    ("reddit:b", "fear", "image_gone", "dark times ahead"),
    ("reddit:c", "pride", "image_gone", "of another class"),
    ("reddit:d", "fear", "image_gone", "A  dark day NUMBER 1"),  # a title of training
    ("reddit:e", "joy", "image_gone", None),
    ("reddit:f", None, "removed_by_source", None),
    ("reddit:g", "joy", "too_small", "sunny, but not gone"),
    ("reddit:train0", "joy", "image_gone", "published with another image"),
)


def dropped(folder):
    """Write a release's file of dropped posts."""
    names = ("post_id", "label", "reason", "title")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in DROPPED])
    pq.write_table(table, folder / "dropped-0123456789ab.parquet")


def test_posts_whose_image_is_gone_are_those_with_a_title_and_a_label_of_the_task(tmp_path):
    made = release("bbbb")
    made.parts["train"].texts[:] = ["a dark day number 1", "b", "c", "d"]
    made.parts["train"].post_ids[0] = "reddit:train0"[:8]
    assert gone(made, tmp_path).note == "made 1.0.0 has no file of dropped posts"
    dropped(tmp_path)
    found = gone(made, tmp_path)
    assert found.part.post_ids.tolist()[:2] == ["reddit:a", "reddit:b"]
    assert found.part.texts.tolist()[:2] == ["a sunny day of its own", "dark times ahead"]
    assert found.part.target.tolist()[:2] == [0, 1]
    assert found.left_out == {
        "without a label of this task": 1,
        "with a title of training": 1,
        "without a title": 1,
        "tombstones of deleted posts": 1,
    }


# A run of two models on 36 training posts: 6 lack the image, 6 the text, 6 others have no label.


def arguments(folder, *more, models=("text", "toy"), rates=("0", "0.5")):
    places = [f"--{name}={folder / name}" for name in ("datasets", "cache", "features", "out")]
    network = ["--backbone", "resnet18", "--weights", "random", "--side", "33", "--device", "cpu"]
    quick = ["--width", "4", "--seeds", "3", "--set", "toy.epochs=2"]
    given = ["--models", *models, "--rates", *rates]
    return ["tiny", *places, *network, *quick, *given, *more]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the release and the run on it."""
    folder = tmp_path_factory.mktemp("missing")
    small.learnable(folder / "datasets" / "tiny")
    dropped(folder / "datasets" / "tiny" / "1.0.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.MODELS, "toy", toy_model.BOTH_WAYS_ENTRY)
        assert missing.main(arguments(folder)) == 0
        yield folder


@pytest.mark.slow
def test_a_run_leaves_results_table_page_masks_and_a_checkpoint_for_each_network(home):
    folder = home / "out" / "tiny" / "1.0.0-missing"
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints",
        "masks.json",
        "missing.html",
        "missing.json",
        "missing.md",
    ]
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        f"{name}-seed{seed}.pt"
        for name in ("text", "text-no-text50", "toy", "toy-no-image50", "toy-no-text50")
        for seed in range(3)
    }


@pytest.mark.slow
def test_lines_are_level_where_nothing_is_lost_and_areas_are_their_means(home):
    found = read(home / "out" / "tiny" / "1.0.0-missing")
    assert (found.rates, found.modalities, found.headline) == ((0, 0.5), ("image", "text"), "accuracy")
    assert [(line.model, line.modality, line.protocol) for line in found.lines] == [
        (model, modality, protocol)
        for model in ("text", "toy")
        for modality in ("image", "text")
        for protocol in ("train", "test", "both")
    ]
    complete = {model.model: model.complete["accuracy"] for model in found.models}
    for line in found.lines:
        first, last = (point.metrics["accuracy"] for point in line.points)
        assert first == complete[line.model]
        if (line.model, line.modality) == ("text", "image"):
            assert last == first
        means = [(one + other) / 2 for one, other in zip(first.values, last.values, strict=True)]
        assert line.area.values == pytest.approx(means)
        assert line.area.sampled.low <= line.area.mean <= line.area.sampled.high


@pytest.mark.slow
def test_late_fusion_is_corrected_also_where_only_one_of_its_parts_was_trained_again(home):
    quick = ("--set", "image.epochs=2", "text.epoch=2", "--out", str(home / "late"))
    assert missing.main(arguments(home, *quick, models=("late",))) == 0
    folder = home / "late" / "tiny" / "1.0.0-missing" / "checkpoints"
    for name in ("late", "late-no-image50", "late-no-text50"):
        assert set(checkpoint.read(folder / f"{name}-seed1.pt").corrections) == {"image", "text"}


@pytest.mark.slow
def test_posts_whose_image_is_gone_are_scored_beside_the_texts_of_the_test_posts(home):
    found = read(home / "out" / "tiny" / "1.0.0-missing").gone
    assert (found.posts, found.tests, found.note) == (2, 13, "")
    assert [one.model for one in found.scored] == ["text", "toy", ""]
    assert found.scored[-1].gone.values == (0.5,)  # of joy and fear
    assert found.left_out["without a label of this task"] == 1


@pytest.mark.slow
def test_table_and_page_show_the_areas(home):
    folder = home / "out" / "tiny" / "1.0.0-missing"
    table, page = (folder / "missing.md").read_text(), (folder / "missing.html").read_text()
    head = "| Model | No losses | no image: training | no image: test | no image: both | no text: training |"
    assert head in table
    area = read(folder).line("toy", "text", "both").area
    assert f"{100 * area.mean:.1f} ± " in table
    assert f"{100 * area.mean:.1f} ± " in page
    assert page.count('class="chart curve"') == 6
    assert "These models read no images, so their lines are level: Text-based." in page


@pytest.mark.slow
def test_a_second_run_with_the_masks_of_the_first_trains_nothing_and_finds_the_same(home, capsys):
    folder = home / "out" / "tiny" / "1.0.0-missing"
    first, path = read(folder), folder / "masks.json"
    given = path.read_bytes()
    assert missing.main(arguments(home, "--masks", str(path))) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if ", validation " in line]
    assert len(told) == 3 * 5
    assert all(line.endswith("from its checkpoint") for line in told)
    again = read(folder)
    assert (again.lines, again.models, again.masks) == (first.lines, first.models, first.masks)
    assert path.read_bytes() == given


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--rates", "0", "1.5"), "error: --rates 1.5 is no share of the posts: it must be from 0 to 1"),
        (("--rates", "-0.1", "1"), "error: --rates -0.1 is no share of the posts: it must be from 0 to 1"),
        (("--rates", "nan", "1"), "error: --rates nan is no share of the posts: it must be from 0 to 1"),
        (("--rates", "0.5"), "error: --rates 0.5: an area needs two rates, such as 0 1"),
        (("--masks", "no/such.json"), "error: --masks 'no/such.json' is not a file"),
        (("--models", "joimt"), "error: there is no model 'joimt'; did you mean joint?"),
        (("--seeds", "0"), "error: --seeds 0 is below 1"),
        (
            ("--set", "si.lr=1"),
            "error: --set si.lr=1: si isn't trained here; name it among --models",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home, capsys, more, said):
    assert missing.main(arguments(home, *more)) == 2
    assert capsys.readouterr().err.splitlines() == [said]


@pytest.mark.slow
def test_masks_of_another_release_are_one_line_and_exit_code_2(home, tmp_path, capsys):
    content = json.loads((home / "out" / "tiny" / "1.0.0-missing" / "masks.json").read_text())
    content["masks"][0]["image"]["reddit:other"] = 0.5
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(content))
    assert missing.main(arguments(home, "--masks", str(path))) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: --masks {str(path)!r}, seed 0, image: 1 post that tiny 1.0.0 lacks; the first is "
        "'reddit:other': take the file of this release, or draw new masks"
    ]


@pytest.mark.slow
def test_a_release_on_which_no_model_can_be_trained_is_one_line(tmp_path, capsys):
    small.release(
        tmp_path / "datasets" / "tiny",
        {
            split: [
                {"post_id": f"reddit:{split}{row}", "image_sha256": f"{row:064x}", "label": row % 2}
                | {"text": f"day {row}"}
                for row in range(6)
            ]
            for split in ("train", "validation", "test")
        },
    )
    assert missing.main(arguments(tmp_path, models=("image", "early"))) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"left out: {model}: tiny 1.0.0 has no images" for model in ("image", "early")
    ]
    assert told.err.splitlines()[-1] == "error: none of image, early can be trained on tiny"
