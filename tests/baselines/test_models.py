from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.data.batch import Batch
from baselines.models import LateFusion, TextBased
from baselines.models.duong2017.parts import Standardise, TextEncoder, dropout, highest_place, pool
from baselines.settings import NEURAL, Settings
from tests.baselines import reference

SETTINGS = Settings(hidden=3)
#: Each way to miss something, twice: text of a post with neither is of one word, then of two.
GAPS = [[1, 1], [1, 0], [0, 1], [0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]


def late():
    torch.manual_seed(1)
    words = TextBased(torch.randn(reference.WORDS, 4).double(), torch.randn(3, 4).double())
    return LateFusion(reference.network("image", SETTINGS), words)


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
    settings = replace(SETTINGS, **choices)
    model, batch = reference.network(name, settings), reference.posts(8, present=GAPS)
    expected = reference.logits(name, reference.numbers(model), batch, settings)
    np.testing.assert_allclose(model(batch).detach().numpy(), expected, rtol=0, atol=1e-12)


def test_late_fusion_multiplies_the_two_classifiers():
    """The most likely class is that of the largest product of section 3.3.1, P(y|i) · P(y|s)."""
    model, batch = late(), reference.posts(40)
    with torch.no_grad():
        image = reference.probabilities(model.image(batch).numpy())
        text = reference.probabilities(model.text(batch).numpy())
        found = torch.softmax(model(batch), -1).numpy()
    product = image * text
    assert found.argmax(-1).tolist() == product.argmax(-1).tolist()
    np.testing.assert_allclose(found, product / product.sum(-1, keepdims=True), rtol=0, atol=1e-12)
    # Neither classifier alone would do.
    assert (image.argmax(-1) != product.argmax(-1)).any()
    assert (text.argmax(-1) != product.argmax(-1)).any()


def test_late_fusion_leaves_the_factor_of_what_is_missing_out():
    model = late()
    batch = reference.posts(3, present=[[1, 0], [0, 1], [0, 0]])
    with torch.no_grad():
        found = torch.softmax(model(batch), -1).numpy()
        image = torch.softmax(model.image(batch), -1).numpy()
        text = torch.softmax(model.text(batch), -1).numpy()
    np.testing.assert_allclose(found, [image[0], text[1], [1 / 3] * 3], rtol=0, atol=1e-12)


def model_of(name):
    return late() if name == "late" else reference.network(name, SETTINGS)


@pytest.mark.slow
@given(
    name=st.sampled_from((*NEURAL, "late")),
    gone=st.sampled_from(((True, False), (False, True), (False, False))),
    image=st.lists(st.floats(-1e4, 1e4), min_size=reference.FEATURES, max_size=reference.FEATURES),
    tokens=st.lists(st.integers(0, reference.WORDS - 1), min_size=4, max_size=4),
    missing=st.sampled_from(("mask", "zero")),
)
def test_what_a_masked_modality_holds_cannot_change_the_logits(name, gone, image, tokens, missing):
    settings = replace(SETTINGS, missing=missing)
    model = late() if name == "late" else reference.network(name, settings)
    batch = reference.posts(2, present=[gone, (True, True)])
    seen, told = gone
    other = Batch(*(part.clone() for part in batch))
    if not seen:
        other.image[0] = torch.tensor(image, dtype=torch.float64)
    if not told:
        other.tokens[0] = torch.tensor(tokens)
    with torch.no_grad():
        assert torch.equal(model(other), model(batch))


@pytest.mark.parametrize("name", [*NEURAL, "late"])
def test_padding_and_the_other_posts_of_a_batch_change_nothing(name):
    model, batch = model_of(name), reference.posts(8, present=GAPS)
    longer = batch._replace(tokens=torch.nn.functional.pad(batch.tokens, (0, 3)))
    with torch.no_grad():
        whole = model(batch)
        torch.testing.assert_close(model(longer), whole, rtol=0, atol=1e-12)
        for row in range(8):
            alone = Batch(*(part[row : row + 1] for part in batch))
            torch.testing.assert_close(model(alone)[0], whole[row], rtol=0, atol=1e-12)


def test_words_are_pooled_without_the_padding():
    words = torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]])
    tokens = torch.tensor([[1, 2, 0], [2, 0, 0], [0, 0, 0]])
    highest = TextEncoder(words, "max").eval()(tokens)
    assert highest.tolist() == [[-1.0, 2.0], [-1.0, -4.0], [0.0, 0.0]]
    mean = TextEncoder(words, "mean").eval()(tokens)
    assert mean.tolist() == [[-2.0, -1.0], [-1.0, -4.0], [0.0, 0.0]]


def test_texts_are_counted_from_the_centre_of_the_training_texts():
    words = torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]])
    encoder = TextEncoder(words, "max")
    encoder.measure(torch.tensor([[1, 2], [2, 0]]))
    assert encoder.training
    assert encoder.centre.tolist() == [-1.0, -1.0]
    assert encoder.eval()(torch.tensor([[1, 2], [2, 2], [0, 0]])).tolist() == [[0, 3], [0, -3], [0, 0]]


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
    place = highest_place(vectors.clone(), keep, real)
    assert torch.equal((vectors * keep).gather(-2, place).squeeze(-2), left)


def test_only_the_highest_word_of_a_component_is_trained():
    encoder = TextEncoder(torch.tensor([[0.0, 0.0], [-3.0, 2.0], [-1.0, -4.0]])).eval()
    encoder(torch.tensor([[1, 2, 2, 0]])).sum().backward()
    assert encoder.lookup.weight.grad.tolist() == [[0, 0], [0, 1], [1, 0]]


def test_what_dropout_takes_is_neither_the_maximum_nor_trained():
    torch.manual_seed(0)
    encoder = TextEncoder(torch.tensor([[0.0] * 400, [1.0] * 400, [-1.0] * 400]), dropout=0.5)
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
    encoder = TextEncoder(torch.ones(3, 2), "mean")
    encoder(torch.tensor([[1, 0, 0]])).sum().backward()
    assert encoder.lookup.weight.grad.tolist() == [[0, 0], [pytest.approx(1, abs=0.4)] * 2, [0, 0]]


def test_features_are_brought_to_mean_0_one_variance_and_a_mean_square_norm_of_16():
    features = torch.from_numpy(np.random.default_rng(0).normal((5, -300), (0.1, 40), (500, 2)))
    scale = Standardise(2).double()
    scale.measure(features)
    out = scale(features).numpy()
    np.testing.assert_allclose(out.mean(0), [0, 0], atol=1e-4)
    np.testing.assert_allclose(out.std(0), [8**0.5] * 2, rtol=1e-4)
    assert (out**2).sum(1).mean() == pytest.approx(16, rel=1e-4)


def test_a_feature_that_never_changes_stays_finite():
    scale = Standardise(1)
    scale.measure(torch.full((3, 1), 7.0))
    assert scale(torch.full((1, 1), 7.0)).item() == 0


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_dropout_keeps_its_share_and_the_expectation(p):
    torch.manual_seed(0)
    keep, scale = dropout(torch.zeros(400, 1001), p)  # 1001 is no multiple of 8
    out = keep * scale
    assert (out != 0).double().mean().item() == pytest.approx(1 - p, abs=0.004)
    assert out.double().mean().item() == pytest.approx(1, abs=0.006)
    assert out[out != 0].unique().tolist() == [pytest.approx(1 / (1 - p), rel=0.005)]


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_dropout_draws_anew_and_rests_in_evaluation(pooling):
    torch.manual_seed(0)
    encoder, tokens = TextEncoder(torch.randn(3, 64), pooling), torch.tensor([[1, 2]])
    assert not torch.equal(encoder(tokens), encoder(tokens))
    assert torch.equal(encoder.eval()(tokens), encoder(tokens))
    keep, scale = dropout(torch.zeros(64), 0)
    assert (keep.tolist(), scale) == ([1] * 64, 1.0)
