"""Which models are trained on a release, and which are left out, with the reason."""

from dataclasses import replace

import pytest

from baselines.data.release import SPLITS, load
from baselines.models import registry
from baselines.plan import trainable
from baselines.results.schema import LeftOut
from tests.baselines import small, toy_model


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A release with images and texts, of which no training post lacks a label."""
    folder = tmp_path_factory.mktemp("pairs")
    small.learnable(folder / "pairs", sizes=(12, 6, 6), unlabelled=0)
    return load("pairs", folder, cache=folder / "cache")


def test_a_release_of_titles_leaves_out_what_reads_images_and_says_why(tmp_path):
    post = {"post_id": "reddit:0", "label": 0, "text": "a title"}
    small.release(tmp_path / "titles", {split: [post] for split in SPLITS})
    release = load("titles", tmp_path, cache=tmp_path / "cache")
    assert (release.has_images, release.has_texts) == (False, True)
    kept, left_out = trainable(release, registry.selected(["duong2017"]))
    assert kept == ("text",)
    assert left_out == tuple(
        LeftOut(model, "titles 1.0.0 has no images")
        for model in ("image", "late", "early", "joint", "common")
    )


def test_a_release_with_both_leaves_nothing_out(pairs):
    assert trainable(pairs, ("joint", "text")) == (("joint", "text"), ())


def test_a_model_that_cannot_be_trained_on_several_labels_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(toy_model, "SPEC", replace(toy_model.SPEC, reads=("text",), tasks=("single",)))
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
    small.learnable(tmp_path / "many", several=True, sizes=(12, 6, 6))
    release = load("many", tmp_path, cache=tmp_path / "cache")
    assert trainable(release, ("text", "toy")) == (
        ("text",),
        (LeftOut("toy", "it can't be trained on several labels a post"),),
    )


def test_fine_tuning_leaves_out_a_model_that_is_pretrained_in_a_stage_of_its_own(pairs):
    two = ("ext_pie_net", "ext_pie_net_pretrained")
    assert trainable(pairs, two, hides_labels=True) == (two, ())
    assert trainable(pairs, two, finetune=True, hides_labels=True) == (
        two[:1],
        (LeftOut(two[1], "--finetune trains the last stage alone, and it is pretrained in another"),),
    )


def test_models_that_learn_from_unlabelled_posts_are_left_out_where_there_are_none(pairs):
    models = ("cmml", "raw_n_cook", "tib_va")
    next_step = "choose another model, a release with unlabelled posts, or --ratios 0.3"
    learns = "which this model learns from"
    assert trainable(pairs, models) == (
        ("tib_va",),
        (
            LeftOut("cmml", f"the training part has no unlabelled post, {learns}: {next_step}"),
            LeftOut(
                "raw_n_cook",
                f"the training part has no unlabelled post with image and text, {learns}: {next_step}",
            ),
        ),
    )
    assert trainable(pairs, models, hides_labels=True) == (models, ())
