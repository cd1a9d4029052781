"""CMML's attention and the terms of its loss, post by post from the paper's formulas."""

import math

import numpy as np
import pytest
import torch

from baselines.models import registry
from baselines.models.semimemes2023.cmml import CMMLClipSettings, CMMLSettings, huber
from tests.baselines import few_labels

PRESENT = [[True, True]] * 6 + [[True, False], [False, True]] * 2


def made(name="cmml_clip", several=True, **more):
    """A model in float64, and 10 posts of which 6 are labelled."""
    spec = registry.spec(name)
    settings = spec.settings(hidden=8, **more)
    torch.manual_seed(0)
    task = few_labels.SEVERAL if several else few_labels.SINGLE
    model = spec.build(task, few_labels.ENCODERS, settings).double().eval()
    posts = few_labels.batch(10, several=several, present=PRESENT)
    labelled = torch.tensor([True, False] * 3 + [True, True, True, False])
    return model, posts._replace(labelled=labelled)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("several", [True, False], ids=["several", "single"])
def test_its_loss_is_the_paper_s_post_by_post(several):
    model, posts = made(several=several, diversity=0.01)
    with torch.no_grad():
        logits = {head: one.numpy() for head, one in model(posts).items()}
        terms = model.terms(posts)
    present, known = posts.present.numpy(), posts.labelled.numpy()

    def probabilities(z):
        return sigmoid(z) if several else np.exp(z) / np.exp(z).sum()

    def loss(z, y):
        if several:
            return -np.mean([math.log(p if t else 1 - p) for p, t in zip(sigmoid(z), y, strict=True)])
        return -math.log(probabilities(z)[y])

    def cosine(row):
        a, b = (probabilities(logits[head][row]) for head in ("image", "text"))
        return a @ b / math.sqrt((a @ a) * (b @ b))

    target = posts.target.numpy()
    expected = {}
    for head, there in (("image", present[:, 0]), ("text", present[:, 1]), ("fused", present.any(1))):
        rows = np.flatnonzero(there & known)
        expected[head] = np.mean([loss(logits[head][row], target[row]) for row in rows])
    expected["fused"] *= 2
    both = present.all(1)
    distances = [2 - cosine(row) for row in np.flatnonzero(both & ~known)]
    expected["consistency"] = np.mean([d**2 / 2 if d < 1.003 else 1.003 * (d - 1.003 / 2) for d in distances])
    expected["diversity"] = 0.01 * np.mean([cosine(row) for row in np.flatnonzero(both & known)])
    assert set(terms) == set(expected)
    for name, one in terms.items():
        assert float(one.weight * one.sum / one.posts) == pytest.approx(expected[name], rel=1e-6), name


@pytest.mark.parametrize("several", [True, False], ids=["several", "single"])
def test_the_text_branch_alone_is_cmml_s_and_its_loss_is_the_mean_over_labelled_texts(several):
    model, posts = made("cmml_text", several)
    whole, _ = made("cmml", several)
    shapes = {name: value.shape for name, value in whole.text.named_parameters()}
    assert {name: value.shape for name, value in model.text.named_parameters()} == shapes
    with torch.no_grad():
        logits = model(posts)["y"].numpy()
        [term] = model.terms(posts).values()
    rows = np.flatnonzero((posts.present[:, 1] & posts.labelled).numpy())
    losses = []
    for row in rows:
        z, y = logits[row], posts.target[row].numpy()
        if several:
            losses.append(np.mean(np.log1p(np.exp(z)) - y * z))
        else:
            losses.append(np.log(np.exp(z).sum()) - z[y])
    assert float(term.weight * term.sum / term.posts) == pytest.approx(np.mean(losses), rel=1e-6)
    assert int(term.posts) == len(rows) == 4


def test_the_diversity_is_off_unless_it_is_set():
    model, posts = made()
    assert set(model.terms(posts)) == {"image", "text", "fused", "consistency"}


def test_the_huber_loss_changes_at_its_threshold():
    distances = torch.tensor([0.5, 1.0, 1.003, 1.5, 3.0], dtype=torch.float64)
    expected = [0.125, 0.5, 1.003**2 / 2, 1.003 * (1.5 - 0.5015), 1.003 * (3 - 0.5015)]
    assert huber(distances, 1.003).tolist() == pytest.approx(expected)


def test_the_attention_weighs_both_and_leaves_a_missing_modality_out():
    model, posts = made()
    with torch.no_grad():
        image = model.image(posts.inputs["pair_image"].double())
        text = model.text(posts.inputs["pair_text"].double())
        scores = torch.cat([model.attention(image), model.attention(text)], -1).numpy()
        found = model(posts)["fused"]
    weights = np.exp(scores) * posts.present.numpy()
    weights /= weights.sum(1, keepdims=True)
    fused = weights[:, :1] * image.numpy() + weights[:, 1:] * text.numpy()
    expected = model.heads["fused"](torch.from_numpy(fused))
    torch.testing.assert_close(found, expected.detach())
    assert weights[6].tolist() == [1, 0]


def test_cmml_reads_image_features_and_a_bag_of_words():
    model, _ = made("cmml")
    assert [tuple(value.shape) for value in model.text.parameters()] == [
        (384, few_labels.WORDS),
        (384,),
        (8, 384),
        (8,),
    ]
    assert tuple(model.image.weight.shape) == (8, few_labels.IMAGE)
    assert registry.spec("cmml").inputs == ("image", "bag")


def test_its_training_is_the_released_code_s():
    [stage] = registry.spec("cmml").stages(CMMLSettings())
    assert (stage.epochs, stage.sampler.batch, stage.optimiser.kind) == (50, 40, "adam")
    assert (stage.optimiser.lr, stage.optimiser.weight_decay) == (1e-4, 1e-4)
    assert (stage.schedule.factor, stage.schedule.every, stage.schedule.unit) == (0.85, 200, "step")
    [clip] = registry.spec("cmml_clip").stages(CMMLClipSettings())
    decays = [clip.schedule(few_labels.batch(20, labelled=n)) for n in (6, 2, 1)]
    assert [(one.factor, one.every, one.unit) for one in decays] == [
        (0.85, 200, "step"),
        (0.90, 200, "step"),
        (0.93, 200, "step"),
    ]
