"""What a row on MAMI does otherwise than SemiMemes: each model has networks and settings of its own."""

from dataclasses import asdict

import pytest

from baselines.models import registry
from baselines.models.semimemes2023.db_loss import PRESETS
from baselines.models.semimemes2023.settings import DECAYS, PLAIN_DECAYS
from baselines.results import published
from baselines.results.differences import differences
from baselines.results.schema import Condition, Dataset
from tests.baselines import run_fixture

CLIP = "openai/clip-vit-large-patch14"
DISTILBERT = "distilbert/distilbert-base-uncased"
[PAPER] = published.figures("mami")


def compared(model, **more):
    """What a row on MAMI's labels does otherwise."""
    given = {"backbone": "resnet18", "weights": "0f1e", "vectors": None, "family": "memes", "settings": {}}
    row = run_fixture.row(model, "A row", 0.7, **(given | more))
    names = ("shaming", "stereotype", "objectification", "violence")
    posts = {"train": 8000, "validation": 2000, "test": 1000}
    dataset = Dataset(name="mami", version="1.0.0", task="several", labels=names, counts={}, posts=posts)
    return differences(PAPER, row, dataset)


def test_a_frozen_image_network_of_cmml_is_told_and_a_fine_tuned_one_is_not():
    assert compared("cmml") == ("images: a frozen network where the paper's is fine-tuned",)
    assert compared("cmml", settings={"finetune": True}) == ()
    assert compared("cmml_clip", backbone=CLIP) == ()


@pytest.mark.parametrize(
    ("model", "backbone", "text_encoder"),
    [
        ("raw_n_cook", CLIP, CLIP),
        ("raw_n_cook_no_crom_ae_no_db_loss", CLIP, CLIP),
        ("cmml_clip", CLIP, CLIP),
        ("tib_va", CLIP, CLIP),
        ("ext_pie_net", "resnet18", DISTILBERT),
        ("ext_pie_net", "resnet18", "distilbert-base-uncased"),
        ("vilt", "pixels", None),
        ("lxmert", "unc-nlp/frcnn-vg-finetuned", None),
    ],
)
def test_each_model_has_image_and_text_networks_of_its_own(model, backbone, text_encoder):
    same = f"{text_encoder} 0f1e2d3c" if text_encoder else None
    assert compared(model, backbone=backbone, text_encoder=same) == ()


def test_another_network_of_images_or_texts_is_told_with_that_of_the_model():
    told = compared("raw_n_cook", backbone="mobilenet_v2", text_encoder="DIR 0f1e2d3c")
    assert told == (
        f"images: mobilenet_v2 where the paper has {CLIP}",
        f"texts: DIR 0f1e2d3c where the paper has {CLIP}",
    )
    assert compared("ext_pie_net", backbone=CLIP, text_encoder=f"{CLIP} 0f1e2d3c") == (
        f"images: {CLIP} where the paper has resnet18",
        f"texts: {CLIP} 0f1e2d3c where the paper has {DISTILBERT}",
    )
    assert compared("visualbert", backbone="regions.npz") == (
        "images: regions.npz where the paper has Detectron2's mask_rcnn_R_101_FPN_3x",
    )


@pytest.mark.parametrize(
    ("model", "whose"), [("ext_pie_net", "ImageNet"), ("cmml_clip", "CLIP"), ("lxmert", "Visual Genome")]
)
def test_random_weights_are_told_with_those_of_the_model(model, whose):
    assert f"images: random weights where the paper has {whose}'s" in compared(model, weights="random")


@pytest.mark.parametrize(
    ("model", "backbone", "squash", "side", "told"),
    [
        ("tib_va", CLIP, True, None, ()),
        ("tib_va", CLIP, False, None, ("images: cropped to a square where the paper squashes them",)),
        ("ext_pie_net", "resnet18", False, 225, ()),
        ("cmml", "resnet18", True, 256, ()),
        ("cmml", "resnet18", True, None, ("images: of the network's own size where the paper has 256 px",)),
        ("cmml", "resnet18", True, 225, ("images: of 225 px where the paper has 256 px",)),
    ],
)
def test_how_images_become_squares_is_told(model, backbone, squash, side, told):
    settings = {"finetune": True} if model == "cmml" else {}
    found = compared(model, backbone=backbone, squash=squash, side=side, settings=settings)
    assert found == told


def test_a_model_that_the_slides_do_not_have_is_told():
    assert compared("cmml_text", backbone=None, weights=None) == ("model: A row isn't among the paper's",)


@pytest.mark.parametrize(
    ("share", "decay", "told"),
    [
        (0.3, None, ()),
        (0.3, 0.85, ()),
        (0.05, 0.93, ()),
        (0.05, 0.85, ("settings: decay = 0.85 where the paper has 0.93",)),
        (0.1, 0.5, ("settings: decay = 0.5 where the paper has 0.9",)),
        (0.2, 0.5, ()),  # of which the paper says nothing
        (None, 0.5, ()),
    ],
)
def test_a_decay_is_compared_with_that_of_its_share_of_labels(share, decay, told):
    condition = Condition(labelled=share)
    given = {"backbone": CLIP, "settings": {"decay": decay}, "condition": condition}
    assert compared("raw_n_cook", **given) == told
    assert compared("cmml_clip", **given) == told


def test_a_constant_of_the_loss_is_told_where_it_is_set_and_is_another():
    for settings in ({"alpha": None, "gamma": None}, {"alpha": 10.0, "balance_param": 1.0}):
        assert compared("raw_n_cook", backbone=CLIP, settings=settings) == ()
    assert compared("raw_n_cook", backbone=CLIP, settings={"alpha": 1.0, "gamma": 2.0}) == (
        "settings: alpha = 1 where the paper has 10",
        "settings: gamma = 2 where the paper has 0",
    )


def test_a_setting_of_the_preset_that_is_none_is_told():
    settings = {"finetune": True, "decay": None}
    assert compared("cmml", settings=settings) == ("settings: decay = none where the paper has 0.85",)


def test_what_is_compared_is_what_none_stands_for():
    constants = asdict(PRESETS["semimemes"])
    for model, decays in {
        "raw_n_cook": DECAYS,
        "raw_n_cook_no_crom_ae": DECAYS,
        "raw_n_cook_no_db_loss": PLAIN_DECAYS,
        "raw_n_cook_no_crom_ae_no_db_loss": PLAIN_DECAYS,
        "cmml_clip": DECAYS,
    }.items():
        told = PAPER.compared[model]
        settings = registry.settings_of(model)()
        assert {key: getattr(settings, key) for key in told} == dict.fromkeys(told)
        assert {float(share): value for share, value in told["decay"].items()} == decays
        balanced = getattr(settings, "db_loss", False)
        assert {key: told[key] for key in told if key != "decay"} == (constants if balanced else {})


def test_the_defaults_are_the_preset_s_but_for_the_epochs_of_the_transformers():
    otherwise = {}
    for name, stated in published.preset("semimemes2023", "mami").items():
        settings = registry.settings_of(name)()
        for key, value in stated.items():
            if getattr(settings, key) != value:
                otherwise[name, key] = value
    assert otherwise == {(name, "epochs"): 50 for name in ("visualbert", "vilt", "lxmert")}
