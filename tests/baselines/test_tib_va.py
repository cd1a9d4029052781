"""TIB-VA against its formulas in NumPy and float64."""

import numpy as np
import pytest
import torch

from baselines.models import registry
from baselines.models.base import BestScore, MultiStep, Optimiser
from baselines.models.semimemes2023.tib_va import TibVaSettings
from tests.baselines import memes

TINY = TibVaSettings(width=7)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def last_hidden(values, states):
    """The last hidden state of an LSTM without biases over all states: gates i, f, g, o."""
    hidden = cell = np.zeros(len(values["text.weight_hh_l0"]) // 4)
    for state in states:
        gates = values["text.weight_ih_l0"] @ state + values["text.weight_hh_l0"] @ hidden
        let, forget, new, out = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(let) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
    return hidden


def logits(values, image, states, seen, told):
    """The logits of one post."""
    of_image = np.maximum(values["image.weight"] @ image + values["image.bias"], 0) * seen
    of_text = last_hidden(values, states) * told
    both = np.concatenate([of_image, of_text])
    fused = np.maximum(values["fuse.weight"] @ both + values["fuse.bias"], 0)
    return values["heads.weight"] @ fused + values["heads.bias"]


@pytest.mark.parametrize("kind", memes.TASKS)
def test_logits_are_those_of_the_formulas(kind):
    model, batch = memes.network("tib_va", kind, TINY), memes.posts(10, kind)
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    assert not any("bias" in name for name in values if name.startswith("text"))
    expected = [
        logits(values, image.double().numpy(), states.double().numpy(), *there.tolist())
        for image, states, there in zip(
            batch.inputs["pair_image"], batch.inputs["pair_states"], batch.present, strict=True
        )
    ]
    np.testing.assert_allclose(model(batch)["y"].detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", memes.TASKS)
def test_what_stands_in_a_missing_modality_changes_nothing(kind):
    memes.check_masks("tib_va", kind, TINY)


def test_the_loss_of_several_labels_is_the_sum_of_their_mean_cross_entropies():
    model, batch = memes.network("tib_va", "several", TINY), memes.posts(10, "several")
    term = model.terms(batch)["y"]
    found = model(batch)["y"]
    expected = sum(
        torch.nn.functional.binary_cross_entropy_with_logits(found[:, i], batch.target[:, i].double())
        for i in range(3)
    )
    torch.testing.assert_close(term.sum / term.posts, expected)


def test_it_is_trained_as_its_authors_trained_it():
    [stage] = registry.spec("tib_va").stages(TibVaSettings())
    assert stage.optimiser == Optimiser("adam", 1e-4, weight_decay=1e-4, betas=(0.99, 0.98), clip=1.0)
    assert (stage.epochs, stage.sampler.batch) == (20, 64)
    assert stage.stopping == BestScore(label="misogynous")
    assert stage.schedule == MultiStep(0.5, (5, 10, 15))


@pytest.mark.slow
@pytest.mark.parametrize("kind", memes.TASKS)
def test_its_checkpoint_answers_alike(kind, tmp_path):
    settings = TibVaSettings(width=7, batch=8, epochs=2)
    [one] = memes.trained("tib_va", kind, settings)
    kept = memes.again(tmp_path, "tib_va", kind, settings, one)
    model = memes.network("tib_va", kind, settings).float()
    model.load_state_dict(one.state)
    batch = memes.data(kind).train.only("image")
    with torch.no_grad():
        torch.testing.assert_close(kept.logits(lambda _: batch, "image"), model(batch)["y"])
