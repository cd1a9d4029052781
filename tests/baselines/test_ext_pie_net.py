"""Ext-PIE-Net and its pretraining against their formulas in NumPy and float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.data.encoders import Images
from baselines.data.samplers import Unlabelled
from baselines.models import registry
from baselines.models.base import LastEpoch, OneCycle, total
from baselines.models.semimemes2023.ext_pie_net import ExtPieNetSettings, PretrainedSettings, contrast
from baselines.training.loop import fit
from tests.baselines import memes
from tests.baselines.test_contrastive import hinge_of, nt_xent_of

SETTINGS = ExtPieNetSettings()
#: Another value for each constant of the pretraining.
CHOSEN = PretrainedSettings(
    projection=4,
    margin=0.1,
    temperature=0.5,
    image_weight=0.3,
    text_weight=0.7,
    view_weight=0.9,
    from_fused=0.6,
)
FEW = ExtPieNetSettings(lr=0.01, epochs=2, batch=8)
QUICK = PretrainedSettings(lr=0.01, epochs=2, batch=8, pretrain_epochs=2, pretrain_batch=8, projection=4)
BOTH = pytest.mark.parametrize(
    ("name", "settings"), [("ext_pie_net", SETTINGS), ("ext_pie_net_pretrained", CHOSEN)]
)


def affine(values, name, x):
    return values[f"{name}.weight"] @ x + values[f"{name}.bias"]


def norm(values, name, x):
    scaled = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]


def pie(values, name, x):
    residual = 1 / (1 + np.exp(-affine(values, f"{name}.residual", x)))
    return affine(values, f"{name}.last", norm(values, f"{name}.norm", x + residual))


def fused(values, vectors, name="fusion"):
    """Attention of two heads over two vectors, its residual normalised, and the sum."""
    weight, bias = values[f"{name}.attention.in_proj_weight"], values[f"{name}.attention.in_proj_bias"]
    parts = [np.split(weight @ one + bias, 3) for one in vectors]
    width = len(vectors[0]) // 2
    total = 0
    for own, (query, _, _) in zip(vectors, parts, strict=True):
        heads = []
        for head in (slice(0, width), slice(width, 2 * width)):
            scores = np.exp([query[head] @ key[head] / np.sqrt(width) for _, key, _ in parts])
            shares = scores / scores.sum()
            heads.append(sum(share * value[head] for share, (_, _, value) in zip(shares, parts, strict=True)))
        attended = affine(values, f"{name}.attention.out_proj", np.concatenate(heads))
        total = total + norm(values, f"{name}.norm", own + attended)
    return total


def logits(values, image, text, seen, told):
    """The logits of one post."""
    vectors = [
        pie(values, "image_head", image) * seen,
        np.tanh(affine(values, "text", pie(values, "text_head", text))) * told,
    ]
    hidden = np.tanh(affine(values, "classify.0", fused(values, vectors)))
    return affine(values, "classify.4", np.tanh(affine(values, "classify.2", hidden)))


@BOTH
@pytest.mark.parametrize("kind", memes.TASKS)
def test_logits_are_those_of_the_formulas(kind, name, settings):
    model, batch = memes.network(name, kind, settings), memes.posts(10, kind)
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    rows = zip(batch.inputs["image"], batch.inputs["first_token"], batch.present, strict=True)
    expected = [
        logits(values, image.double().numpy(), text.double().numpy(), *there.tolist())
        for image, text, there in rows
    ]
    np.testing.assert_allclose(model(batch)["y"].detach().numpy(), expected, rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("kind", memes.TASKS)
def test_what_stands_in_a_missing_modality_changes_nothing(kind, name, settings):
    memes.check_masks(name, kind, settings)


@pytest.mark.parametrize("kind", memes.TASKS)
def test_all_but_the_heads_is_trained(kind):
    [stage] = registry.spec("ext_pie_net").stages(SETTINGS)
    assert (stage.optimiser.lr, stage.sampler.batch, stage.schedule) == (1e-4, 256, OneCycle())
    before = memes.network("ext_pie_net", kind, SETTINGS).float().state_dict()
    [one] = memes.trained("ext_pie_net", kind, ExtPieNetSettings(lr=0.01, epochs=1))
    for name, value in one.state.items():
        assert torch.equal(value, before[name]) == ("_head." in name), name


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), [("ext_pie_net", FEW), ("ext_pie_net_pretrained", QUICK)])
@pytest.mark.parametrize("kind", memes.TASKS)
def test_its_checkpoint_answers_alike_and_needs_no_views(kind, name, settings, tmp_path):
    [one] = memes.trained(name, kind, settings, n=40, unlabelled=20)
    kept = memes.again(tmp_path, name, kind, settings, one)
    assert list(kept.encoders) == ["image", "first_token"]
    model = memes.network(name, kind, settings).float()
    model.load_state_dict(one.state)
    batch = memes.data(kind).train.only("text")
    batch.inputs.pop("image_views")
    with torch.no_grad():
        torch.testing.assert_close(kept.logits(lambda _: batch, "text"), model(batch)["y"])


def test_image_features_of_an_odd_width_are_one_line():
    with pytest.raises(BaselineError) as error:
        registry.spec("ext_pie_net").build(
            memes.TASKS["single"], memes.ENCODERS | {"image": Images(7)}, SETTINGS
        )
    assert str(error.value) == (
        "Ext-PIE-Net has two heads, and --backbone gives 7 features: take one of an even width"
    )


# Pretraining.


def projected(values, name, x):
    hidden = affine(values, f"pretraining.{name}.0", x)
    return affine(values, f"pretraining.{name}.2", hidden * (hidden > 0))


def pretrained(values, view, text):
    """The projections of one post's view and text, and that of both."""
    image = projected(values, "image", pie(values, "image_head", view))
    words = projected(values, "text", pie(values, "text_head", text))
    return image, words, projected(values, "fused", fused(values, [image, words], "pretraining.fusion"))


def loss_of(values, batch, chosen):
    """The loss of the pretraining over the posts with image and text."""
    pairs = batch.present.all(1).nonzero().flatten().tolist()
    views, texts = (batch.inputs[name].double().numpy() for name in ("image_views", "first_token"))
    first, second = (
        [pretrained(values, views[row, number], texts[row]) for row in pairs] for number in (0, 1)
    )
    images, words, both = zip(*first, strict=True)
    hinges = [
        chosen.from_fused * sum(hinge_of(both, others, chosen.margin))
        + (1 - chosen.from_fused) * sum(hinge_of(others, both, chosen.margin))
        for others in (images, words)
    ]
    views = np.mean(nt_xent_of(both, [fusion for _, _, fusion in second], chosen.temperature))
    return chosen.image_weight * hinges[0] + chosen.text_weight * hinges[1] + chosen.view_weight * views


@pytest.mark.parametrize("chosen", [CHOSEN, PretrainedSettings(projection=6)], ids=["other", "usual"])
def test_the_loss_of_the_pretraining_is_that_of_the_formulas(chosen):
    model = memes.network("ext_pie_net_pretrained", "several", chosen)
    batch = memes.posts(12, "several", unlabelled=12)
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    found = total(contrast(model, batch)).item()
    assert found == pytest.approx(loss_of(values, batch, chosen), rel=1e-10)
    missing = ~batch.present.all(1)
    noise = {key: one.clone() for key, one in batch.inputs.items()}
    for name in ("image_views", "first_token"):
        noise[name][missing] = torch.nan  # of posts that aren't pairs nothing is read
    assert total(contrast(model, batch._replace(inputs=noise))).item() == found


def test_its_stages_are_those_of_the_specification():
    first, second = registry.spec("ext_pie_net_pretrained").stages(PretrainedSettings())
    assert (first.epochs, first.sampler, first.stopping) == (100, Unlabelled(256), LastEpoch())
    assert {(group.lr, group.weight_decay) for group in first.optimiser.groups} == {(1e-4, 1e-4), (0, 0)}
    [usual] = registry.spec("ext_pie_net").stages(SETTINGS)
    frozen = second.optimiser.groups
    assert {(group.part, group.lr) for group in frozen} == {("pretraining.", 0), ("_head.", 0)}
    assert replace(second, optimiser=usual.optimiser) == usual
    assert (second.optimiser.kind, second.optimiser.lr) == ("adam", usual.optimiser.lr)


@pytest.mark.slow
@pytest.mark.parametrize("kind", memes.TASKS)
def test_the_first_stage_trains_the_heads_on_unlabelled_posts_alone_and_the_second_leaves_them(kind):
    spec, given = registry.spec("ext_pie_net_pretrained"), memes.data(kind, 40, unlabelled=20)
    given = given.of(spec.inputs)
    before = memes.network("ext_pie_net_pretrained", kind, QUICK).float().state_dict()
    alone = replace(spec, stages=lambda settings: spec.stages(settings)[:1])
    [first] = fit(alone, given, QUICK, [0], memes.CPU)
    [both] = fit(spec, given, QUICK, [0], memes.CPU)
    for name, value in both.state.items():
        pretrains = "_head." in name or name.startswith("pretraining.")
        assert torch.equal(first.state[name], before[name]) != pretrains, name
        assert torch.equal(value, first.state[name]) == pretrains, name
    labels = given.train.labelled
    noise = {
        key: torch.where(labels.reshape(-1, *[1] * (one.ndim - 1)), 9, one)
        for key, one in given.train.inputs.items()
    }
    changed = replace(given, train=given.train._replace(inputs=noise))
    [again] = fit(alone, changed, QUICK, [0], memes.CPU)
    assert all(torch.equal(again.state[name], value) for name, value in first.state.items())


def test_a_mini_batch_of_one_post_is_no_trouble():
    given = memes.data("single", 40, gaps=False, unlabelled=9)  # 8 and 1
    [one] = memes.trained("ext_pie_net_pretrained", "single", QUICK, n=40, gaps=False, unlabelled=9)
    assert int((~given.train.labelled).sum()) == 9
    assert one.problem is None and all(value.isfinite().all() for value in one.state.values())


@pytest.mark.slow
def test_the_pretraining_brings_views_together():
    chosen = replace(QUICK, pretrain_epochs=60, pretrain_lr=0.01, projection=16)
    spec, given = registry.spec("ext_pie_net_pretrained"), memes.data("single", 40, unlabelled=30)
    given = given.of(spec.inputs)
    unlabelled = given.train.take((~given.train.labelled).nonzero().flatten())
    model = memes.network("ext_pie_net_pretrained", "single", chosen).float()
    before = total(contrast(model, unlabelled)).item()
    [one] = fit(replace(spec, stages=lambda chosen: spec.stages(chosen)[:1]), given, chosen, [0], memes.CPU)
    model.load_state_dict(one.state)
    assert total(contrast(model, unlabelled)).item() < before / 4


def test_without_unlabelled_pairs_it_is_one_line():
    with pytest.raises(BaselineError) as error:
        memes.trained("ext_pie_net_pretrained", "several", QUICK)
    assert str(error.value) == (
        "the training part has no unlabelled post with image and text, which this model learns from: "
        "choose another model, a release with unlabelled posts, or --ratios 0.3"
    )


def test_projections_of_an_odd_width_are_one_line():
    with pytest.raises(BaselineError) as error:
        memes.network("ext_pie_net_pretrained", "single", replace(QUICK, projection=5))
    assert str(error.value) == (
        "--set ext_pie_net_pretrained.projection=5: Ext-PIE-Net has two heads; take an even number"
    )
