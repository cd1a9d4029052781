from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.data.batch import Batch
from baselines.models import registry
from baselines.models.duong2017.layers import TextEncoder, pool
from baselines.models.duong2017.settings import CommonSettings, FusionSettings, ImageSettings, JointSettings
from baselines.models.kernels import argmax, dropout_mask
from baselines.models.layers import Standardise
from baselines.results import published
from tests.baselines import reference

SETTINGS = {
    "image": ImageSettings(),
    "early": FusionSettings(hidden=3),
    "joint": JointSettings(hidden=3),
    "common": CommonSettings(hidden=3),
}
#: Each way to miss something, twice: text of a post with neither is of one word, then of two.
GAPS = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("image", {}),
        ("early", {}),
        ("early", {"pooling": "mean"}),
        ("joint", {}),
        ("joint", {"fusion": "mean"}),
        ("joint", {"pooling": "mean", "missing": "zero"}),
        ("joint", {"fusion": "mean", "missing": "zero"}),
        ("common", {"fusion": "max"}),
        ("common", {"fusion": "mean", "missing": "zero"}),
    ],
)
def test_logits_are_those_of_the_papers_formulas(name, choices):
    settings = replace(SETTINGS[name], **choices)
    model, batch = reference.network(name, settings), reference.posts(8, present=GAPS)
    expected = reference.logits(name, reference.numbers(model), batch, settings)
    np.testing.assert_allclose(model(batch)["y"].detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", reference.NEURAL)
def test_the_strict_preset_has_the_papers_formulas_without_scale_and_centre(name):
    """Measured on posts, a network of the preset `duong2017` still reads γ and ψ as they come."""
    strict = replace(SETTINGS[name], **published.preset("duong2017", "reddit-emotion")[name])
    batch = reference.posts(8, present=GAPS)
    model = registry.spec(name).build(reference.SINGLE, reference.encoders(), strict).double().eval()
    model.measure(batch)
    values = reference.numbers(model)
    assert (values["scale.mean"] == 0).all() and (values["scale.scale"] == 1).all()
    assert name == "image" or (values["text.centre"] == 0).all()
    expected = reference.logits(name, values, batch, strict)
    np.testing.assert_allclose(model(batch)["y"].detach().numpy(), expected, rtol=0, atol=1e-12)


def test_our_own_preset_measures_scale_and_centre():
    batch = reference.posts(8, present=GAPS)
    spec = registry.spec("joint")
    model = spec.build(reference.SINGLE, reference.encoders(), SETTINGS["joint"]).double()
    model.measure(batch)
    features = batch.inputs["image"][batch.present[:, 0]]
    torch.testing.assert_close(model.scale.mean, features.mean(0))
    words = torch.from_numpy(reference.encoders()["words"].start)
    texts = [words[ids[ids > 0]].amax(0) for ids in batch.inputs["words"][batch.present[:, 1]]]
    torch.testing.assert_close(model.text.centre, torch.stack(texts).mean(0))


@pytest.mark.slow
@given(
    name=st.sampled_from(reference.NEURAL),
    gone=st.sampled_from(((True, False), (False, True), (False, False))),
    image=st.lists(st.floats(-1e4, 1e4), min_size=reference.FEATURES, max_size=reference.FEATURES),
    tokens=st.lists(st.integers(0, reference.WORDS - 1), min_size=4, max_size=4),
    missing=st.sampled_from(("mask", "zero")),
)
def test_the_input_of_a_missing_modality_cannot_change_the_logits(name, gone, image, tokens, missing):
    settings = SETTINGS[name]
    if name in ("joint", "common"):
        settings = replace(settings, missing=missing)
    model = reference.network(name, settings)
    batch = reference.posts(2, present=[gone, (True, True)])
    seen, told = gone
    other = batch.map(torch.clone)
    if not seen:
        other.inputs["image"][0] = torch.tensor(image, dtype=torch.float64)
    if not told:
        other.inputs["words"][0] = torch.tensor(tokens)
    with torch.no_grad():
        assert torch.equal(model(other)["y"], model(batch)["y"])


@pytest.mark.parametrize("name", reference.NEURAL)
def test_padding_and_the_other_posts_of_a_batch_change_nothing(name):
    model, batch = reference.network(name, SETTINGS[name]), reference.posts(8, present=GAPS)
    padded = torch.nn.functional.pad(batch.inputs["words"], (0, 3))
    longer = batch._replace(inputs=batch.inputs | {"words": padded})
    with torch.no_grad():
        whole = model(batch)["y"]
        torch.testing.assert_close(model(longer)["y"], whole, rtol=0, atol=1e-12)
        for row in range(8):
            alone = model(batch.slice(row, row + 1))["y"]
            torch.testing.assert_close(alone[0], whole[row], rtol=0, atol=1e-12)


def test_words_are_pooled_without_the_padding():
    words = torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]])
    tokens = torch.tensor([[1, 2, 0], [2, 0, 0], [0, 0, 0]])
    highest = TextEncoder(words, "max", 0.25).eval()(tokens)
    assert highest.tolist() == [[-1.0, 2.0], [-1.0, -4.0], [0.0, 0.0]]
    mean = TextEncoder(words, "mean", 0.25).eval()(tokens)
    assert mean.tolist() == [[-2.0, -1.0], [-1.0, -4.0], [0.0, 0.0]]


def of_texts(tokens):
    """Posts with these ids of words and no image."""
    there = torch.tensor([[False, bool(any(row))] for row in tokens])
    n = len(tokens)
    target, labelled = torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.bool)
    return Batch({"words": torch.tensor(tokens)}, there, target, labelled)


def test_the_mean_of_the_training_texts_is_subtracted():
    words = torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]])
    encoder = TextEncoder(words, "max", 0.25)
    encoder.measure(of_texts([[1, 2], [2, 0], [0, 0]]))
    assert encoder.training
    assert encoder.centre.tolist() == [-1.0, -1.0]
    assert encoder.eval()(torch.tensor([[1, 2], [2, 2], [0, 0]])).tolist() == [[0, 3], [0, -3], [0, 0]]
    plain = TextEncoder(words, "max", 0.25, centre=False)
    plain.measure(of_texts([[1, 2], [2, 0]]))
    assert plain.centre.tolist() == [0.0, 0.0]


@pytest.mark.slow
@given(st.integers(1, 70), st.sampled_from((torch.float32, torch.float64)), st.integers(0, 99))
def test_the_place_of_the_maximum_is_that_of_the_library(length, dtype, seed):
    torch.manual_seed(seed)
    vectors = torch.randn(2, length, 5, dtype=dtype)
    vectors[:, length // 2 :] = torch.finfo(dtype).min * (length > 1)
    real = torch.ones(2, length, 1, dtype=torch.bool)
    real[1, length // 2 + 1 :] = False
    keep = (torch.rand(2, length, 5) > 0.3).byte()
    left = (vectors * keep).masked_fill(~real, -torch.inf).amax(-2)
    place = argmax(vectors.clone(), keep, real)
    assert torch.equal((vectors * keep).gather(-2, place).squeeze(-2), left)


def test_only_the_highest_word_of_a_component_is_trained():
    encoder = TextEncoder(torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]]), "max", 0.25).eval()
    encoder(torch.tensor([[1, 2, 2, 0]])).sum().backward()
    assert encoder.lookup.weight.grad.tolist() == [[0, 0], [0, 1], [1, 0]]


def test_a_component_that_dropout_sets_to_0_is_neither_the_maximum_nor_trained():
    torch.manual_seed(0)
    encoder = TextEncoder(torch.tensor([[0.0] * 400, [1.0] * 400, [-1.0] * 400]), "max", dropout=0.5)
    found = encoder(torch.tensor([[1, 2]]))
    assert sorted(found.unique().tolist()) == [0, 2]  # 1 kept and doubled; else a 0, above -1
    found.sum().backward()
    assert torch.equal(encoder.lookup.weight.grad[1], found[0].detach())


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pooling_nothing_gives_zeros_and_no_gradient(how):
    vectors = torch.randn(2, 3, requires_grad=True)
    out = pool(vectors, torch.zeros(2, 1, dtype=torch.bool), -2, how)
    assert out.tolist() == [0.0, 0.0, 0.0]
    out.sum().backward()
    assert not vectors.grad.any()


def test_the_row_of_the_padding_is_never_trained():
    encoder = TextEncoder(torch.ones(3, 2), "mean", 0.25)
    encoder(torch.tensor([[1, 0, 0]])).sum().backward()
    assert encoder.lookup.weight.grad.tolist() == [[0, 0], [pytest.approx(1, abs=0.4)] * 2, [0, 0]]


def of_features(features, present=None):
    """Posts with these features and no text."""
    n = len(features)
    seen = torch.ones(n, dtype=torch.bool) if present is None else torch.tensor(present)
    there = torch.stack([seen, torch.zeros(n, dtype=torch.bool)], -1)
    target, labelled = torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.bool)
    return Batch({"image": features}, there, target, labelled)


def test_features_get_mean_0_equal_variances_and_a_mean_square_norm_of_16():
    features = torch.from_numpy(np.random.default_rng(0).normal((5, -300), (0.1, 40), (500, 2)))
    scale = Standardise(2).double()
    scale.measure(of_features(features))
    out = scale(features).numpy()
    np.testing.assert_allclose(out.mean(0), [0, 0], atol=1e-4)
    np.testing.assert_allclose(out.std(0), [8**0.5] * 2, rtol=1e-4)
    assert (out**2).sum(1).mean() == pytest.approx(16, rel=1e-4)


def test_the_scale_is_measured_on_the_images_that_are_there():
    scale = Standardise(1)
    scale.measure(of_features(torch.tensor([[1.0], [3.0], [700.0]]), [True, True, False]))
    assert scale.mean.tolist() == [2.0]
    scale.measure(of_features(torch.tensor([[9.0]]), [False]))
    assert scale.mean.tolist() == [2.0]
    raw = Standardise(1, on=False)
    raw.measure(of_features(torch.tensor([[1.0], [3.0]])))
    assert raw(torch.tensor([[7.0]])).tolist() == [[7.0]]


def test_a_feature_that_never_changes_stays_finite():
    scale = Standardise(1)
    scale.measure(of_features(torch.full((3, 1), 7.0)))
    assert scale(torch.full((1, 1), 7.0)).item() == 0


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_dropout_keeps_its_share_and_the_expectation(p):
    torch.manual_seed(0)
    keep, scale = dropout_mask(torch.zeros(400, 1001), p)  # 1001 is no multiple of 8
    out = keep * scale
    assert (out != 0).double().mean().item() == pytest.approx(1 - p, abs=0.004)
    assert out.double().mean().item() == pytest.approx(1, abs=0.006)
    assert out[out != 0].unique().tolist() == [pytest.approx(1 / (1 - p), rel=0.005)]


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_dropout_draws_anew_and_is_off_in_evaluation(pooling):
    torch.manual_seed(0)
    encoder, tokens = TextEncoder(torch.randn(3, 64), pooling, 0.25), torch.tensor([[1, 2]])
    assert not torch.equal(encoder(tokens), encoder(tokens))
    assert torch.equal(encoder.eval()(tokens), encoder(tokens))
    keep, scale = dropout_mask(torch.zeros(64), 0)
    assert (keep.tolist(), scale) == ([1] * 64, 1.0)


def test_words_that_training_never_saw_are_appended_to_the_lookup():
    model = reference.network("joint", SETTINGS["joint"])
    batch = reference.posts(4)
    before = model(batch)["y"]
    model.add_words(torch.full((2, reference.WIDTH), 100.0))
    assert torch.equal(model(batch)["y"], before)
    batch.inputs["words"][0, 0] = reference.WORDS + 1
    assert not torch.equal(model(batch)["y"][0], before[0])
