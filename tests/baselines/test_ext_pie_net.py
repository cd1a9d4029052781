"""Ext-PIE-Net against its formulas in NumPy and float64."""

import numpy as np
import pytest
import torch

from affectory.core.errors import BaselineError
from baselines.data.encoders import Images
from baselines.models import registry
from baselines.models.base import OneCycle
from baselines.models.semimemes2023.ext_pie_net import ExtPieNetSettings
from tests.baselines import memes

SETTINGS = ExtPieNetSettings()


def affine(values, name, x):
    return values[f"{name}.weight"] @ x + values[f"{name}.bias"]


def norm(values, name, x):
    scaled = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]


def pie(values, name, x):
    residual = 1 / (1 + np.exp(-affine(values, f"{name}.residual", x)))
    return affine(values, f"{name}.last", norm(values, f"{name}.norm", x + residual))


def fused(values, vectors):
    """Attention of two heads over two vectors, its residual normalised, and the sum."""
    weight, bias = values["fusion.attention.in_proj_weight"], values["fusion.attention.in_proj_bias"]
    parts = [np.split(weight @ one + bias, 3) for one in vectors]
    width = len(vectors[0]) // 2
    total = 0
    for own, (query, _, _) in zip(vectors, parts, strict=True):
        heads = []
        for head in (slice(0, width), slice(width, 2 * width)):
            scores = np.exp([query[head] @ key[head] / np.sqrt(width) for _, key, _ in parts])
            shares = scores / scores.sum()
            heads.append(sum(share * value[head] for share, (_, _, value) in zip(shares, parts, strict=True)))
        attended = affine(values, "fusion.attention.out_proj", np.concatenate(heads))
        total = total + norm(values, "fusion.norm", own + attended)
    return total


def logits(values, image, text, seen, told):
    """The logits of one post."""
    vectors = [
        pie(values, "image_head", image) * seen,
        np.tanh(affine(values, "text", pie(values, "text_head", text))) * told,
    ]
    hidden = np.tanh(affine(values, "classify.0", fused(values, vectors)))
    return affine(values, "classify.4", np.tanh(affine(values, "classify.2", hidden)))


@pytest.mark.parametrize("kind", memes.TASKS)
def test_logits_are_those_of_the_formulas(kind):
    model, batch = memes.network("ext_pie_net", kind, SETTINGS), memes.posts(10, kind)
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    rows = zip(batch.inputs["image"], batch.inputs["first_token"], batch.present, strict=True)
    expected = [
        logits(values, image.double().numpy(), text.double().numpy(), *there.tolist())
        for image, text, there in rows
    ]
    np.testing.assert_allclose(model(batch)["y"].detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", memes.TASKS)
def test_what_stands_in_a_missing_modality_changes_nothing(kind):
    memes.check_masks("ext_pie_net", kind, SETTINGS)


@pytest.mark.parametrize("kind", memes.TASKS)
def test_every_parameter_gets_a_gradient_and_the_heads_are_frozen(kind):
    memes.check_gradients("ext_pie_net", kind, SETTINGS)
    [stage] = registry.spec("ext_pie_net").stages(SETTINGS)
    assert (stage.optimiser.lr, stage.sampler.batch, stage.schedule) == (1e-4, 256, OneCycle())
    before = memes.network("ext_pie_net", kind, SETTINGS).float().state_dict()
    [one] = memes.trained("ext_pie_net", kind, ExtPieNetSettings(lr=0.01, epochs=1))
    for name, value in one.state.items():
        assert torch.equal(value, before[name]) == ("_head." in name), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", memes.TASKS)
def test_it_learns_32_posts_by_heart_and_its_checkpoint_answers_alike(kind, tmp_path):
    settings = ExtPieNetSettings(lr=0.003, batch=8, epochs=60)
    [one] = memes.trained("ext_pie_net", kind, settings)
    assert memes.right("ext_pie_net", kind, settings, one) == 1
    kept = memes.again(tmp_path, "ext_pie_net", kind, settings, one)
    model = memes.network("ext_pie_net", kind, settings).float()
    model.load_state_dict(one.state)
    batch = memes.data(kind).train.only("text")
    with torch.no_grad():
        torch.testing.assert_close(kept.logits(lambda _: batch, "text"), model(batch)["y"])


def test_image_features_of_an_odd_width_are_one_line():
    with pytest.raises(BaselineError) as error:
        registry.spec("ext_pie_net").build(
            memes.TASKS["single"], memes.ENCODERS | {"image": Images(7)}, SETTINGS
        )
    assert str(error.value) == (
        "ext_pie_net has two heads, and --backbone gives 7 features: take one of an even width"
    )
