"""CROM-AE and RAW-N-COOK, their two stages and masks, and the models of the family that read features."""

from dataclasses import replace

import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.data.batch import MODES
from baselines.data.samplers import LabelledAndUnlabelled, Unlabelled
from baselines.data.task import SingleLabel
from baselines.models import registry
from baselines.models.base import StepDecay, total
from baselines.models.semimemes2023.crom_ae import CromAE, reconstruction
from baselines.models.semimemes2023.settings import DECAYS, PLAIN_DECAYS, DecayByShare, RawNCookSettings
from baselines.training.checkpoint import Checkpoint, read
from baselines.training.loop import fit, new
from tests.baselines import few_labels
from tests.baselines.loops import CPU, same

FAMILY = (
    "raw_n_cook",
    "raw_n_cook_no_crom_ae",
    "raw_n_cook_no_db_loss",
    "raw_n_cook_no_crom_ae_no_db_loss",
    "cmml",
    "cmml_clip",
)
COOKED = ("raw_n_cook", "raw_n_cook_no_db_loss")
PICTURES = ("raw image", "cooked image", "raw text", "cooked text")
KINDS = pytest.mark.parametrize("several", [True, False], ids=["several", "single"])


def quick(name, **more):
    """The settings of a model with a few short epochs."""
    known = {"epochs": 2, "batch": 8, "hidden": 16}
    if name.startswith("raw"):
        known |= {"ae_epochs": 2, "ae_batch": 8}
    return registry.settings_of(name)(**(known | more))


def trained(name, given, settings, seeds=(0,), **changes):
    spec = replace(registry.spec(name), **changes)
    return fit(spec, given.of(spec.inputs), settings, seeds, CPU)


def model_of(name, given, settings):
    spec = registry.spec(name)
    return new(spec, given.of(spec.inputs), settings, 0).eval()


# CROM-AE.


def test_cooked_features_are_the_encoder_s_output_before_prelu():
    torch.manual_seed(0)
    made, posts = CromAE(few_labels.IMAGE, few_labels.TEXT), few_labels.batch(4)
    image, text = posts.inputs["pair_image"].float(), posts.inputs["pair_text"].float()
    cooked_image, cooked_text = made.cooked(image, text, posts.present)
    torch.testing.assert_close(
        cooked_image, image @ made.image_to_text.encode.weight.T + made.image_to_text.encode.bias
    )
    torch.testing.assert_close(
        cooked_text, text @ made.text_to_image.encode.weight.T + made.text_to_image.encode.bias
    )
    prelu, last = made.image_to_text.decode
    slope = torch.where(cooked_image > 0, cooked_image, prelu.weight * cooked_image)
    torch.testing.assert_close(made.image_to_text(image), slope @ last.weight.T + last.bias)
    assert prelu.weight.shape == (few_labels.IMAGE,)
    assert last.weight.shape == (few_labels.TEXT, few_labels.IMAGE)


def test_cooked_features_of_a_missing_side_come_from_the_other_side_s_decoder():
    torch.manual_seed(0)
    made, posts = CromAE(few_labels.IMAGE, few_labels.TEXT), few_labels.batch(3)
    image, text = posts.inputs["pair_image"].float(), posts.inputs["pair_text"].float()
    present = torch.tensor([[True, True], [True, False], [False, True]])
    image[2], text[1] = 0, 0
    cooked_image, cooked_text = made.cooked(image, text, present)
    text_of_image, image_of_text = made.image_to_text(image[1:2]), made.text_to_image(text[2:])
    torch.testing.assert_close(cooked_text[1:2], made.text_to_image.encode(text_of_image))
    torch.testing.assert_close(cooked_image[2:], made.image_to_text.encode(image_of_text))
    torch.testing.assert_close(cooked_image[1:2], made.image_to_text.encode(image[1:2]))


def test_its_pictures_are_the_raw_and_the_cooked_features_of_both_modalities():
    spec, posts = registry.spec("raw_n_cook"), few_labels.batch(8)
    model = spec.build(few_labels.SEVERAL, few_labels.ENCODERS, quick("raw_n_cook")).eval()
    found = model.pictures(posts)
    image, text = posts.inputs["pair_image"], posts.inputs["pair_text"]
    cooked = model.crom_ae.cooked(image.float(), text.float(), posts.present)
    for name, expected in zip(PICTURES, (image, cooked[0], text, cooked[1]), strict=True):
        torch.testing.assert_close(found[name], expected.float())
    plain = registry.spec("raw_n_cook_no_crom_ae")
    model = plain.build(few_labels.SEVERAL, few_labels.ENCODERS, quick("raw_n_cook_no_crom_ae"))
    assert model.pictures(posts) == {}


def test_its_loss_is_the_mean_squared_error_of_both_directions_over_pairs():
    model = model_of("raw_n_cook", few_labels.data(), quick("raw_n_cook"))
    posts = few_labels.batch(5, present=[[True, True]] * 3 + [[True, False], [False, True]])
    image, text = posts.inputs["pair_image"][:3].float(), posts.inputs["pair_text"][:3].float()
    errors = [model.crom_ae.image_to_text(image) - text, model.crom_ae.text_to_image(text) - image]
    expected = sum(one.square().mean() for one in errors)
    torch.testing.assert_close(total(reconstruction(model, posts)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", COOKED)
def test_crom_ae_learns_from_unlabelled_posts_alone_and_stays_in_the_second_stage(name):
    given, settings = few_labels.data(labelled=12), quick(name)
    first, second = registry.spec(name).stages(settings)
    [start] = trained(name, given, settings, stages=lambda settings: (first,))
    [whole] = trained(name, given, settings)
    before = model_of(name, given, settings).state_dict()
    for key, value in start.state.items():
        mine = key.startswith("crom_ae")
        assert torch.equal(value, before[key]) != mine, key
        if mine:
            assert torch.equal(whole.state[key], value), key
        elif key.startswith("classifier"):
            assert not torch.equal(whole.state[key], value), key
    other = given.train.inputs | {
        key: torch.where(given.train.labelled.unsqueeze(-1), 9.0, value.float()).half()
        for key, value in given.train.inputs.items()
    }
    changed = replace(given, train=given.train._replace(inputs=other))
    [again] = trained(name, changed, settings, stages=lambda settings: (first,))
    assert same(again.state, start.state)
    assert second.optimiser.lr == 1e-4


@pytest.mark.slow
def test_its_reconstruction_gets_better():
    given, settings = few_labels.data(), quick("raw_n_cook", ae_epochs=60, ae_lr=0.01)
    first = registry.spec("raw_n_cook").stages(settings)[0]
    [one] = trained("raw_n_cook", given, settings, stages=lambda settings: (first,))
    model = model_of("raw_n_cook", given, settings)
    before = float(total(reconstruction(model, given.train)).detach())
    model.load_state_dict(one.state)
    assert float(total(reconstruction(model, given.train)).detach()) < before / 4


def test_the_stages_are_those_of_the_slides():
    cook, classify = registry.spec("raw_n_cook").stages(RawNCookSettings())
    assert (cook.epochs, cook.sampler, cook.schedule) == (100, Unlabelled(40), StepDecay(0.95))
    assert (cook.optimiser.kind, cook.optimiser.lr, cook.optimiser.weight_decay) == ("adam", 2e-4, 1e-4)
    assert (classify.epochs, classify.sampler.batch, classify.optimiser.lr) == (50, 40, 1e-4)
    assert classify.optimiser.weight_decay == 0
    assert len(registry.spec("raw_n_cook_no_crom_ae").stages(quick("raw_n_cook_no_crom_ae"))) == 1


# Shares of labelled posts.


@pytest.mark.parametrize(
    ("labelled", "factor"), [(30, 0.85), (25, 0.85), (90, 0.85), (12, 0.90), (7, 0.93), (5, 0.93), (1, 0.93)]
)
def test_the_learning_rate_falls_by_the_share_of_labelled_posts(labelled, factor):
    posts = few_labels.batch(100, labelled=labelled)
    assert RawNCookSettings().schedule()(posts) == StepDecay(factor)
    without = registry.settings_of("raw_n_cook_no_db_loss")().schedule()(posts)
    assert without.factor == {0.85: 0.95, 0.90: 0.97, 0.93: 0.99}[factor]
    assert RawNCookSettings(decay=0.5).schedule() == StepDecay(0.5)


def test_of_two_shares_as_near_the_larger_is_taken():
    assert DecayByShare(DECAYS)(few_labels.batch(10, labelled=2)) == StepDecay(0.85)
    assert DecayByShare(PLAIN_DECAYS, 200, "step")(few_labels.batch(40, labelled=3)) == StepDecay(
        0.97, 200, "step"
    )


@pytest.mark.parametrize(("labelled", "each"), [(2400, 12), (800, 4), (400, 2)])
def test_cmml_s_steps_have_labelled_posts_in_proportion(labelled, each):
    """12, 4 and 2 of 40 at MAMI's ratios, and 200 steps an epoch."""
    posts = few_labels.batch(8000, labelled=labelled)
    steps = LabelledAndUnlabelled(40).epoch(posts, torch.Generator().manual_seed(0))
    assert len(steps) == 200
    assert {(len(rows), int(posts.labelled[rows].sum())) for rows in steps} == {(40, each)}


def test_unlabelled_pairs_are_read_once_an_epoch():
    present = [[True, row % 5 != 0] for row in range(30)]
    posts = few_labels.batch(30, labelled=10, present=present)
    steps = Unlabelled(8).epoch(posts, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(steps).tolist()) == [row for row in range(10, 30) if row % 5]
    assert [len(rows) for rows in steps] == [8, 8]


@pytest.mark.parametrize("name", ["raw_n_cook", "cmml", "cmml_clip"])
def test_without_unlabelled_posts_it_is_one_line(name):
    with pytest.raises(BaselineError) as error:
        trained(name, few_labels.data(labelled=40), quick(name))
    what = "post with image and text" if name == "raw_n_cook" else "post"
    assert str(error.value) == (
        f"the training part has no unlabelled {what}, which this model learns from: "
        "choose another model, a release with unlabelled posts, or --ratios 0.3"
    )


def test_a_label_without_a_positive_is_named():
    given = few_labels.data(labelled=12)
    target = given.train.target.clone()
    target[:12, 1] = 0
    given = replace(given, train=given.train._replace(target=target))
    with pytest.raises(BaselineError, match=r"^none of the 12 labelled training posts has the label 'stereo"):
        trained("raw_n_cook", given, quick("raw_n_cook"))
    trained("raw_n_cook_no_crom_ae_no_db_loss", given, quick("raw_n_cook_no_crom_ae_no_db_loss", epochs=1))


# All models of the family that read features.


@KINDS
@pytest.mark.parametrize("name", FAMILY)
def test_no_mode_reads_what_is_missing(name, several):
    given = few_labels.data(several=several)
    model = model_of(name, given, quick(name))
    posts = given.validation
    head = registry.spec(name).heads["both"]
    found = {}
    for mode, (seen, told) in MODES.items():
        nan = {
            key: value
            if (told if key in ("pair_text", "bag") else seen)
            else torch.full_like(value, torch.nan)
            for key, value in posts.inputs.items()
        }
        with torch.no_grad():
            found[mode] = model(posts.only(mode)._replace(inputs=nan))[head]
        assert found[mode].isfinite().all()
    assert not torch.allclose(found["image"], found["text"])
    assert not torch.allclose(found["image"], found["both"])
    with torch.no_grad():
        nothing = model(posts.only("image").only("text"))[head]
    torch.testing.assert_close(nothing, nothing[:1].expand_as(nothing))


@pytest.mark.slow
@KINDS
@pytest.mark.parametrize("name", FAMILY)
def test_stacked_seeds_give_the_networks_of_single_ones(name, several):
    given = few_labels.data(several=several)
    settings = quick(name, **({"dropout": 0.0} if "raw" in name else {}))
    both = trained(name, given, settings, (0, 1))
    for seed, one in enumerate(both):
        [alone] = trained(name, given, settings, (seed,))
        assert len(one.history) == 2
        for key, value in alone.state.items():
            torch.testing.assert_close(one.state[key], value, rtol=1e-4, atol=1e-6, msg=key)


@pytest.mark.parametrize("name", FAMILY)
def test_a_checkpoint_gives_the_network_back(name, tmp_path):
    given, settings = few_labels.data(), quick(name)
    spec = registry.spec(name)
    model = model_of(name, given, settings)
    states = {key: few_labels.ENCODERS[key].state() for key in spec.inputs}
    one = Checkpoint(name, given.task, settings, 0, model.state_dict(), states)
    one.write(tmp_path / "one.pt")
    again = read(tmp_path / "one.pt")
    assert again.settings == settings
    for mode in spec.modes:
        with torch.no_grad():
            expected = model(given.validation.only(mode))[spec.heads[mode]]
        torch.testing.assert_close(again.logits(lambda _: given.validation, mode), expected)


@pytest.mark.parametrize("name", [name for name in FAMILY if name.startswith("raw")])
def test_of_single_classes_each_is_decided_against_the_rest(name):
    """The loss of a class is that of several labels with one positive."""
    given, settings = few_labels.data(several=False), quick(name)
    hot = torch.nn.functional.one_hot(given.train.target, 3).float()
    several = replace(given, task=few_labels.SEVERAL, train=given.train._replace(target=hot))
    losses = [total(model_of(name, one, settings).terms(one.train)).detach() for one in (given, several)]
    assert torch.equal(*losses)
    assert isinstance(given.task, SingleLabel)


def test_the_balanced_loss_counts_the_labelled_posts_alone():
    given = few_labels.data(n=40, labelled=12)
    balanced = model_of("raw_n_cook", given, quick("raw_n_cook")).balanced
    assert float(balanced.posts) == 12
    assert balanced.counts.tolist() == given.train.target[:12].sum(0).tolist()


def test_its_constants_are_the_preset_s_unless_they_are_given():
    found = RawNCookSettings(balance="coco", gamma=0.0, lam=3.0).constants()
    assert (found.alpha, found.beta, found.gamma, found.lam) == (0.1, 10, 0, 3)
    assert RawNCookSettings().constants().alpha == 10


def test_titles_say_what_an_ablation_lacks():
    titles = [registry.spec(name).title(registry.settings_of(name)()) for name in FAMILY[:4]]
    assert titles == [
        "RAW-N-COOK",
        "RAW-N-COOK without CROM-AE",
        "RAW-N-COOK without DB loss",
        "RAW-N-COOK without CROM-AE and DB loss",
    ]
